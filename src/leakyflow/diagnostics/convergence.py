"""Whether training came to rest, from the losses of its epochs."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from leakyflow.errors import LeakyflowError
from leakyflow.schema import check_finite, reading
from leakyflow.training.config import load_config
from leakyflow.training.run import COLUMNS, CONFIG, CURE, HISTORY, read_record

__all__ = ["Convergence", "measure_convergence", "read_history"]

# Nats. A validation loss that falls by less over the last quarter of training has come to rest.
AT_REST = 0.05
MOST_EPOCHS = 10**6


class Convergence(NamedTuple):
    """Where training ended."""

    n_epochs: int
    best_epoch: int
    val_loss: float  # nats, the least
    gap: float  # nats, by how much validation is worse than training at the best epoch
    falling: float  # nats, by which the best validation loss still fell in the last quarter of the epochs

    @property
    def at_rest(self) -> bool:
        """True where more epochs under the same schedule would hardly help."""
        return self.falling < AT_REST


def read_history(folder: str | Path) -> pd.DataFrame:
    """Losses of a run, one row per epoch.

    Raises:
        FileNotFoundError: If the folder holds no history.
        ValueError: If it is not a table of finite numbers, an epoch in each row, or not all of a run that is finished.

    Example:
        >>> import leakyflow as lf
        >>> history = read_history(lf.load_posterior("standard").folder)
        >>> list(history.columns)
        ['loss', 'val_loss', 'learning_rate', 'seconds']
    """
    path = Path(folder) / HISTORY
    if not path.is_file():
        raise FileNotFoundError(f"No {HISTORY} in {folder}. Pass the folder of a run, made by `leakyflow train`.")
    with reading(path, "the table", CURE):
        table = pd.read_csv(path, dtype=np.float64, nrows=MOST_EPOCHS)
    if list(table.columns) != list(COLUMNS):
        raise LeakyflowError(
            f"{path} must have the columns {', '.join(COLUMNS)}, got {', '.join(map(str, table.columns))}. {CURE}"
        )
    check_finite(path, "the table", table.to_numpy(), cure=CURE)
    if not np.array_equal(table["epoch"], np.arange(1, len(table) + 1)):
        raise LeakyflowError(f"{path} must have the epochs from 1 on, one in each row. {CURE}")
    history = table.astype({"epoch": int}).set_index("epoch")
    _check_whole(Path(folder), history["val_loss"])
    return history


def _check_whole(folder: Path, losses: "pd.Series[float]") -> None:
    """Refuse losses that are not all those of a run that is finished."""
    record = read_record(folder)
    if record.get("state") != "finished":
        return
    training = load_config(folder / CONFIG).training
    best, n = record["best_epoch"], len(losses)
    whole = n > 0 and losses.idxmin() == best and losses.min() == record["val_loss"]
    if not whole or (not training.early_stopping and n != training.epochs):
        raise LeakyflowError(
            f"{folder / HISTORY} must hold the {training.epochs} epochs of the run, of which {best} had the least "
            f"validation loss, {record['val_loss']:g}, got {n}, of which {losses.idxmin() if n else 'none'} had. {CURE}"
        )


def measure_convergence(history: pd.DataFrame) -> Convergence:
    """Summarize the losses of a run.

    Args:
        history: Rows indexed by epoch, with the columns `loss` and `val_loss`, in nats.

    Raises:
        ValueError: If no epoch is finished.

    Example:
        >>> import pandas as pd
        >>> losses = {"loss": [3.0, 2.0, 1.5], "val_loss": [3.1, 2.2, 2.3]}
        >>> at = measure_convergence(pd.DataFrame(losses, index=[1, 2, 3]))
        >>> at.best_epoch, round(at.gap, 3), at.at_rest
        (2, 0.2, True)
    """
    if history.empty:
        raise LeakyflowError("The history must hold at least one epoch, got none. Train first.")
    val_loss = history["val_loss"].to_numpy()
    best = int(np.argmin(val_loss))
    earlier = val_loss[: max(1, len(val_loss) - len(val_loss) // 4)]
    return Convergence(
        n_epochs=len(history),
        best_epoch=int(history.index[best]),
        val_loss=float(val_loss[best]),
        gap=float(val_loss[best] - history["loss"].iloc[best]),
        falling=float(earlier.min() - val_loss.min()),
    )
