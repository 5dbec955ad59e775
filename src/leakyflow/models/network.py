"""The whole estimator: what BayesFlow is given of a recording, and the approximator it trains."""

import hashlib
import io
import re
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import keras
import numpy as np
from jaxtyping import Float32, Float64

from leakyflow.errors import LeakyflowError
from leakyflow.likelihood.instrument import on_grid
from leakyflow.likelihood.prepare import has_likelihood
from leakyflow.likelihood.regression import regression_is_exact
from leakyflow.likelihood.scanned import Scanned
from leakyflow.likelihood.sufficient import Sufficient, compress
from leakyflow.likelihood.target import Target
from leakyflow.models.backend import bf, blank_weights, seeded
from leakyflow.models.cell_statistics import cell_statistics
from leakyflow.models.config import NetworkConfig
from leakyflow.models.flow import build_flow
from leakyflow.models.local import (
    LocalCoordinates,
    coordinate_features,
    laplace_coordinates,
    noise_features,
    prior_coordinates,
    scanned_coordinates,
)
from leakyflow.models.statistics import summary_statistics
from leakyflow.models.summary import RecordingSummary, trace_channels
from leakyflow.recordings.batch import Batch
from leakyflow.schema import Spec, check_array, check_finite, reading
from leakyflow.simulator.config import SimulatorConfig
from leakyflow.simulator.prior import ReadOff

__all__ = ["Features", "Network"]

CURE = "Copy it again from its source, or train again."
DIGEST = "sha256"  # attribute of the file of weights: HDF5 does not notice a number that changed on the disk


class Features(NamedTuple):
    """What is computed once of each recording, whatever the network then does with it."""

    local: LocalCoordinates
    target: Target | None  # the exact posteriors, where their preparation gave the coordinates
    arrays: dict[str, Float32[np.ndarray, "dataset feature"]]  # "local" and, where used, "statistics"
    recordings: Batch  # as the network knows them from simulations
    sufficient: Sufficient | None  # statistics of these, where they are single sweeps


class Network:
    """A BayesFlow approximator and the way from recordings to its inputs.

    Args:
        config: Which networks.
        simulator: What they are trained on.
        seed: Of the initial weights; None leaves them 0, for `load_weights` to replace.

    Raises:
        LeakyflowError: If it is to standardize by the data, and the prior has no noise, or to read the raw trace of
            cells.
    """

    def __init__(self, config: NetworkConfig, simulator: SimulatorConfig, *, seed: int | None) -> None:
        if config.standardize == "data" and not has_likelihood(simulator.prior):
            raise LeakyflowError(
                "Standardization by the data needs a likelihood, and so some noise, got a prior without any. Set "
                'standardize = "prior" for this prior, or give it `membrane_noise`.'
            )
        if config.summary.trace and simulator.protocols:
            raise LeakyflowError(
                "Cells of many sweeps are summarized by statistics, got a network that reads the raw trace. Set "
                'variant = "statistics" in [network.summary].',
                argument="variant",
            )
        self.config = config
        self.simulator = simulator
        shapes = self._shapes()
        with seeded(seed or 0), blank_weights() if seed is None else nullcontext():
            self.approximator = bf.ContinuousApproximator(
                inference_network=build_flow(config.flow),
                summary_network=RecordingSummary(config.summary.__dict__),
                standardize=None,
            )
            self.approximator.build(shapes)

    @property
    def names(self) -> tuple[str, ...]:
        """Inferred parameters."""
        return self.simulator.prior.inferred

    @property
    def takes_cells(self) -> bool:
        """Whether it was trained on cells of any number of sweeps; else it takes single sweeps."""
        return bool(self.simulator.protocols)

    def features(self, recordings: Batch) -> Features:
        """Statistics and local coordinates of recordings or cells, which need not be of the longest duration."""
        prior = self.simulator.prior
        if self._scans:
            target = Scanned.of(recordings, prior)
            local = scanned_coordinates(target)
            known = on_grid(recordings, prior, local.centre)  # as simulations are
            return self._features(known, local, self._compressed(known), target)
        sufficient = self._compressed(recordings)
        if self.config.standardize == "prior" or sufficient is None:
            local = prior_coordinates(recordings.n_cells, prior.n_inferred)
        else:
            local = laplace_coordinates(prior, sufficient)
        return self._features(recordings, local, sufficient)

    def _compressed(self, recordings: Batch) -> Sufficient | None:
        """Coordinates, statistics and typicality read it; of cells, whose statistics are pooled, there is none."""
        return None if self.takes_cells else compress(recordings)

    def _features(
        self, recordings: Batch, local: LocalCoordinates, sufficient: Sufficient | None, target: Target | None = None
    ) -> Features:
        arrays = self._arrays(recordings, local, target.read_off if target else {}, sufficient)
        return Features(local, target, arrays, recordings, sufficient)

    @property
    def _scans(self) -> bool:
        """Whether the coordinates come from a scan over the samples; the regression knows single sweeps."""
        needed = self.takes_cells or not regression_is_exact(self.simulator.prior)
        return self.config.standardize == "data" and needed

    def _arrays(
        self,
        recordings: Batch,
        local: LocalCoordinates,
        read_off: Mapping[str, Float64[np.ndarray, " sweep"]],
        sufficient: Sufficient | None,
    ) -> dict[str, Float32[np.ndarray, "dataset feature"]]:
        arrays = {"local": coordinate_features(local, correlations=self.config.untold is None)}
        if read_off:
            noises = noise_features(self.simulator.prior, recordings.cell_means(read_off))
            arrays["local"] = np.concatenate([arrays["local"], noises], axis=1)
        if self.config.summary.statistics:
            arrays["statistics"] = (
                cell_statistics(recordings) if sufficient is None else summary_statistics(recordings, sufficient)
            )
        return {name: value.astype(np.float32) for name, value in arrays.items()}

    def inputs(self, features: Features, recordings: Batch | None = None) -> dict[str, Float32[np.ndarray, "..."]]:
        """Inputs of the summary network; the recordings are needed where it reads the raw trace."""
        if not self.config.summary.trace:
            return features.arrays
        if recordings is None:
            raise LeakyflowError("This network reads the raw trace: pass the recordings beside their features.")
        return features.arrays | trace_channels(recordings, self.simulator.n_time, self.config.summary.patch)

    def adapt(self, arrays: dict[str, Float32[np.ndarray, "dataset feature"]], recordings: Batch | None) -> None:
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
        weights = self.approximator.weights
        arrays = {f"{i:04d}": keras.ops.convert_to_numpy(weight) for i, weight in enumerate(weights)}
        with h5py.File(buffer, "w") as file:
            for (name, array), path_within in zip(arrays.items(), _own_names(weights), strict=True):
                file[name] = array
                file[name].attrs["path"] = path_within
            file.attrs[DIGEST] = _digest(arrays)
        path.write_bytes(buffer.getvalue())

    def load_weights(self, path: Path) -> None:
        """Read weights written by `save_weights`; nothing in the file is executed.

        Raises:
            ValueError: If the file is damaged, or they are another architecture's; the network is then left as it was.
            OSError: If it cannot be read.
        """
        weights = self.approximator.weights
        with reading(path, "the file of weights", CURE), h5py.File(path) as file:
            names = sorted(file)
            found = [_weight(path, file, name) for name in names]
            self._check_shapes(path, [dataset.shape for dataset in found])
            for weight, name, dataset in zip(weights, names, found, strict=True):
                own = keras.ops.convert_to_numpy(weight).dtype
                # Integers are of 32 bits in some backends, of 64 in others.
                wanted = dataset.dtype if own.kind == dataset.dtype.kind == "i" else own
                spec = Spec(wanted, tuple(weight.shape))
                check_array(path, name, spec, dtype=dataset.dtype, shape=dataset.shape, cure=CURE)
            arrays = {name: dataset[()] for name, dataset in zip(names, found, strict=True)}
            if file.attrs.get(DIGEST) != _digest(arrays):
                raise LeakyflowError(f"{path} does not hold the numbers that were written to it. {CURE}")
        for name, array in arrays.items():
            check_finite(path, name, array, cure=CURE)
        for weight, array in zip(weights, arrays.values(), strict=True):
            weight.assign(array)
        self.__dict__.pop("_compiled", None)  # compiled functions hold the old weights

    def _check_shapes(self, path: Path, found: list[tuple[int, ...]]) -> None:
        wanted = [tuple(weight.shape) for weight in self.approximator.weights]
        if wanted != found:
            different = sum(a != b for a, b in zip(wanted, found, strict=False)) + abs(len(wanted) - len(found))
            raise LeakyflowError(
                f"{path} must hold the {len(wanted)} arrays of this network, got {len(found)}, and {different} do not "
                "match. Build the network from the configuration that was saved beside them."
            )

    def _blank_features(self, blank: Batch) -> Features:
        """Features of the right shapes; a scan, which takes a second to compile, would find no others."""
        if not self._scans:
            return self.features(blank)
        prior = self.simulator.prior
        entries = {name: entry.read_off for name, entry in prior.root.items() if isinstance(entry, ReadOff)}
        medians = {name: np.array([float(entry.from_unconstrained(0.0))]) for name, entry in entries.items()}
        local = prior_coordinates(1, prior.n_inferred)
        sufficient = self._compressed(blank)
        return Features(local, None, self._arrays(blank, local, medians, sufficient), blank, sufficient)

    def _shapes(self) -> dict:
        """Shapes of one recording's inputs, found by summarizing one."""
        n_time = self.simulator.n_time
        t = np.zeros((1, n_time), np.float32)
        blank = Batch(
            V=t - 70.0 + 1e-3 * np.arange(n_time, dtype=np.float32) % 2,
            I=t,
            spikes=t > 0,
            refractory=t > 0,
            n_samples=np.array([n_time], np.int32),
            dt=self.simulator.dt,
            names=("",),
        )
        arrays = self.inputs(self._blank_features(blank), blank)
        return {
            "inference_variables": (1, len(self.names)),
            "summary_variables": {name: value.shape for name, value in arrays.items()},
        }


def _own_names(weights: list) -> list[str]:
    """Names of weights, numbered within the layer that holds them; Keras numbers those of a whole process."""
    own: dict[str, str] = {"": ""}
    counts: Counter[str] = Counter()
    for weight in weights:
        parts = weight.path.split("/")
        for n in range(1, len(parts) + 1):
            path, within = "/".join(parts[:n]), own["/".join(parts[: n - 1])]
            if path not in own:
                stem = f"{within}/{re.sub(r'_[0-9]+$', '', parts[n - 1])}".removeprefix("/")
                own[path] = f"{stem}_{counts[stem]}" if counts[stem] else stem
                counts[stem] += 1
    return [own[weight.path] for weight in weights]


def _digest(arrays: dict[str, np.ndarray]) -> str:
    """Of names and numbers."""
    digest = hashlib.sha256()
    for name, array in arrays.items():
        digest.update(name.encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _weight(path: Path, file: h5py.File, name: str) -> h5py.Dataset:
    """An array as `save_weights` writes it; nothing that leads out of the file, or to code that unpacks it."""
    if isinstance(file.get(name, getlink=True), h5py.HardLink) and isinstance(found := file[name], h5py.Dataset):
        plain = found.shape is not None and not (found.is_virtual or found.external)
        if plain and not found.id.get_create_plist().get_nfilters():
            return found
    raise LeakyflowError(f"{path}: `{name}` must be a plain array within the file. {CURE}")


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
