"""What is typical of sets of recordings."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Float16, Float32, Float64

from leakyflow.diagnostics.features import N_CHECKED
from leakyflow.diagnostics.scale import Scale
from leakyflow.seeds import stream

__all__ = ["LARGEST_SET", "N_NULL", "Sets"]

N_FREQUENCIES, N_AXES, N_NULL, LARGEST_SET = 256, 12, 999, 200
CLIP = 6.0  # of scores, where means over sets and figures must not be one recording's


class Sets(NamedTuple):
    """What is typical of sets of recordings, whatever their numbers of spikes.

    A recording is a point of the scores of its checks and the leading principal components of those of all else.
    """

    scale: Scale  # of all features
    axes: Float32[np.ndarray, "feature axis"]  # principal components, scaled to unit variance
    share: Float32[np.ndarray, " axis"]  # of the variance, of each
    frequencies: Float32[np.ndarray, "point frequency"]
    mean: Float32[np.ndarray, " embedding"]  # of the reference
    simulations: Float16[np.ndarray, "simulation point"]  # disjoint from the reference: sets for comparison

    @classmethod
    def fit(cls, reference: Any, simulations: Any, seed: int) -> "Sets":
        """Fit to a reference, and keep the points of other simulations."""
        scale = Scale.fit(reference)
        others = _clipped(scale, reference)[:, N_CHECKED:]
        variance, axes = np.linalg.eigh(np.cov(others.T))
        variance, axes = variance[::-1][:N_AXES], axes[:, ::-1][:, :N_AXES]
        n_points = N_CHECKED + N_AXES
        # The bandwidth is the usual distance between two points over sqrt(2).
        rng = np.random.default_rng(stream(seed, "kernel"))
        frequencies = rng.standard_normal((n_points, N_FREQUENCIES)) / np.sqrt(n_points)
        sets = cls(
            scale,
            (axes / np.sqrt(variance)).astype(np.float32),
            (variance / np.trace(np.cov(others.T))).astype(np.float32),
            frequencies.astype(np.float32),
            np.zeros(0, np.float32),
            np.zeros((0, 0), np.float16),
        )
        mean = sets.embedding(sets.points(reference)).mean(0)
        return sets._replace(mean=mean.astype(np.float32), simulations=sets.points(simulations).astype(np.float16))

    def points(self, features: Float64[np.ndarray, "dataset feature"]) -> Float32[np.ndarray, "dataset point"]:
        """Where recordings lie."""
        z = _clipped(self.scale, features)
        return np.concatenate([z[:, :N_CHECKED], z[:, N_CHECKED:] @ self.axes], axis=1).astype(np.float32)

    def embedding(self, points: Float[np.ndarray, "dataset point"]) -> Float64[np.ndarray, "dataset embedding"]:
        """Random Fourier features of a Gaussian kernel (Rahimi & Recht 2007, NIPS), beside a linear one."""
        x = points.astype(np.float64)
        phase = x @ self.frequencies
        waves = np.concatenate([np.cos(phase), np.sin(phase)], axis=1) / np.sqrt(N_FREQUENCIES)
        return np.concatenate([waves, x / np.sqrt(x.shape[1])], axis=1)

    def distance(self, means: Float64[np.ndarray, "set embedding"]) -> Float64[np.ndarray, " set"]:
        """Squared discrepancy of sets from the reference, by their mean embeddings."""
        return ((means - self.mean) ** 2).sum(1)

    def null(self, n: int) -> Float64[np.ndarray, " set"]:
        """Discrepancies of sets of n simulations, always the same ones."""
        rows = np.random.default_rng(stream(n, "sets")).integers(len(self.simulations), size=(N_NULL, n))
        embedded = self.embedding(self.simulations)
        return self.distance(np.stack([embedded[row].mean(0) for row in rows]))


def _clipped(scale: Scale, features: np.ndarray) -> Float64[np.ndarray, "dataset feature"]:
    return np.clip(scale.scores(features), -CLIP, CLIP)
