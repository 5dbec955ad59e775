"""Whether V answers to I: in its direction, after it, and by the membrane rather than by the electrode."""

from dataclasses import dataclass

import numpy as np

from leakyflow.recordings.checks.window import Window
from leakyflow.recordings.finding import Finding

__all__ = ["answers", "bridge_off", "monitor_offset"]

_TAUS = (1.0, 3.0, 10.0, 30.0, 100.0, 200.0)  # ms, of membranes to try
_OVER = 20  # ms over which changes are taken: a drift is slower
_LAGS, _NOW = 200, 2  # ms to try; and within which V answers at once
_AGAINST, _UNANSWERED = -0.5, 0.3  # correlations: V moves against I, and not with it
_CLEAR, _POOR = 0.8, 0.85  # correlation at the best lag, and below which lag 0 does not explain V
_BETTER = 2.0  # times less is left unexplained at the best lag
_EARLY = 5  # ms; a resonant membrane leads a sinusoid by less
_LEAST = 2.0  # mV that I must move V by
_EDGE = 3.0  # ms before and after a step of the current in which it stands still
_SETTLED = 0.3  # ms after a step from which V is the membrane's
_SHARE = 0.3  # of the current's range that a step must have
_R_JUMP, _JUMP, _SURE = 0.015, 1.0, 4.0  # GOhm, mV and SD: beyond the series resistance of most electrodes
_N_PLACES = 40
_OFFSET = 1.0  # mV


@dataclass(frozen=True)
class _Fit:
    """How well I, filtered by the best of the membranes, explains V at each lag (ms); positive where V is later."""

    lags: np.ndarray
    best: np.ndarray
    worst: np.ndarray
    moved: float  # mV by which I moves V where it explains it best


def answers(window: Window) -> list[Finding]:
    """V moves against I, before I or long after it."""
    fit = _fit(window)
    if fit is None or fit.moved < _LEAST:
        return []
    now = (fit.lags >= 0) & (fit.lags <= _NOW)
    r, against = float(fit.best[now].max()), float(fit.worst[now].min())
    if against < _AGAINST and r < _UNANSWERED:
        return [
            Finding(
                "refuse",
                f"V must move with I, but it moves against it in {window.where} (correlation {against:.2f}).",
                "The current has the wrong sign, or is another cell's. Correct it in the file, or pass current= with "
                "the right channel.",
                "current",
            )
        ]
    k = int(np.argmax(fit.best))
    lag, at_best = int(fit.lags[k]), float(fit.best[k])
    explained = at_best > _CLEAR and r < _POOR and 1 - r**2 > _BETTER * (1 - at_best**2)
    if not explained or abs(lag) < _EARLY:
        return []
    when = "before" if lag < 0 else "after"
    return [
        Finding(
            "refuse" if lag < 0 else "warn",
            f"V must answer to I at once, but it moves {abs(lag)} ms {when} it in {window.where}.",
            "The stimulus is shifted against the response. Correct its start in the file, or pass current= with the "
            "right channel.",
            "current",
        )
    ]


def _fit(window: Window) -> _Fit | None:
    from scipy.signal import lfilter

    V, I = window.V, window.I
    if len(V) < 4 * _OVER or not np.ptp(I) > 0:
        return None
    y = V[_OVER:] - V[:-_OVER]
    n_lags = min(_LAGS, len(y) // 4)
    found, moved = [], []
    for tau in _TAUS:
        keep = np.exp(-1.0 / tau)
        x = lfilter([1 - keep], [1, -keep], I - I[0])
        dx = x[_OVER:] - x[:-_OVER]
        scale = float(np.sqrt((dx @ dx) * (y @ y)))
        if not scale > 0:
            return None
        found.append(_correlation(dx, y, n_lags) / scale)
        moved.append(float(np.abs(found[-1]).max() * scale / (dx @ dx) * np.ptp(x)))
    r = np.array(found)
    return _Fit(
        np.arange(-n_lags, n_lags + 1), r.max(axis=0), r.min(axis=0), moved[int(np.abs(r).max(axis=1).argmax())]
    )


def _correlation(x: np.ndarray, y: np.ndarray, n_lags: int) -> np.ndarray:
    """Sums of x[k] y[k + lag], for lags of -n_lags to n_lags."""
    size = 1 << int(len(x) + n_lags).bit_length()
    both = np.fft.irfft(np.conj(np.fft.rfft(x, size)) * np.fft.rfft(y, size), size)
    return np.concatenate([both[-n_lags:], both[: n_lags + 1]])


def bridge_off(window: Window) -> list[Finding]:
    """V jumps with a step of I: the bridge is not balanced."""
    steps = _steps(window)
    if not len(steps):
        return []
    V, n = window.raw.V, round(_EDGE / window.dt)
    sizes = np.array([size for _, size in steps])
    jumps = np.array([_jump(V, at, n, window.dt) for at, _ in steps])
    places = np.linspace(n, len(V) - 2 * n, _N_PLACES).astype(int).tolist()
    quiet = [_jump(V, at, n, window.dt) for at in places if window.free[at - n : at + n].all()]
    noise = 1.4826 * float(np.median(np.abs(quiet))) if len(quiet) > 4 else 0.0
    resistance = float(sizes @ jumps / (sizes @ sizes))
    error = noise / float(np.sqrt(sizes @ sizes))
    jump = abs(resistance) * float(np.abs(sizes).max())
    if abs(resistance) < max(_R_JUMP, _SURE * error) or jump < _JUMP:
        return []
    return [
        Finding(
            "warn",
            f"V should not jump with the current, but it does by {jump:.2g} mV in {window.where}: "
            f"{1000 * resistance:.0f} MOhm of the electrode that the bridge has left.",
            "Correct V by this resistance times I, or take a network that infers R_s: else tau and C are biased.",
        )
    ]


def _steps(window: Window) -> list[tuple[int, float]]:
    """Last sample before each step of the current that stands still around it, and its size, in pA."""
    I, n = window.raw.I, round(_EDGE / window.dt)
    if len(I) < 5 * n or n < 5 or not np.ptp(I) > 0:
        return []
    total = np.concatenate([[0.0], np.cumsum(I)])
    mean = (total[n:] - total[:-n]) / n  # of the n samples from each on
    change = mean[n:] - mean[:-n]  # around sample k + n - 1
    limit = _SHARE * float(np.ptp(window.I))
    found: list[tuple[int, float]] = []
    for k in np.flatnonzero(np.abs(change) >= max(limit, 1e-9)):
        near = np.abs(change[max(k - n, 0) : k + n + 1])
        if np.abs(change[k]) == near.max() and (not found or k + n - 1 > found[-1][0] + n):
            at = int(k + n - 1)
            still = all(
                float(np.std(I[a:b])) < 0.1 * abs(change[k]) for a, b in ((at - n + 1, at), (at + 2, at + n + 1))
            )
            if still and window.free[max(at - n, 0) : at + n + 2].all():
                found.append((at, float(change[k])))
    return found


def _jump(V: np.ndarray, at: int, n: int, dt: float) -> float:
    """What V does at a sample beyond what it does around it."""
    before, settled = V[at - n + 1 : at + 1], round(_SETTLED / dt)
    after = V[at + 1 + settled : at + 1 + n]
    if len(after) < 4 or len(before) < 4:
        return 0.0
    t_before, t_after = np.arange(1 - len(before), 1) * dt, np.arange(1 + settled, 1 + settled + len(after)) * dt
    return float(np.polyval(np.polyfit(t_after, after, 2), 0.0) - np.polyval(np.polyfit(t_before, before, 1), 0.0))


def monitor_offset(window: Window) -> list[Finding]:
    """The recorded current differs from the command by so much that V_rest depends on which one is right."""
    from leakyflow.recordings.current import monitor

    fit = _fit(window)
    if window.raw.command is None or not window.raw.measured or fit is None:
        return []
    found = monitor(window.raw, window.spikes)
    shift = abs(found.offset) * fit.moved / float(np.ptp(window.I))
    if not found.fits or shift < _OFFSET:
        return []
    return [
        Finding(
            "warn",
            f"The recorded current lies {found.offset:+.3g} pA from the command in {window.where}, which moves V_rest "
            f"by {shift:.2g} mV.",
            "It is taken for a holding current. If it is an offset of the amplifier, pass current='command'.",
            "current",
        )
    ]
