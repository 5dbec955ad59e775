"""Normal scores: where a number lies among those of simulations."""

from typing import NamedTuple

import numpy as np
import scipy.special
import scipy.stats
from jaxtyping import Float32, Float64

__all__ = ["Scale"]

NORMAL = np.linspace(-3.2, 3.2, 97)  # normal scores of the quantiles that are kept
FAR = 1000.0  # the largest score


class Scale(NamedTuple):
    """Quantiles of some numbers under the model, which turn them into normal scores."""

    quantiles: Float32[np.ndarray, "feature level"]

    @classmethod
    def fit(cls, values: Float64[np.ndarray, "dataset feature"]) -> "Scale":
        """Take the quantiles of each column."""
        levels = scipy.stats.norm.cdf(NORMAL)
        return cls(np.quantile(values, levels, axis=0).T.astype(np.float32))

    def scores(self, values: Float64[np.ndarray, "dataset feature"]) -> Float64[np.ndarray, "dataset feature"]:
        """Normal scores: of ties the middle, and beyond the last quantile on along the tail's own slope."""
        out = np.empty(values.shape)
        for i, knots in enumerate(self.quantiles.astype(np.float64)):
            x = values[:, i]
            upper = np.interp(x, knots, NORMAL)
            lower = -np.interp(-x, -knots[::-1], -NORMAL[::-1])
            below, above = knots[0] - x, x - knots[-1]
            out[:, i] = (upper + lower) / 2.0
            # Ties at an end: what is beyond is beyond all of them.
            out[:, i] += np.where(above > 0.0, NORMAL[-1] + above / _slope(knots[::-1]) - out[:, i], 0.0)
            out[:, i] += np.where(below > 0.0, NORMAL[0] - below / _slope(knots) - out[:, i], 0.0)
        return np.clip(out, -FAR, FAR)


def _slope(knots: Float64[np.ndarray, " level"]) -> float:
    """Width of the tail that begins a scale, per normal score; not below the rounding of single precision."""
    n_tail = len(NORMAL) // 4
    return float(abs(knots[n_tail] - knots[0]) / (NORMAL[n_tail] - NORMAL[0]) + 1e-6 + 1e-5 * abs(knots[0]))
