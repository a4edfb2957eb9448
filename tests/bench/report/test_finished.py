"""The rows of a run are believed only as they were written: no bit of them can change unseen."""

from __future__ import annotations

import hashlib
import json
import shutil

import numpy as np
import pandas as pd
import pytest
from doubles import result_rows, write_run

from bench.errors import RequestError
from bench.report.finished import known_label, read_rows
from bench.report.manifest import MANIFEST
from bench.sweep.rows import FILE


@pytest.fixture
def folder(tmp_path):
    return write_run(tmp_path / "run", result_rows("er", np.linspace(0, 1, 5)))


def test_what_a_run_wrote_is_read_again(run, tmp_path, rows):
    assert run(solvers="er[iterations=1]", images=2).status == 0
    pd.testing.assert_frame_equal(read_rows(tmp_path / "out"), rows())


def test_the_label_of_a_solver_is_spelled_without_reading_its_code(monkeypatch):
    def read(*_):
        raise AssertionError("no table depends on the code that is here now")

    monkeypatch.setattr("bench.executors.code.code_digest", read)
    assert known_label("rrr[starts=2, nonneg=true]") == known_label("rrr[nonneg=true,starts=2]")


def test_every_bit_of_the_rows_counts(folder):
    good = (folder / FILE).read_bytes()
    for position in range(len(good)):
        turned = bytes([good[position] ^ (1 << position % 8)])
        (folder / FILE).write_bytes(good[:position] + turned + good[position + 1 :])
        with pytest.raises(RequestError, match=FILE):
            read_rows(folder)


@pytest.mark.slow
def test_a_table_that_is_gone_is_named_with_what_writes_it_again(bench, run, tmp_path):
    options = {"solvers": "er[iterations=20]", "variants": "none", "images": 1}
    run(figures=True, **options)
    out = tmp_path / "out"
    for file, kind in (("curves.parquet", "convergence"), ("pictures.parquet", "gallery")):
        (out / file).unlink()
        done = bench("plot", out, "--kind", kind)
        assert (done.status, done.err.count("\n")) == (2, 1)
        assert f"'{out / file}' is gone" in done.err
        assert "the same run into the same folder writes it again" in done.err
        assert run(figures=True, **options).status == 0
        assert (out / file).is_file()


def test_an_edited_column_is_refused(bench, folder):
    edited = pd.read_parquet(folder / FILE).assign(mse=0.0)
    edited.to_parquet(folder / FILE)
    done = bench("compare", folder)
    assert done.status == 2
    assert "checksum" in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    "content",
    [None, "", "{", "[]", "{}", '{"files": 3}', '{"files": {}}', f'{{"files": {{"{FILE}": 7}}}}', "[" * 10**5],
)
def test_a_manifest_without_the_checksum_is_refused(bench, folder, content):
    (folder / MANIFEST).unlink()
    if content is not None:
        (folder / MANIFEST).write_text(content)
    done = bench("compare", folder)
    assert done.status == 2
    assert MANIFEST in done.err
    assert done.err.count("\n") == 1


def test_rows_of_another_run_are_refused(folder, tmp_path):
    other = write_run(tmp_path / "other", result_rows("er", np.zeros(5)))
    shutil.copy(other / FILE, folder / FILE)
    with pytest.raises(RequestError, match="checksum"):
        read_rows(folder)


@pytest.mark.slow
def test_the_manifest_of_a_run_has_the_checksums_of_its_tables(run, tmp_path):
    run(solvers="er[iterations=20]", images=1, figures=True)
    files = json.loads((tmp_path / "out" / MANIFEST).read_text())["files"]
    assert files.keys() == {path.name for kind in ("*.csv", "*.parquet") for path in (tmp_path / "out").glob(kind)}
    for name, digest in files.items():
        assert hashlib.sha256((tmp_path / "out" / name).read_bytes()).hexdigest() == digest
