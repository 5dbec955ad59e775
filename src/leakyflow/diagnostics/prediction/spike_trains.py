"""Spike trains of repeated stimuli: how alike are those of a neuron and of its model?"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float64

from leakyflow.errors import LeakyflowError

__all__ = ["coincidence", "spike_times"]


def spike_times(spikes: Bool[np.ndarray, "trial time"], dt: float) -> list[Float64[np.ndarray, " spike"]]:
    """Times of the spikes of each trial, in ms.

    Args:
        spikes: True at each spike.
        dt: Sampling interval, in ms.

    Example:
        >>> spike_times(np.array([[False, True, False, True], [False] * 4]), 0.5)
        [array([0.5, 1.5]), array([], dtype=float64)]
    """
    return [np.flatnonzero(row) * dt for row in spikes]


def coincidence(
    recorded: Sequence[Float64[np.ndarray, " _"]],
    predicted: Sequence[Float64[np.ndarray, " _"]],
    *,
    window: float,
) -> float:
    r"""Coincidence Md* of two sets of spike trains under one stimulus, unbiased by how many trains there are.

    .. math:: M_d^* = \frac{2 n_{dm}}{n_{dd} + n_{mm}}

    with n the mean number of coincidences within the window over all pairs of trains, one of the data (d) and one of
    the model (m), or two different ones of the same set: pairs of a train with itself would favour small sets. 1 where
    both sets come from one process, 0 where no spikes coincide; noise can carry it above 1.

    Args:
        recorded: Spike times of each repetition, in ms; at least two.
        predicted: Spike times of each simulation, in ms; at least two.
        window: Largest distance of spikes that coincide, in ms; 4 and 8 are usual.

    Returns:
        Md*; NaN where no two spikes of either set coincide.

    Raises:
        LeakyflowError: If a set has fewer than two trains, or the window is not positive.

    References:
        Naud, Gerhard, Mensi & Gerstner (2011), Improved similarity measures for small sets of spike trains, Neural
        Computation 23, with the coincidence of Kistler, Gerstner & van Hemmen (1997) as in Mensi et al. (2012) and
        Pozzorini et al. (2015).

    Example:
        >>> neuron = [np.array([10.0, 50.0]), np.array([11.0, 52.0])]
        >>> coincidence(neuron, [np.array([12.0, 51.0]), np.array([9.0, 70.0])], window=4.0)
        1.0
    """
    if not window > 0:
        raise LeakyflowError(f"`window` must be positive, got {window} ms. 4 and 8 ms are usual.", argument="window")
    for name, trains in (("recorded", recorded), ("predicted", predicted)):
        if len(trains) < 2:
            raise LeakyflowError(
                f"`{name}` must hold at least two spike trains, got {len(trains)}: how alike repetitions are cannot be "
                "told from one. Repeat the stimulus, or simulate it more often.",
                argument=name,
            )
    across = _n_coincident(np.concatenate(recorded), np.concatenate(predicted), window)
    n_dm = across / (len(recorded) * len(predicted))
    within = _per_pair(recorded, window) + _per_pair(predicted, window)
    return float(2.0 * n_dm / within) if within > 0 else float("nan")


def _per_pair(trains: Sequence[Float64[np.ndarray, " _"]], window: float) -> float:
    """Mean coincidences of two different trains of one set."""
    pooled = np.concatenate(trains)
    of_itself = sum(_n_coincident(train, train, window) for train in trains)
    return (_n_coincident(pooled, pooled, window) - of_itself) / (len(trains) * (len(trains) - 1))


def _n_coincident(a: Float64[np.ndarray, " _"], b: Float64[np.ndarray, " _"], window: float) -> int:
    """Pairs of a spike of each within the window; times on a grid may be rounded differently."""
    reach, ordered = window + 1e-6, np.sort(b)
    return int((np.searchsorted(ordered, a + reach, "right") - np.searchsorted(ordered, a - reach, "left")).sum())
