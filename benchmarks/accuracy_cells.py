"""Are corrected draws of `cell` those of the exact posterior? Cells that no network has seen, by a classifier.

    python benchmarks/accuracy_cells.py
    python benchmarks/accuracy_cells.py --share 0/2 & python benchmarks/accuracy_cells.py --share 1/2
    python benchmarks/accuracy_cells.py --summary

Each cell is inferred by the network with and without correction, and twice by `reference_posterior`, which needs no
network, with other random numbers: the second is what a classifier finds between two exact answers. Draws are compared
as in `accuracy.py`. Each cell is a line of benchmarks/results/accuracy_cells.jsonl; interrupted, the same command
continues.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

import leakyflow as lf
from accuracy import c2st, markdown
from leakyflow.models.posterior import Posterior

RESULTS = Path(__file__).parent / "results" / "accuracy_cells.jsonl"
SEED, N_CELLS, N_DRAWS = 6_000_000, 50, 1000


def compared(posterior: Posterior, cell: lf.Cell, number: int) -> dict:
    """C2ST of draws by the network, of corrected ones, and of other exact ones, each against exact ones."""
    prior, seconds = posterior.prior, {}
    z: dict[str, np.ndarray] = {}
    rows: dict[str, dict] = {}
    ways = {
        "exact": lambda: lf.reference_posterior(cell, prior, n_draws=N_DRAWS, seed=2 * number),
        "other": lambda: lf.reference_posterior(cell, prior, n_draws=N_DRAWS, seed=2 * number + 1),
        "corrected": lambda: posterior.sample(cell, n_draws=N_DRAWS, seed=number),
        "amortized": lambda: posterior.sample(cell, n_draws=N_DRAWS, seed=number, correct=False),
    }
    for name, way in ways.items():
        begun = time.perf_counter()
        draws = way()
        seconds[name] = round(time.perf_counter() - begun, 2)
        z[name], _ = prior.scores(draws.array)
        assert draws.diagnostics is not None
        rows[name] = draws.diagnostics.iloc[0].to_dict()
    found = {name: c2st(z[name], z["exact"]) for name in ("other", "corrected", "amortized")}
    own = {"network": posterior.name, "cell": number, "sweeps": len(cell), "spikes": int(cell.n_spikes)}
    own["samples"] = sum(len(sweep.V) for sweep in cell)
    own |= {"method": rows["corrected"]["method"], "k_hat": float(rows["corrected"]["k_hat"])}
    reliable = {name: bool(rows[name]["reliable"]) for name in ("exact", "other", "corrected")}
    return own | {"c2st": found, "reliable": reliable, "seconds": seconds}


def lines() -> list[dict]:
    """What is known so far."""
    rows = [json.loads(line) for line in RESULTS.read_text().splitlines()] if RESULTS.is_file() else []
    return sorted(rows, key=lambda row: (row["network"], row["cell"]))


def summary() -> str:
    """A row for each network: medians and 90 % quantiles of C2ST."""
    columns = {"other": "exact again", "corrected": "corrected", "amortized": "amortized"}
    head = "| network | cells | " + " | ".join(columns.values()) + " | reliable | k-hat <= 0.7 |"
    table = []
    for network in dict.fromkeys(row["network"] for row in lines()):
        rows = [row for row in lines() if row["network"] == network]
        quantiles = [np.quantile([row["c2st"][name] for row in rows], [0.5, 0.9]) for name in columns]
        reliable = np.mean([row["reliable"]["corrected"] for row in rows])
        near = np.mean([row["k_hat"] <= 0.7 for row in rows])
        shown = [f"{median:.3f} / {q90:.3f}" for median, q90 in quantiles]
        table.append([f"`{network}`", str(len(rows)), *shown, f"{100 * reliable:.0f} %", f"{100 * near:.0f} %"])
    return markdown(head, table)


def main() -> None:
    """Go on where the last call stopped."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="cell", help="its name or folder")
    parser.add_argument("--share", default="0/1", help="i/n: every n-th cell from the i-th")
    parser.add_argument("--summary", action="store_true", help="print what is known")
    given = parser.parse_args()
    if not given.summary:
        first, step = map(int, given.share.split("/"))
        posterior = lf.load_posterior(given.network)
        cells = list(lf.make_dataset(posterior.network, N_CELLS, seed=SEED).recordings().cells())
        for number in range(first, N_CELLS, step):
            if (posterior.name, number) not in {(row["network"], row["cell"]) for row in lines()}:
                row = compared(posterior, cells[number], number)
                with RESULTS.open("a") as file:
                    file.write(json.dumps(row) + "\n")
                print(json.dumps(row), flush=True)
    print(summary())


if __name__ == "__main__":
    main()
