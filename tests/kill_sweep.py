"""Kill a sweep at random moments, go on with it, and compare every CSV with those of a run that was never killed.

    python tests/kill_sweep.py --kills 100

Prints how many CSVs differ; the exit status is 1 if any does. timing.csv, which holds seconds, is left out.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
SWEEP = [
    *("--solvers", "er[iterations=60],rrr[nonneg=true,iterations=60,starts=2]"),
    *("--variants", "none,shift_flip"),
    *("--dataset", "sample", "--images", "24", "--shard", "4", "--photons", "1e6", "--threads", "1", "--no-figures"),
]
LIMIT = 3600  # seconds for one run that nobody kills, on a machine that is busy with other things


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


def killed(folder: Path, shards: int, seconds: float, executor: str = "processes") -> bool:
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
        process.send_signal(signal.SIGKILL)
        process.wait()
        return True
    return False


def differing(folder: Path, reference: Path) -> list[str]:
    """The CSVs of a finished run that differ from those of another, and the table of rows if it does."""
    names = sorted(path.name for path in reference.glob("*.csv") if path.name != "timing.csv")
    found = [name for name in names if (folder / name).read_bytes() != (reference / name).read_bytes()]
    rows, expected = (pd.read_parquet(place / "per_image.parquet") for place in (folder, reference))
    return found + ([] if rows.equals(expected) else ["per_image.parquet"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--executor", choices=("inline", "processes"), default="processes")
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    kills = sweeps = 0
    different: list[str] = []
    moments: list[int] = []  # finished shards at each kill
    with tempfile.TemporaryDirectory(prefix="kill_sweep-") as name:
        reference, folder = Path(name) / "reference", Path(name) / "killed"
        longest = finish(reference, arguments.executor)
        print(f"never killed: {finished_shards(reference)} shards in {longest:.1f} s", flush=True)
        while kills < arguments.kills:
            for _ in range(rng.randint(1, 8)):  # kills of one sweep
                among = rng.random() < 0.75  # the others fall anywhere, from the start-up to the last table
                shards, seconds = (rng.randint(1, 5), rng.uniform(0, 0.1)) if among else (0, rng.uniform(0, longest))
                if kills < arguments.kills and killed(folder, shards, seconds, arguments.executor):
                    kills += 1
                    moments.append(finished_shards(folder))
            finish(folder, arguments.executor)
            sweeps += 1
            different += differing(folder, reference)
            print(f"{kills} kills, {sweeps} sweeps, differing: {len(different)}", flush=True)
            shutil.rmtree(folder)
    print(f"finished shards at the kills: {moments}")
    print(f"{len(different)} differing tables after {kills} kills {sorted(set(different)) or ''}")
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
