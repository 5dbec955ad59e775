"""Which samples of the grid are spikes, and for how long the neuron of the model is held after each."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int64

from leakyflow.errors import LeakyflowError
from leakyflow.recordings.spikes import Spikes

__all__ = ["Held", "held_samples"]

_NEARLY_ALL = 0.9  # share of the spikes that have ended with the period of the cell
_GRID = 1e-6  # share of a step within which two moments are the same


class Held(NamedTuple):
    """Spikes on the grid, in order; those that begin before the one before has ended are part of it.

    Attributes:
        step: First sample of the grid after each onset: there the neuron of the model has crossed.
        n_ref: Refractory samples after each; at the last of them the voltage of release is measured.
        complete: False where the trace ends before the spike does.
        fused: Number of spikes that became part of another.
    """

    step: Int64[np.ndarray, " spike"]
    n_ref: Int64[np.ndarray, " spike"]
    complete: Bool[np.ndarray, " spike"]
    fused: int


def held_samples(spikes: Spikes, *, first: float, dt_file: float, dt: float, t_ref: float | None) -> Held:
    """Place spikes on the grid, and hold each until its downstroke has ended.

    The period is the cell's: with it, 9 in 10 of its spikes have ended. A spike that then has not is held until it
    has; one that is followed earlier by the next is held until there, and the others are not held shorter for it.
    Where the next spike begins in the downstroke of the one before, the neuron of the model was never released: the
    two are one.

    Args:
        spikes: Of the sweep, at the sampling of the file.
        first: Moment of the first sample of the grid, in ms from the first of the sweep.
        dt_file: Sampling interval of the file, in ms.
        dt: Sampling interval of the grid, in ms.
        t_ref: Refractory period, in ms; read off the spikes when None.

    Raises:
        LeakyflowError: If `t_ref` is not positive, or so long that most spikes begin before the release from the one
            before.
    """
    if t_ref is not None and not (np.isfinite(t_ref) and t_ref > 0):
        raise LeakyflowError(
            f"`t_ref` must be positive and finite, got {t_ref} ms. Pass the refractory period in ms.", argument="t_ref"
        )
    separate, end, alone = _separate(spikes)
    step = np.floor((spikes.onset[separate] * dt_file - first) / dt + _GRID).astype(np.int64) + 1
    needed = np.maximum(np.ceil((end * dt_file - first) / dt - _GRID).astype(np.int64) - step, 1)
    complete = end >= 0
    room = np.append(np.diff(step) - 1, np.iinfo(np.int64).max)[: len(step)]
    n_ref = _periods(needed, complete, alone, room) if t_ref is None else _given(round(t_ref / dt), room, t_ref, dt)
    return Held(step, n_ref, complete, len(spikes) - int(separate.sum()))


def _separate(spikes: Spikes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which spikes begin after the one before has ended; where each with its followers ends; which have none."""
    separate = np.append(True, spikes.ended[:-1])[: len(spikes)]
    last = np.append(separate, True)[1:][: len(spikes)]
    return separate, spikes.end[last], last[separate]


def _periods(needed: np.ndarray, complete: np.ndarray, alone: np.ndarray, room: np.ndarray) -> np.ndarray:
    """Of the cell, or longer where a spike has not ended by then, or up to the next spike."""
    typical = needed[complete & alone] if (complete & alone).any() else needed[complete]
    if not len(typical):
        return np.ones(len(needed), dtype=np.int64)
    period = int(np.quantile(typical, _NEARLY_ALL, method="nearest"))
    return np.minimum(np.where(complete & (needed > period + 1), needed, period), np.maximum(room, 0))


def _given(n_ref: int, room: np.ndarray, t_ref: float, dt: float) -> np.ndarray:
    if len(room) > 1 and np.median(room[:-1]) < n_ref:
        longest = float(np.median(room[:-1])) * dt
        raise LeakyflowError(
            f"`t_ref` must let spikes begin after the release from the one before, got t_ref={t_ref:g} ms while most "
            f"spikes of the sweep are closer than that. Pass t_ref={longest:g} or less, or leave it out.",
            argument="t_ref",
        )
    return np.minimum(max(n_ref, 1), np.maximum(room, 0))
