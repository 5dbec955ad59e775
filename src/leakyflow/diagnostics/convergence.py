"""Whether training came to rest, from the losses of its epochs."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from leakyflow.training.run import HISTORY

__all__ = ["Convergence", "measure_convergence", "read_history"]

# Nats. A validation loss that falls by less over the last quarter of training has come to rest.
AT_REST = 0.05


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
    """
    path = Path(folder) / HISTORY
    if not path.is_file():
        raise FileNotFoundError(f"No {HISTORY} in {folder}. Pass the folder of a run, made by `leakyflow train`.")
    return pd.read_csv(path, index_col="epoch")


def measure_convergence(history: pd.DataFrame) -> Convergence:
    """Summarize the losses of a run.

    Args:
        history: Rows indexed by epoch, with the columns `loss` and `val_loss`, in nats.

    Raises:
        ValueError: If no epoch is finished.
    """
    if history.empty:
        raise ValueError("The history must hold at least one epoch, got none. Train first.")
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
