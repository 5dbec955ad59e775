"""What the neuron got, told from what was measured of it."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64

from leakyflow.recordings.denoise import denoise
from leakyflow.recordings.files.raw import RawSweep
from leakyflow.recordings.spikes import Spikes

__all__ = ["Monitor", "injected", "monitor"]

_GAIN = (0.85, 1.15)  # of the monitor of the current
_BLOCK = 5.0  # ms
_LEFT = 0.03  # share of the command's range that a block may differ by
_AGREE = 0.9  # share of the blocks that must
_BESIDE = 0.5  # ms before and after a spike that say what flowed there
_ROUGH = 2.5  # times the usual departure of the current from one step; more is the artefact of a spike
_WINDOWS = 60


class Monitor(NamedTuple):
    """How a recorded current compares with the command.

    Attributes:
        offset: Recorded current where the command is 0, in pA.
        gain: Recorded change for each pA of the command.
        fits: Whether offset, gain and noise are all that differs.
    """

    offset: float
    gain: float
    fits: bool


def injected(raw: RawSweep, spikes: Spikes) -> Float64[np.ndarray, " time"]:
    """Give the current that the neuron got.

    A recorded current is a measurement: taken at its word, its noise lowers the regression of V on I, and C comes out
    too large. Where the command is in the file and explains it, that is what the neuron got, with the offset between
    the two. Else the noise is averaged away as far as the current stands still, by as much as its rest shows; and the
    capacitive artefact of each spike, which never reached the membrane, is left out.

    Args:
        raw: The sweep.
        spikes: Of the sweep.
    """
    if not raw.measured:
        return raw.I
    if raw.command is not None:
        found = monitor(raw, spikes)
        if found.fits:
            return raw.command + found.offset
    return denoise(_without_artefacts(raw.I, spikes, raw.dt), raw.dt)


def monitor(raw: RawSweep, spikes: Spikes) -> Monitor:
    """Compare a recorded current with the command, outside of spikes.

    Args:
        raw: The sweep, with a command.
        spikes: Of the sweep.
    """
    assert raw.command is not None  # the caller has asked
    free = ~_during(spikes, len(raw.I))
    x, y = raw.command, raw.I
    spread = x[free] - x[free].mean()
    varies = np.ptp(x) > 1e-6 * max(1.0, float(np.abs(x).max()))
    gain = float(spread @ y[free] / (spread @ spread)) if varies else 1.0
    offset = float(np.median(y[free] - gain * x[free]))
    n = max(1, min(len(x), round(_BLOCK / raw.dt)))
    left = y - gain * x - offset
    noise = 1.4826 * float(np.median(np.abs(np.diff(y)))) / np.sqrt(2.0)
    blocks = np.median(left[: len(x) // n * n].reshape(-1, n), axis=1)
    near = np.abs(blocks) <= max(_LEFT * float(np.ptp(x)), 8.0 * noise / np.sqrt(n), 1e-9)
    return Monitor(offset, gain, bool(_GAIN[0] <= gain <= _GAIN[1] and near.mean() >= _AGREE))


def _during(spikes: Spikes, n_time: int) -> Bool[np.ndarray, " time"]:
    during = np.zeros(n_time, dtype=bool)
    for onset, end in zip(spikes.onset.tolist(), spikes.end.tolist(), strict=True):
        during[onset + 1 : end if end >= 0 else n_time] = True
    return during


def _without_artefacts(I: np.ndarray, spikes: Spikes, dt: float) -> Float64[np.ndarray, " time"]:
    """Replace what the current does only during spikes by what flowed before and after, with one step between."""
    n = max(1, round(_BESIDE / dt))
    spans = [
        (a, b) for a, b in zip(spikes.onset.tolist(), spikes.end.tolist(), strict=True) if a >= n and 0 < b < len(I) - n
    ]
    usual = _usual_departure(I, spans, _during(spikes, len(I)), n)
    clean = I.copy()
    for a, b in spans:
        stepped = _one_step(I, a + 1, b, n)
        if _departure(I[a + 1 : b] - stepped) > _ROUGH * usual:
            clean[a + 1 : b] = stepped
    return clean


def _usual_departure(I: np.ndarray, spans: list[tuple[int, int]], during: np.ndarray, n: int) -> float:
    """How far the current is from one step, over stretches without spikes that are as long."""
    if not spans:
        return 0.0
    length = int(np.median([b - a - 1 for a, b in spans]))
    if len(I) <= 2 * n + length + 1:
        return 0.0
    begins = np.linspace(n, len(I) - n - length - 1, _WINDOWS).astype(int).tolist()
    found = [_departure(I[a : a + length] - _one_step(I, a, a + length, n)) for a in begins
             if not during[a - n : a + length + n].any()]  # fmt: skip
    return float(np.median(found)) if found else 0.0


def _one_step(I: np.ndarray, a: int, b: int, n: int) -> np.ndarray:
    """From the level before a to the level after b, at the sample that fits best."""
    before, after = float(np.median(I[a - n : a])), float(np.median(I[b : b + n]))
    x = I[a:b]
    cost = np.concatenate([[0.0], np.cumsum(np.abs(x - before) - np.abs(x - after))])
    step = int(np.argmin(cost))
    return np.where(np.arange(len(x)) < step, before, after)


def _departure(x: np.ndarray) -> float:
    return float(np.abs(x).max(initial=0.0))
