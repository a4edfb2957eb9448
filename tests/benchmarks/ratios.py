"""Print the ratios of a benchmark run: python tests/benchmarks/ratios.py FILE, the JSON file of pytest-benchmark."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table


def table(run: dict) -> Table:
    """A line for each ratio that the benchmarks of this run have measured."""
    found = Table("ratio", "median", "quartiles", "bar", title="Ratios of alternating measurements")
    for benchmark in run["benchmarks"]:
        info = benchmark["extra_info"]
        if "ratio" in info:
            quartiles = f"{info['ratio_low']:.3g} to {info['ratio_high']:.3g}"
            found.add_row(escape(info["ratio_name"]), f"{info['ratio']:.3g}", quartiles, info["bar"])
    return found


if __name__ == "__main__":
    Console().print(table(json.loads(Path(sys.argv[1]).read_text())))
