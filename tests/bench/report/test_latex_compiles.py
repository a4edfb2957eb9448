"""What `bench export --format latex` writes is set by LaTeX itself, where there is one."""

from __future__ import annotations

import shutil
import string
import subprocess

import numpy as np
import pandas as pd
import pytest
from doubles import result_rows

from bench.report.export import Latex, export
from bench.report.tables import summarise

LATEX = shutil.which("pdflatex")
DOCUMENT = "\\documentclass{article}\n\\usepackage{booktabs}\n\\begin{document}\n%s\\end{document}\n"

pytestmark = pytest.mark.skipif(LATEX is None, reason="no pdflatex on the path: no table is set")


def typeset(table: str, folder) -> str:
    """The log of LaTeX, which stops at the first error; boxes may be too wide."""
    (folder / "table.tex").write_text(DOCUMENT % table)
    command = [LATEX, "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "table.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (folder / "table.pdf").stat().st_size > 0
    return done.stdout


def test_the_table_of_a_run_is_set(tmp_path):
    labels = ["er", 'cycle[schedule="2*(er:20+hio:180)"]', "rrr[nonneg=true]"]
    rows = pd.concat([result_rows(label, np.linspace(1e-7, 0.5, 9)) for label in labels], ignore_index=True)
    summary = summarise(rows.assign(pixel_mse=0.0, residual=rows["mse"], iterations=10, starts=1))
    table = export(summary, "summary", "latex")
    assert "Missing character" not in typeset(table, tmp_path)


def test_every_character_of_a_keyboard_is_set_wherever_it_stands(tmp_path):
    texts = [string.punctuation, *string.punctuation, "[2cm]", "*", "\\input{x}", "$$ -- --- ''", "é ü – … × − ∞"]
    lines = [[Latex.text(text), Latex.label(text)] for text in texts]
    assert "Missing character" not in typeset(Latex.table(["a", "b"], [False, True], lines), tmp_path)
