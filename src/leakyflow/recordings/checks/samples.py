"""Whether the samples are those of a running acquisition."""

import numpy as np

from leakyflow.recordings.checks.window import Window, longest
from leakyflow.recordings.finding import Finding

__all__ = ["not_finite", "standing"]

_STANDING = 20.0  # ms; no amplifier is that quiet
_JUMP = 5.0  # mV between what stands and the sample beside it
_SMOOTH = 1e-3  # mV; second differences of a simulation without noise
_SHORT, _SEVERAL = 5.0, 2  # ms, and how many such runs there are where the file resolves less than the noise


def not_finite(window: Window) -> list[Finding]:
    """NaN or infinity within the window."""
    bad = ~(np.isfinite(window.raw.V) & np.isfinite(window.raw.I))
    if not bad.any():
        return []
    first, last = int(bad.argmax()), len(bad) - 1 - int(bad[::-1].argmax())
    return [
        Finding(
            "refuse",
            f"V and I must be finite within the window, got {bad.sum()} NaN or infinite of {bad.size} samples in "
            f"{window.where} (first at {window.time(first):g} ms, last at {window.time(last):g} ms).",
            _good_window(window, ~bad),
            "start",
        )
    ]


def standing(window: Window) -> list[Finding]:
    """V exactly constant: zeros after a stop, a cable that was pulled, or a simulation without noise."""
    V = window.raw.V
    runs = _runs(V)
    begin, end = max(runs, key=lambda run: run[1] - run[0], default=(0, 0))
    if (end - begin) * window.dt < _STANDING:
        return []
    text = (
        f"V must move as a membrane does, but it is exactly {V[begin]:g} mV for {(end - begin) * window.dt:.4g} ms, "
        f"from {window.time(begin):g} ms on, in {window.where}"
    )
    elsewhere = np.ones(len(V), dtype=bool)
    for a, b in runs:
        elsewhere[a:b] &= (b - a) * window.dt < _STANDING
    if not _is_stop(V, begin, end):
        if sum((b - a) * window.dt >= _SHORT for a, b in runs) > _SEVERAL:
            return [Finding("warn", f"{text}.", "The file resolves less than the noise: record with a larger gain.")]
        if _is_simulated(V, elsewhere):
            return [
                Finding("warn", f"{text}.", "No amplifier is that quiet: it is taken for a simulation without noise.")
            ]
    text = f"{text}: the acquisition had stopped, or the voltage was not recorded."
    return [Finding("refuse", text, _good_window(window, elsewhere), "start")]


def _runs(V: np.ndarray) -> list[tuple[int, int]]:
    """Begin and end of each run of equal samples."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], V[1:] == V[:-1], [False]]).astype(np.int8)))
    return [(a, b + 1) for a, b in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)]


def _is_stop(V: np.ndarray, begin: int, end: int) -> bool:
    """Whether V jumps into the run or out of it, or stands at 0."""
    jumps = [abs(V[k] - V[k - 1]) > _JUMP for k in (begin, end) if 0 < k < len(V)]
    return bool(V[begin] == 0.0 or any(jumps))


def _is_simulated(V: np.ndarray, elsewhere: np.ndarray) -> bool:
    bend = np.abs(np.diff(V, n=2))[elsewhere[1:-1]]
    return not len(bend) or bool(np.median(bend) < _SMOOTH)


def _good_window(window: Window, good: np.ndarray) -> str:
    run = longest(good)
    begin, end = window.time(run.start), window.time(run.stop)
    if end - begin < _STANDING:
        return "Choose another sweep, or repair the file."
    return f"Leave them out with start={begin:g} and stop={end:g}, the longest stretch without, or repair the file."
