"""Training: a configuration and a dataset become a run folder with a posterior in it."""

import csv
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from jaxtyping import Float32, Int
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from leakyflow.errors import LeakyflowError
from leakyflow.files import replacing
from leakyflow.models.backend import bf
from leakyflow.models.network import Network
from leakyflow.models.posterior import Posterior
from leakyflow.revision import revisions
from leakyflow.schema import Spec, load_arrays
from leakyflow.simulator.dataset import Dataset
from leakyflow.training.batches import Examples, prepare, training_batches
from leakyflow.training.config import Config, TrainingConfig, load_config
from leakyflow.training.run import (
    COLUMNS,
    CONFIG,
    HISTORY,
    LAST,
    NETWORK,
    RECORD,
    Record,
    check_formulas,
    load_posterior,
    settings_digest,
    versions,
)
from leakyflow.training.schedule import Schedule
from leakyflow.training.steps import Steps, compiled_steps

__all__ = ["Run", "fit_network", "give_optimizer", "in_calls", "train"]

History = list[dict[str, float]]
TENSORBOARD = "tensorboard"  # within a run's folder
CURE = "Train in another folder."
EVERY = 50  # steps between two points of the live view
# Steps that are compiled into one call: as many as their batches fit into this memory, and no more than this.
BYTES_TOGETHER, MOST_TOGETHER = 2**25, 64
# Examples that means and SDs of the inputs are taken from.
N_ADAPT = 2**13


class Run(NamedTuple):
    """A finished training run."""

    folder: Path
    posterior: Posterior
    history: History  # one row per epoch: epoch, loss, val_loss, learning_rate, seconds


def train(
    config: Config,
    dataset: Dataset,
    *,
    out: str | Path,
    resume: bool = False,
    progress: bool = False,
    tensorboard: bool = False,
) -> Run:
    """Train a network, or continue where an interrupted run stopped.

    A run may be interrupted at any moment, killed too. Resumed, it ends with the weights of an uninterrupted one. All
    devices of JAX share each batch, if its size allows: graphics cards, or as many CPUs as the environment
    variable JAX_NUM_CPU_DEVICES says before JAX is imported (the command line sets it); their number changes rounding.

    Args:
        config: All settings.
        dataset: Made with the same simulator settings, and at least `config.training.n_simulations` long.
        out: Folder of the run.
        resume: Continue the run in `out`.
        progress: Show epoch, losses and time left on the terminal.
        tensorboard: Write the losses of each epoch, and of the steps within it, to `out`/tensorboard while training
            runs; `tensorboard --logdir` shows them. Needs `pip install 'leakyflow[tensorboard]'`.

    Returns:
        The folder, the posterior by the network with the best validation loss, and the history.

    Raises:
        ValueError: If the dataset was made under other settings or is too short, `out` already holds a run and
            `resume` is False or the settings are others, or the loss is not finite.
        FileNotFoundError: If there is nothing to resume.
        ModuleNotFoundError: If `tensorboard` is True and the extra is not installed.

    Example:
        >>> from dataclasses import replace
        >>> import leakyflow as lf
        >>> config = lf.load_config("quick")
        >>> config = replace(config, training=replace(config.training, n_simulations=2000, epochs=1))
        >>> run = train(config, lf.make_dataset(config, 2000, seed=1), out="runs/tiny")
        >>> len(run.history), run.posterior.names
        (1, ('tau', 'V_rest', 'C', 'V_th'))
    """
    folder = Path(out)
    _check(config, dataset, folder, resume)
    live = _live_view(folder) if tensorboard else None
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / CONFIG) as path:
        path.write_text(config.to_toml())
    _record(folder, config, dataset, state="running")
    network = Network(config.network, config.simulator, seed=config.training.seed)
    examples = prepare(network, dataset, n=config.training.n_simulations, progress=progress)
    examples = examples.clipped(config.training.coordinate_clip)
    history = fit_network(config, examples, folder, progress=progress, live=live)
    best = min(history, key=lambda row: row["val_loss"])
    _record(folder, config, dataset, state="finished", best_epoch=best["epoch"], val_loss=best["val_loss"])
    return Run(folder, load_posterior(folder), history)


def fit_network(
    config: Config, examples: Examples, folder: Path, *, progress: bool = False, live: "LiveView | None" = None
) -> History:
    """Train the examples' network, or go on from the checkpoint in a folder.

    Args:
        config: Only its training settings are looked at.
        examples: The last of them are kept for validation.
        folder: Of the checkpoint, the history and the best network.
        progress: Show epoch, losses and time left on the terminal.
        live: Told of each epoch.
    """
    training = config.training
    rows = np.arange(examples.n)
    training_rows, validation_rows = rows[: training.n_training], rows[training.n_training :]
    examples.adapt(training_rows[:N_ADAPT])
    model, n_steps = examples.network.approximator, training.n_training // training.batch_size
    give_optimizer(model, training)
    checkpoint = Checkpoint(examples.network, folder)
    history = checkpoint.history
    steps = compiled_steps(model, training.batch_size)
    with _progress(progress) as bar:
        task = bar.add_task("training", total=training.epochs * n_steps, completed=len(history) * n_steps)
        while len(history) < training.epochs and not checkpoint.stalled(training.early_stopping):
            began, epoch = time.perf_counter(), len(history)
            order = training_batches(training_rows, training.batch_size, seed=training.seed, epoch=epoch)
            losses = _steps_of_an_epoch(steps, examples, order, lambda n: bar.advance(task, n))
            loss, val_loss = float(losses.mean()), _validation(steps, examples, validation_rows, training.batch_size)
            _check_finite(loss, val_loss, epoch)
            steps.store()
            rate, seconds = float(model.optimizer.learning_rate), round(time.perf_counter() - began, 3)
            row = dict(zip(COLUMNS, (epoch + 1, loss, val_loss, rate, seconds), strict=True))
            checkpoint.save(row)
            if live:
                live.epoch(row, losses)
            description = f"epoch {epoch + 1}/{training.epochs}  loss {loss:.3f}  validation {val_loss:.3f}"
            bar.update(task, description=description)
    return history


def give_optimizer(model: bf.ContinuousApproximator, training: TrainingConfig) -> None:
    """Build Adam (Kingma & Ba 2015) with the schedule of the settings."""
    schedule = Schedule(training, training.n_training // training.batch_size)
    model.compile(optimizer=keras.optimizers.Adam(schedule, global_clipnorm=training.gradient_clip or None))
    model.optimizer.build(model.trainable_variables)


def in_calls(order: Int[np.ndarray, "step batch"], nbytes: int) -> list[Int[np.ndarray, "_ batch"]]:
    """An epoch's steps, parted into those that one call takes; each example takes this much memory."""
    most = int(np.clip(BYTES_TOGETHER // (nbytes * order.shape[1]), 1, MOST_TOGETHER))
    fewest = -(-len(order) // most)
    # In equal parts if need not be twice as many, for each length is compiled by itself.
    n_parts = next((n for n in range(fewest, 2 * fewest) if len(order) % n == 0), fewest)
    return np.array_split(order, n_parts)


def _steps_of_an_epoch(
    steps: Steps, examples: Examples, order: Int[np.ndarray, "step batch"], advance: Callable[[int], None]
) -> Float32[np.ndarray, " step"]:
    """Loss of each step."""
    losses: list[Any] = []
    for some in in_calls(order, examples.nbytes):
        losses.append(steps.train(examples.batch(some)))
        if len(losses) > 1:  # the next batches are prepared while these steps run
            losses[-2] = np.asarray(losses[-2])
        advance(len(some))
    return np.concatenate(losses).astype(np.float32)


def _validation(steps: Steps, examples: Examples, rows: Int[np.ndarray, " row"], batch_size: int) -> float:
    """Mean loss over the validation set."""
    parts = np.array_split(rows, -(-len(rows) // (4 * batch_size)))
    return sum(len(part) * steps.validate(examples.batch(part)) for part in parts) / len(rows)


def _check_finite(loss: float, val_loss: float, epoch: int) -> None:
    if not (np.isfinite(loss) and np.isfinite(val_loss)):
        raise LeakyflowError(
            f"The loss must stay finite, got {loss} in training and {val_loss} in validation at epoch {epoch + 1}. "
            "Lower `learning_rate` or set `gradient_clip`, and train in another folder; epochs so far are kept."
        )


class Checkpoint:
    """All that a run needs to continue, on disk after each epoch.

    Args:
        network: With its optimizer built; takes the state found in the folder.
        folder: Of the run.
    """

    def __init__(self, network: Network, folder: Path) -> None:
        self.network = network
        self.folder = folder
        self.history: History = []
        if (folder / LAST).is_file():
            arrays = {name: keras.ops.convert_to_numpy(variable) for name, variable in self._variables().items()}
            specs = {name: Spec(array.dtype, array.shape) for name, array in arrays.items()}
            last = load_arrays(folder / LAST, {"history": Spec(np.float64, (None, len(COLUMNS)))} | specs, cure=CURE)
            rows = [dict(zip(COLUMNS, row, strict=True)) for row in last["history"].tolist()]
            self.history = [row | {"epoch": int(row["epoch"])} for row in rows]
            for name, variable in self._variables().items():
                variable.assign(last[name])

    def _variables(self) -> dict[str, Any]:
        model = self.network.approximator
        return {f"variable_{i}": value for i, value in enumerate([*model.variables, *model.optimizer.variables])}

    def save(self, row: dict[str, float]) -> None:
        """Finish an epoch. Each file is replaced whole; killed in between, the epoch is done again."""
        is_best = all(row["val_loss"] < old["val_loss"] for old in self.history)
        self.history.append(row)
        if is_best:
            with replacing(self.folder / NETWORK) as path:
                self.network.save_weights(path)
        with replacing(self.folder / HISTORY) as path, path.open("w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(self.history)
        arrays = {name: keras.ops.convert_to_numpy(variable) for name, variable in self._variables().items()}
        history = np.array([[row[name] for name in COLUMNS] for row in self.history], np.float64)
        with replacing(self.folder / LAST) as path:
            np.savez(path, history=history, **arrays)

    def stalled(self, patience: int) -> bool:
        """Whether the validation loss has not improved for so many epochs; 0 is endless patience."""
        losses = [row["val_loss"] for row in self.history]
        return patience > 0 and len(losses) - int(np.argmin(losses or [0.0])) > patience


class LiveView:
    """Losses as TensorBoard shows them.

    Args:
        writer: A `tensorboardX.SummaryWriter`.
    """

    def __init__(self, writer: Any) -> None:
        self.writer = writer

    def epoch(self, row: dict[str, float], losses: Float32[np.ndarray, " step"]) -> None:
        """Losses and learning rate of an epoch, and within it the mean loss of each `EVERY` steps."""
        first = int(row["epoch"] - 1) * len(losses)
        for end in range(EVERY, len(losses) + 1, EVERY):
            self.writer.add_scalar("step/loss", float(losses[end - EVERY : end].mean()), first + end)
        for name in ("loss", "val_loss", "learning_rate"):
            self.writer.add_scalar(f"epoch/{name}", row[name], int(row["epoch"]))
        self.writer.flush()


def _live_view(folder: Path) -> LiveView:
    try:
        from tensorboardX import SummaryWriter
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "A live view needs TensorBoard, which is not installed. Run pip install 'leakyflow[tensorboard]', or train "
            "without it; `leakyflow diagnose` draws the losses of a run at any time."
        ) from error
    return LiveView(SummaryWriter(str(folder / TENSORBOARD)))


def _progress(shown: bool) -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    return Progress(*columns, TimeRemainingColumn(), disable=not shown)


def _check(config: Config, dataset: Dataset, folder: Path, resume: bool) -> None:
    if dataset.config != config.simulator:
        raise LeakyflowError(
            "The dataset must be drawn from the configuration's own simulator settings, and was drawn from others. "
            "Make one with make_dataset(config, ...), or train with the configuration it was made with."
        )
    if len(dataset) < config.training.n_simulations:
        raise LeakyflowError(
            f"The dataset must hold n_simulations={config.training.n_simulations} recordings, got {len(dataset)}. "
            "Simulate more, or lower `n_simulations`."
        )
    begun = (folder / CONFIG).is_file()
    if resume and not begun:
        raise FileNotFoundError(f"No run to resume in {folder}. Start it without resume (--resume).")
    if begun and not resume:
        raise LeakyflowError(
            f"{folder} already holds a run. Continue it with resume (--resume), or choose another folder."
        )
    if begun and (found := load_config(folder / CONFIG)).hash != config.hash:
        raise LeakyflowError(
            f"The run in {folder} has other settings (fingerprint {found.hash}, here {config.hash}). Resume it with "
            f"its own {CONFIG}, or choose another folder."
        )
    if (folder / RECORD).is_file() or (folder / LAST).is_file():
        check_formulas(folder)


def _record(folder: Path, config: Config, dataset: Dataset, **state: Any) -> None:
    record: Record = {
        **state,  # type: ignore[typeddict-item]
        "name": config.name,
        "config": config.hash,
        "settings": settings_digest(folder),
        "seed": config.training.seed,
        "dataset_seed": dataset.seed,
        "backend": keras.backend.backend(),
        "versions": versions(),
        "revisions": revisions("network"),
    }
    with replacing(folder / RECORD) as path:
        path.write_text(json.dumps(record, indent=2) + "\n")
