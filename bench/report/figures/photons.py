"""Error over noise."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from bench.errors import NothingStoredError
from bench.report.figures.look import LEGEND, Look, folded, line_styles
from bench.report.figures.source import Source
from bench.report.settings import briefly, problem_of, varying
from datasets.problem import Problem


def photons(source: Source, look: Look) -> Figure:
    """Mean error over photons, with its interval, for each solver on each problem; without noise at the right."""
    summary = source.summary
    if summary["photons"].nunique() < 2:
        raise NothingStoredError(
            f"'{source.folder}' has one number of photons: --photons none,1e6,1e4 in its command has more"
        )
    figure = look.figure()
    ax = figure.subplots()
    groups = [name for name in varying(summary) if name != "photons"]
    counts = sorted(value for value in summary["photons"].unique() if np.isfinite(value))
    beyond = 10 * counts[-1]  # where no noise is drawn
    lines = [part.sort_values("photons") for _, part in summary.groupby(["solver", *groups], sort=False)]
    words = briefly(problem_of(part.iloc[0]).model_copy(update={"photons": np.inf}) for part in lines)
    names = []
    for part, style in zip(lines, line_styles([part["solver"].iloc[0] for part in lines]), strict=True):
        x = part["photons"].where(np.isfinite(part["photons"]), beyond)
        problem = problem_of(part.iloc[0]).model_copy(update={"photons": np.inf})
        named = look.name(part["solver"].iloc[0]) + f", {words[problem]}" * (len(words) > 1)
        names.append(folded(named, LEGEND))
        ax.plot(x, part["mse"], markersize=4, **style)
        ax.fill_between(x, part["mse_low"], part["mse_high"], color=style["color"], alpha=0.15, linewidth=0)
    ax.set_xscale("log")
    ax.set_yscale("log")
    noiseless = np.isinf(summary["photons"]).any()
    ticks = [*counts, beyond] if noiseless else counts
    ax.set_xticks(ticks, [*map(_in_words, counts), *["no noise"] * bool(noiseless)])
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.grid(visible=True, alpha=0.3)
    ax.set_xlabel("photons in a pattern")
    ax.set_ylabel("mean adjusted error")
    look.add_legend(figure, ax.get_lines(), names)
    return figure


def _in_words(count: float) -> str:
    return Problem(photons=count).words(("photons",)).removesuffix(" photons")
