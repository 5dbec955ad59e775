"""The whole estimator: what BayesFlow is given of a recording, and the approximator it trains."""

from pathlib import Path
from typing import NamedTuple

import bayesflow as bf
import keras
import numpy as np
from jaxtyping import Float32

from leakyflow.models.config import NetworkConfig
from leakyflow.models.flow import build_flow
from leakyflow.models.frame import Frame, frame_features, laplace_frame, prior_frame
from leakyflow.models.statistics import summary_statistics
from leakyflow.models.summary import RecordingSummary, trace_channels
from leakyflow.recordings.recording import Recordings
from leakyflow.reference.sufficient import compress
from leakyflow.simulator.config import SimulatorConfig

__all__ = ["Features", "Network"]


class Features(NamedTuple):
    """What is computed once of each recording, whatever the network then does with it."""

    frame: Frame
    arrays: dict[str, Float32[np.ndarray, "dataset feature"]]  # "frame" and, where used, "statistics"


class Network:
    """A BayesFlow approximator and the way from recordings to its inputs.

    Args:
        config: Which networks.
        simulator: What they are trained on.
        seed: Of the initial weights.
    """

    def __init__(self, config: NetworkConfig, simulator: SimulatorConfig, *, seed: int) -> None:
        self.config = config
        self.simulator = simulator
        keras.utils.set_random_seed(seed)
        self.approximator = bf.ContinuousApproximator(
            inference_network=build_flow(config.flow),
            summary_network=RecordingSummary(config.summary.__dict__),
            standardize=None,
        )
        self.approximator.build(self._shapes())

    @property
    def names(self) -> tuple[str, ...]:
        """Inferred parameters."""
        return self.simulator.parameters.inferred

    def features(self, recordings: Recordings) -> Features:
        """Statistics and local coordinates of recordings, which need not be of the longest duration."""
        prior, summary = self.simulator.parameters, self.config.summary
        sufficient = compress(recordings)
        if self.config.standardize == "data":
            frame = laplace_frame(prior, sufficient)
        else:
            frame = prior_frame(len(recordings), prior.n_inferred)
        arrays = {"frame": frame_features(frame)}
        if summary.statistics:
            arrays["statistics"] = summary_statistics(recordings, sufficient)
        return Features(frame, {name: value.astype(np.float32) for name, value in arrays.items()})

    def inputs(
        self, features: Features, recordings: Recordings | None = None
    ) -> dict[str, Float32[np.ndarray, "..."]]:
        """Inputs of the summary network; the recordings are needed where it reads the raw trace."""
        if not self.config.summary.trace:
            return features.arrays
        if recordings is None:
            raise ValueError("This network reads the raw trace: pass the recordings beside their features.")
        return features.arrays | {"trace": trace_channels(recordings, self.config.summary.patch)}

    def adapt(self, features: Features, recordings: Recordings) -> None:
        """Take means and SDs of the inputs from the training set, or enough of it."""
        layers = self.approximator.summary_network.standardize
        for name, values in features.arrays.items():
            layers[name].adapt(values.mean(0), values.std(0))
        if self.config.summary.trace:
            valid = np.arange(recordings.V.shape[1]) < recordings.n_samples[:, None]
            traces = np.stack([recordings.V[valid], recordings.I[valid]], axis=-1).astype(np.float64)
            layers["trace"].adapt(traces.mean(0), traces.std(0))

    def save_weights(self, path: Path) -> None:
        """Write the weights, and only them, to an HDF5 file."""
        self.approximator.save_weights(path)

    def load_weights(self, path: Path) -> None:
        """Read weights written by `save_weights`; nothing in the file is executed."""
        self.approximator.load_weights(path)

    def _shapes(self) -> dict:
        """Shapes of one recording's inputs, found by summarizing one."""
        n_time = self.simulator.n_time
        t = np.zeros((1, n_time), np.float32)
        blank = Recordings(
            V=t - 70.0 + 1e-3 * np.arange(n_time, dtype=np.float32) % 2,
            I=t,
            spikes=t > 0,
            refractory=t > 0,
            n_samples=np.array([n_time], np.int32),
            dt=self.simulator.dt,
            names=("",),
        )
        arrays = self.inputs(self.features(blank), blank)
        return {
            "inference_variables": (1, len(self.names)),
            "summary_variables": {name: value.shape for name, value in arrays.items()},
        }
