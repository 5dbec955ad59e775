"""Recordings from arrays that another reader gave."""

import numpy as np
from numpy.typing import ArrayLike

from leakyflow.errors import LeakyflowError
from leakyflow.recordings.checked import checked_recording
from leakyflow.recordings.files.door import as_numbers
from leakyflow.recordings.files.raw import RawSweep
from leakyflow.recordings.reading import Reading
from leakyflow.recordings.recording import Recording

__all__ = ["read_arrays"]


def read_arrays(
    V: ArrayLike,
    I: ArrayLike,
    *,
    dt: float,
    name: str = "arrays",
    start: float | None = None,
    stop: float | None = None,
    recording_dt: float | None = None,
    t_ref: float | None = None,
    spike_slope: float | None = None,
    spike_height: float | None = None,
    measured: bool = False,
) -> Recording:
    """Make of two arrays what `read_recording` makes of a file.

    For whatever another package reads: pyABF, neo, eFEL, your own code.

    Args:
        V: Membrane voltage of one sweep, in mV.
        I: Injected current, in pA, holding current included; as long as V.
        dt: Sampling interval of the arrays, in ms.
        name: Of the recording.
        start: Beginning of the window, in ms; the beginning when None.
        stop: End of the window, in ms; the end when None.
        recording_dt: Sampling interval of the recording, in ms; 0.2 when None, as the networks that ship take it.
        t_ref: Refractory period, in ms; read off the spikes when None.
        spike_slope: As in `read_recording`.
        spike_height: As in `read_recording`.
        measured: True where I was recorded and so carries noise; False for a command.

    Returns:
        Recording of at least 100 ms.

    Raises:
        LeakyflowError: If the arrays are no pair of one-dimensional numbers, the units are implausible, samples are
            not finite, or the window is too short or begins in a spike.

    Example:
        >>> t = np.arange(0, 500, 0.05)
        >>> I = np.where(t > 100, 50.0, 0.0)
        >>> recording = read_arrays(-70 + 0.1 * I, I, dt=0.05, name="cell 3")
        >>> recording.dt, recording.duration
        (0.2, 500.0)
    """
    voltage, current = (as_numbers(x, what=what, where=name) for x, what in ((V, "V"), (I, "I")))
    if len(voltage) != len(current):
        raise LeakyflowError(f"V and I must have the same length, got {len(voltage)} and {len(current)} samples.")
    if not (np.isfinite(dt) and dt > 0):
        raise LeakyflowError(
            f"`dt` must be the sampling interval of the arrays in ms, positive, got {dt}.", argument="dt"
        )
    raw = RawSweep(V=voltage, I=current, dt=float(dt), voltage="V [mV]", current="I [pA]", measured=measured)
    reading = Reading(
        start=start, stop=stop, dt=recording_dt, t_ref=t_ref, spike_slope=spike_slope, spike_height=spike_height
    )
    return checked_recording(raw, reading, name=name, where=name)
