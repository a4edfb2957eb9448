"""One source for all array libraries: the same seed gives the same answer, and nothing beyond the standard is used."""

from __future__ import annotations

import os

import array_api_strict
import numpy as np
import pytest
from doubles import StrictBackend

from datasets import measure
from solvers import Backend, Streams, UnavailableError, create, select_backend
from solvers.backend import processors
from solvers.iterative.block import Block
from solvers.iterative.state import CHECK_EVERY

LABELS = [
    f"{name}[{options}]"
    for name in ("er", "hio", "raar", "difference_map", "difference_map[beta=0.8]", "rrr", "alm", "alm[growth=2]")
    for options in ("", "nonneg=true", "support=shrinkwrap")
]
LABELS = [label.replace("][", ",").replace(",]", "]").replace("[]", "") for label in LABELS]


def follow(label: str) -> tuple[str, float]:
    """How far two libraries can be followed before their rounding errors have grown: a label and a tolerance."""
    return (with_budget(label, 15), 1e-5) if label.startswith("alm") else (with_budget(label, 40), 1e-7)


def with_budget(label: str, iterations: int) -> str:
    budget = f"iterations={iterations},tolerance=0"
    return label[:-1] + f",{budget}]" if label.endswith("]") else f"{label}[{budget}]"


def solve(label, measurement, backend):
    solver = create(label)
    solver.prepare(backend)
    return solver.solve(measurement, Streams(5))


@pytest.fixture(scope="module")
def complex_measurement():
    rng = np.random.default_rng(3)
    return measure(rng.standard_normal((3, 6, 5)) + 1j * rng.standard_normal((3, 6, 5)), grid=(13, 12))


@pytest.mark.parametrize("label", LABELS)
def test_numpy_and_torch_agree_to_rounding(small, numpy64, torch64, label):
    label, tolerance = follow(label)
    one, two = solve(label, small[:5], numpy64), solve(label, small[:5], torch64)
    np.testing.assert_allclose(one.images, two.images, atol=tolerance)
    np.testing.assert_allclose(one.residual, two.residual, atol=tolerance)
    assert one.transforms.tolist() == two.transforms.tolist()


@pytest.mark.parametrize("label", [label for label in LABELS if "nonneg" not in label])
def test_they_agree_on_complex_objects(complex_measurement, numpy64, torch64, label):
    label, tolerance = follow(label)
    one, two = (solve(label, complex_measurement, backend) for backend in (numpy64, torch64))
    np.testing.assert_allclose(one.images, two.images, atol=tolerance)


@pytest.mark.parametrize("label", ["er[nonneg=true]", "rrr[nonneg=true]", "hio", "alm"])
def test_single_precision_follows_double_precision_for_a_while(small, numpy64, label):
    label = with_budget(label, 5)
    exact = solve(label, small[:5], numpy64)
    for name in ("numpy", "torch"):
        found = solve(label, small[:5], Backend(name, precision="float32"))
        assert found.images.dtype == np.float32
        np.testing.assert_allclose(found.images, exact.images, atol=1e-3)


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("label", LABELS)
def test_a_solver_uses_nothing_beyond_the_array_api_standard(small, label, precision):
    label = with_budget(label, CHECK_EVERY + 3)  # past a check, so that shrink-wrap has its turn
    strict = solve(label, small[:3], StrictBackend(precision))
    found = solve(label, small[:3], Backend("numpy", precision=precision))
    np.testing.assert_allclose(strict.images, found.images, atol=1e-9 if precision == "float64" else 1e-2)


@pytest.mark.parametrize("label", [label for label in LABELS if "nonneg" not in label])
def test_nor_does_it_for_complex_objects(complex_measurement, numpy64, label):
    label = with_budget(label, CHECK_EVERY + 3)
    strict = solve(label, complex_measurement, StrictBackend())
    np.testing.assert_allclose(strict.images, solve(label, complex_measurement, numpy64).images, atol=1e-9)


def test_images_finish_and_make_room_within_the_standard(small):
    label = "rrr[nonneg=true,iterations=60,tolerance=0.05,starts=2]"
    strict = solve(label, small, StrictBackend())
    assert len(set(strict.iterations)) > 1
    np.testing.assert_allclose(
        strict.images, solve(label, small, Backend("numpy", precision="float64")).images, atol=1e-6
    )


def test_the_strict_stand_in_is_strict(small):
    backend = StrictBackend()
    array = backend.asarray(small.intensities)
    assert array.__array_namespace__() is array_api_strict
    with pytest.raises((AttributeError, TypeError)):
        array.sum(axis=0)


@pytest.mark.parametrize("label", LABELS)
def test_the_transforms_counted_are_those_that_were_done(small, label, monkeypatch):
    """One image, one start: every forward and inverse transform of the reference functions is seen."""
    done = 0

    def counting(method):
        def wrapper(self, x):
            nonlocal done
            done += 1
            return method(self, x)

        return wrapper

    monkeypatch.setattr(Block, "transform", counting(Block.transform))
    monkeypatch.setattr(Block, "inverse", counting(Block.inverse))
    for iterations in (7, CHECK_EVERY, CHECK_EVERY + 1, 2 * CHECK_EVERY):
        done = 0
        found = solve(with_budget(label, iterations), small[:1], Backend("numpy", precision="float64"))
        assert found.transforms.tolist() == [done]


# ---- choosing one


def test_a_cpu_gets_torch_and_all_its_threads():
    backend = select_backend()
    assert (backend.name, backend.device, backend.precision) == ("torch", "cpu", "float32")
    ours = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()  # not on macOS
    assert backend.threads == ours
    assert select_backend(threads=1).threads == 1


def test_where_the_system_does_not_say_which_processors_are_ours_all_count(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert processors() == os.cpu_count()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "jax"}, "unknown backend 'jax': choose from auto, numpy, torch, cupy"),
        ({"device": "tpu"}, "unknown device 'tpu': choose from cpu, cuda"),
        ({"precision": "float16"}, "unknown precision 'float16': choose from float32, float64"),
        ({"threads": 0}, "threads must be at least 1, got 0"),
        ({"name": "numpy", "device": "cuda"}, "backend 'numpy' has no device 'cuda'"),
        ({"name": "cupy", "device": "cpu"}, "backend 'cupy' has no device 'cpu'"),
    ],
)
def test_what_does_not_exist_is_refused_with_the_choices(arguments, message):
    with pytest.raises(UnavailableError) as error:
        select_backend(**arguments)
    assert message in str(error.value)


def test_a_gpu_that_is_not_there_is_never_replaced_by_the_cpu(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UnavailableError, match="torch finds no GPU here"):
        select_backend("torch", "cuda")


@pytest.mark.parametrize("backend", [Backend("numpy"), Backend("torch"), Backend("torch", precision="float64")])
def test_arrays_go_to_the_device_in_its_precision_and_come_back(backend, rng):
    for array, kind in ((rng.random((2, 3)), "f"), (rng.random((2, 3)) + 1j, "c"), (np.arange(3), "i")):
        back = backend.to_numpy(backend.asarray(array))
        assert back.dtype.kind == kind
        np.testing.assert_allclose(back, array, rtol=1e-6)
    assert backend.to_numpy(backend.asarray(rng.random(3))).dtype == backend.precision


def test_where_the_system_does_not_say_which_processors_are_ours_all_are_counted(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert processors() == 7
    assert select_backend().threads == 7
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert processors() == 1
