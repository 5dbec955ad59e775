"""What the electrode and the mains add, and whether the cell stayed as it was."""

from collections.abc import Sequence

import numpy as np

from leakyflow.recordings.batch import Batch
from leakyflow.recordings.checks.window import Window, longest
from leakyflow.recordings.finding import Finding
from leakyflow.recordings.recording import Recording
from leakyflow.recordings.rest import LEAST_SAMPLES, rest_stretches, samples_before_change

__all__ = ["drift", "drift_between", "hum", "short_rest"]

_MAINS = (50.0, 60.0)  # Hz
_HUM, _BESIDE = 0.2, 4.0  # mV of amplitude, and times that of the frequencies beside
_HUM_FOR = 200  # ms that resolve them
_SETTLING = 100  # ms after a change of the current
_DRIFT = 5.0  # mV
_ENDS = 50  # ms at both ends


def hum(window: Window) -> list[Finding]:
    """Mains hum while the current stands still."""
    still = longest(window.still)
    V = window.V[still][_SETTLING if still.start else 0 :][:5000]
    if len(V) < _HUM_FOR:
        return []
    for mains in _MAINS:
        amplitude = _amplitude(V, mains)
        beside = np.mean([_amplitude(V, mains + d) for d in (-13.0, -8.0, 8.0, 13.0)])
        if amplitude > max(_HUM, _BESIDE * float(beside)):
            return [
                Finding(
                    "warn",
                    f"V should be free of mains hum, but it oscillates at {mains:g} Hz by +-{amplitude:.2g} mV "
                    f"in {window.where}.",
                    "Ground the set-up or remove the hum from V: the noises that are read off carry it.",
                )
            ]
    return []


def _amplitude(V: np.ndarray, frequency: float) -> float:
    """Of a sinusoid on a parabola, in mV; V every ms."""
    t = np.arange(len(V)) * 1e-3
    phase = 2 * np.pi * frequency * t
    columns = np.stack([np.ones_like(t), t, t**2, np.cos(phase), np.sin(phase)], axis=1)
    # A mean over 1 ms weakens a sinusoid by its sinc.
    return float(np.hypot(*np.linalg.lstsq(columns, V, rcond=None)[0][3:]) / np.sinc(frequency * 1e-3))


def drift(window: Window) -> list[Finding]:
    """V at rest differs between both ends of the window."""
    V, I = window.V, window.I
    if len(V) < 4 * _ENDS:
        return []
    same = abs(I[:_ENDS].mean() - I[-_ENDS:].mean()) <= 0.01 * np.ptp(I) and max(
        np.ptp(I[:_ENDS]), np.ptp(I[-2 * _ENDS :])
    ) <= 0.02 * np.ptp(I)
    n = round(len(window.free) / len(V))
    if not same or not (window.free[: _ENDS * n].all() and window.free[-2 * _ENDS * n :].all()):
        return []
    moved = float(np.median(V[-_ENDS:]) - np.median(V[:_ENDS]))
    if abs(moved) < _DRIFT:
        return []
    text = f"V at rest should stay, but it ends {moved:+.2g} mV from where it began in {window.where}."
    return [Finding("warn", text, "Choose a window before the drift; V_rest is one number.", "stop")]


def short_rest(recording: Recording) -> list[Finding]:
    """No rest at the beginning, from which the noises could be read off."""
    n = int(samples_before_change(Batch.of(recording))[0])
    if n >= LEAST_SAMPLES:
        return []
    least, rest = (k * recording.dt for k in (LEAST_SAMPLES, n))
    return [
        Finding(
            "warn",
            f"A recording should begin with {least:g} ms of rest, before its current changes and its first spike, got "
            f"{rest:g} ms in {recording.name}: its noises cannot be read off.",
            "Begin the window where the cell rests; rest that comes later is not looked at.",
            "start",
        )
    ]


def drift_between(recordings: Sequence[Recording]) -> list[Finding]:
    """V at rest differs between the sweeps of a cell under the same current.

    Args:
        recordings: Sweeps of one cell.
    """
    levels = {}
    for recording in recordings:
        rest = [stretch for stretch in rest_stretches(recording) if stretch.start == 0]
        if rest:
            levels[recording.name] = float(np.median(recording.V[rest[0]]))
    if len(levels) < 2:
        return []
    lowest, highest = min(levels, key=levels.__getitem__), max(levels, key=levels.__getitem__)
    if levels[highest] - levels[lowest] < _DRIFT:
        return []
    return [
        Finding(
            "warn",
            f"The sweeps of a cell should begin at one voltage, got {levels[lowest]:.3g} mV in {lowest} and "
            f"{levels[highest]:.3g} mV in {highest}.",
            "Leave out the sweeps in which the cell or its holding current differs.",
            "sweeps",
        )
    ]
