"""How long inference takes: one recording, a thousand, and beside the sampler that needs no network.

    python benchmarks/inference.py one
    python benchmarks/inference.py many
    python benchmarks/inference.py cells
    python benchmarks/inference.py table

`one`: recordings one after the other, 1,000 draws each, by the sampler, by the corrected network and by the network
alone in turns, so that other work slows all three; compiled before. `many`: 1,000 recordings, 1,000 draws each, in one
call, with the peak memory of the process. `cells`: real cells of shared/recordings by the network `cell`, each for the
second time. All with the networks that ship; results go to `benchmarks/results/inference.json`.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from functools import partial
from typing import Any

import numpy as np

import leakyflow as lf
import real_verdicts
from accuracy import N_DRAWS, RESULTS, held_out, markdown

NETWORKS = ("standard", "lif")
N_ONE, N_MANY = 12, 1000
PATH = RESULTS / "inference.json"
CELLS: dict[str, tuple[str, dict[str, Any]]] = {
    "a sweep of 1 s": (real_verdicts.CELLS["171116sh"][0], {"sweeps": [12], "start": 900, "stop": 1900}),
    "17 sweeps of 2 s": real_verdicts.CELLS["171116sh"],
    "60 s of noise": real_verdicts.CELLS["DRN157"],
}


def one(name: str) -> dict[str, float]:
    """Median seconds of each, and the median ratio of the sampler to the corrected network."""
    posterior, config = lf.load_posterior(name), lf.load_config(name)
    recordings = held_out(config).recordings(slice(N_ONE))
    times: dict[str, list[float]] = {"exact": [], "corrected": [], "amortized": []}
    for compiled in (False, True):
        for recording in recordings:
            calls = {
                "exact": partial(lf.reference_posterior, recording, config.simulator.prior, n_draws=N_DRAWS, seed=1),
                "corrected": partial(posterior.sample, recording, n_draws=N_DRAWS, seed=1),
                "amortized": partial(posterior.sample, recording, n_draws=N_DRAWS, seed=1, correct=False),
            }
            for which, call in calls.items():
                began = time.perf_counter()
                call()
                if compiled:
                    times[which].append(time.perf_counter() - began)
    ratios = np.array(times["exact"]) / np.array(times["corrected"])
    return {which: float(np.median(values)) for which, values in times.items()} | {"ratio": float(np.median(ratios))}


def many(name: str, correct: bool) -> dict[str, float]:
    """Seconds of a call, the first of which compiles, and the peak memory."""
    posterior = lf.load_posterior(name)
    recordings = held_out(lf.load_config(name)).recordings(slice(N_MANY))
    before, seconds = peak(), []
    for _ in range(2):
        began = time.perf_counter()
        draws = posterior.sample(recordings, n_draws=N_DRAWS, correct="auto" if correct else False)
        seconds.append(time.perf_counter() - began)
    assert draws.diagnostics is not None
    smc = float((draws.diagnostics.method == "SMC").mean())
    return {"first": seconds[0], "again": seconds[1], "smc": smc, "before_GiB": before, "peak_GiB": peak()}


def of_cell(file: str, window: dict[str, Any]) -> dict[str, Any]:
    """Seconds on the clock and of the processors of draws of one cell, the second time."""
    posterior = lf.load_posterior("cell")
    cell = lf.read_cell(real_verdicts.FOLDER / file, dt=posterior.dt, **window)
    row: dict[str, Any] = {"file": file, "sweeps": len(cell)}
    for which, correct in (("amortized", False), ("corrected", True)):
        for _ in range(2):
            began, cpu = time.perf_counter(), time.process_time()
            draws = posterior.sample(cell, n_draws=N_DRAWS, seed=1, correct=correct)
            row[which] = time.perf_counter() - began
            row[f"{which}_cpu"] = time.process_time() - cpu
    assert draws.diagnostics is not None
    return row | draws.diagnostics.iloc[0][["method", "reliable", "ess"]].to_dict()


def peak() -> float:
    """Of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def keep(row: dict, *path: str) -> None:
    """Add a row to the results."""
    results = json.loads(PATH.read_text()) if PATH.exists() else {}
    place = results
    for key in path[:-1]:
        place = place.setdefault(key, {})
    place[path[-1]] = row
    PATH.write_text(json.dumps(results, indent=2) + "\n")
    print(*path, row, flush=True)


def table() -> None:
    """Print the results as Markdown."""
    results = json.loads(PATH.read_text())
    head, rows = "| network | sampler alone, s | corrected, ms | network alone, ms | sampler over corrected |", []
    for name, row in results["one"].items():
        seconds = [f"{row['exact']:.2f}", f"{1e3 * row['corrected']:.0f}", f"{1e3 * row['amortized']:.0f}"]
        rows.append([f"`{name}`", *seconds, f"{row['ratio']:.0f}"])
    print(markdown(head, rows), end="\n\n")
    head, rows = "| 1,000 recordings x 1,000 draws | s | first time | peak memory, GiB | by the sampler |", []
    for name, posteriors in results["many"].items():
        for which, row in posteriors.items():
            seconds = [f"{row['again']:.1f}", f"{row['first']:.1f}", f"{row['peak_GiB']:.1f}"]
            rows.append([f"`{name}`, {which}", *seconds, f"{100 * row['smc']:.1f} %"])
    print(markdown(head, rows), end="\n\n")
    head, rows = "| cell, 1,000 draws | network alone, s | of processors | corrected, s | of processors | by |", []
    for name, row in results["cells"].items():
        seconds = [f"{row[f'{which}{of}']:#.3g}" for which in ("amortized", "corrected") for of in ("", "_cpu")]
        rows.append([name, *seconds, row["method"]])
    print(markdown(head, rows))


def main() -> None:
    """Run one step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("one", "many", "cells", "table"))
    parser.add_argument("--of", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    match arguments.step:
        case "one":
            for name in NETWORKS:
                keep(one(name), "one", name)
        case "cells":
            for name, given in CELLS.items():
                keep(of_cell(*given), "cells", name)
        case "many" if arguments.of:
            name, which = arguments.of
            keep(many(name, which == "corrected"), "many", name, which)
        case "many":
            for name in NETWORKS:
                for which in ("amortized", "corrected"):  # a process each, for its peak memory
                    subprocess.run([sys.executable, __file__, "many", "--of", name, which], check=True)
        case _:
            table()


if __name__ == "__main__":
    main()
