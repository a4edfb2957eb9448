"""Tables, all computed from rows: the summary, and the paper's Table 1 and Table 2."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.report.agreements import agreements, resolutions
from bench.report.curves import CURVES
from bench.report.paper import paper_mse
from bench.report.pictures import PICTURES
from bench.report.settings import varying
from bench.report.timing import TIMING
from bench.score.by_image import image_means
from bench.score.measures import MEASURES
from bench.score.metrics import STRICT_SUCCESS, SUCCESS
from bench.score.references import LIMIT, NEAR, label_of
from bench.score.statistics import bootstrap_means, success_interval
from bench.sweep.rows import FILE, GROUP, REFERENCES_FILE, failed, knows_truth, scored, with_known_counts
from datasets import VARIANTS, PatternSet
from datasets.problem import COLUMNS, Problem

_MEANS = ["mse", "success", "strict_success", "near_limit", *MEASURES, "residual", "iterations", "starts", "transforms"]

TABLES = (FILE, "summary.csv", "table1.csv", "table2.csv", TIMING)  # of every run
OPTIONAL = (REFERENCES_FILE, PICTURES, CURVES)  # not written where there is nothing for them
RESOLUTION = "half_period_pixels"  # a column of summaries over measured patterns

_NO_INTERVAL = (np.nan, np.nan)


def summarise(
    rows: pd.DataFrame,
    references: pd.DataFrame | None = None,
    pictures: pd.DataFrame | None = None,
    patterns: PatternSet | None = None,
) -> pd.DataFrame:
    """One line for each problem and solver, in the order in which the rows bring them.

    Where nobody knows the objects, errors and successes are NaN.

    The image is the unit of every number: its seeds are averaged first, and its success is the share of them that
    succeeded. `failed` counts the images that were left without a reconstruction under any seed; iterations, starts and
    transforms are means over the others.

    Args:
        references: rows of references, whose lines come last. With the likelihood limit among them, `near_limit_rate`
            is the share of images whose error is near that of the limit (`bench.score.references`).
        pictures: kept reconstructions. Those of measured patterns under several seeds tell their `agreement`.
        patterns: what was measured, where the pictures are of measured patterns: with many seeds that agree, they have
            a `half_period_pixels`.
    """
    limited = references is not None and label_of(LIMIT) in set(references["solver"])
    agreeing = {} if pictures is None else agreements(rows, pictures)
    resolved = {} if pictures is None or patterns is None else resolutions(rows, pictures, patterns)
    if references is not None:
        rows = pd.concat([rows, references], ignore_index=True)
    rows = rows.assign(
        success=(rows["mse"] < SUCCESS).where(rows["mse"].notna()) * 1.0,
        strict_success=(rows["mse"] < STRICT_SUCCESS).where(rows["mse"].notna()) * 1.0,
        near_limit=_near_limit(rows),
    )
    groups = list(rows.groupby(GROUP, sort=False))
    means = [image_means(with_known_counts(scored(group)), _MEANS) for _, group in groups]
    intervals = bootstrap_means([images["mse"].to_numpy() for images in means])
    lines = []
    for ((*setting, solver), group), images, interval in zip(groups, means, intervals, strict=True):
        problem = dict(zip(COLUMNS, setting, strict=True))
        known = knows_truth(group)
        low, high = interval if known else _NO_INTERVAL
        success_low, success_high = success_interval(images["success"].to_numpy()) if known else _NO_INTERVAL
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
                **(_near_limit_rate(images["near_limit"]) if limited else {}),
                "residual": images["residual"].median(),
                **({"agreement": agreeing.get((*setting, solver), np.nan)} if agreeing else {}),
                **({RESOLUTION: resolved.get((*setting, solver), np.nan)} if resolved else {}),
                "iterations": images["iterations"].mean(),
                "starts": images["starts"].mean(),
                "transforms": images["transforms"].mean(),
                "failed": failed(group)["image"].nunique(),
                "information": _information(group),
                "paper_mse": paper_mse(str(solver), Problem(**problem)),
            }
        )
    return pd.DataFrame(lines)


def _near_limit(rows: pd.DataFrame) -> NDArray[np.float64]:
    """(rows,) 1 where the error is near the likelihood limit of the same measurement, else 0; NaN without a limit."""
    same = [*COLUMNS, "seed", "image"]
    limits = rows.loc[rows["solver"] == label_of(LIMIT), [*same, "mse"]].rename(columns={"mse": "limit"})
    limit = rows[same].merge(limits, on=same, how="left")["limit"].to_numpy()
    return np.where(np.isnan(limit), np.nan, rows["mse"].to_numpy() <= NEAR * limit)


def _near_limit_rate(shares: pd.Series) -> dict[str, float]:
    known = shares.dropna().to_numpy()
    low, high = success_interval(known) if len(known) else (np.nan, np.nan)
    return {"near_limit_rate": shares.mean(), "near_limit_low": low, "near_limit_high": high}


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
    errors = table.pivot(index=index, columns="solver", values="mse")[summary["solver"].unique()]
    return table[index].drop_duplicates().merge(errors.rename_axis(columns=None).reset_index(), on=index)


def table2(summary: pd.DataFrame) -> pd.DataFrame:
    """The paper's Table 2: every solver's mean mse on shift_flip; without a row where that variant was not run."""
    hardest = summary[summary["variant"] == "shift_flip"]
    columns = ["solver", "mse", "mse_low", "mse_high", "images", "paper_mse", "success_rate", "information"]
    return hardest[[*varying(hardest)[1:], *columns]].reset_index(drop=True)
