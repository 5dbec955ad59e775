"""A measured current without its noise, and with its edges."""

import numpy as np
from jaxtyping import Float64

__all__ = ["denoise"]

_BLOCK, _BLOCKS = 5.0, 10  # ms, and how many make a stretch that may be rest
_SLOW = 0.1  # variance of the means of blocks over that within, at rest; a stimulus is slower than noise
_QUIET = 2.0  # times the least variance within a stretch of rest
_SURE = 3.0  # SD within which the means over two windows may differ by noise
_REMOVED = 1.5  # SD of the noise; more is the stimulus
_LONGEST = 500.0  # ms, of a window


def denoise(I: Float64[np.ndarray, " time"], dt: float) -> Float64[np.ndarray, " time"]:
    """Average a measured current as long as it stands still, by what its own rest says of its noise.

    Each sample is the mean of the longest windows to its left and right whose means, as the windows grow, differ by no
    more than noise (intersection of confidence intervals; Goldenshluger & Nemirovski 1997; Katkovnik 1999, IEEE
    Transactions on Signal Processing 47). So a step keeps its edge and a constant current becomes constant; where more
    than noise would be averaged away, the current is left as it is. Where no stretch of 50 ms is at rest nothing is
    known of the noise, and nothing is done.

    Args:
        I: Measured current, in pA.
        dt: Sampling interval, in ms.

    Example:
        >>> noise = np.random.default_rng(0).normal(size=8000)
        >>> step = np.where(np.arange(8000) < 4000, 0.0, 20.0)
        >>> float(np.abs(denoise(step + noise, 0.05) - step).mean()) < 0.1
        True
    """
    sizes = 2 ** np.arange(int(np.log2(max(2.0, min(_LONGEST / dt, len(I) / 2)))) + 1)
    noise = _noise(I, dt, sizes)
    if noise is None or not noise[0] > 0:
        return I
    left, n_left = _steady_means(I[::-1], sizes, noise)
    right, n_right = _steady_means(I, sizes, noise)
    left, n_left = left[::-1], n_left[::-1]
    steady = (n_left * left + n_right * right) / (n_left + n_right)
    return np.where(_too_much(I - steady, noise[0], max(3, round(_BLOCK / dt))), I, steady)


def _too_much(removed: np.ndarray, sd: float, n: int) -> np.ndarray:
    """Where more was averaged away than the noise: the stimulus is fast there."""
    total = np.concatenate([[0.0], np.cumsum(removed**2)])
    begin = np.clip(np.arange(len(removed)) - n // 2, 0, len(removed) - min(n, len(removed)))
    return total[begin + min(n, len(removed))] - total[begin] > min(n, len(removed)) * (_REMOVED * sd) ** 2


def _noise(I: np.ndarray, dt: float, sizes: np.ndarray) -> np.ndarray | None:
    """SD of the mean over windows of each size, where the current is at rest."""
    n = max(2, round(_BLOCK / dt))
    n_stretches = len(I) // (n * _BLOCKS)
    if not n_stretches:
        return None
    stretches = I[: n_stretches * n * _BLOCKS].reshape(n_stretches, _BLOCKS, n)
    within, between = stretches.var(axis=2).mean(axis=1), stretches.mean(axis=2).var(axis=1)
    still = between <= _SLOW * within
    if not still.any():
        return None
    rest = stretches[still & (within <= _QUIET * within[still].min())].reshape(-1, n * _BLOCKS)
    rest = rest - rest.mean(axis=1, keepdims=True)
    noise = np.empty(len(sizes))
    for i, size in enumerate(sizes):
        if size <= n:
            whole = rest.shape[1] // size * size
            noise[i] = rest[:, :whole].reshape(len(rest), -1, size).mean(axis=2).std()
        else:
            noise[i] = noise[i - 1] / np.sqrt(2.0)
    return noise


def _steady_means(I: np.ndarray, sizes: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean over the longest window from each sample on that the noise allows, and its size."""
    total = np.concatenate([[0.0], np.cumsum(I)])
    begin = np.arange(len(I))
    low, high = np.full(len(I), -np.inf), np.full(len(I), np.inf)
    mean, kept, going = I.astype(np.float64), np.ones(len(I)), np.ones(len(I), dtype=bool)
    for size, sd in zip(sizes.tolist(), noise.tolist(), strict=True):
        end = np.minimum(begin + size, len(I))
        here = (total[end] - total[begin]) / (end - begin)
        # A window that the end cuts is as noisy as its own length.
        width = _SURE * sd * np.sqrt(size / (end - begin))
        low, high = np.maximum(low, here - width), np.minimum(high, here + width)
        going &= low <= high
        if not going.any():
            break
        mean, kept = np.where(going, here, mean), np.where(going, end - begin, kept)
    return mean, kept
