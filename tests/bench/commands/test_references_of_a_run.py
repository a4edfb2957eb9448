"""References stand beside the solvers of a noisy run: in tables and figures, and never in their place."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import bench.commands.run
from bench.report.figures.look import Look
from bench.report.figures.over import AXES, error_over
from bench.report.figures.source import Source
from bench.report.tables import summarise

ORACLE, LIMIT = "oracle (uses the truth)", "likelihood_limit (uses the truth)"
ASKED = {
    "references": "oracle,likelihood_limit",
    "photons": "none,1e4",
    "variants": "none",
    "solvers": "er[nonneg=true,iterations=20]",
    "images": 2,
    "shard": 1,
}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    from bench.score.references import REFERENCES

    monkeypatch.setitem(REFERENCES, "likelihood_limit", (REFERENCES["likelihood_limit"][0], 40))


def test_they_have_lines_in_the_tables_where_there_is_noise(run, rows, tmp_path):
    done = run(**ASKED)
    assert done.status == 0
    summary = pd.read_csv(tmp_path / "out" / "summary.csv")
    told = summary[summary["information"] == "the truth"]
    assert list(told["solver"]) == [ORACLE, LIMIT]
    assert set(told["photons"]) == {1e4}
    assert list(summary["solver"])[-2:] == [ORACLE, LIMIT], "they come last"
    table = pd.read_csv(tmp_path / "out" / "table1.csv")
    assert list(table.columns)[-2:] == [ORACLE, LIMIT]
    assert table.loc[np.isinf(table["photons"]), ORACLE].isna().all()
    assert LIMIT.split("(")[0] in done.err


def test_they_are_no_results(run, rows):
    """What is compared, and what the gate reads, are the rows of solvers."""
    run(**ASKED)
    assert not set(rows()["solver"]) & {ORACLE, LIMIT}
    run("without", **{key: value for key, value in ASKED.items() if key != "references"})
    pd.testing.assert_frame_equal(rows("without"), rows())


@pytest.mark.slow
def test_a_baseline_has_none(bench, tmp_path):
    config = tmp_path / "sweep.toml"
    config.write_text(
        'solvers = ["er[iterations=2]"]\nvariants = ["none"]\nphotons = [1e4]\nreferences = ["oracle"]\n'
        'dataset = "sample"\nimages = 2\nthreads = 1\n'
    )
    assert bench("baseline", "--config", config, "--output", tmp_path / "baseline.csv").status == 0
    text = (tmp_path / "baseline.csv").read_text()
    assert "oracle" not in text
    assert bench("check", "--baseline", tmp_path / "baseline.csv").status == 0


@pytest.mark.slow
def test_a_second_run_takes_them_from_the_store_and_a_change_of_code_makes_them_again(run, monkeypatch):
    made = []
    compute = bench.commands.run.reference_outcome

    def counted(name, *arguments):
        made.append(name)
        return compute(name, *arguments)

    monkeypatch.setattr(bench.commands.run, "reference_outcome", counted)
    run(**ASKED)
    assert sorted(made) == ["likelihood_limit"] * 2 + ["oracle"] * 2  # one for each image
    run(**{**ASKED, "solvers": "er[iterations=1]"})
    assert len(made) == 4
    monkeypatch.setattr("bench.store.keys.reference_code", lambda: "other code")
    run(**ASKED)
    assert len(made) == 8


def test_their_shards_are_known_to_status_and_their_file_to_the_manifest(run, bench, tmp_path):
    run(**ASKED)
    shown = bench("status", "--output", tmp_path / "out").out
    assert "stale" in shown
    assert "oracle" in shown
    assert shown.strip().splitlines()[-1].split() == ["all", "shards", "8", "0", "0", "0", "0"]
    assert "references.parquet" in json.loads((tmp_path / "out" / "manifest.json").read_text())["files"]
    run(**{key: value for key, value in ASKED.items() if key != "references"})
    assert not (tmp_path / "out" / "references.parquet").exists()


def test_an_error_near_that_of_the_limit_is_counted_image_by_image():
    def lines(solver: str, errors: list[float]) -> pd.DataFrame:
        from doubles import result_rows

        found = result_rows(solver, np.array(errors))
        return found.assign(pixel_mse=0.0, residual=0.1, iterations=1, starts=1)

    summary = summarise(lines("er", [0.02, 0.021, 0.5, 0.3]), lines(LIMIT, [0.01, 0.01, 0.3, 0.1]))
    by = summary.set_index("solver")["near_limit_rate"]
    assert by["er"] == 0.5
    assert by[LIMIT] == 1
    assert "near_limit_rate" not in summarise(lines("er", [0.1]))
    assert "near_limit_rate" not in summarise(lines("er", [0.1]), lines(ORACLE, [0.1]))


@pytest.mark.slow
def test_any_numeric_setting_has_a_figure(run, tmp_path):
    run(**ASKED, beamstop="0,3", figures=True)
    figures = {path.stem for path in (tmp_path / "out" / "figures").glob("*.png")}
    assert {"photons", "beamstop"} <= figures
    source = Source(tmp_path / "out")
    assert set(source.references["solver"]) == {ORACLE, LIMIT}
    assert source.labels == [ASKED["solvers"]]
    lines = error_over(source, Look(), axis=AXES["beamstop"]).axes[0].get_lines()
    assert len(lines) == 4, "a solver for each number of photons, and two references with noise"
    for line in lines:
        np.testing.assert_array_equal(line.get_xdata(), [0, 3])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"references": "orakel"}, "unknown reference 'orakel': choose from oracle, likelihood_limit"),
        ({"photons": "none"}, "--references: without noise the truth is what fits"),
        ({"references": "oracle,oracle"}, "'oracle' is given twice"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(run, changes, message):
    done = run(**{**ASKED, **changes})
    assert done.status == 2
    assert message in " ".join(done.err.split())
