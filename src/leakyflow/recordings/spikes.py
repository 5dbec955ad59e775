"""Spikes of a real cell: where each begins, when it ends, and how long the cell counts as refractory."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

__all__ = ["Spikes", "bridge", "find_spikes", "refractory_period", "spike_gaps"]

_SLOPE_OVER = 0.1  # ms over which slopes are taken, so that finer sampling does not mean noisier slopes
_UPSTROKE = 20.0  # mV/ms that a spike exceeds, after the Allen Cell Types feature extraction (dv_cutoff)
_ONSET = 5.0  # mV/ms below which the membrane still charges like a leaky integrator
_RISE = 20.0  # mV from onset to peak; less is a synaptic potential or an artefact
_PEAK = -30.0  # mV that a peak exceeds (Allen: min_peak); steps through the access resistance start from rest
_RISE_WITHIN = 3.0  # ms from upstroke to peak
_FALL_WITHIN = 10.0  # ms from peak to the end of the downstroke
_DOWN_OVER = 0.5  # ms over which the slope of the downstroke is taken: near its end it is no steeper than the noise
_SLOWED = 0.03  # share of the fastest downstroke at which it has ended; then the leak is as fast
_ARTEFACT = 0.7  # share of the rise lost within _SLOPE_OVER: a current pulse ends so, no channel is as fast


@dataclass(frozen=True, eq=False, kw_only=True)
class Spikes:
    """Spikes in a voltage trace, in order.

    Attributes:
        onset: Last sample before each upstroke.
        widths: Time from onset to the end of the downstroke, in ms; NaN where the trace ends before, and
            about 10 ms after the peak where it lasts longer.
    """

    onset: Int64[np.ndarray, " spike"]
    widths: Float64[np.ndarray, " spike"]

    def __len__(self) -> int:
        return len(self.onset)


def find_spikes(V: Float64[np.ndarray, " time"], dt: float) -> Spikes:
    """Find the spikes of a voltage trace at its original sampling.

    A spike rises faster than 20 mV/ms, by at least 20 mV, to a peak above -30 mV, and falls by half of that
    within 10 ms. A step through an uncompensated access resistance jumps too, but stays; a pulse comes back,
    but at once. The onset is the last sample before the slope exceeds 5 mV/ms: later samples move by the
    sodium current, which the leaky integrator does not have.

    Args:
        V: Voltage, in mV, finite.
        dt: Sampling interval, in ms.
    """
    lag = max(1, round(_SLOPE_OVER / dt))
    slope = (V[lag:] - V[:-lag]) / (lag * dt)
    fast = slope > _UPSTROKE
    starts = np.flatnonzero(fast & ~np.concatenate([[False], fast[:-1]]))
    found: list[tuple[int, float]] = []
    done = 0
    for start in starts.tolist():
        if start < done:
            continue
        peak = int(start + np.argmax(V[start : start + lag + round(_RISE_WITHIN / dt)]))
        onset = _onset(slope, start, peak, dt)
        if onset >= done and _is_spike(V, onset, peak, lag, dt):
            found.append((onset, _width(V, onset, peak, dt)))
            done = peak
    return Spikes(
        onset=np.array([onset for onset, _ in found], dtype=np.int64),
        widths=np.array([width for _, width in found], dtype=np.float64),
    )


def _onset(slope: np.ndarray, start: int, peak: int, dt: float) -> int:
    steepest = start + int(np.argmax(slope[start : max(peak, start + 1)]))
    first = max(0, steepest - round(_FALL_WITHIN / dt))
    slow = np.flatnonzero(slope[first:steepest] <= _ONSET)
    return first + int(slow[-1]) + 1 if slow.size else first


def _is_spike(V: np.ndarray, onset: int, peak: int, lag: int, dt: float) -> bool:
    rise = V[peak] - V[onset]
    after = V[peak : peak + round(_FALL_WITHIN / dt)]
    if rise < _RISE or V[peak] < _PEAK:
        return False
    ends = peak + round(_FALL_WITHIN / dt) > len(V)
    falls = after.min() < V[peak] - rise / 2
    at_once = len(after) > lag and (after[:-lag] - after[lag:]).max() > _ARTEFACT * rise
    return bool((falls or ends) and not at_once)


def _width(V: np.ndarray, onset: int, peak: int, dt: float) -> float:
    """Time from onset until the downstroke has slowed and is back at the onset voltage, in ms."""
    lag = max(1, round(_DOWN_OVER / dt))
    after = V[peak : peak + round(_FALL_WITHIN / dt) + lag]
    down = after[lag:] - after[:-lag]
    if not len(down):
        return np.nan
    steepest = int(np.argmin(down))
    ended = (down[steepest:] >= _SLOWED * down[steepest]) & (after[steepest:-lag] <= V[onset])
    if not ended.any() and peak + len(after) == len(V):
        return np.nan
    last = int(ended.argmax()) if ended.any() else len(ended)
    return (peak + steepest + last - onset) * dt


def refractory_period(spikes: Spikes, *, dt_file: float, dt: float) -> float:
    """Read the refractory period off the shape of the spikes.

    The model has one period for all spikes, moves by the leak as soon as it ends, and is below its threshold
    then. So the period lasts until the downstroke of nearly every spike (9 of 10) has slowed to 3 % of its
    fastest and is back at the voltage of its onset; within 2 to 6 ms, where the networks are trained, and
    short enough that every spike begins after the release from the one before.

    Args:
        spikes: Of one sweep.
        dt_file: Sampling interval of the file, in ms.
        dt: Sampling interval of the network, in ms; the period is a multiple of it.

    Returns:
        The period, in ms; 3 ms where no spike ends within the sweep.
    """
    widths = spikes.widths[np.isfinite(spikes.widths)]
    t_ref = float(np.clip(np.quantile(widths, 0.9), 2.0, 6.0)) if widths.size else 3.0
    if len(spikes) > 1:
        t_ref = min(t_ref, longest_period(spikes, dt_file=dt_file, dt=dt))
    return round(t_ref / dt) * dt


def longest_period(spikes: Spikes, *, dt_file: float, dt: float) -> float:
    """Give the longest refractory period, in ms, after which every spike still begins with a free step."""
    # Two steps less than the interval: the onsets lie between grid points, and one step must be free to
    # cross.
    return max(float(np.floor(np.diff(spikes.onset).min() * dt_file / dt + 1e-6)) - 2, 0) * dt


def spike_gaps(spikes: Spikes, *, n_time: int, dt_file: float, t_ref: float) -> Bool[np.ndarray, " time"]:
    """Mark the samples of the file between each onset and the end of its refractory period."""
    gaps = np.zeros(n_time, dtype=bool)
    for onset in spikes.onset:
        gaps[onset + 1 : onset + int(np.ceil(t_ref / dt_file - 1e-6))] = True
    return gaps


def bridge(x: Float64[np.ndarray, " time"], gaps: Bool[np.ndarray, " time"]) -> Float64[np.ndarray, " time"]:
    """Draw a straight line across each gap.

    The filter that follows would otherwise spread the spike into the samples before and after it, which carry
    the threshold and the voltage of release.
    """
    t = np.arange(len(x))
    return np.interp(t, t[~gaps], x[~gaps])
