"""How long many files take, and how much memory: `leakyflow batch` on simulated recordings of 1 s.

    python -m benchmarks.batch FOLDER --n 50 200 800

Recordings are drawn from the prior of `lif`, one to a file of its own. Each number of files is a whole command with a
process for each processor, in an empty folder: seconds on the clock and of processor time, the largest process, and
what came of the files. Seconds for a recording are of the difference between the smallest and the largest number, so
that start-up is no part of them. Results go to `benchmarks/results/batch.json`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

import leakyflow as lf

RESULTS = Path(__file__).parent / "results" / "batch.json"
NETWORK = "lif"
T_MAX, WORKERS = 1000.0, len(os.sched_getaffinity(0))


def make_files(folder: Path, n: int) -> None:
    """Recordings of neurons of the prior, those that are not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    config = lf.load_config(NETWORK)
    config = replace(config, simulator=replace(config.simulator, duration=(T_MAX, T_MAX)))
    for i, recording in enumerate(lf.make_dataset(config, n, seed=5).recordings()):
        path = folder / f"{i:05d}.npz"
        if not path.is_file():
            lf.save_recording(recording, path)


def measured(files: Path, n: int) -> dict[str, Any]:
    """The whole command on the first n files."""
    with tempfile.TemporaryDirectory(dir=files.parent) as scratch:
        folder, out = Path(scratch) / "cells", Path(scratch) / "out"
        folder.mkdir()
        for path in sorted(files.glob("*.npz"))[:n]:
            (folder / path.name).hardlink_to(path)
        command = ["-c", "from leakyflow.cli import main; main()", "batch", str(folder), "--out", str(out)]
        command += ["--network", NETWORK]
        begun = time.perf_counter()
        process = subprocess.Popen([sys.executable, *command], stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"leakyflow batch ended with status {process.returncode}; see above.")
        table = pd.read_csv(out / "cells.csv")
    searched = float((table["method"] == "search").mean())
    return {
        "n": n,
        "wall_s": wall,
        "cpu_s": used.ru_utime + used.ru_stime,
        "largest_process_GiB": used.ru_maxrss / 2**20,
        "ok": int((table["status"] == "ok").sum()),
        "searched": searched,
        "errors": sorted({error[:200] for error in table["error"].dropna()}),
    }


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="for the recordings, 50 kB each")
    parser.add_argument("--n", type=int, nargs="+", default=[50, 200, 800], help="numbers of files, increasing")
    arguments = parser.parse_args()
    files = (arguments.folder / "recordings").resolve()
    make_files(files, max(arguments.n))
    rows = []
    for n in arguments.n:
        rows.append(measured(files, n) | {"load": os.getloadavg()[0]})
        print(rows[-1], flush=True)
    first, last = rows[0], rows[-1]
    each = {key: (last[key] - first[key]) / max(last["n"] - first["n"], 1) for key in ("wall_s", "cpu_s")}
    print("each recording", each)
    RESULTS.write_text(json.dumps({"n_cpu": WORKERS, "runs": rows, "each_recording": each}, indent=2) + "\n")


if __name__ == "__main__":
    main()
