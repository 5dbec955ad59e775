"""Do cells drawn from the prior of `cell`, under its protocols, look like cells? And like the real ones?

    python benchmarks/prior_predictive.py FOLDER [--n 200]

Input resistance, sag ratio, rheobase, rate, adaptation index and coefficient of variation of the intervals are measured
in the same way on simulated cells and on the files of steps in FOLDER. Writes benchmarks/results/prior_predictive.json
and the figure docs/images/prior_predictive.png.
"""

import argparse
import json
from pathlib import Path

import numpy as np

import leakyflow as lf
from leakyflow.diagnostics.plots.predictive import plot_cell_activity
from leakyflow.recordings.batch import Batch
from leakyflow.simulator.cell_activity import CELL_FEATURES, cell_activity

RESULTS = Path(__file__).parent / "results" / "prior_predictive.json"
FIGURE = Path(__file__).parents[1] / "docs" / "images" / "prior_predictive.png"
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


def real_cells(folder: Path, dt: float) -> dict[str, dict[str, float]]:
    """What the cells of all files of steps do."""
    found = {}
    for path in sorted(folder.glob("steps_*.abf")):
        try:
            activity = cell_activity(Batch.of(lf.read_cell(path, dt=dt)))
        except ValueError as error:
            print(f"{path.name} is left out: {error}")
            continue
        found[path.stem] = {name: float(values[0]) for name, values in activity.items()}
    return found


def quantiles(values: np.ndarray) -> dict[str, float]:
    """Some of the cells that show it, and how many do."""
    shown = values[np.isfinite(values)]
    return {f"{level:g}": round(float(np.quantile(shown, level)), 3) for level in LEVELS} | {"n": len(shown)}


def main() -> None:
    """Simulate, read, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="of real recordings")
    parser.add_argument("--n", type=int, default=200, help="simulated cells")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    config = lf.load_config("cell")
    found = lf.prior_predictive(config, n=arguments.n, seed=arguments.seed)
    real = real_cells(arguments.folder, config.simulator.dt)
    result = {
        "n": arguments.n,
        "seed": arguments.seed,
        "sweeps": len(found.rate),
        "share like cells": {name: round(share, 3) for name, share in found.like_cells.items()},
        "simulated": {name: quantiles(values) for name, values in found.cells.items()},
        "real": {name: {key: round(value, 3) for key, value in own.items()} for name, own in real.items()},
        "silent sweeps": {
            kind: round(own.silent, 3) for kind, own in zip(found.stimuli, found.by_stimulus, strict=True)
        },
    }
    RESULTS.write_text(json.dumps(result, indent=2).replace("NaN", "null") + "\n")
    print(json.dumps(result, indent=2))
    of_real = {name: np.array([own[name] for own in real.values()]) for name in CELL_FEATURES}
    lf.save_figure(plot_cell_activity(found.cells, of_real, shares=found.like_cells), FIGURE)


if __name__ == "__main__":
    main()
