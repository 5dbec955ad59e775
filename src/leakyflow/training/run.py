"""A training run is a folder: configuration, history, checkpoint, network, and what it was made with.

config.toml         all settings
history.csv         one row per epoch
last.npz            where training stands; it continues from here
network.weights.h5  the best network so far, by validation loss
run.json            state, seed, versions, losses
"""

import json
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import keras

from leakyflow.models.network import Network
from leakyflow.models.posterior import Posterior
from leakyflow.training.config import load_config

__all__ = [
    "CONFIG",
    "HISTORY",
    "LAST",
    "NETWORK",
    "RECORD",
    "load_posterior",
    "read_record",
    "replacing",
    "shipped",
    "trained",
    "versions",
]

CONFIG, HISTORY, LAST, NETWORK, RECORD = "config.toml", "history.csv", "last.npz", "network.weights.h5", "run.json"
# Networks that come with the package: folders of runs, without what only training needs.
SHIPPED = Path(__file__).parent.parent / "networks"


def load_posterior(source: str | Path) -> Posterior:
    """Load a trained network.

    Args:
        source: Folder of a training run, or the name of a network that ships: "recording", "standard" or "lstm".

    Returns:
        The posterior by the run's best network, be the run finished or not.

    Raises:
        FileNotFoundError: If there is no such folder, and no such network.
        ValueError: If the folder holds no network, or one that this version cannot read. Only numbers are read
            from it: loading never executes code.
    """
    folder = trained(source)
    config = load_config(folder / CONFIG)
    network = Network(config.network, config.simulator, seed=None)
    try:
        network.load_weights(folder / NETWORK)
    except (ValueError, OSError, KeyError) as error:
        made_with = read_record(folder).get("versions", {})
        raise ValueError(
            f"The weights in {folder / NETWORK} do not fit {folder / CONFIG}: {str(error).splitlines()[0]} "
            f"They were written with {made_with}; here is {versions()}."
        ) from error
    return Posterior(network, name=config.name, folder=folder)


def trained(source: str | Path) -> Path:
    """The folder of a run or of a network that ships, refused where it holds no network yet.

    Raises:
        FileNotFoundError: If there is no such folder, and no such network.
        ValueError: If no epoch is finished.
    """
    folder = Path(source)
    if not (folder / CONFIG).is_file() and str(source) in shipped():  # a folder of that name may hold anything
        return SHIPPED / source
    if not folder.is_dir():
        raise FileNotFoundError(
            f"No network `{source}`. Pass the folder of a run, made by `leakyflow train`, or the name of a network "
            f"that ships: {', '.join(shipped())}."
        )
    missing = [name for name in (CONFIG, NETWORK) if not (folder / name).is_file()]
    if missing:
        raise ValueError(
            f"{folder} holds no trained network: {' and '.join(missing)} missing. Pass the folder that "
            "`leakyflow train --out` wrote; a run has a network from its first epoch on."
        )
    return folder


def shipped() -> list[str]:
    """Names of the networks that come with the package."""
    return sorted(path.parent.name for path in SHIPPED.glob(f"*/{NETWORK}"))


def read_record(folder: Path) -> dict[str, Any]:
    """What a run says of itself; empty where it has not begun."""
    path = folder / RECORD
    return json.loads(path.read_text()) if path.is_file() else {}


def versions() -> dict[str, str]:
    """Versions of all that a network's numbers depend on."""
    names = ("leakyflow", "bayesflow", "keras", "jax", "numpy")
    backend = keras.backend.backend()  # a package, some of which are installed under other names
    versions = {name: metadata.version(name) for name in names} | {backend: import_module(backend).__version__}
    return {"python": platform.python_version()} | versions


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write to, beside the real one; it takes the real one's place once it is whole."""
    scratch = path.with_name(f".new.{path.name}")  # with its suffix, by which some writers choose a format
    try:
        yield scratch
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
