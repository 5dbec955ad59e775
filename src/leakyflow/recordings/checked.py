"""A sweep as a recording, after everything that could be wrong with it was asked."""

from dataclasses import replace

from leakyflow.recordings.checks.check import check_recording
from leakyflow.recordings.checks.quality import short_rest
from leakyflow.recordings.files.raw import RawSweep
from leakyflow.recordings.finding import refuse, warnings_of
from leakyflow.recordings.preprocessing import to_recording, window_samples
from leakyflow.recordings.recording import Recording

__all__ = ["checked_recording"]


def checked_recording(
    raw: RawSweep,
    *,
    start: float | None,
    stop: float | None,
    dt: float,
    t_ref: float | None,
    name: str,
    where: str,
    spike_slope: float | None = None,
    spike_height: float | None = None,
) -> Recording:
    """Check a window of a sweep, and build its recording, which keeps what a user should know as `findings`.

    Args:
        raw: The sweep.
        start: Beginning of the window, in ms; the beginning of the sweep when None.
        stop: End of the window, in ms; the end of the sweep when None.
        dt: Sampling interval of the recording, in ms.
        t_ref: Refractory period, in ms; read off the spikes when None.
        name: Of the recording.
        where: File and sweep, for messages.
        spike_slope: Least slope of the upstroke of a spike, in mV/ms; adapted to the sweep when None.
        spike_height: Least height of a spike from onset to peak, in mV; adapted to the sweep when None.

    Raises:
        LeakyflowError: If a check refuses it, or it cannot be built.
    """
    window_samples(start, stop, duration=len(raw.V) * raw.dt, dt=raw.dt)
    choices = {"start": start, "stop": stop, "spike_slope": spike_slope, "spike_height": spike_height}
    findings = check_recording(raw, where=where, **choices)
    refuse(findings)
    recording = to_recording(raw, dt=dt, t_ref=t_ref, name=name, **choices)
    return replace(recording, findings=warnings_of([*findings, *short_rest(recording)]))
