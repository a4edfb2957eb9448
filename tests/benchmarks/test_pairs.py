"""A ratio is that of two workloads which took turns."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pairs
import pytest
import ratios
from rich.console import Console


class Clockwork:
    """Stands in for pytest-benchmark, with a clock that goes faster from round to round: a machine that slows down."""

    disabled = False

    def __init__(self) -> None:
        self.now, self.order = 0.0, []
        self.extra_info: dict = {}
        self.stats = SimpleNamespace(stats=SimpleNamespace(data=[]))

    def work(self, name: str, seconds: float):
        def call() -> None:
            self.order.append(name)
            self.now += seconds * len(self.order)

        return call

    def pedantic(self, work, setup, rounds, warmup_rounds):
        for turn in range(rounds + warmup_rounds):
            setup()
            began = self.now
            work()
            if turn >= warmup_rounds:
                self.stats.stats.data.append(self.now - began)


@pytest.mark.parametrize(("inverse", "expected"), [(False, 3.0), (True, 1 / 3)])
def test_they_take_turns_and_a_machine_that_slows_down_hardly_matters(monkeypatch, inverse, expected):
    benchmark = Clockwork()
    monkeypatch.setattr(pairs.time, "perf_counter", lambda: benchmark.now)
    slow, fast = benchmark.work("slow", 3.0), benchmark.work("fast", 1.0)
    pairs.compare(benchmark, "slow over fast", slow, fast, bar="", rounds=50, inverse=inverse)
    assert benchmark.order[:4] == ["fast", "slow", "fast", "slow"]
    info = benchmark.extra_info
    assert info["ratio"] == pytest.approx(expected, rel=0.03)
    assert info["ratio_low"] <= info["ratio"] <= info["ratio_high"]


def test_every_ratio_is_printed_with_its_bar():
    info = {"ratio_name": "step over floor", "ratio": 1.25, "ratio_low": 1.2, "ratio_high": 1.3, "bar": "≤ 1.5"}
    run = {"benchmarks": [{"extra_info": info}, {"extra_info": {"images": 16}}]}
    console = Console(file=io.StringIO(), width=120)
    console.print(ratios.table(run))
    for text in ("step over floor", "1.25", "1.2 to 1.3", "≤ 1.5"):
        assert text in console.file.getvalue()
