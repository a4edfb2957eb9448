"""Tables, all computed from rows: the summary, and the paper's Table 1 and Table 2."""

from __future__ import annotations

import pandas as pd

from bench.metrics import STRICT_SUCCESS, SUCCESS
from bench.shard import UNSOLVED
from bench.statistics import bootstrap_mean, wilson
from datasets import VARIANTS

# Tayal et al., Tables 1 and 2: what the paper prints, by solver name and variant.
PAPER: dict[tuple[str, str], float] = {
    ("unet_b", "none"): 0.103,
    ("unet_b", "flip"): 0.168,
    ("unet_b", "shift"): 0.249,
    ("unet_b", "shift_flip"): 0.248,
    ("unet_a", "none"): 0.103,
    ("unet_a", "flip"): 0.162,
    ("unet_a", "shift"): 0.102,
    ("unet_a", "shift_flip"): 0.161,
    ("alm", "shift_flip"): 0.299,
}


def paper_mse(solver: str, variant: str) -> float | None:
    """What the paper reports for this solver label on this variant, if it does."""
    return PAPER.get((solver.partition("[")[0], variant))


def summarise(rows: pd.DataFrame) -> pd.DataFrame:
    """One line for each variant and solver, in the order in which the rows bring them."""
    lines = []
    for (variant, solver), group in rows.groupby(["variant", "solver"], sort=False):
        # Several seeds of one image are not independent: an image is what is resampled.
        errors = group.groupby("image")["mse"].mean().to_numpy()
        low, high = bootstrap_mean(errors)
        successes, n = int((group["mse"] < SUCCESS).sum()), len(group)
        success_low, success_high = wilson(successes, n)
        lines.append(
            {
                "variant": variant,
                "solver": solver,
                "images": group["image"].nunique(),
                "seeds": group["seed"].nunique(),
                "mse": errors.mean(),
                "mse_low": low,
                "mse_high": high,
                "median": group["mse"].median(),
                "pixel_mse": group["pixel_mse"].mean(),
                "success_rate": successes / n,
                "success_low": success_low,
                "success_high": success_high,
                "strict_success_rate": (group["mse"] < STRICT_SUCCESS).mean(),
                "residual": group["residual"].median(),
                "iterations": group["iterations"].mean(),
                "starts": group["starts"].mean(),
                "transforms": group["transforms"].mean(),
                "failed": int(group["status"].isin(UNSOLVED).sum()),
                "information": _information(group),
                "paper_mse": paper_mse(str(solver), str(variant)),
            }
        )
    return pd.DataFrame(lines)


def _information(group: pd.DataFrame) -> str:
    """What the solver says it used, as it was recorded with its rows; empty where it never came to an end."""
    said = group.loc[group["information"] != "", "information"]
    return str(said.iat[0]) if len(said) else ""


def table1(summary: pd.DataFrame) -> pd.DataFrame:
    """The paper's Table 1: one row per variant, one column per solver, the mean mse."""
    table = summary.pivot(index="variant", columns="solver", values="mse")
    order = [variant for variant in VARIANTS if variant in table.index]
    return table.loc[order, summary["solver"].unique()].rename_axis(columns=None).reset_index()


def table2(summary: pd.DataFrame) -> pd.DataFrame:
    """The paper's Table 2: every solver's mean mse on shift_flip, empty where that variant was not run."""
    hardest = summary[summary["variant"] == "shift_flip"]
    columns = ["solver", "mse", "mse_low", "mse_high", "paper_mse", "success_rate", "information"]
    return hardest[columns].reset_index(drop=True)
