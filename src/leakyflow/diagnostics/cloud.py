"""Clouds: what is typical among recordings with similar numbers of spikes."""

from typing import Any, NamedTuple

import numpy as np
import scipy.special
import scipy.stats
from jaxtyping import Float32, Float64

from leakyflow.diagnostics.features import N_CHECKED, N_NAMED
from leakyflow.diagnostics.scale import Scale

__all__ = ["ATYPICAL", "PARTS", "VERY_ATYPICAL", "Cloud"]

ATYPICAL, VERY_ATYPICAL = 0.05, 0.005
RIDGE = 1e-3  # added to the unit variance of scores, below which relations between them are not resolved
PARTS = ("checks", "statistics", "relations", "features")


class Cloud(NamedTuple):
    """What is typical among recordings with similar numbers of spikes."""

    scale: Scale  # of all features
    relations: Float32[np.ndarray, "named named"]  # inverse of the correlation of the scores of checks and statistics
    learned: Float32[np.ndarray, "learned learned"]  # the same of the learned features
    parts: Scale  # of the parts of the score
    calibration: Float32[np.ndarray, " simulation"]  # scores of simulations that nothing was fitted on, ascending

    @classmethod
    def fit(cls, fitted: Any, compared: Any, calibration: Any) -> "Cloud":
        """Fit the parts of the score, how they compare, and their distribution, each to features of its own."""
        scale = Scale.fit(fitted)
        z = scale.scores(fitted)
        cloud = cls(
            scale, _precision(z[:, :N_NAMED]), _precision(z[:, N_NAMED:]), Scale.fit(np.zeros((2, 4))), np.empty(0)
        )
        cloud = cloud._replace(parts=Scale.fit(cloud._measure(scale.scores(compared))))
        return cloud._replace(calibration=np.sort(cloud.score(calibration)))

    def score(self, features: Float64[np.ndarray, "dataset feature"]) -> Float32[np.ndarray, " dataset"]:
        """How unusual recordings are: log of the sum of the inverse tail probabilities of the parts."""
        surprise = -scipy.special.log_ndtr(-self.part_scores(self.scale.scores(features)))
        return scipy.special.logsumexp(surprise, axis=1).astype(np.float32)

    def part_scores(self, z: Float64[np.ndarray, "dataset feature"]) -> Float64[np.ndarray, "dataset part"]:
        """Normal score of each part, large where it is unusual."""
        return self.parts.scores(self._measure(z))

    def p_value(self, score: Float32[np.ndarray, " dataset"]) -> Float64[np.ndarray, " dataset"]:
        """Share of simulations, the recording among them, that are at least as unusual."""
        n = len(self.calibration)
        return (1.0 + n - np.searchsorted(self.calibration, score, side="left")) / (n + 1.0)

    def _measure(self, z: Float64[np.ndarray, "dataset feature"]) -> Float64[np.ndarray, "dataset part"]:
        named, learned = z[:, :N_NAMED], z[:, N_NAMED:]
        largest = [np.abs(z[:, part]).max(1) for part in (slice(N_CHECKED), slice(N_CHECKED, N_NAMED))]
        return np.stack([*largest, _log_distance(named, self.relations), _log_distance(learned, self.learned)], axis=-1)


def _precision(z: Float64[np.ndarray, "dataset feature"]) -> Float32[np.ndarray, "feature feature"]:
    return np.linalg.inv(np.cov(z.T) + RIDGE * np.eye(z.shape[1])).astype(np.float32)


def _log_distance(z: np.ndarray, precision: np.ndarray) -> Float64[np.ndarray, " dataset"]:
    return np.log1p(np.einsum("ni,ij,nj->n", z, precision.astype(np.float64), z, optimize=True).clip(min=0.0))
