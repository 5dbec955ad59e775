"""What does a likelihood that looks further than the next sample predict? Cells under noise, with V taken as uncertain.

    python benchmarks/horizon.py
    python benchmarks/horizon.py --table

The rung `sag` is fitted with a measurement noise that is known, and far larger than the amplifier's (0.02 to 0.09 mV):
the filter then trusts the recorded voltage less and its own more, and what is predicted is V over many samples. Results
go to benchmarks/results/horizon.json after each fit; interrupted, the same command continues.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

from accuracy import markdown
from leakyflow.files import replacing
from leakyflow.likelihood.climb_ladder import Fit, fit_from
from leakyflow.likelihood.scanned import Scanned
from leakyflow.neuron.parameters import Parameters
from leakyflow.recordings.batch import Batch
from leakyflow.recordings.cell import Cell
from leakyflow.simulator.ladder import ladder_prior
from leakyflow.simulator.prior import Prior
from real_cells import CASES, of_fit
from real_cells import finished as of_the_ladder

RESULTS = Path(__file__).parent / "results" / "horizon.json"
CELLS, RUNG = ("DRN157", "DRN158", "DRN160", "DRN165"), "sag"
NOISES = (0.1, 0.3, 1.0, 3.0)  # mV
FARTHEST = 4.0  # prior SDs, of what a climb begins with


def fitted(cell: Cell, name: str, noise: float) -> Fit:
    """The better of two climbs: from the neuron that the ladder found, and from a regression."""
    prior = Prior(ladder_prior(RUNG).root | {"measurement_noise": noise})
    target = Scanned.of(Batch.of(cell), prior)
    neuron = of_the_ladder()[name][RUNG]["neuron"]
    (known,) = prior.to_unconstrained(Parameters(**neuron).map(np.atleast_1d))
    starts = [np.clip(known, -FARTHEST, FARTHEST), target.guess()[0]]
    return max((fit_from(start, target, cell, RUNG) for start in starts), key=lambda fit: fit.mode.log_density)


def finished() -> dict:
    """All results so far."""
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


def table() -> None:
    """Print all results so far, in Markdown."""
    head = "| cell | measurement noise, mV | eps_V | Md* 4, 8 ms | tau, ms | C, pF | R_s, MOhm |"
    rows = []
    for name, found in finished().items():
        ladder = of_the_ladder()[name]
        for noise, row in ({"GIF": ladder["GIF"], "0": ladder[RUNG]} | found).items():
            neuron = row["neuron"]
            R_s = f"{1e3 * neuron['R_s']:.1f}" if "R_s" in neuron else ""
            scores = [f"{row['explained']:.3f}", f"{row['Md4']:.2f}, {row['Md8']:.2f}"]
            rows.append([name, noise, *scores, f"{neuron['tau']:.3g}", f"{neuron['C']:.3g}", R_s])
    print(markdown(head, rows))


def main() -> None:
    """Fit what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", action="store_true", help="print the results as docs/real_cells.md has them")
    if parser.parse_args().table:
        table()
        return
    for name in CELLS:
        case = CASES[name]()
        for noise in NOISES:
            found = finished()
            if str(noise) in found.get(name, {}):
                continue
            begun = time.perf_counter()
            row = of_fit(case, fitted(case.train, name, noise)) | {"seconds": round(time.perf_counter() - begun)}
            with replacing(RESULTS) as scratch:
                scratch.write_text(json.dumps(found | {name: found.get(name, {}) | {str(noise): row}}, indent=1) + "\n")
            print(name, noise, row["explained"], row["Md8"], row["neuron"], flush=True)


if __name__ == "__main__":
    main()
