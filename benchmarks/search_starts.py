"""Where the search for a cell's mode ends, from the passive membrane and from a regression with mechanisms.

    python benchmarks/search_starts.py
    python benchmarks/search_starts.py --summary

Cells are the 200 of `leakyflow diagnose cell --n 200`, then 50 more. A mode is at least as probable as the true
parameters; where a search ends below these, it ended in a lesser mode, or before it arrived. Each cell is a line of
benchmarks/results/search_starts.jsonl; interrupted, the same command continues.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

import leakyflow as lf
from accuracy import markdown
from leakyflow.likelihood.gauss_newton import scored_modes
from leakyflow.likelihood.scanned import Scanned
from leakyflow.models.local import NOT_ARRIVED
from leakyflow.recordings.batch import Batch
from leakyflow.seeds import evaluation_seed

RESULTS = Path(__file__).parent / "results" / "search_starts.jsonl"
CELLS = {"held out": (evaluation_seed(0, "held out"), 200), "other": (6_000_000, 50)}
STARTS = {"passive": "the passive membrane", "mechanisms": "the regression with mechanisms"}
FAR = 6.0  # SDs


def searched(cell: lf.Cell, truth: np.ndarray, prior: lf.Prior) -> dict:
    """Where each search ends.

    Log density over that of the truth, what a step more promises, the farthest of the truth's coordinates there in SDs,
    and seconds.
    """
    target = Scanned.of(Batch.of(cell), prior)
    at_truth = float(target.log_joint(truth[None, None])[0, 0])
    out: dict = {"samples": target.n_samples(), "spikes": int(cell.n_spikes)}
    for name, one in zip(STARTS, (target, replace(target, start=target.guess())), strict=True):
        begun = time.perf_counter()
        modes = scored_modes(one)
        seconds = time.perf_counter() - begun
        above, to_gain = float(modes.log_density[0]) - at_truth, float(np.asarray(modes.to_gain)[0])
        variance, axes = np.linalg.eigh(modes.covariance[0])
        farthest = float(np.abs(axes @ ((axes.T @ (truth - modes.centre[0])) / np.sqrt(variance))).max())
        found = {"above": above, "to_gain": to_gain, "farthest": farthest, "seconds": seconds}
        out[name] = {key: round(value, 3) for key, value in found.items()}
    return out


def lines() -> list[dict]:
    """What is known so far."""
    return [json.loads(line) for line in RESULTS.read_text().splitlines()] if RESULTS.is_file() else []


def summary() -> str:
    """A row for each way to begin."""
    rows, table = lines(), []
    for name, title in STARTS.items():
        below = [row[name] for row in rows if row[name]["above"] < 0.0]
        unnoticed = sum(one["to_gain"] < NOT_ARRIVED for one in below)
        seconds = np.median([row[name]["seconds"] for row in rows])
        far = np.mean([row[name]["farthest"] > FAR for row in rows])
        counts = [str(n) for n in (len(rows), len(below), unnoticed)]
        table.append([title, *counts, f"{100 * far:.0f} %", f"{seconds:.2f}"])
    head = "| begun at | cells | ended below the truth | of these as if arrived | truth beyond 6 SDs | s, median |"
    return markdown(head, table)


def main() -> None:
    """Go on where the last call stopped."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--summary", action="store_true", help="print what is known")
    if not parser.parse_args().summary:
        config, prior = lf.load_config("cell"), lf.load_posterior("cell").prior
        done = {(row["set"], row["cell"]) for row in lines()}
        for name, (seed, n) in CELLS.items():
            dataset = lf.make_dataset(config, n, seed=seed)
            true = dataset.parameters()
            truth, _ = prior.scores(np.stack([np.asarray(true[one]) for one in prior.inferred], axis=-1)[:, None])
            for i, cell in enumerate(dataset.recordings().cells()):
                if (name, i) not in done:
                    row = {"set": name, "cell": i} | searched(cell, truth[i, 0], prior)
                    with RESULTS.open("a") as file:
                        file.write(json.dumps(row) + "\n")
    print(summary())


if __name__ == "__main__":
    main()
