"""Voltage that was predicted, beside the recorded one."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from leakyflow.errors import LeakyflowError

__all__ = ["explained_variance", "share_inside"]


def explained_variance(
    recorded: Sequence[Float[np.ndarray, " _"]],
    predicted: Sequence[Float[np.ndarray, " _"]],
    counted: Sequence[Bool[np.ndarray, " _"]],
) -> float:
    r"""Share of the variance of the subthreshold voltage that a prediction explains.

    .. math:: \epsilon_V = 1 - \frac{\sum_s \sum_k (V_{sk} - \hat V_{sk})^2}{\sum_s \sum_k (V_{sk} - \bar V_s)^2}

    over sweeps s and their samples k that count, with the mean of each sweep its own. The prediction runs free from
    the first sample on: it knows the current, and when the neuron fired, but no voltage. 1 is perfect; a prediction
    worse than the mean of each sweep is below 0.

    Args:
        recorded: V of each sweep, in mV.
        predicted: That of the model, with the recorded spikes given, in mV.
        counted: Samples that count, usually `Recording.free`.

    Returns:
        eps_V; NaN where the voltage does not vary.

    Raises:
        LeakyflowError: If the sweeps differ in number or length.

    References:
        Mensi et al. (2012), Journal of Neurophysiology 107; Pozzorini et al. (2015), PLoS Computational Biology 11.

    Example:
        >>> V, all_of_it = np.array([-70.0, -60.0, -50.0]), np.ones(3, bool)
        >>> explained_variance([V], [V + 1.0], [all_of_it])
        0.985
    """
    _check_alike(recorded, predicted, counted)
    left = total = 0.0
    for V, guess, counts in zip(recorded, predicted, counted, strict=True):
        own = V[counts].astype(np.float64)
        left += float(np.sum((own - guess[counts]) ** 2))
        total += float(np.sum((own - own.mean()) ** 2)) if own.size else 0.0
    return 1.0 - left / total if total > 0 else float("nan")


def share_inside(
    recorded: Sequence[Float[np.ndarray, " _"]],
    low: Sequence[Float[np.ndarray, " _"]],
    high: Sequence[Float[np.ndarray, " _"]],
    counted: Sequence[Bool[np.ndarray, " _"]],
) -> float:
    """Share of the samples that count inside a band, over all sweeps; NaN where none counts.

    Args:
        recorded: V of each sweep, in mV.
        low: Lower edge of the band, in mV.
        high: Upper edge, in mV.
        counted: Samples that count.

    Raises:
        LeakyflowError: If the sweeps differ in number or length.

    Example:
        >>> V, edge = np.array([-70.0, -60.0, -50.0]), np.full(3, -65.0)
        >>> share_inside([V], [edge], [edge + 10.0], [np.array([True, True, False])])
        0.5
    """
    _check_alike(recorded, low, high, counted)
    outside = [np.maximum(a - V, V - b)[c] for V, a, b, c in zip(recorded, low, high, counted, strict=True)]
    joined = np.concatenate(outside) <= 0.0
    return float(joined.mean()) if joined.size else float("nan")


def _check_alike(*traces: Sequence[np.ndarray]) -> None:
    lengths = [[len(trace) for trace in of_sweeps] for of_sweeps in traces]
    if not lengths[0] or any(own != lengths[0] for own in lengths):
        raise LeakyflowError(
            f"There must be at least one sweep, and all its traces of one length, got lengths {lengths}. Predict each "
            "sweep from its own current and spikes."
        )
