"""A training run is a folder: configuration, history, checkpoint, network, and what it was made with.

config.toml         all settings
history.csv         one row per epoch
last.npz            where training stands; it continues from here
network.weights.h5  the best network so far, by validation loss
run.json            state, seed, versions, losses
"""

import hashlib
import platform
from importlib import import_module, metadata
from pathlib import Path
from typing import Literal

import keras
from typing_extensions import TypedDict

from leakyflow.errors import LeakyflowError
from leakyflow.models.network import Network
from leakyflow.models.posterior import Posterior
from leakyflow.revision import outdated
from leakyflow.schema import load_json
from leakyflow.training.config import load_config, presets

__all__ = [
    "COLUMNS",
    "CONFIG",
    "CURE",
    "HISTORY",
    "LAST",
    "NETWORK",
    "RECORD",
    "Record",
    "check_formulas",
    "check_settings",
    "load_posterior",
    "read_record",
    "settings_digest",
    "shipped",
    "trained",
    "versions",
]

CONFIG, HISTORY, LAST, NETWORK, RECORD = "config.toml", "history.csv", "last.npz", "network.weights.h5", "run.json"
CURE = "Copy the folder again from its source, or train again."  # of one that was damaged
COLUMNS = ("epoch", "loss", "val_loss", "learning_rate", "seconds")  # of the history
# Networks that come with the package: folders of runs, without what only training needs.
SHIPPED = Path(__file__).parent.parent / "networks"
RENAMED = {"recording": "lif"}  # presets, since version 0.1.0
LARGEST_RECORD = 2**20  # bytes


class Record(TypedDict, total=False):
    """What a run says of itself."""

    state: Literal["running", "finished"]
    best_epoch: int
    val_loss: float
    name: str
    config: str  # fingerprint of the settings
    settings: str  # digest of their text
    seed: int
    dataset_seed: int
    backend: str
    versions: dict[str, str]  # of what it was made with
    revisions: dict[str, int]  # of the formulas that it depends on
    held_out: dict[str, float]  # of a network that ships: log density of the truth, on simulations of its own


def load_posterior(source: str | Path) -> Posterior:
    """Load a trained network.

    Args:
        source: Folder of a training run, or the name of a network that ships: "cell", "lif", "standard" or "lstm".

    Returns:
        The posterior by the run's best network, be the run finished or not.

    Raises:
        FileNotFoundError: If there is no such folder, and no such network.
        ValueError: If the folder holds no network, or one that this version cannot read. Only numbers are read
            from it: loading never executes code.

    Example:
        >>> posterior = load_posterior("standard")
        >>> posterior.names, posterior.dt, posterior.duration
        (('tau', 'V_rest', 'C', 'V_th'), 0.2, (100.0, 500.0))
    """
    folder = trained(source)
    check_formulas(folder)
    check_settings(folder)
    config = load_config(folder / CONFIG)
    network = Network(config.network, config.simulator, seed=None)
    try:
        network.load_weights(folder / NETWORK)
    except LeakyflowError as error:
        made_with = read_record(folder).get("versions", "another version")
        raise LeakyflowError(
            f"The weights in {folder / NETWORK} do not fit {folder / CONFIG}: {error} They were written with "
            f"{made_with}; here is {versions()}."
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
        raise LeakyflowError(
            f"{folder} holds no trained network: {' and '.join(missing)} missing. Pass the folder that "
            "`leakyflow train --out` wrote; a run has a network from its first epoch on."
        )
    return folder


def shipped() -> list[str]:
    """Names of the networks that come with the package."""
    return sorted(path.parent.name for path in SHIPPED.glob(f"*/{NETWORK}"))


def read_record(folder: Path) -> Record:
    """What a run says of itself; empty where it has not begun.

    Raises:
        ValueError: If it says something else than it may.
    """
    path = folder / RECORD
    if not path.is_file():
        return {}
    return load_json(path, Record, most=LARGEST_RECORD, cure=CURE)


def check_formulas(folder: Path) -> None:
    """Refuse a network that was trained by other formulas than those it would be used with.

    Raises:
        ValueError: If a formula has another revision, or the record of the run does not say which they had.
    """
    record = read_record(folder)
    if differing := outdated("network", record.get("revisions")):
        made_with = record.get("versions", {}).get("leakyflow", "of another version")
        raise LeakyflowError(
            f"The network in {folder} was trained by other formulas than this version's: {differing}. Its answers "
            "would be wrong here. Train it again with\n"
            f"  leakyflow train --config {_settings(folder, record)} --out FOLDER\n"
            f"or use it with the leakyflow that made it ({made_with})."
        )


def _settings(folder: Path, record: Record) -> str:
    """By which to train a network again: its own, if this version reads them; else those of the preset of its name."""
    try:
        load_config(folder / CONFIG)
    except LeakyflowError:
        name = record.get("name", "")
        return RENAMED.get(name, name) if RENAMED.get(name, name) in presets() else "mine.toml"
    return str(folder / CONFIG)


def check_settings(folder: Path) -> None:
    """Refuse a network whose settings were changed after it was trained.

    Raises:
        ValueError: If their text has another digest than the record of the run.
    """
    if read_record(folder).get("settings") not in (None, settings_digest(folder)):
        raise LeakyflowError(
            f"{folder / CONFIG} is not as it was when the network beside it was trained, so its answers would be "
            "wrong. Copy the folder again from its source, or train with the changed settings:\n"
            f"  leakyflow train --config {folder / CONFIG} --out FOLDER"
        )


def settings_digest(folder: Path) -> str:
    """Of the text of a run's settings, to the byte."""
    return hashlib.sha256((folder / CONFIG).read_bytes()).hexdigest()[:16]


def versions() -> dict[str, str]:
    """Versions of all that a network's numbers depend on."""
    names = ("leakyflow", "bayesflow", "keras", "jax", "numpy")
    backend = keras.backend.backend()  # a package, some of which are installed under other names
    versions = {name: metadata.version(name) for name in names} | {backend: import_module(backend).__version__}
    return {"python": platform.python_version()} | versions
