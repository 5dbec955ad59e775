"""Added-variable tests: what of a residual a further column explains."""

import numpy as np
import scipy.signal
from jaxtyping import Bool, Float64

__all__ = ["correlation", "orthogonal", "orthonormal", "smoothed", "t_statistic"]

# Of a column's length: what remains of it beside (1, V, I) below this is rounding of single precision.
LEAST_LENGTH = 1e-4


def orthonormal(
    columns: list[Float64[np.ndarray, "dataset time"]], step: Bool[np.ndarray, "dataset time"]
) -> Float64[np.ndarray, "dataset basis time"]:
    """Gram and Schmidt; a column that depends on the ones before becomes 0."""
    basis = np.zeros((len(step), 0, step.shape[1]))
    for column in columns:
        x = np.where(step, column, 0.0)[:, None]
        # Compared with its length about the mean, which is all that later columns are about.
        whole = np.linalg.norm(orthogonal(x, basis[:, :1]), axis=-1, keepdims=True)
        x = orthogonal(x, basis)
        length = np.linalg.norm(x, axis=-1, keepdims=True)
        kept = (length > LEAST_LENGTH * whole) & (length > 1e-9)
        basis = np.concatenate([basis, np.where(kept, x / np.where(kept, length, 1.0), 0.0)], axis=1)
    return basis


def orthogonal(
    x: Float64[np.ndarray, "dataset column time"], basis: Float64[np.ndarray, "dataset basis time"]
) -> Float64[np.ndarray, "dataset column time"]:
    """What of x the basis leaves; twice, for once loses digits."""
    for _ in range(2):
        x = x - (x @ basis.swapaxes(1, 2)) @ basis
    return x


def smoothed(x: Float64[np.ndarray, "dataset time"], tau: float, dt: float) -> Float64[np.ndarray, "dataset time"]:
    """Exponential average of the past, from the first sample on."""
    decay = np.exp(-dt / tau)
    smooth, _ = scipy.signal.lfilter([1.0 - decay], [1.0, -decay], x, axis=1, zi=decay * x[:, :1])
    return smooth


def correlation(
    x: Float64[np.ndarray, "dataset column time"], y: Float64[np.ndarray, "dataset 1 time"]
) -> Float64[np.ndarray, "dataset column"]:
    """Cosine between x and y; 0 where one of them is 0."""
    length = np.linalg.norm(x, axis=-1) * np.linalg.norm(y, axis=-1)
    return np.where(length > 1e-9, (x * y).sum(-1) / np.where(length > 1e-9, length, 1.0), 0.0)


def t_statistic(
    x: Float64[np.ndarray, "dataset column time"],
    e: Float64[np.ndarray, "dataset time"],
    n: Float64[np.ndarray, " dataset"],
    length: Float64[np.ndarray, "dataset column"],
) -> Float64[np.ndarray, "dataset column"]:
    """Test statistic of each added column; 0 where little of its own length is left."""
    left = np.linalg.norm(x, axis=-1) > LEAST_LENGTH * np.maximum(length, 1e-9)
    r = np.where(left, correlation(x, e[:, None]), 0.0)
    return r * np.sqrt((n - 4.0)[:, None] / np.maximum(1.0 - r**2, 1e-6))
