"""Tables, all computed from rows: the summary, and the paper's Table 1 and Table 2."""

from __future__ import annotations

import pandas as pd

from bench.report.paper import paper_mse
from bench.report.settings import varying
from bench.score.by_image import image_means
from bench.score.measures import MEASURES
from bench.score.metrics import STRICT_SUCCESS, SUCCESS
from bench.score.statistics import bootstrap_mean, success_interval
from bench.sweep.rows import GROUP, failed
from datasets import VARIANTS
from datasets.problem import COLUMNS, Problem

_MEANS = ["mse", "success", "strict_success", *MEASURES, "residual", "iterations", "starts", "transforms"]


def summarise(rows: pd.DataFrame) -> pd.DataFrame:
    """One line for each problem and solver, in the order in which the rows bring them.

    The image is the unit of every number: its seeds are averaged first, and its success is the share of them that
    succeeded. `failed` counts the images that were left without a reconstruction under any seed.
    """
    rows = rows.assign(success=(rows["mse"] < SUCCESS) * 1.0, strict_success=(rows["mse"] < STRICT_SUCCESS) * 1.0)
    lines = []
    for (*setting, solver), group in rows.groupby(GROUP, sort=False):
        problem = dict(zip(COLUMNS, setting, strict=True))
        images = image_means(group, _MEANS)
        low, high = bootstrap_mean(images["mse"].to_numpy())
        success_low, success_high = success_interval(images["success"].to_numpy())
        lines.append(
            {
                **problem,
                "solver": solver,
                "images": len(images),
                "seeds": group["seed"].nunique(),
                "mse": images["mse"].mean(),
                "mse_low": low,
                "mse_high": high,
                "median": images["mse"].median(),
                **{name: images[name].mean() for name in MEASURES},
                "success_rate": images["success"].mean(),
                "success_low": success_low,
                "success_high": success_high,
                "strict_success_rate": images["strict_success"].mean(),
                "residual": images["residual"].median(),
                "iterations": images["iterations"].mean(),
                "starts": images["starts"].mean(),
                "transforms": images["transforms"].mean(),
                "failed": failed(group)["image"].nunique(),
                "information": _information(group),
                "paper_mse": paper_mse(str(solver), Problem(**problem)),
            }
        )
    return pd.DataFrame(lines)


def _information(group: pd.DataFrame) -> str:
    """What the solver says it used, as it was recorded with its rows; empty where it never came to an end."""
    said = group.loc[group["information"] != "", "information"]
    return str(said.iat[0]) if len(said) else ""


def table1(summary: pd.DataFrame) -> pd.DataFrame:
    """The paper's Table 1: one row for each variant, one column for each solver, the mean mse.

    Where another setting varies, there is a row for each of its values, and a column that says which.
    """
    index = list(varying(summary))
    order = {variant: number for number, variant in enumerate(VARIANTS)}
    table = summary.sort_values("variant", key=lambda column: column.map(order), kind="stable")
    table = table.pivot_table(index=index, columns="solver", values="mse", sort=False)
    return table[summary["solver"].unique()].rename_axis(columns=None).reset_index()


def table2(summary: pd.DataFrame) -> pd.DataFrame:
    """The paper's Table 2: every solver's mean mse on shift_flip; without a row where that variant was not run."""
    hardest = summary[summary["variant"] == "shift_flip"]
    columns = ["solver", "mse", "mse_low", "mse_high", "images", "paper_mse", "success_rate", "information"]
    return hardest[[*varying(hardest)[1:], *columns]].reset_index(drop=True)
