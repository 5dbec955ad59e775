"""Batches for training: everything that need not be computed twice is computed once."""

from typing import Any

import keras
import numpy as np
from jaxtyping import Float32, Int
from rich.progress import track

from leakyflow.models.frame import Frame, to_frame
from leakyflow.models.network import Features, Network
from leakyflow.recordings.recording import Recordings
from leakyflow.simulator.dataset import CHUNK, Dataset

__all__ = ["Batches", "Examples", "prepare"]


class Examples:
    """A dataset as the network sees it: local coordinates, features and, where it reads them, traces.

    Args:
        network: For its inputs.
        w: Local coordinates of the true parameters.
        features: Of the recordings.
        recordings: Held in memory only where the network reads the raw trace.
    """

    def __init__(
        self,
        network: Network,
        w: Float32[np.ndarray, "dataset param"],
        features: Features,
        recordings: Recordings | None,
    ) -> None:
        self.network = network
        self.w = w
        self.features = features
        self.recordings = recordings

    def __len__(self) -> int:
        return len(self.w)

    def adapt(self, rows: Int[np.ndarray, " row"]) -> None:
        """Take means and SDs of the network's inputs from some examples."""
        recordings = None if self.recordings is None else self.recordings.take(rows)
        self.network.adapt({name: value[rows] for name, value in self.features.arrays.items()}, recordings)

    def batch(self, rows: Int[np.ndarray, " row"]) -> dict[str, Any]:
        """What BayesFlow's approximator takes."""
        arrays = {name: value[rows] for name, value in self.features.arrays.items()}
        features = self.features._replace(arrays=arrays)
        recordings = None if self.recordings is None else self.recordings.take(rows)
        return {"inference_variables": self.w[rows], "summary_variables": self.network.inputs(features, recordings)}


class Batches(keras.utils.PyDataset):
    """Batches of some examples. The order within an epoch depends on the seed and the epoch alone.

    Args:
        examples: All of them.
        rows: Those used.
        batch_size: Examples in a batch; the last, smaller one is left out of training and kept in validation.
        seed: Of the order; None keeps the rows in place.
        epoch: The first to come, so that a resumed run sees what an uninterrupted one would.
    """

    def __init__(
        self,
        examples: Examples,
        rows: Int[np.ndarray, " row"],
        batch_size: int,
        *,
        seed: int | None = None,
        epoch: int = 0,
    ) -> None:
        super().__init__()
        self.examples = examples
        self.rows = rows
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = epoch
        self._shuffle()

    def _shuffle(self) -> None:
        self.order = self.rows
        if self.seed is not None:
            self.order = np.random.default_rng([self.seed, self.epoch]).permutation(self.rows)

    def __len__(self) -> int:
        whole, rest = divmod(len(self.rows), self.batch_size)
        return whole + (self.seed is None and rest > 0)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.examples.batch(self.order[index * self.batch_size : (index + 1) * self.batch_size])

    def on_epoch_end(self) -> None:
        """Shuffle for the next epoch."""
        self.epoch += 1
        self._shuffle()


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
    z = network.simulator.parameters.to_unconstrained(dataset.parameters(slice(n)))
    w, parts = [], []
    for first in track(range(0, n, CHUNK), "summarizing", transient=True, disable=not progress):
        rows = slice(first, min(first + CHUNK, n))
        features = network.features(dataset.recordings(rows))
        local, log_det = to_frame(features.frame, z[rows][:, None])
        bad = ~np.isfinite(log_det)
        if bad.any():
            raise ValueError(
                f"{bad.sum()} recordings between {rows.start} and {rows.stop} contradict their own parameters: the "
                "dataset was damaged, or made by another version. Simulate it again."
            )
        w.append(local[:, 0].astype(np.float32))
        parts.append(features)
    frame = Frame(*(np.concatenate(values) for values in zip(*(part.frame for part in parts), strict=True)))
    arrays = {name: np.concatenate([part.arrays[name] for part in parts]) for name in parts[0].arrays}
    recordings = dataset.recordings(slice(n)) if network.config.summary.trace else None
    return Examples(network, np.concatenate(w), Features(frame, arrays), recordings)
