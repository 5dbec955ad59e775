"""Spikes of a real cell: where each begins, peaks and ends, found at the sampling of the file."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from leakyflow.errors import LeakyflowError
from leakyflow.recordings.spike_ends import spike_ends

__all__ = ["Spikes", "find_spikes"]

# The least that a spike shows; where a recording has larger ones, a share of theirs.
_SLOPE = 8.0  # mV/ms over _RISING; the leaky integrator charges as fast under a strong pulse, but does not come back
_HEIGHT = 12.0  # mV from onset to peak
_PEAK = -40.0  # mV that a peak exceeds: steps through the access resistance start from rest
_SLOPE_SHARE, _HEIGHT_SHARE = 0.05, 0.28  # of the median large spike of the recording
_TALLEST = 110.0  # mV; what is taller is an artefact, and says nothing of the spikes
_FALL = 6.0  # mV/ms over _FALLING that repolarisation exceeds; the leak is slower
_RISING, _FALLING = 0.5, 1.0  # ms over which the two slopes are taken
_RISE_WITHIN = 6.0  # ms from the first fast rise to the peak
_FALL_WITHIN = 10.0  # ms from peak to half of the height
_SUMMIT, _NOISE = 0.3, 3.0  # share of the rise, and mV, by which V falls after a peak; less is noise on the way up
_SLOPE_OVER = (0.1, 0.5)  # ms over which the slope at the onset is taken: finer sampling must not mean more noise
_SLOPE_SHARE_OF_RISE = 0.1  # of the time to the peak, within these limits
_ONSET, _ONSET_SHARE = 5.0, 0.1  # mV/ms, or share of the steepest, below which the membrane charges by its leak
_FOOT = 0.15  # share of the steepest slope below which the upstroke has not begun
_BEFORE = 0.5  # ms before the foot that say how fast the stimulus charges the membrane
_ARTEFACT, _RESOLVED = 0.7, 0.15  # share of the height that a pulse gains and loses at once; ms to see it


@dataclass(frozen=True, eq=False, kw_only=True)
class Spikes:
    """Spikes in a voltage trace, in order.

    Attributes:
        onset: Last sample before each upstroke.
        peak: Sample of each peak.
        end: Sample at which the downstroke has ended; where the next spike comes before, the lowest sample between
            the two; -1 where the trace ends before.
        ended: False where the next spike, or the end of the trace, comes before.
    """

    onset: Int64[np.ndarray, " spike"]
    peak: Int64[np.ndarray, " spike"]
    end: Int64[np.ndarray, " spike"]
    ended: Bool[np.ndarray, " spike"]

    def __len__(self) -> int:
        return len(self.onset)


@dataclass(frozen=True, kw_only=True)
class _Candidate:
    onset: int
    peak: int
    height: float  # mV
    slope: float  # mV/ms


def find_spikes(
    V: Float64[np.ndarray, " time"], dt: float, *, slope: float | None = None, height: float | None = None
) -> Spikes:
    """Find the spikes of a voltage trace at its original sampling.

    A spike rises within 0.5 ms at 8 mV/ms or more, by at least 12 mV from onset to peak, to above -40 mV, and is
    pulled back: it falls by half of its height within 10 ms, and faster than a leak would. Where a recording has large
    spikes, smaller and slower rises are told from them by their share. A step through an uncompensated access
    resistance jumps too, but stays; a pulse comes back, but at once. The onset is the last sample before the slope
    exceeds 5 mV/ms, or 1.5 times that at which the stimulus charges the membrane before: later samples move by the
    sodium current, which the leaky integrator does not have.

    Args:
        V: Voltage, in mV, finite.
        dt: Sampling interval, in ms.
        slope: Least slope of an upstroke, in mV/ms; adapted to the recording when None.
        height: Least height from onset to peak, in mV; adapted to the recording when None.

    Raises:
        LeakyflowError: If `slope` or `height` is not positive.

    Example:
        >>> V = np.full(2000, -60.0)
        >>> V[1000:1020] = np.linspace(-60.0, 20.0, 20)  # 1 ms up, 1 ms down
        >>> V[1020:1040] = np.linspace(20.0, -60.0, 20)
        >>> find_spikes(V, 0.05).onset
        array([1000])
    """
    for name, unit, value in (("slope", "mV/ms", slope), ("height", "mV", height)):
        if value is not None and not (np.isfinite(value) and value > 0):
            raise LeakyflowError(
                f"`spike_{name}` must be positive and finite, got {value} {unit}. Leave it out to adapt it to the "
                "recording.",
                argument=f"spike_{name}",
            )
    found = _candidates(V, dt, _SLOPE if slope is None else slope)
    kept = _selected(found, slope, height)
    onset = np.array([one.onset for one in kept], dtype=np.int64)
    peak = np.array([one.peak for one in kept], dtype=np.int64)
    end, ended = spike_ends(V, onset, peak, dt)
    return Spikes(onset=onset, peak=peak, end=end, ended=ended)


def _candidates(V: np.ndarray, dt: float, least_slope: float) -> list[_Candidate]:
    lag = max(1, round(_RISING / dt))
    fast = _rise(V, lag) > least_slope * lag * dt
    starts = np.flatnonzero(fast & ~np.concatenate([[False], fast[:-1]]))
    found: list[_Candidate] = []
    done = 0
    for start in starts.tolist():
        if start < done:
            continue
        peak = _peak(V, start, lag, dt)
        onset = _onset(V, start, peak, done, lag, dt)
        if onset >= peak:
            continue
        height = float(V[peak] - V[onset])
        if _comes_back(V, peak, height, dt) and not _at_once(V, onset, peak, height, dt):
            steepest = float(_rise(V[max(onset - lag, 0) : peak + 1], lag).max()) / (lag * dt)
            found.append(_Candidate(onset=onset, peak=peak, height=height, slope=steepest))
            done = peak
    return found


def _rise(V: np.ndarray, lag: int) -> np.ndarray:
    """How far each sample lies above the least of the `lag` samples before it."""
    from scipy.ndimage import minimum_filter1d

    size = lag + 1
    return V - minimum_filter1d(V, size, origin=(size - 1) // 2, mode="nearest")


def _peak(V: np.ndarray, start: int, lag: int, dt: float) -> int:
    """First summit from which the voltage falls by a good part of its rise."""
    after = V[start : start + 1 + round(_RISE_WITHIN / dt)]
    highest = np.maximum.accumulate(after)
    rise = highest - V[max(start - lag, 0) : start + 1].min()
    fallen = highest - after > np.maximum(_SUMMIT * rise, _NOISE)
    return start + int(np.argmax(after[: int(fallen.argmax()) if fallen.any() else len(after)]))


def _onset(V: np.ndarray, start: int, peak: int, earliest: int, lag: int, dt: float) -> int:
    """Last sample at which the slope is one that the stimulus gives."""
    # A slow upstroke begins slowly, and noise hides it from a short difference.
    over = np.clip(_SLOPE_SHARE_OF_RISE * (peak - start) * dt, *_SLOPE_OVER)
    step = max(1, round(over / dt))
    first = max(start - lag - round(_FALL_WITHIN / dt), earliest, 0)
    stop = min(peak, len(V) - step)
    slope = (V[first + step : stop + step] - V[first:stop]) / (step * dt)
    near = max(0, start - lag - first)
    if near >= len(slope):
        return peak
    steepest = near + int(np.argmax(slope[near:]))
    foot = _last(slope[:steepest] <= _FOOT * slope[steepest])
    charging = slope[max(0, foot - round(_BEFORE / dt)) : foot + 1]
    passive = float(np.median(charging)) if foot >= 0 else 0.0
    limit = max(min(_ONSET, _ONSET_SHARE * slope[steepest]), 1.5 * passive)
    onset = first + _last(slope[:steepest] <= limit) + 1
    # The difference looks ahead: the samples before the kink are still slow.
    fast = np.diff(V[onset : onset + step]) > limit * dt
    return onset + _first(fast, len(fast))


def _last(true: np.ndarray) -> int:
    """Index of the last True; -1 where there is none."""
    return len(true) - 1 - int(true[::-1].argmax()) if true.any() else -1


def _first(true: np.ndarray, default: int) -> int:
    """Index of the first True."""
    return int(true.argmax()) if true.any() else default


def _comes_back(V: np.ndarray, peak: int, height: float, dt: float) -> bool:
    if height < 0.5 * _HEIGHT or V[peak] < _PEAK:
        return False
    after = V[peak : peak + 1 + round(_FALL_WITHIN / dt)]
    ends = peak + round(_FALL_WITHIN / dt) >= len(V)
    if ends and len(after) < round(2.0 / dt):
        return True
    lag = max(1, round(_FALLING / dt))
    down = after[:-lag] - after[lag:]
    pulled = len(down) > 0 and down.max() > min(_FALL * lag * dt, 0.5 * height)
    return bool(pulled and (ends or after.min() < V[peak] - height / 2))


def _at_once(V: np.ndarray, onset: int, peak: int, height: float, dt: float) -> bool:
    """Whether V jumps up and down, as under a pulse through the access resistance; no channel is as fast."""
    step = max(1, round(_SLOPE_OVER[0] / dt))
    around = V[max(onset - step, 0) : peak + 1 + round(_FALL_WITHIN / dt)]
    change = around[step:] - around[:-step]
    return bool(step * dt <= _RESOLVED and min(change.max(), -change.min()) > _ARTEFACT * height)


def _selected(found: list[_Candidate], slope: float | None, height: float | None) -> list[_Candidate]:
    """Leave out what is small or slow beside the large spikes of the recording."""
    heights = np.array([min(one.height, _TALLEST) for one in found])
    slopes = np.array([one.slope for one in found])
    large = heights > 0.5 * heights.max(initial=0.0)
    if height is None:
        height = max(_HEIGHT, _HEIGHT_SHARE * float(np.median(heights[large]))) if len(found) else _HEIGHT
    if slope is None:
        slope = max(_SLOPE, _SLOPE_SHARE * float(np.median(slopes[large]))) if len(found) else _SLOPE
    return [one for one in found if one.height >= height and one.slope >= slope]
