"""What the network `cell` predicts of frozen noise that it was not shown, from 60 s of other noise.

    python benchmarks/frozen_noise.py
    python benchmarks/frozen_noise.py --table

Each neuron that is simulated is one draw of the posterior. Md* compares spike trains between repetitions (Naud et al.
2011); eps_V is the explained variance between spikes; the 90 % band is as wide as errors under the 60 s of noise are,
and so has not seen what it is asked to hold. Results go to benchmarks/results/frozen_noise.json; interrupted, the same
command continues.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

import leakyflow as lf
from accuracy import markdown
from leakyflow.diagnostics.prediction.error_band import ErrorBand
from leakyflow.diagnostics.prediction.predict import drawn_neurons
from leakyflow.files import replacing
from real_cells import CASES, N_REPEATS, current, frozen

RESULTS = Path(__file__).parent / "results" / "frozen_noise.json"
CELLS = ("DRN157", "DRN158", "DRN160", "DRN165")


def predicted(name: str) -> dict:
    """Scores of one cell."""
    posterior, case, begun = lf.load_posterior("cell"), CASES[name](), time.perf_counter()
    n_train, n = len(case.train), len(case.train) + len(case.test)
    found = posterior.check(lf.Cell([*case.train, *case.test], name=name), hold_out=range(n_train, n))
    errors = found.prediction.errors
    band = ErrorBand.of(errors[:n_train]).half_width
    neurons = drawn_neurons(found.draws, N_REPEATS)
    trains = lf.simulate(neurons, lf.from_array(current(case.test), dt=case.test.dt), seed=1).spikes
    inside = [float(np.mean(np.abs(own) <= band)) for own in errors[n_train:]]
    summary = found.draws.summary()["mean"]
    return {
        "reliable": found.reliable,
        "kind": found.kind,
        "eps_V": found.prediction.eps_V,
        "missed": found.prediction.spikes_missed,
        "band_mV": band,
        "inside": float(np.mean(inside)),
        "least_inside": min(inside),
        "most_inside": max(inside),
        "neuron": {key: float(f"{summary[key]:.4g}") for key in ("tau", "C", "R_s", "sag", "sag_tau")},
        "seconds": round(time.perf_counter() - begun),
    } | frozen(case, trains)


def finished() -> dict:
    """All results so far."""
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


def table() -> None:
    """Print all results so far, in Markdown."""
    head = "| cell | Md* 4, 8 ms | eps_V | spikes missed | 90 % band, mV | holds, of V (least, most of a sweep) |"
    rows = []
    for name, row in finished().items():
        held = f"{100 * row['inside']:.0f} % ({100 * row['least_inside']:.0f}, {100 * row['most_inside']:.0f})"
        scores = [f"{row['Md4']:.2f}, {row['Md8']:.2f}", f"{row['eps_V']:.3f}", f"{100 * row['missed']:.0f} %"]
        rows.append([name, *scores, f"{row['band_mV']:.1f}", held])
    print(markdown(head, rows))


def main() -> None:
    """Predict what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", action="store_true", help="print the results as docs/real_cells.md has them")
    if parser.parse_args().table:
        table()
        return
    for name in CELLS:
        if name not in finished():
            row = predicted(name)
            with replacing(RESULTS) as scratch:
                scratch.write_text(json.dumps(finished() | {name: row}, indent=1) + "\n")
            print(name, row, flush=True)


if __name__ == "__main__":
    main()
