"""What can be counted: spikes, when the first one comes, and how often they come for how much current."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float64

__all__ = ["StepWindow", "latency", "rates", "step_window"]

# Sweeps that make a family of steps, the least spread of their currents, in pA, and the least length, in ms.
LEAST_SWEEPS, LEAST_SPREAD, LEAST_DURATION = 3, 2.0, 50.0
# Share of the spread between the sweeps that a current may move by within a step.
STEADY = 0.25
HZ = 1e3  # per ms


def latency(spikes: Bool[np.ndarray, "... time"], dt: float) -> Float64[np.ndarray, "..."]:
    """Time of the first spike of each trial, in ms; NaN where there is none.

    Args:
        spikes: True at each spike.
        dt: Sampling interval, in ms.

    Example:
        >>> latency(np.array([[False, False, True], [False] * 3]), 0.2)
        array([0.4, nan])
    """
    return np.where(spikes.any(-1), spikes.argmax(-1) * dt, np.nan)


class StepWindow(NamedTuple):
    """When the steps of a family are on, and how strong each is."""

    samples: slice
    current: Float64[np.ndarray, " sweep"]  # pA


def step_window(I: Sequence[Float[np.ndarray, " _"]], dt: float) -> StepWindow | None:
    """Find the steps of a family: where the currents of its sweeps differ, whatever pulse all share.

    Args:
        I: Current of each sweep, in pA.
        dt: Sampling interval, in ms.

    Returns:
        The longest stretch in which the currents are at least half as far apart as they ever are; None where they
        are no steps: fewer than three sweeps, of different lengths, nowhere different, or not steady.

    Example:
        >>> pulse = np.where(np.arange(1000) < 200, -100.0, 0.0)
        >>> on = (np.arange(1000) >= 400) & (np.arange(1000) < 800)
        >>> step_window([pulse + amplitude * on for amplitude in (-50.0, 0.0, 50.0)], 0.2)
        StepWindow(samples=slice(400, 800, None), current=array([-50.,   0.,  50.]))
    """
    if len(I) < LEAST_SWEEPS or len({len(own) for own in I}) > 1:
        return None
    together = np.stack(I).astype(np.float64)
    spread = together.std(axis=0)
    if spread.max() < LEAST_SPREAD:
        return None
    edges = np.flatnonzero(np.diff(np.concatenate([[False], spread > spread.max() / 2.0, [False]]).astype(np.int8)))
    begin, end = max(pairwise(edges.tolist()), key=lambda pair: _length(pair, spread))
    within = together[:, begin:end]
    current = within.mean(axis=1)
    if (end - begin) * dt < LEAST_DURATION or np.median(within.std(axis=1)) > STEADY * current.std():
        return None
    return StepWindow(slice(begin, end), current)


def _length(pair: tuple[int, int], spread: Float64[np.ndarray, " time"]) -> int:
    """Of a stretch between two edges; 0 of one in which the currents are alike."""
    begin, end = pair
    return end - begin if spread[begin] > spread.max() / 2.0 else 0


def rates(spikes: Bool[np.ndarray, "... time"], window: slice, dt: float) -> Float64[np.ndarray, "..."]:
    """Spikes per second within a stretch of samples.

    Args:
        spikes: True at each spike.
        window: Of samples.
        dt: Sampling interval, in ms.

    Example:
        >>> rates(np.array([[False, True, False, True, False]]), slice(1, 5), 0.5)
        array([1000.])
    """
    return np.asarray(spikes[..., window].sum(-1) / ((window.stop - window.start) * dt) * HZ)
