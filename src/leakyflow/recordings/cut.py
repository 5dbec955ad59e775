"""A window of a recording that was saved: its raw trace is gone."""

from pathlib import Path

import numpy as np

from leakyflow.errors import LeakyflowError
from leakyflow.recordings.preprocessing import check_first_sample, window_samples
from leakyflow.recordings.reading import Reading
from leakyflow.recordings.recording import Recording

__all__ = ["cut_recording", "span"]


def span(start: float | None, stop: float | None, duration: float) -> str:
    """A window, for the name of a recording."""
    return f"{0 if start is None else start:g} to {duration if stop is None else stop:g} ms"


def cut_recording(recording: Recording, path: Path, reading: Reading) -> Recording:
    """Cut a saved recording on its samples.

    Args:
        recording: As it was saved.
        path: Where, for errors.
        reading: Its dt is that of the recording, or None, and its refractory period None: there can be no others.

    Raises:
        LeakyflowError: If another sampling or refractory period is asked for, or the window cannot be.
    """
    start, stop, dt, t_ref = reading.start, reading.stop, reading.dt, reading.t_ref
    if t_ref is not None:
        raise LeakyflowError(
            f"{path.name} is a recording saved with its refractory period, got t_ref={t_ref:g}. Leave it out, or read "
            "the original file again.",
            argument="t_ref",
        )
    if dt is not None and not np.isclose(dt, recording.dt, rtol=1e-9, atol=0):
        raise LeakyflowError(
            f"{path.name} is a recording saved at dt={recording.dt:g} ms, got dt={dt:g} ms, which a network asks for, "
            f"too. Take a network of {recording.dt:g} ms, or read the original file again.",
            argument="dt",
        )
    if start is None and stop is None:
        return recording
    first, n_time = window_samples(start, stop, duration=recording.duration, dt=recording.dt)
    begin = round(first / recording.dt)
    keep = slice(begin, begin + n_time)
    check_first_sample(recording.spikes[keep], recording.refractory[keep], start=first, dt=recording.dt)
    return recording.part(keep, name=f"{recording.name}, {span(start, stop, recording.duration)}")
