"""Where spikes end, so that the membrane can be told from them."""

import numpy as np
from jaxtyping import Bool, Float64, Int64

__all__ = ["spike_ends"]

_END_WITHIN = 20.0  # ms from peak to the end of the downstroke
_DOWN_OVER = 0.5  # ms over which the slope of the downstroke is taken: near its end it is no steeper than the noise
_SLOWED = 0.03  # share of the fastest downstroke at which it has ended; then the leak is as fast
_BACK = 0.03  # share of the height above the onset at which V is back there
_STOPPED = (0.25, 0.1)  # the same share where the next spike follows at once: from below the onset, and from above
_USUAL, _ENOUGH = 3.0, 3  # mV above the level at which spikes end, where so many do, at which none has ended
_TROUGH = 1.0  # ms without a new minimum after which V has turned, wherever it stands
_STOP_OVER = 0.1  # ms over which that slope is taken


def spike_ends(
    V: Float64[np.ndarray, " time"], onset: Int64[np.ndarray, " spike"], peak: Int64[np.ndarray, " spike"], dt: float
) -> tuple[Int64[np.ndarray, " spike"], Bool[np.ndarray, " spike"]]:
    """Find where each spike ends, and which the next one, or the end of the trace, cuts off.

    A spike ends where its downstroke has slowed to 3 % of its fastest and is back at the voltage of its onset, or
    where V turns. Where the next begins before that, it has ended if the downstroke was slow there and as low as the
    others end; else the next one begins within it.

    Args:
        V: Voltage, in mV.
        onset: Last sample before each upstroke.
        peak: Sample of each peak.
        dt: Sampling interval, in ms.

    Returns:
        Sample of each end, the lowest before the next spike where that cuts it off, -1 where the trace does; and
        False for those that are cut off.
    """
    limit = np.append(onset, len(V))[1:]
    bounds = list(zip(onset.tolist(), peak.tolist(), limit.tolist(), strict=True))
    end = np.array([_end(V, *bound, dt) for bound in bounds], dtype=np.int64)
    ended = end >= 0
    followed = np.flatnonzero(~ended & (limit < len(V)))
    for k in followed.tolist():
        after = V[peak[k] : limit[k] + 1]
        end[k] = peak[k] + np.argmin(after)
        ended[k] = _stopped(after, float(V[onset[k]]), dt)
    level = V[end[ended]]
    if len(level) >= _ENOUGH:
        spread = 1.4826 * float(np.median(np.abs(level - np.median(level))))
        ended[followed] &= V[end[followed]] <= np.median(level) + max(3.0 * spread, _USUAL)
    return end, ended


def _end(V: np.ndarray, onset: int, peak: int, limit: int, dt: float) -> int:
    """Where the downstroke has slowed and is back at the voltage of the onset, or has turned; -1 where neither."""
    lag = max(1, round(_DOWN_OVER / dt))
    after = V[peak : min(peak + round(_END_WITHIN / dt), limit) + 1]
    down = after[lag:] - after[:-lag]
    if not len(down):
        return -1
    steepest = int(np.argmin(down))
    level = V[onset] + _BACK * (V[peak] - V[onset])
    ended = (down[steepest:] >= _SLOWED * down[steepest]) & (after[steepest:-lag] <= level)
    if ended.any():
        first = steepest + int(ended.argmax())
        return peak + first + int(np.argmin(after[first : first + lag + 1]))
    low = _first(after < (V[peak] + V[onset]) / 2, len(after))
    turned = _turn(after[low:], max(1, round(_TROUGH / dt)))
    if turned >= 0:
        return peak + low + turned
    if len(after) > round(_END_WITHIN / dt) and peak + len(after) < limit:
        return peak + len(after) - 1
    return -1


def _stopped(after: np.ndarray, onset: float, dt: float) -> bool:
    """Whether the downstroke is slow at its lowest, where the next spike begins."""
    lag = max(1, round(_STOP_OVER / dt))
    lowest = int(np.argmin(after))
    down = after[lag:] - after[:-lag]
    share = _STOPPED[int(after[lowest] > onset + 1.0)]
    return lowest >= lag and bool(after[lowest] - after[lowest - lag] > share * down.min())


def _turn(V: np.ndarray, wait: int) -> int:
    """First minimum that is not undercut for a while; -1 where the trace ends before."""
    lowest = np.minimum.accumulate(V)
    lasting = lowest[:-wait] <= lowest[wait:] if len(V) > wait else np.zeros(0, dtype=bool)
    return int(np.argmin(V[: int(lasting.argmax()) + 1])) if lasting.any() else -1


def _first(true: np.ndarray, default: int) -> int:
    """Index of the first True."""
    return int(true.argmax()) if true.any() else default
