"""All checks of a sweep, in the order in which one makes the next meaningless."""

from leakyflow.recordings.checks.plausibility import (
    constant_current,
    implausible_current,
    implausible_resistance,
    implausible_voltage,
    rest_level,
)
from leakyflow.recordings.checks.quality import drift, hum
from leakyflow.recordings.checks.response import answers, bridge_off, monitor_offset
from leakyflow.recordings.checks.samples import not_finite, standing
from leakyflow.recordings.checks.spiking import hidden_pulse, uncounted
from leakyflow.recordings.checks.window import window_of
from leakyflow.recordings.files.raw import RawSweep
from leakyflow.recordings.finding import Finding

__all__ = ["check_recording"]

# A refusal in one group makes the next ones meaningless.
_CHECKS = (
    (not_finite,),
    (implausible_voltage, implausible_current),
    (standing,),
    (constant_current, implausible_resistance),
    (answers, uncounted),
    (rest_level, monitor_offset, bridge_off, hidden_pulse, hum, drift),
)


def check_recording(
    raw: RawSweep,
    *,
    start: float | None = None,
    stop: float | None = None,
    where: str = "the sweep",
    spike_slope: float | None = None,
    spike_height: float | None = None,
) -> list[Finding]:
    """Say what cannot be in a window of a sweep, and what may be meant but should be known.

    Args:
        raw: The sweep.
        start: Beginning of the window, in ms; the beginning of the sweep when None.
        stop: End of the window, in ms; the end of the sweep when None.
        where: File and sweep, for the messages.
        spike_slope: Least slope of the upstroke of a spike, in mV/ms, as in `read_recording`.
        spike_height: Least height of a spike, in mV, as in `read_recording`.

    Returns:
        Findings, refusals among them; none where all is well.

    Example:
        >>> import numpy as np
        >>> V = -70.0 + 0.1 * np.random.default_rng(0).normal(size=4000)
        >>> raw = RawSweep(V=V, I=np.zeros(4000), dt=0.1, voltage="V", current="I", measured=False)
        >>> [(finding.level, finding.what) for finding in check_recording(raw)]
        [('warn', 'I must change to inform C and R, but it is 0 pA throughout the sweep (I).')]
    """
    window = window_of(raw, start=start, stop=stop, where=where, slope=spike_slope, height=spike_height)
    found: list[Finding] = []
    for group in _CHECKS:
        found += [finding for check in group for finding in check(window)]
        if any(finding.level == "refuse" for finding in found):
            break
    return found
