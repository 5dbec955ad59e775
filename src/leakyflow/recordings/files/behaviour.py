"""What a channel is, told from what it does: a membrane, a command, or a clamped voltage."""

from typing import NamedTuple

import numpy as np

from leakyflow.recordings.spikes import find_spikes

__all__ = ["Line", "Square", "is_clamped", "is_membrane_voltage", "lags", "line", "response", "rests", "square"]

_BLOCK = 1.0  # ms; what is compared is averaged over it
_TAUS = (3.0, 10.0, 30.0, 100.0)  # ms, of the membranes that are tried
_JUMP, _STANDS = 0.2, 5.0  # share of the range that is a jump; ms for which a level must stand
_LEAST_LEVELS = 2.0  # mV between the levels of a clamped voltage
_NOISELESS = 0.05  # share of the jumps by which a clamped voltage may stray
_RATHER = 2.0  # times by which it must stray less than the current
_REST, _V_RANGE, _PEAK = (-110.0, -25.0), (-180.0, 90.0), -10.0  # mV, of a membrane that spikes

_DELAYED, _LEAVES = 0.8, 3.0  # least share that a membrane explains, and how many times less it leaves than a line
_ONE_SIDED, _BRIEF = 1.5, 0.2  # times that spikes exceed what goes below rest; share of the time that they take


class Square(NamedTuple):
    """How far a trace is made of constant levels.

    Attributes:
        levels: Distance between the outermost levels.
        strays: Standard deviation about the levels, as a share of it; infinite where there is one level.
    """

    levels: float
    strays: float


class Line(NamedTuple):
    """How one trace follows another.

    Attributes:
        gain: Slope.
        share: Share of its variance that is explained, 0 to 1; 0 where one of them is constant or holds NaN.
    """

    gain: float
    share: float


def blocks(x: np.ndarray, dt: float) -> np.ndarray:
    """Average a trace over blocks of 1 ms.

    Args:
        x: Trace.
        dt: Sampling interval, in ms.
    """
    n = max(1, min(len(x), round(_BLOCK / dt)))
    return x[: len(x) // n * n].reshape(-1, n).mean(axis=1)


def line(x: list[np.ndarray], y: list[np.ndarray], dt: float) -> Line:
    """Fit a straight line in x to y, over all sweeps.

    Args:
        x: One trace, sweep by sweep.
        y: The other.
        dt: Sampling interval, in ms.
    """
    a, b = (np.concatenate([blocks(trace, dt) for trace in traces]) for traces in (x, y))
    if not (np.isfinite(a).all() and np.isfinite(b).all()) or min(np.ptp(a), np.ptp(b)) <= 1e-9:
        return Line(0.0, 0.0)
    covariance = np.cov(a, b)
    gain = float(covariance[0, 1] / covariance[0, 0])
    return Line(gain, float(gain * covariance[0, 1] / covariance[1, 1]))


def response(V: list[np.ndarray], I: list[np.ndarray], dt: float) -> float:
    """Share of the variance of V that a membrane driven by I explains, with the best of four time constants.

    Args:
        V: Voltage, sweep by sweep.
        I: Current, sweep by sweep.
        dt: Sampling interval, in ms.

    Returns:
        0 to 1.
    """
    from scipy.signal import lfilter

    slow = [np.minimum(trace, np.quantile(trace, 0.98)) for trace in V]  # spikes are no response
    best = 0.0
    for tau in _TAUS:
        keep = np.exp(-dt / tau)
        driven = [lfilter([1 - keep], [1, -keep], trace, zi=[keep * trace[0]])[0] for trace in I]
        best = max(best, line(driven, slow, dt).share)
    return best


def lags(V: list[np.ndarray], I: list[np.ndarray], dt: float) -> bool:
    """Tell a membrane by its delay: its capacitance explains most of what a straight line in I leaves.

    Args:
        V: Trace, sweep by sweep.
        I: What may drive it.
        dt: Sampling interval, in ms.
    """
    delayed, direct = response(V, I, dt), line(I, V, dt).share
    return delayed > _DELAYED and 1.0 - delayed < (1.0 - direct) / _LEAVES


def square(sweeps: list[np.ndarray], dt: float) -> Square:
    """Measure how square a trace is.

    Args:
        sweeps: The trace, sweep by sweep.
        dt: Sampling interval, in ms.
    """
    levels, strays = [], []
    for trace in sweeps:
        for segment in _segments(trace, dt):
            levels.append(float(np.median(segment)))
            strays.append(segment - levels[-1])
    distance = max(levels, default=0.0) - min(levels, default=0.0)
    if not distance > 0:
        return Square(0.0, np.inf)
    return Square(distance, float(np.std(np.concatenate(strays)) / distance))


def _segments(trace: np.ndarray, dt: float) -> list[np.ndarray]:
    """Stretches between jumps that stand for 5 ms, without the millisecond at either side of a jump."""
    n = max(1, round(1.0 / dt))
    if len(trace) <= 2 * n or not np.isfinite(trace).all():
        return []
    jumps = np.abs(trace[n:] - trace[:-n]) > _JUMP * np.ptp(trace)
    moving = np.zeros(len(trace), dtype=bool)
    moving[:-n] |= jumps
    moving[n:] |= jumps
    edges = np.flatnonzero(np.diff(np.concatenate([[True], moving, [True]]).astype(np.int8)))
    return [
        trace[first:last] for first, last in zip(edges[::2], edges[1::2], strict=True) if (last - first) * dt >= _STANDS
    ]


def is_clamped(V: list[np.ndarray], I: list[np.ndarray], dt: float) -> bool:
    """Tell voltage clamp: V stands at levels without noise, and I does not.

    Args:
        V: Recorded voltage in mV, sweep by sweep.
        I: Recorded current, sweep by sweep.
        dt: Sampling interval, in ms.
    """
    held, driven = square(V, dt), square(I, dt)
    return held.levels >= _LEAST_LEVELS and held.strays < _NOISELESS and driven.strays > _RATHER * held.strays


def rests(x: list[np.ndarray]) -> bool:
    """Whether a trace in mV rests where membranes do.

    Args:
        x: Trace, sweep by sweep.
    """
    return bool(_REST[0] <= np.median(np.concatenate(x)) <= _REST[1])


def is_membrane_voltage(x: list[np.ndarray], dt: float) -> bool:
    """Tell a membrane voltage in mV by its rest and spikes, whatever its unit says.

    Args:
        x: Trace, sweep by sweep.
        dt: Sampling interval, in ms.
    """
    whole = np.concatenate(x)
    if not rests(x) or whole.min() < _V_RANGE[0] or not _PEAK <= whole.max() <= _V_RANGE[1]:
        return False
    rest = float(np.median(whole))
    up, down = float(whole.max()) - rest, rest - float(whole.min())
    if up < _ONE_SIDED * down or np.mean(whole > rest + 0.5 * up) > _BRIEF:  # as the current of a clamped step
        return False
    return any(len(find_spikes(trace, dt)) > 0 for trace in x)
