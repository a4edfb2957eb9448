"""Do harm to a sweep, go on with it, and compare its tables with those of a run that was left alone.

    PYTHONPATH=. python tests/kill_sweep.py --kills 100 --flips 0
    PYTHONPATH=. python tests/kill_sweep.py --kills 0 --flips 500 --seed 3

`--kills` ends, at random moments, the run, the worker process that solves for it, or both at once, and starts the same
command again. `--flips` turns single bits of the files of a finished run, and asks `compare`, `status` and `run` for
them: each must find the damage or give the same answer as before. timing.csv, which holds seconds, is not compared.

Prints what went wrong; the exit status is 1 if anything did: another number, a status that tells of a bug (70), or a
command that takes longer than `LIMIT`. A kill or a flip takes about ten seconds.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pandas as pd
import scipy.stats  # noqa: F401 - see `ask`
import torch  # noqa: F401

import bench.commands.compare
import bench.commands.run
import bench.commands.status  # noqa: F401
from bench.cli import main as main_of_bench
from bench.executors.code import code_of

ROOT = Path(__file__).resolve().parent.parent
LABELS = ("er[iterations=60]", "rrr[nonneg=true,iterations=60,starts=2]")
SWEEP = [
    *("--solvers", ",".join(LABELS)),
    *("--variants", "none,shift_flip"),
    *("--dataset", "sample", "--images", "24", "--shard", "4", "--photons", "1e6", "--threads", "1", "--no-figures"),
]
LIMIT = 600  # seconds for one command that nobody kills, on a machine that is busy with other things
VICTIMS = ("run", "worker", "both")
FLIPPED = ("per_image.parquet", "manifest.json", "timing.csv", "sweep.json")  # and the shards
UNHARMED, REFUSED, REPAIRED, WRONG = "no change", "refused", "repaired", "WRONG"


# ---- kills


def start(folder: Path, executor: str = "processes") -> subprocess.Popen:
    """`bench run` into this folder, in a process of its own."""
    command = [sys.executable, "-m", "bench", "run", *SWEEP, "--executor", executor, "--output", str(folder)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def finish(folder: Path, executor: str = "processes") -> float:
    """Run to the end; returns the seconds it took."""
    began = time.monotonic()
    process = start(folder, executor)
    try:
        status = process.wait(timeout=LIMIT)
    finally:
        process.kill()
    if status:
        raise RuntimeError(f"a run that was not killed ended with status {status}")
    return time.monotonic() - began


def finished_shards(folder: Path) -> int:
    return len(list((folder / "shards").glob("*.shard")))


def children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def kill(process: subprocess.Popen, victim: str) -> None:
    """End the run, what it has started, or both; a run that has lost its worker is then let go on to its end."""
    victims = children(process.pid) if victim in ("worker", "both") else []
    if victim in ("run", "both"):
        process.send_signal(signal.SIGKILL)
    for pid in victims:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    if victim == "worker":
        try:
            process.wait(timeout=LIMIT)
        finally:
            process.kill()
    process.wait()


def killed(folder: Path, shards: int, seconds: float, executor: str = "processes", victim: str = "run") -> bool:
    """Start a run and kill it so many seconds after it has finished so many more shards; False if it had ended before.

    A sweep of this size spends nearly all its time on starting up and on its tables: seconds alone would hardly ever
    hit it among its shards.
    """
    process = start(folder, executor)
    goal = finished_shards(folder) + shards
    while shards and finished_shards(folder) < goal and process.poll() is None:
        time.sleep(0.002)
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        kill(process, victim)
        return True
    return False


def differing(folder: Path, reference: Path) -> list[str]:
    """The CSVs of a finished run that differ from those of another, and the table of rows if it does."""
    names = sorted(path.name for path in reference.glob("*.csv") if path.name != "timing.csv")
    found = [name for name in names if (folder / name).read_bytes() != (reference / name).read_bytes()]
    rows, expected = (pd.read_parquet(place / "per_image.parquet") for place in (folder, reference))
    return found + ([] if rows.equals(expected) else ["per_image.parquet"])


def kill_often(kills: int, reference: Path, executor: str, rng: random.Random) -> list[str]:
    """So many kills; returns the tables that differ from those of the reference."""
    folder = reference.with_name("killed")
    longest = finish(folder, executor)
    shutil.rmtree(folder)
    different: list[str] = []
    moments: Counter[str] = Counter()
    while moments.total() < kills:
        for _ in range(rng.randint(1, 8)):  # kills of one sweep
            among = rng.random() < 0.75  # the others fall anywhere, from the start-up to the last table
            shards, seconds = (rng.randint(1, 5), rng.uniform(0, 0.1)) if among else (0, rng.uniform(0, longest))
            victim = rng.choice(VICTIMS)
            if moments.total() < kills and killed(folder, shards, seconds, executor, victim):
                moments[f"{victim} at {finished_shards(folder)} shards"] += 1
        finish(folder, executor)
        different += differing(folder, reference)
        print(f"{moments.total()} kills, differing: {len(different)}", flush=True)
        shutil.rmtree(folder)
    print(f"killed: {dict(moments)}")
    return different


# ---- flips


def ask(*arguments: str | Path) -> tuple[int, str]:
    """The status of a command and what it prints; a status below zero if it took longer than `LIMIT`.

    The command runs in a fork of this process, which has imported torch and read the code of the solvers already: it
    takes a tenth of the time.
    """
    with tempfile.TemporaryFile("w+") as output:
        child = os.fork()
        if child == 0:
            signal.alarm(LIMIT)  # whose signal ends a process
            os.dup2(output.fileno(), 1)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            sys.argv = ["bench", *map(str, arguments)]
            status = 70
            try:
                main_of_bench()
            except SystemExit as end:
                status = int(end.code or 0)
            finally:
                sys.stdout.flush()
                os._exit(status)
        _, ended = os.waitpid(child, 0)
        output.seek(0)
        return os.waitstatus_to_exitcode(ended), output.read()


def flip(path: Path, rng: random.Random) -> str:
    """Turn one bit of a file; says which."""
    content = bytearray(path.read_bytes())
    at, bit = rng.randrange(len(content)), rng.randrange(8)
    content[at] ^= 1 << bit
    path.write_bytes(content)
    return f"{path.name}, byte {at}, bit {bit}"


def judge(folder: Path, reference: Path, expected: str) -> dict[str, str]:
    """What has become of each command: it may refuse the folder, or give the values that the reference has."""
    found = {}
    status, told = ask("compare", folder)
    found["compare"] = verdict(status, told == expected)
    status, told = ask("status", "--output", folder)
    found["status"] = verdict(status, bool(told))
    seen = status == 0 and "corrupt:" in told
    status, _ = ask("run", *SWEEP, "--executor", "inline", "--output", folder)
    found["run"] = verdict(status, status == 0 and not differing(folder, reference))
    if seen and found["run"] == UNHARMED:
        found["run"] = REPAIRED
    return found


def verdict(status: int, right: bool) -> str:
    if status == 2:
        return REFUSED
    return UNHARMED if status == 0 and right else f"{WRONG} (status {status})"


def flip_often(flips: int, reference: Path, rng: random.Random) -> list[str]:
    """So many bits, each in a fresh copy of the reference; returns those after which a command went wrong."""
    for label in LABELS:
        code_of(label)
    expected = ask("compare", reference)[1]
    bad: list[str] = []
    tally: Counter[str] = Counter()
    folder = reference.with_name("flipped")
    for number in range(1, flips + 1):
        shutil.copytree(reference, folder)
        shards = sorted((folder / "shards").glob("*.shard"))
        kinds = [*(folder / name for name in FLIPPED), rng.choice(shards)]
        path = rng.choice(kinds)
        where = flip(path, rng)
        for command, became in judge(folder, reference, expected).items():
            tally[f"{path.suffix if path in shards else path.name}: {command} {became}"] += 1
            if became.startswith(WRONG):
                bad.append(f"{where}: {command} {became}")
                print(bad[-1], flush=True)
        shutil.rmtree(folder)
        if number % 10 == 0 or number == flips:
            print(f"{number} flips, wrong: {len(bad)}", flush=True)
    for line, count in sorted(tally.items()):
        print(f"{count:6d}  {line}")
    return bad


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=10, help="of the run, its worker process, or both")
    parser.add_argument("--flips", type=int, default=20, help="of single bits in the files of a finished run")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--executor", choices=("inline", "processes"), default="processes")
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory(prefix="kill_sweep-") as name:
        reference = Path(name) / "reference"
        seconds = finish(reference, arguments.executor)
        print(f"left alone: {finished_shards(reference)} shards in {seconds:.1f} s", flush=True)
        different = kill_often(arguments.kills, reference, arguments.executor, rng) if arguments.kills else []
        wrong = flip_often(arguments.flips, reference, rng)
    print(f"{len(different)} differing tables after {arguments.kills} kills {sorted(set(different)) or ''}")
    print(f"{len(wrong)} wrong answers after {arguments.flips} flips")
    sys.exit(1 if different or wrong else 0)


if __name__ == "__main__":
    main()
