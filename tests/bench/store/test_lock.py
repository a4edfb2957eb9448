"""One process at a time in an output folder."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest
from conftest import ROOT

from bench.errors import RequestError
from bench.store.lock import Lock, holder

DIE_LOCKED = """
import os, signal, sys
from pathlib import Path
from bench.store.lock import Lock
lock = Lock(Path(sys.argv[1]))
lock.acquire()
lock.sign()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_second_is_refused_with_the_process_and_the_host_of_the_first(tmp_path):
    first = Lock(tmp_path)
    first.acquire()
    first.sign()
    named = f"process {os.getpid()} on {socket.gethostname()}"
    with pytest.raises(RequestError, match=named):
        Lock(tmp_path).acquire()
    assert holder(tmp_path) == named
    first.release()
    assert holder(tmp_path) is None
    Lock(tmp_path).acquire()


def test_a_lock_ends_with_its_process_however_that_ends(tmp_path):
    ended = subprocess.run([sys.executable, "-c", DIE_LOCKED, tmp_path], cwd=ROOT, timeout=60, check=False)
    assert ended.returncode == -9
    assert holder(tmp_path) is None
    Lock(tmp_path).acquire()


def test_a_refused_process_does_not_change_the_lock(tmp_path):
    first = Lock(tmp_path)
    first.acquire()
    first.sign()
    before = (tmp_path / ".phasebench.lock").read_bytes()
    with pytest.raises(RequestError):
        Lock(tmp_path).acquire()
    assert (tmp_path / ".phasebench.lock").read_bytes() == before
    first.release()


def test_looking_who_has_it_makes_no_file(tmp_path):
    assert holder(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [".phasebench.lock", ".another.lock"])
def test_a_lock_is_held_for_as_long_as_its_own_file_is_there(tmp_path, name):
    lock = Lock(tmp_path, name)
    lock.acquire()
    assert lock.holds()
    (tmp_path / name).unlink()
    (tmp_path / name).touch()
    assert not lock.holds()
    lock.release()
