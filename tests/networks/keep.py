"""Train a small network by this version, and keep it with its densities: `python -m tests.networks.keep VERSION`.

Run at each release. What a folder holds is never written anew: that a later version still gives these numbers, or says
why not, is the point.
"""

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

import leakyflow as lf
from leakyflow.models.config import FlowConfig, SummaryConfig
from leakyflow.recordings.files.saved import save_recording
from leakyflow.training.run import CONFIG, NETWORK, RECORD

FOLDER = Path(__file__).parent
DENSITIES, N_RECORDINGS = "densities.json", 3


def keep(folder: Path, out: Path) -> None:
    """Copy what a network is loaded from, with recordings and densities of their true parameters."""
    posterior, config = lf.load_posterior(folder), lf.load_config(folder / CONFIG)
    dataset = lf.make_dataset(config, N_RECORDINGS, seed=2**62)
    recordings, truth = list(dataset.recordings()), dataset.parameters()
    columns = {name: np.asarray(truth[name])[:, None] for name in posterior.names}
    found = posterior.log_prob(dataset.recordings(), columns)[:, 0]
    out.mkdir(parents=True)
    for name in (CONFIG, NETWORK, RECORD):
        shutil.copyfile(folder / name, out / name)
    for i, recording in enumerate(recordings):
        save_recording(recording, out / f"recording{i}.npz")
    theta = {name: np.asarray(truth[name]).tolist() for name in posterior.names}
    (out / DENSITIES).write_text(json.dumps({"parameters": theta, "log_prob": found.tolist()}, indent=1) + "\n")


def main(version: str) -> None:
    base = lf.load_config("quick")
    config = replace(
        base,
        name="kept",
        simulator=replace(base.simulator, duration=(100.0, 150.0)),
        network=replace(
            base.network,
            summary=SummaryConfig(widths=(8, 8)),
            flow=FlowConfig(depth=2, widths=(8, 8), transform="spline"),
        ),
        training=replace(base.training, n_simulations=1000, epochs=2, batch_size=64),
    )
    run = lf.train(config, lf.make_dataset(config, 1000, seed=1), out=FOLDER / "new")
    keep(run.folder, FOLDER / version)
    shutil.rmtree(run.folder)


if __name__ == "__main__":
    main(sys.argv[1])
