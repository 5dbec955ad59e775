"""What a file holds, sweep by sweep, before one is chosen."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from leakyflow.recordings.files.choices import Choices
from leakyflow.recordings.files.opening import open_file
from leakyflow.recordings.files.raw import CURRENT_CLAMP, OtherSweep, RawSweep
from leakyflow.recordings.recording import Recording
from leakyflow.recordings.spikes import find_spikes

__all__ = ["Sweep", "list_sweeps"]

_UNKNOWN = (float("nan"), float("nan"))


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """What to know of a sweep before choosing it.

    Attributes:
        index: Number to pass as `sweep=`; None where it cannot be read.
        duration: Length, in ms.
        dt: Sampling interval in the file, in ms.
        voltage: Channel the voltage is read from, with its unit in the file.
        current: Channel or command the current is read from, with its unit in the file.
        V_range: Least and largest voltage, in mV; NaN where it cannot be read.
        I_range: Least and largest current, in pA; NaN where it cannot be read.
        n_spikes: Number of spikes.
        name: Name or number of the sweep in the file; empty where it has none.
        electrode: Name of the electrode or amplifier channel; empty where the file has none.
        protocol: Name of the stimulus protocol; empty where the file has none.
        clamp: Clamp mode: `"current clamp"`, or another that cannot be read.
    """

    index: int | None
    duration: float
    dt: float
    voltage: str = ""
    current: str = ""
    V_range: tuple[float, float] = _UNKNOWN
    I_range: tuple[float, float] = _UNKNOWN
    n_spikes: int = 0
    name: str = ""
    electrode: str = ""
    protocol: str = ""
    clamp: str = CURRENT_CLAMP


def list_sweeps(
    path: str | Path,
    *,
    channel: int | str | None = None,
    current: int | str | Path | None = None,
    columns: str | Sequence[str] | None = None,
    units: str | Sequence[str] | None = None,
    dt_file: float | None = None,
    step: str | Sequence[float] | None = None,
    every: bool = False,
) -> list[Sweep]:
    """Describe each sweep of a file.

    Args:
        path: The file, as in `read_recording`.
        channel: As in `read_recording`.
        current: As in `read_recording`.
        columns: As in `read_recording`.
        units: As in `read_recording`.
        dt_file: As in `read_recording`.
        step: As in `read_recording`.
        every: True to name also what stands beside the current clamp in a file and cannot be read, such as voltage
            clamp; these come last, with None for the index.

    Raises:
        LeakyflowError: As `read_recording` does, where the file or the choice of channels is at fault.
        FileNotFoundError: If there is no such file.
        IsADirectoryError: If it is a folder.

    Example:
        >>> import tempfile
        >>> t = np.arange(0, 500, 0.1)
        >>> I = np.where(t > 100, 50.0, 0.0)
        >>> path = Path(tempfile.mkdtemp()) / "cell.csv"
        >>> np.savetxt(path, np.c_[t, -70 + 0.1 * I, I], delimiter=",", header="Time (ms),Vm (mV),Iinj (pA)")
        >>> (sweep,) = list_sweeps(path)
        >>> sweep.index, sweep.voltage, sweep.I_range
        (0, 'Vm (mV)', (0.0, 50.0))
    """
    choices = Choices.of(channel=channel, current=current, columns=columns, units=units, dt_file=dt_file, step=step)
    with open_file(Path(path), choices) as found:
        if isinstance(found, Recording):
            return [_describe_exported(found)]
        listed = [_describe(index, found.read(index)) for index in range(found.n_sweeps)]
        return listed + [_describe_other(other) for other in found.others()] if every else listed


def _describe(index: int, raw: RawSweep) -> Sweep:
    V, I = raw.V[np.isfinite(raw.V)], raw.I[np.isfinite(raw.I)]
    return Sweep(
        index=index,
        duration=len(raw.V) * raw.dt,
        dt=raw.dt,
        voltage=raw.voltage,
        current=raw.current,
        V_range=_range(V),
        I_range=_range(I),
        n_spikes=len(find_spikes(V, raw.dt)) if len(V) > 1 else 0,
        name=raw.name,
        electrode=raw.electrode,
        protocol=raw.protocol,
        clamp=raw.clamp,
    )


def _describe_other(other: OtherSweep) -> Sweep:
    return Sweep(
        index=None,
        duration=other.duration,
        dt=other.dt,
        name=other.name,
        electrode=other.electrode,
        protocol=other.protocol,
        clamp=other.clamp,
    )


def _describe_exported(recording: Recording) -> Sweep:
    return Sweep(
        index=0,
        duration=recording.duration,
        dt=recording.dt,
        voltage="V_mV [mV]",
        current="I_pA [pA]",
        V_range=_range(recording.V),
        I_range=_range(recording.I),
        n_spikes=int(recording.spikes.sum()),
        name=recording.name,
    )


def _range(x: np.ndarray) -> tuple[float, float]:
    return (float(x.min()), float(x.max())) if x.size else _UNKNOWN
