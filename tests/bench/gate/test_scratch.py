"""Temporary folders end with their process, or are swept up after it; nobody else's folder is touched."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bench.gate.scratch import MARK, YOUNG, scratch


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """The system's folder for temporary files, for this test."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def abandoned(folder, age: float = 2 * YOUNG):
    """What a killed process leaves behind."""
    (folder / "run").mkdir(parents=True)
    (folder / MARK).touch()
    then = (folder / MARK).stat().st_mtime - age
    os.utime(folder / MARK, (then, then))
    return folder


def test_it_is_empty_while_it_is_used_and_gone_afterwards(temporary):
    with scratch() as folder:
        assert list(folder.iterdir()) == []
        (folder / "file").touch()
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("end", [KeyboardInterrupt, ValueError, SystemExit])
def test_it_is_gone_after_an_error_or_a_signal(temporary, end):
    with pytest.raises(end), scratch():
        raise end
    assert list(temporary.iterdir()) == []


def test_what_a_killed_process_left_is_swept_up(temporary):
    code = "import os\nfrom bench.gate.scratch import scratch\nwith scratch(): os.kill(os.getpid(), 9)"
    environment = {**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=False)
    (left,) = temporary.iterdir()
    with scratch():
        assert left.exists(), "it is young: its owner may just have made it"
    os.utime(left / MARK, (0, 0))
    with scratch():
        assert not left.exists()


def test_a_folder_in_use_is_kept(temporary):
    with scratch() as folder:
        os.utime(folder.parent / MARK, (0, 0))
        with scratch():
            pass
        assert folder.exists()


def test_a_folder_of_the_users_own_is_kept(temporary):
    (temporary / "phasebench-results" / "shards").mkdir(parents=True)
    link = temporary / "phasebench-link"
    elsewhere = abandoned(temporary / "elsewhere")
    link.symlink_to(elsewhere)
    with scratch():
        pass
    assert (temporary / "phasebench-results" / "shards").exists()
    assert (elsewhere / "run").exists()
