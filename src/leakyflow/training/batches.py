"""Batches for training: everything that need not be computed twice is computed once."""

from typing import NamedTuple

import keras
import numpy as np
from jaxtyping import Float32, Int
from rich.progress import track

from leakyflow.errors import LeakyflowError
from leakyflow.models.local import to_local
from leakyflow.models.network import Network
from leakyflow.models.summary import trace_channels
from leakyflow.recordings.batch import Batch
from leakyflow.seeds import stream
from leakyflow.simulator.dataset import Dataset
from leakyflow.training.steps import TrainingBatch

__all__ = ["Examples", "prepare", "training_batches"]


class Examples(NamedTuple):
    """A dataset as the network sees it: local coordinates, features and, where it reads them, traces.

    Another network of the same features may take them over: `examples._replace(network=other)`.
    """

    network: Network
    w: Float32[np.ndarray, "dataset param"]  # local coordinates of the true parameters
    arrays: dict[str, Float32[np.ndarray, "dataset feature"]]  # features of the recordings
    recordings: Batch | None  # only where the network reads the raw trace

    @property
    def n(self) -> int:
        """Number of recordings."""
        return len(self.w)

    def clipped(self, most: float | None) -> "Examples":
        """The same, with no local coordinate larger than this in size; as they are where it is None."""
        return self if most is None else self._replace(w=np.clip(self.w, -most, most))

    def adapt(self, rows: Int[np.ndarray, " row"]) -> None:
        """Take means and SDs of the network's inputs from some examples."""
        recordings = None if self.recordings is None else self.recordings.take(rows)
        self.network.adapt({name: value[rows] for name, value in self.arrays.items()}, recordings)

    def batch(self, rows: Int[np.ndarray, "*step row"]) -> TrainingBatch:
        """What BayesFlow's approximator takes; the rows of several steps give their batches along a leading axis."""
        arrays = {name: value[rows] for name, value in self.arrays.items()}
        if self.recordings is not None:
            n_time, patch = self.network.simulator.n_time, self.network.config.summary.patch
            arrays |= trace_channels(self.recordings, n_time, patch, rows)
        return {"inference_variables": self.w[rows], "summary_variables": arrays}

    @property
    def nbytes(self) -> int:
        """Of one example in a batch."""
        return sum(values.nbytes for values in keras.tree.flatten(self.batch(np.arange(1))))


def training_batches(
    rows: Int[np.ndarray, " row"], batch_size: int, *, seed: int, epoch: int
) -> Int[np.ndarray, "step batch"]:
    """The rows of each step of an epoch, in an order that depends on seed and epoch alone; the rest is left out."""
    n_steps = len(rows) // batch_size
    order = np.random.default_rng(stream(seed, "order", epoch)).permutation(rows)
    return order[: n_steps * batch_size].reshape(n_steps, batch_size)


def prepare(network: Network, dataset: Dataset, *, n: int, progress: bool = False) -> Examples:
    """Summarize the first n recordings of a dataset once, chunk by chunk.

    Args:
        network: Says which features.
        dataset: Drawn from the network's own simulator configuration.
        n: Number of recordings.
        progress: Show a progress bar on the terminal.

    Raises:
        ValueError: If a recording's true parameters have no density in its local coordinates.
    """
    z = network.simulator.prior.to_unconstrained(dataset.parameters(slice(n)))
    w, parts = [], []
    for rows in track(dataset.spans(n), "summarizing", transient=True, disable=not progress):
        features = network.features(dataset.recordings(rows))
        local, log_det = to_local(features.local, z[rows][:, None])
        bad = ~np.isfinite(log_det)
        if bad.any():
            raise LeakyflowError(
                f"{bad.sum()} recordings between {rows.start} and {rows.stop} contradict their own parameters: the "
                "dataset was damaged, or made by another version. Simulate it again."
            )
        w.append(local[:, 0].astype(np.float32))
        parts.append(features.arrays)
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    recordings = dataset.recordings(slice(n)) if network.config.summary.trace else None
    return Examples(network, np.concatenate(w), arrays, recordings)
