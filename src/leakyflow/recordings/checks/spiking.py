"""Whether all spikes were counted, and whether the current shows between them."""

import numpy as np

from leakyflow.recordings.checks.window import Window
from leakyflow.recordings.finding import Finding
from leakyflow.recordings.spikes import find_spikes

__all__ = ["hidden_pulse", "uncounted"]

_HIGH = -20.0  # mV; a membrane at rest between spikes is below
_SLOPE, _HEIGHT = 5.0, 8.0  # mV/ms and mV of what looks like a spike
_REPEATED = 3
_SEEN = 0.2  # share of the charge that must flow between spikes
_CURE = (
    "Pass --spike-slope or --spike-height (spike_slope=, spike_height=) to count them, or leave them out of the window."
)


def uncounted(window: Window) -> list[Finding]:
    """What looks like a spike and was not counted would be taken for membrane voltage."""
    V = window.raw.V
    like = find_spikes(V, window.dt, slope=_SLOPE, height=_HEIGHT)
    peaks = like.peak[window.free[like.peak]]
    given = window.slope is not None or window.height is not None
    high = peaks[V[peaks] > _HIGH]
    if len(high):
        text = (
            f"V between spikes must stay below {_HIGH:g} mV, but {len(high)} peaks of up to {V[high].max():.3g} mV in "
            f"{window.where} were not counted as spikes (first at {window.time(int(high[0])):g} ms)."
        )
        return [Finding("warn" if given else "refuse", text, _CURE, "spike_slope")]
    if len(peaks) >= _REPEATED:
        text = (
            f"{len(peaks)} peaks of up to {V[peaks].max():.3g} mV in {window.where} were not counted as spikes (first "
            f"at {window.time(int(peaks[0])):g} ms)."
        )
        return [Finding("warn", text, _CURE, "spike_height")]
    highest = float(V[window.free].max(initial=-np.inf))
    if highest > _HIGH:
        at = window.time(int(np.argmax(np.where(window.free, V, -np.inf))))
        text = f"V between spikes rises to {highest:.3g} mV at {at:g} ms in {window.where}."
        return [Finding("warn", text, _CURE, "spike_slope")]
    return []


def hidden_pulse(window: Window) -> list[Finding]:
    """A pulse that flows during the spike that it causes moves no free membrane."""
    if not len(window.spikes):
        return []
    I = np.abs(window.raw.I - np.median(window.raw.I))
    total, seen = float(I.sum()), float(I[window.free].sum())
    if not total > 0 or seen >= _SEEN * total:
        return []
    return [
        Finding(
            "warn",
            f"The current should flow between spikes, but {1 - seen / total:.0%} of it flows during spikes in "
            f"{window.where}: C is not informed.",
            "Choose a sweep or window with a weaker or longer step.",
            "sweep",
        )
    ]
