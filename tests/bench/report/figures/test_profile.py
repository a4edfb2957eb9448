"""How often a solver is good."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from doubles import result_rows
from drawn import Known, legend, made, texts
from hypothesis import given
from hypothesis import strategies as st

from bench.report.figures.look import Look
from bench.report.figures.profile import error_ratios, profile, times
from datasets.problem import Problem


@pytest.mark.slow
@given(st.integers(0, 2**32 - 1))
def test_the_profile_of_a_solver_is_the_share_of_images_within_a_factor_of_the_best(seed):
    rng = np.random.default_rng(seed)
    errors = {label: 10 ** rng.uniform(-6, 0, 12) for label in ("er", "rrr", "hio")}
    ratios = error_ratios(pd.concat([result_rows(label, of) for label, of in errors.items()], ignore_index=True))
    for factor in (1, 2, 10, 1e5):
        for label, of in errors.items():
            expected = sum(
                max(of[i], 1e-4) <= factor * max(1e-4, min(other[i] for other in errors.values())) for i in range(12)
            )
            assert (ratios[label] <= factor * (1 + 1e-12)).sum() == expected


def test_a_failure_is_never_within_a_factor_of_the_best():
    rows = [result_rows("er", np.array([0.5, 0.5])), result_rows("rrr", np.ones(2), status="failed")]
    assert np.isinf(error_ratios(pd.concat(rows))["rrr"]).all()
    assert (error_ratios(pd.concat(rows))["er"] == 1).all()


def test_only_measurements_that_all_solvers_have_are_in_a_profile():
    """Of image 0 they have one noise in common, of image 1 none: one solver's seed 0 is another measurement there."""
    common, other = np.array([0.1, 0.9]), np.array([0.8, 0.2])
    both = [
        *(
            result_rows("er", errors, noise=noise, seed=seed)
            for errors, noise, seed in ((common, "a", 0), (other, "b", 1))
        ),
        result_rows("rrr", 2 * common, noise="a").query("image == 0"),
        result_rows("rrr", other, noise="c").query("image == 1"),
    ]
    ratios = error_ratios(pd.concat(both, ignore_index=True))
    assert ratios.index.tolist() == [0]
    assert ratios.loc[0].to_dict() == pytest.approx({"er": 1, "rrr": 2})


def test_a_profile_of_solvers_without_a_common_measurement_says_so():
    source = made(["er", "rrr"])
    source.rows.loc[source.rows["solver"] == "rrr", "measurement"] = "another"
    assert error_ratios(source.rows).empty
    assert "no measurement that all solvers have" in texts(profile(source, Look()))


@pytest.mark.filterwarnings("error")
def test_the_legend_of_a_profile_has_the_solvers_of_every_panel():
    one, other = (Problem(dataset="sample", variant=variant) for variant in ("none", "flip"))
    parts = [made(["er"], problems=(one,)), made(["rrr", "er"], problems=(other,)), made(["hio"], problems=(one,))]
    joined = Known(**{
        name: pd.concat([getattr(part, name) for part in parts], ignore_index=True)
        for name in ("rows", "summary", "timing")
    })  # fmt: skip
    figure = profile(joined, Look())
    assert legend(figure) == ["er", "rrr", "hio"]
    colours = dict(zip(legend(figure), [line.get_color() for line in figure.legends[0].get_lines()], strict=True))
    drawn = [{line.get_color() for line in ax.lines} for ax in figure.axes]
    assert drawn[0] == {colours["er"], colours["hio"]}
    assert drawn[2] == {colours["er"], colours["rrr"]}


def test_images_share_the_time_of_a_shard_by_their_transforms():
    source = made(["er", "unet_a"], images=6)
    source.rows["mse"] = [0.001, 0.5] * 6
    source.rows.loc[source.rows["solver"] == "unet_a", "transforms"] = 0
    found = times(source.rows, source.timing)
    mean = dict(zip(source.timing["solver"], source.timing["solve_ms_per_image_median"] / 1e3, strict=True))
    transforms = source.rows.loc[source.rows["solver"] == "er", "transforms"].to_numpy()
    recovered, _, count = found["er"]
    np.testing.assert_allclose(recovered, (mean["er"] * transforms / transforms.mean())[::2])
    assert count == 6
    np.testing.assert_allclose(found["unet_a"][0], [mean["unet_a"]] * 3)


def test_an_image_that_a_solver_failed_on_takes_no_part_in_the_mean():
    source = made(["er"], images=6)
    source.rows["mse"] = 0.001
    source.rows.loc[3:, ["status", "transforms"]] = "failed", 0
    mean = source.timing["solve_ms_per_image_median"].iat[0] / 1e3
    transforms = source.rows["transforms"].to_numpy()[:3]
    seconds, _, _ = times(source.rows, source.timing)["er"]
    np.testing.assert_allclose(seconds, [*(mean * transforms / transforms.mean()), mean, mean, mean])


def test_a_profile_ends_at_the_share_that_was_ever_reached():
    source = made(["er", "rrr"], images=20)
    source.rows["mse"] = np.where(np.arange(40) % 4 == 0, 0.001, 0.5)
    ratio, budget = profile(source, Look()).axes
    assert [line.get_ydata()[-1] for line in budget.lines] == [0.25, 0.25]
    assert [line.get_ydata()[-1] for line in ratio.lines] == [1, 1]
    for line in [*ratio.lines, *budget.lines]:
        assert (np.diff(line.get_xdata()) >= 0).all()
        assert (np.diff(line.get_ydata()) >= 0).all()
