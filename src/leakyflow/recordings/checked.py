"""A sweep as a recording, after everything that could be wrong with it was asked."""

from dataclasses import asdict, replace

from leakyflow.recordings.checks.check import check_recording
from leakyflow.recordings.checks.quality import short_rest
from leakyflow.recordings.files.raw import RawSweep
from leakyflow.recordings.finding import refuse, warnings_of
from leakyflow.recordings.preprocessing import to_recording, window_samples
from leakyflow.recordings.reading import Reading
from leakyflow.recordings.recording import Recording

__all__ = ["checked_recording"]


def checked_recording(raw: RawSweep, reading: Reading, *, name: str, where: str) -> Recording:
    """Check a window of a sweep, and build its recording, which keeps what a user should know as `findings`.

    Args:
        raw: The sweep.
        reading: What is read of it.
        name: Of the recording.
        where: File and sweep, for messages.

    Raises:
        LeakyflowError: If a check refuses it, or it cannot be built.
    """
    window_samples(reading.start, reading.stop, duration=len(raw.V) * raw.dt, dt=raw.dt)
    choices = asdict(reading)
    del choices["dt"], choices["t_ref"]
    findings = check_recording(raw, where=where, **choices)
    refuse(findings)
    recording = to_recording(raw, dt=reading.interval, t_ref=reading.t_ref, name=name, **choices)
    return replace(recording, findings=warnings_of([*findings, *short_rest(recording)]))
