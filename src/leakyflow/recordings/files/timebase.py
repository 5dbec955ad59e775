"""The sampling interval of a column of times, and what is wrong with one that has none."""

import numpy as np

from leakyflow.errors import LeakyflowError

__all__ = ["LIMITS", "only_unit", "restarts", "sampling_interval", "without_rounding"]

LIMITS = (0.001, 10.0)  # ms; no membrane is sampled outside, so that a wrong unit of time is out of it by 1000
_DIGITS = range(1, 7)  # of an interval or a rate that people choose


def restarts(t: np.ndarray) -> np.ndarray:
    """Where a new sweep begins in a column of times: there the time goes back to where it began.

    Example:
        >>> restarts(np.array([0.0, 0.1, 0.2, 0.0, 0.1, 0.2]))
        array([0, 3])
    """
    if len(t) < 4:
        return np.array([0])
    back = np.flatnonzero(np.diff(t) < 0) + 1
    step = abs(float(t[1] - t[0]))
    same = np.abs(t[back] - t[0]) <= step
    return np.concatenate([[0], back[same]]) if same.all() else np.array([0])


def only_unit(t: np.ndarray) -> str:
    """The unit of times without one, where only `s` or only `ms` makes an interval that a membrane is sampled at.

    Example:
        >>> only_unit(np.array([0.0, 5e-5, 1e-4])), only_unit(np.array([0.0, 0.05, 0.1]))
        ('s', 'ms')
    """
    mean = float(np.nanmax(t) - np.nanmin(t)) / max(len(t) - 1, 1)
    possible = [unit for unit, factor in (("s", 1000.0), ("ms", 1.0)) if LIMITS[0] <= mean * factor <= LIMITS[1]]
    return possible[0] if len(possible) == 1 else ""


def without_rounding(dt: float) -> float:
    """The interval or rate of fewest digits within single precision of an interval.

    Example:
        >>> without_rounding(1000.0 * float(np.float32(5e-5)))
        0.05
    """
    for digits in _DIGITS:
        for candidate in _candidates(dt, digits):
            if abs(candidate - dt) <= 3e-7 * dt:
                return candidate
    return dt


def sampling_interval(t: np.ndarray, *, where: str) -> float:
    """The interval between evenly spaced times; rounding of the times is no unevenness.

    A decimal number or a rate that explains the times as well as the mean step does is what the experimenter chose,
    so that 0.19999999999999998 ms is 0.2 ms.

    Args:
        t: Times, in ms.
        where: File and column, for the error.

    Raises:
        LeakyflowError: If there are fewer than two times, or they are not evenly spaced: with a gap, or rounded to
            more than the sampling interval.

    Example:
        >>> sampling_interval(np.array([0.0, 0.2, 0.4, 0.6000000000000001]), where="t_ms")
        0.2
    """
    if len(t) < 2:
        raise LeakyflowError(f"{where} must hold at least 2 samples, got {len(t)}.")
    if not np.isfinite(t).all():
        bad = ~np.isfinite(t)
        raise LeakyflowError(
            f"Times must be finite, got {bad.sum()} that are not in {where} (first in row {int(bad.argmax()) + 1}). "
            "Repair the file, or pass dt_file= with the sampling interval in ms.",
            argument="dt_file",
        )
    dt = float(t[-1] - t[0]) / (len(t) - 1)
    if not dt > 0:
        raise LeakyflowError(f"Times must be evenly spaced and increase, but those of {where} do not.")
    steps = np.diff(t)
    off = np.abs(steps - dt) > 0.5 * dt
    if off.any():
        raise _uneven(t, steps, off, _simplest(t, dt), where)
    return _simplest(t, dt)


def _spread(t: np.ndarray, dt: float) -> float:
    return float(np.ptp(t - dt * np.arange(len(t))))


def _candidates(dt: float, digits: int) -> tuple[float, float]:
    return float(f"{dt:.{digits}g}"), 1000.0 / float(f"{1000.0 / dt:.{digits}g}")


def _simplest(t: np.ndarray, dt: float) -> float:
    """The interval or rate of fewest digits from which the times depart no more than from an even grid."""
    tolerance = 1.25 * _spread(t, dt) + 1e-9 * dt + 8 * np.finfo(float).eps * float(np.abs(t).max())
    for digits in _DIGITS:
        for candidate in _candidates(dt, digits):
            if _spread(t, candidate) <= tolerance:
                return candidate
    return dt


def _uneven(t: np.ndarray, steps: np.ndarray, off: np.ndarray, dt: float, where: str) -> LeakyflowError:
    quantum = _rounding(t, steps, dt)
    if quantum:
        return LeakyflowError(
            f"Times in {where} are rounded to {quantum:.3g} ms, which is too coarse for samples every {dt:.6g} ms "
            f"({int((steps <= 0.5 * quantum).sum())} of {len(t)} repeat the one before).\n"
            f"Pass dt_file={dt:.6g}, the sampling interval in ms, if the samples are evenly spaced: the times are not "
            "used then. Or export the file again with more digits.",
            argument="dt_file",
        )
    return LeakyflowError(
        f"Times must be evenly spaced, got steps of {steps.min():g} to {steps.max():g} ms in {where} "
        f"(first off at row {int(off.argmax()) + 1}). Resample to one interval, or cut the file at the gap."
    )


def _rounding(t: np.ndarray, steps: np.ndarray, dt: float) -> float:
    """The step to which times are rounded, in ms, if that alone makes them uneven; else 0.

    Then no time is off the grid by more than it, and either some times repeat, or all steps are its multiples while
    the mean step is none. Where samples are missing, most steps are the mean step.
    """
    positive = steps[steps > 1e-9 * np.abs(t).max()]
    if not positive.size or (steps < -1e-9 * np.abs(t).max()).any():
        return 0.0
    quantum = float(np.median(positive))
    if positive.size < steps.size:
        return quantum if _spread(t, dt) < 1.35 * quantum else 0.0
    least = float(positive.min())
    whole = np.abs(steps / least - np.round(steps / least)).max() < 0.05
    return least if whole and dt > 1.05 * least and _spread(t, dt) < 1.1 * least else 0.0
