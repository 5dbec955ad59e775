"""Train a network of recordings and one of cells, small ones, and keep them with their densities.

    python -m tests.networks.keep VERSION

Run at each release. What a folder holds is never written anew: that a later version still gives these numbers, or says
why not, is the point.
"""

import json
import shutil
import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

import leakyflow as lf
from leakyflow.models.config import FlowConfig, SummaryConfig
from leakyflow.recordings.cell import Cell
from leakyflow.recordings.files.saved import load_exported, save_recording
from leakyflow.training.run import CONFIG, NETWORK, RECORD

FOLDER = Path(__file__).parent
DENSITIES, SWEEPS, N_KEPT, MOST_SWEEPS = "densities.json", "sweeps", 3, 3


def keep(folder: Path, out: Path) -> None:
    """Copy what a network is loaded from, with recordings or cells and densities of their true parameters."""
    posterior, config = lf.load_posterior(folder), lf.load_config(folder / CONFIG)
    dataset = lf.make_dataset(config, 40, seed=2**62)
    found, truth = list(dataset.recordings().cells()), dataset.parameters()
    few = [i for i, cell in enumerate(found) if len(cell) <= MOST_SWEEPS][:N_KEPT]
    cells, theta = [found[i] for i in few], {name: np.asarray(truth[name])[few] for name in posterior.names}
    out.mkdir(parents=True)
    for name in (CONFIG, NETWORK, RECORD):
        shutil.copyfile(folder / name, out / name)
    for i, sweep in enumerate(sweep for cell in cells for sweep in cell):
        save_recording(sweep, out / f"recording{i}.npz")
    log_prob = posterior.log_prob(cells, {name: values[:, None] for name, values in theta.items()})[:, 0]
    own = {"parameters": {name: values.tolist() for name, values in theta.items()}, "log_prob": log_prob.tolist()}
    (out / DENSITIES).write_text(json.dumps(own | {SWEEPS: [len(cell) for cell in cells]}, indent=1) + "\n")


def kept_cells(folder: Path) -> list[Cell]:
    """The cells, or recordings as cells of one sweep, that a network was kept with."""
    counts = json.loads((folder / DENSITIES).read_text())[SWEEPS]
    sweeps = iter([load_exported(folder / f"recording{i}.npz", "NPZ") for i in range(sum(counts))])
    return [Cell(tuple(islice(sweeps, n)), name=f"cell {i}") for i, n in enumerate(counts)]


def main(version: str) -> None:
    for name, n in (("quick", 1000), ("cell", 100)):
        base = lf.load_config(name)
        config = replace(
            base,
            name="kept",
            simulator=replace(base.simulator, duration=(100.0, 150.0)),
            network=replace(
                base.network,
                summary=SummaryConfig(widths=(8, 8)),
                flow=FlowConfig(depth=2, widths=(8, 8), transform="spline"),
            ),
            training=replace(base.training, n_simulations=n, epochs=2, batch_size=64),
        )
        run = lf.train(config, lf.make_dataset(config, n, seed=1), out=FOLDER / "new")
        keep(run.folder, FOLDER / version / name)
        shutil.rmtree(run.folder)


if __name__ == "__main__":
    main(sys.argv[1])
