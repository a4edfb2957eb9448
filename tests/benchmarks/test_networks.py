"""U-Net inference in float32 and in bf16, with random weights: their values change no time.

The networks answer in float32. bf16 pays where the processor has instructions for it (`bf16_is_fast`).
"""

from __future__ import annotations

import contextlib

import pytest
import torch
from pairs import compare
from workloads import sample

from datasets.problem import Problem
from solvers.backend import bf16_is_fast
from solvers.learned.base import CHUNK
from solvers.learned.unet_a import UNetA
from solvers.learned.unet_b import UNetB

pytestmark = pytest.mark.benchmark(group="unet")


def network(kind, count: int):
    """The untrained network of a solver, and half planes (count, 96, 49) for it."""
    torch.manual_seed(0)
    model = kind().model(Problem()).eval()
    _, measurement = sample(count)
    scale = measurement.intensities.max(axis=(1, 2), keepdims=True)
    return model, torch.from_numpy(measurement.intensities / scale)[:, :, :49].float().contiguous()


def inference(model, half, precision: str):
    narrow = torch.autocast("cpu", torch.bfloat16) if precision == "bf16" else contextlib.nullcontext()
    with torch.inference_mode(), narrow:
        return model.output(half)


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("kind", [UNetA, UNetB], ids=lambda kind: kind.name)
def test_inference(benchmark, kind, precision):
    count = 2 if benchmark.disabled else CHUNK["cpu"]
    model, half = network(kind, count)
    benchmark.extra_info["images"] = count
    benchmark.pedantic(inference, args=(model, half, precision), rounds=5, warmup_rounds=1)


@pytest.mark.parametrize("kind", [UNetA, UNetB], ids=lambda kind: kind.name)
def test_bf16_against_float32(benchmark, kind):
    model, half = network(kind, 2 if benchmark.disabled else CHUNK["cpu"])
    exact, rounded = inference(model, half, "float32"), inference(model, half, "bf16")
    difference = float((rounded - exact).norm() / exact.norm())
    assert difference < 0.1, "8 bits of mantissa through some 30 layers"
    benchmark.extra_info["difference"] = difference
    compare(
        benchmark,
        f"{kind.name} inference in bf16 over float32, which differ by {difference:.1%}",
        lambda: inference(model, half, "bf16"),
        lambda: inference(model, half, "float32"),
        bar="< 1: bf16 pays" if bf16_is_fast("cpu") else "> 1: it is emulated",
        rounds=7,
    )
