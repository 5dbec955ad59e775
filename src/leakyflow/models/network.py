"""The whole estimator: what BayesFlow is given of a recording, and the approximator it trains."""

import io
from collections.abc import Callable
from contextlib import nullcontext
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import keras
import numpy as np
from jaxtyping import Float32

from leakyflow.models.backend import bf, blank_weights
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
        seed: Of the initial weights; None leaves them 0, for `load_weights` to replace.
    """

    def __init__(self, config: NetworkConfig, simulator: SimulatorConfig, *, seed: int | None) -> None:
        self.config = config
        self.simulator = simulator
        shapes = self._shapes()
        if seed is not None:
            # Last: the initial weights come from Python's global random numbers, of which others may take some.
            keras.utils.set_random_seed(seed)
        self.approximator = bf.ContinuousApproximator(
            inference_network=build_flow(config.flow),
            summary_network=RecordingSummary(config.summary.__dict__),
            standardize=None,
        )
        with blank_weights() if seed is None else nullcontext():
            self.approximator.build(shapes)

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

    def inputs(self, features: Features, recordings: Recordings | None = None) -> dict[str, Float32[np.ndarray, "..."]]:
        """Inputs of the summary network; the recordings are needed where it reads the raw trace."""
        if not self.config.summary.trace:
            return features.arrays
        if recordings is None:
            raise ValueError("This network reads the raw trace: pass the recordings beside their features.")
        return features.arrays | trace_channels(recordings, self.simulator.n_time, self.config.summary.patch)

    def adapt(self, arrays: dict[str, Float32[np.ndarray, "dataset feature"]], recordings: Recordings | None) -> None:
        """Take means and SDs of the inputs from the training set, or enough of it.

        Args:
            arrays: Features of these recordings.
            recordings: Needed only where the network reads the raw trace.
        """
        layers = self.approximator.summary_network.standardize
        for name, values in arrays.items():
            layers[name].adapt(values.mean(0), values.std(0))
        if recordings is not None:
            valid = recordings.valid
            traces = np.stack([recordings.V[valid], recordings.I[valid]], axis=-1).astype(np.float64)
            layers["trace"].adapt(traces.mean(0), traces.std(0))

    def summarize(self, inputs: dict[str, Float32[np.ndarray, "..."]]) -> Float32[np.ndarray, "dataset summary"]:
        """Run the summary network."""
        return self._run("summarize", inputs)

    def from_latent(
        self, latent: Float32[np.ndarray, "row param"], summary: Float32[np.ndarray, "row summary"]
    ) -> tuple[Float32[np.ndarray, "row param"], Float32[np.ndarray, " row"]]:
        """Turn standard normal draws into draws of the local coordinates w, and their log densities."""
        return self._run("from_latent", latent, summary)

    def log_density(
        self, w: Float32[np.ndarray, "row param"], summary: Float32[np.ndarray, "row summary"]
    ) -> Float32[np.ndarray, " row"]:
        """Log density of local coordinates."""
        return self._run("log_density", w, summary)

    def _run(self, name: str, *arguments: Any) -> Any:
        """Call a compiled function on rows padded to a power of two, so that few shapes are ever compiled."""
        n = len(keras.tree.flatten(arguments)[0])
        size = max(16, 1 << (n - 1).bit_length())
        rows = np.minimum(np.arange(size), n - 1)
        padded = keras.tree.map_structure(lambda x: x[rows], arguments)
        return keras.tree.map_structure(lambda x: keras.ops.convert_to_numpy(x)[:n], self._compiled[name](*padded))

    @cached_property
    def _compiled(self) -> dict[str, Callable]:
        summary, flow = self.approximator.summary_network, self.approximator.inference_network
        functions: dict[str, Callable] = {
            "summarize": lambda x: summary(x, training=False),
            "from_latent": lambda z, s: flow(z, conditions=s, inverse=True, density=True, training=False),
            "log_density": lambda w, s: flow(w, conditions=s, density=True, training=False)[1],
        }
        return {name: _compile(function) for name, function in functions.items()}

    def save_weights(self, path: Path) -> None:
        """Write the weights, and only them, to an HDF5 file: arrays numbered in the order of construction."""
        buffer = io.BytesIO()  # HDF5 itself crashes the process on a full disk
        with h5py.File(buffer, "w") as file:
            for i, weight in enumerate(self.approximator.weights):
                file[f"{i:04d}"] = keras.ops.convert_to_numpy(weight)
                file[f"{i:04d}"].attrs["path"] = weight.path
        path.write_bytes(buffer.getvalue())

    def load_weights(self, path: Path) -> None:
        """Read weights written by `save_weights`; nothing in the file is executed.

        Raises:
            ValueError: If they are another architecture's; the network is then left as it was.
            OSError: If the file is not HDF5.
        """
        weights = self.approximator.weights
        with h5py.File(path) as file:
            arrays = [file[name][()] for name in sorted(file)]
        wanted, found = [tuple(weight.shape) for weight in weights], [array.shape for array in arrays]
        if wanted != found:
            different = sum(a != b for a, b in zip(wanted, found, strict=False)) + abs(len(wanted) - len(found))
            raise ValueError(
                f"{path} must hold the {len(wanted)} arrays of this network, got {len(found)}, and {different} do not "
                "match. Build the network from the configuration that was saved beside them."
            )
        for weight, array in zip(weights, arrays, strict=True):
            weight.assign(array)
        self.__dict__.pop("_compiled", None)  # compiled functions hold the old weights

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


def _compile(function: Callable) -> Callable:
    """Compile a function of tensors by what the backend has; it then takes arrays, too."""
    match keras.backend.backend():
        case "jax":
            import jax

            return jax.jit(function)
        case "tensorflow":
            import tensorflow as tf

            return tf.function(function)
        case _:
            import torch

            to_tensor = keras.ops.convert_to_tensor
            return torch.no_grad()(lambda *arrays: function(*keras.tree.map_structure(to_tensor, arrays)))
