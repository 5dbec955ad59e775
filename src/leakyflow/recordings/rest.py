"""Where a recording is at rest, so that its noise can be read off."""

import numpy as np
from jaxtyping import Int

from leakyflow.recordings.batch import Batch
from leakyflow.recordings.recording import Recording

__all__ = ["LEAST_SAMPLES", "STILL", "rest_stretches", "samples_before_change"]

# Rest from which noise is read, in samples: from less, nothing.
LEAST_SAMPLES = 50
STILL = 2.0  # pA by which a current changes at least

_BLOCK = 5.0  # ms in which the current is judged
_LEVEL = 0.01  # share of the current's range by which the means of blocks may differ at rest
_WITHIN = 0.02  # share of it by which the SD within a block may exceed the least
_SETTLING = 200.0  # ms after a change of the current, or a spike, until V is at rest again
_BEFORE_SPIKE = 10.0  # ms
_LEAST = 20.0  # ms; a shorter stretch says nothing


def rest_stretches(recording: Recording) -> list[slice]:
    """Find the stretches of a recording at rest.

    There the current has been constant since the beginning, where every recording is at its steady state, or for
    200 ms since its last change and the last spike, and the next spike is at least 10 ms away.

    Args:
        recording: One sweep.

    Returns:
        Slices of samples, in order, each of 20 ms or more; the current is judged in blocks of 5 ms.

    Example:
        >>> I = np.where(np.arange(3000) < 1000, 0.0, 100.0).astype(np.float32)
        >>> quiet = np.zeros(3000, bool)
        >>> recording = Recording(V=I / 10 - 70, I=I, spikes=quiet, refractory=quiet, dt=0.2)
        >>> rest_stretches(recording)
        [slice(0, 1000, None), slice(2025, 3000, None)]
    """
    n = max(1, round(_BLOCK / recording.dt))
    calm = np.repeat(_steady(recording.I.astype(np.float64), n), n)
    calm = np.append(calm, np.full(max(recording.n_samples - len(calm), 0), len(calm) > 0 and calm[-1]))
    settling, before = round(_SETTLING / recording.dt), round(_BEFORE_SPIKE / recording.dt)
    away = calm[: recording.n_samples].copy()
    for k in np.flatnonzero(recording.spikes):
        away[max(k - before, 0) : k + settling] = False
    found = []
    for begin, end in _runs(calm[: recording.n_samples]):
        inside = away[begin:end].copy()
        if begin > 0:
            inside[:settling] = False
        found += [slice(begin + a, begin + b) for a, b in _runs(inside) if (b - a) * recording.dt >= _LEAST]
    return found


def samples_before_change(recordings: Batch) -> Int[np.ndarray, " dataset"]:
    """Samples of each recording before its current changes or its first spike: there its noises are read.

    Example:
        >>> I = np.where(np.arange(300) < 100, 0.0, 100.0).astype(np.float32)
        >>> quiet = np.zeros(300, bool)
        >>> recording = Recording(V=I / 10 - 70, I=I, spikes=quiet, refractory=quiet, dt=0.2)
        >>> samples_before_change(Batch.of(recording))
        array([100])
    """
    moved = (np.abs(recordings.I - recordings.I[:, :1]) > STILL) | recordings.spikes | ~recordings.valid
    return np.where(moved.any(1), moved.argmax(1), recordings.V.shape[1])


def _steady(I: np.ndarray, n: int) -> np.ndarray:
    """Which blocks have the current since its last change, and no more scatter than the quietest."""
    blocks = I[: len(I) // n * n].reshape(-1, n)
    if not len(blocks):
        return np.zeros(0, dtype=bool)
    mean, scatter = blocks.mean(axis=1), blocks.std(axis=1)
    spread = float(np.ptp(mean))
    quiet = scatter <= 2.0 * scatter.min() + _WITHIN * spread
    tolerance = np.maximum(_LEVEL * spread, 4.0 * scatter * np.sqrt(2.0 / n)) + 1e-9
    calm, level = quiet.copy(), mean[0]
    for k in np.flatnonzero(quiet):
        if abs(mean[k] - level) > tolerance[k]:
            calm[k], level = False, mean[k]
    return calm


def _runs(true: np.ndarray) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], true, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
