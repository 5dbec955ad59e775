"""Networks are exchangeable between the backends, each of which runs in a process of its own."""

import json
import os
import sys
from dataclasses import replace
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

from leakyflow.training.config import Config, load_config
from tests.fresh import run_python

pytestmark = pytest.mark.nightly

PACKAGES = {"jax": "jax", "torch": "torch", "tensorflow": "tensorflow"}
KINDS = ("statistics", "both")
CODE = "from pathlib import Path; from tests.models.test_backends import work; work(Path({folder!r}), {backend!r})"


def tiny(kind: str):
    """A configuration that trains in a second; without local coordinates, which take seconds to compile."""
    config = load_config("quick")
    summary = replace(config.network.summary, variant=kind, widths=(8,), lstm_units=4, patch=250)
    normalization = "activation" if kind == "statistics" else "batch"
    flow = replace(config.network.flow, depth=2, widths=(8,), normalization=normalization)
    training = replace(config.training, n_simulations=160, epochs=1, batch_size=40, validation_fraction=0.2)
    return replace(
        config, network=replace(config.network, standardize="prior", summary=summary, flow=flow), training=training
    )


def work(folder: Path, backend: str) -> None:
    """Train, unless that is done; write down densities and draws of this network and of others that are there."""
    for kind in KINDS:
        config = tiny(kind)
        if not (folder / f"{kind}-by-{backend}").exists():
            train(config, folder / f"{kind}-by-{backend}")

        # After the command, which imports libraries by itself.
        from leakyflow.simulator.dataset import make_dataset
        from leakyflow.training.run import load_posterior

        dataset = make_dataset(config, 6, seed=1)
        recordings, truth = dataset.recordings(slice(6)), dataset.parameters(slice(6))
        for path in [path for path in folder.glob(f"{kind}-by-*") if path.is_dir()]:
            posterior = load_posterior(path)
            columns = {name: getattr(truth, name)[:, None] for name in posterior.names}
            log_q = posterior.log_prob(recordings, columns)
            draws = posterior.sample(recordings, n_draws=5, seed=0, correct=False).array
            np.savez(folder / f"{path.name}-on-{backend}.npz", log_q=log_q, draws=draws)


def train(config: Config, out: Path) -> None:
    """From the command line, but for the 4,000 simulations of what is typical."""
    from leakyflow.cli import main

    settings = out.with_suffix(".toml")
    settings.write_text(config.to_toml())
    sys.argv = ["leakyflow", "train", "--config", str(settings), "--out", str(out)]
    with patch("leakyflow.cli.posteriors.load_typicality"), pytest.raises(SystemExit, match="0"):
        main()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Where each backend has left its networks, and what it makes of its own and of those before it."""
    folder = tmp_path_factory.mktemp("backends")
    for backend, package in PACKAGES.items():
        if find_spec(package) is None:
            message = f"the backend {backend} is not installed"
            if os.environ.get("CI"):
                pytest.fail(message)
            pytest.skip(message)
    for backend in (*PACKAGES, "jax"):  # once more, to read what the others wrote
        result = run_python(
            CODE.format(folder=str(folder), backend=backend),
            KERAS_BACKEND=backend,
            TF_CPP_MIN_LOG_LEVEL=None,
            JAX_COMPILATION_CACHE_DIR=str(folder / "compiled"),
        )
        with (folder / f"{backend}.stderr").open("a") as file:
            file.write(result.stderr)
    return folder


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("backend", PACKAGES)
def test_a_network_has_the_same_densities_and_draws_under_another_backend(folder, backend, kind):
    with np.load(folder / f"{kind}-by-{backend}-on-{backend}.npz") as expected:
        # Each backend has read what those before it wrote, and JAX all.
        for other in {"jax": ("torch", "tensorflow"), "torch": ("jax", "tensorflow"), "tensorflow": ("jax",)}[backend]:
            with np.load(folder / f"{kind}-by-{backend}-on-{other}.npz") as found:
                np.testing.assert_allclose(found["log_q"], expected["log_q"], atol=1e-4)
                np.testing.assert_allclose(found["draws"], expected["draws"], rtol=1e-4)


@pytest.mark.parametrize("backend", PACKAGES)
def test_a_backend_says_nothing_on_the_command_line(folder, backend):
    assert (folder / f"{backend}.stderr").read_text() == ""


@pytest.mark.parametrize("backend", PACKAGES)
def test_a_run_tells_its_backend_and_the_version(folder, backend):
    record = json.loads((folder / f"both-by-{backend}" / "run.json").read_text())
    assert record["backend"] == backend
    distributions = packages_distributions()[backend]  # TensorFlow has several
    assert record["versions"][backend] in [version(name) for name in distributions]


def test_another_network_would_be_seen(folder):
    """The control: networks that each backend trained by itself differ by more."""
    densities = [np.load(folder / f"both-by-{name}-on-{name}.npz")["log_q"] for name in PACKAGES]
    assert np.abs(densities[0] - densities[1]).max() > 1e-3
    assert np.abs(densities[1] - densities[2]).max() > 1e-3
