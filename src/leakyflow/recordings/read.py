"""Recordings from the files of a laboratory, whatever their format."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from leakyflow.recordings.abf import open_abf
from leakyflow.recordings.export import load_exported
from leakyflow.recordings.ibw import open_ibw
from leakyflow.recordings.kind import file_kind
from leakyflow.recordings.nwb import open_nwb
from leakyflow.recordings.picture import check_first_sample, to_recording, window_samples
from leakyflow.recordings.plausible import check_plausible
from leakyflow.recordings.raw import RawSweep
from leakyflow.recordings.recording import Recording
from leakyflow.recordings.spikes import find_spikes
from leakyflow.recordings.table import open_csv, open_npz

__all__ = ["Sweep", "list_sweeps", "read_recording"]

_OPEN = {"ABF": open_abf, "NWB": open_nwb, "IBW": open_ibw, "CSV": open_csv, "NPZ": open_npz}
_DT = 0.2  # ms, of every network that is shipped


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """What to know of a sweep before choosing it.

    Attributes:
        index: Number to pass as `sweep=`.
        duration: Length, in ms.
        dt: Sampling interval in the file, in ms.
        voltage: Channel the voltage is read from, with its unit in the file.
        current: Channel or command the current is read from, with its unit in the file.
        V_range: Least and largest voltage, in mV.
        I_range: Least and largest current, in pA.
        n_spikes: Number of spikes.
    """

    index: int
    duration: float
    dt: float
    voltage: str
    current: str
    V_range: tuple[float, float]
    I_range: tuple[float, float]
    n_spikes: int


def read_recording(
    path: str | Path,
    *,
    sweep: int | None = None,
    channel: int | str | None = None,
    current: int | str | Path | None = None,
    start: float | None = None,
    stop: float | None = None,
    dt: float | None = None,
    t_ref: float | None = None,
) -> Recording:
    """Read one current-clamp sweep, or a window of it, as the leaky integrate-and-fire neuron sees it.

    ABF (1 and 2), NWB, pairs of Igor binary waves, and CSV or NPZ tables are told apart by their content.
    Units come from the file. The voltage is low-pass filtered and resampled, the current averaged over each
    step; spikes are found at the original sampling, and from each spike to the end of the refractory period
    the voltage holds the value measured at that end. Begin the window where the cell is at rest: the model's
    first sample is stationary.

    A CSV file has a header such as `t_ms,V_mV,I_pA`, an NPZ file arrays of these names, or `dt_ms` for
    `t_ms`; the unit in a name may be another (`t_s`, `V_V`, `I_nA`).

    Args:
        path: The file; of an Igor pair either file.
        sweep: Number of the sweep, from 0; may be left out where there is one.
        channel: Number or name of the voltage, where there are several: recorded channel (ABF), electrode
            (NWB), column (CSV, NPZ).
        current: What was injected, where the file leaves it open: recorded channel or `"command"` (ABF),
            stimulus series (NWB), column (CSV, NPZ), or the path of the other wave (Igor). Naming it confirms
            that a constant current was constant.
        start: Beginning of the window, in ms from the beginning of the sweep; the beginning when None.
        stop: End of the window, in ms; the end of the sweep when None.
        dt: Sampling interval of the recording, in ms; 0.2 when None, or that of a file that `save_recording`
            wrote.
        t_ref: Refractory period, in ms. When None it is read off the spikes of the sweep: 9 in 10 have
            repolarised and are back at the voltage of their onset; within 2 to 6 ms, and shorter than the
            least interval between spikes.

    Returns:
        Recording of at least 100 ms.

    Raises:
        ValueError: If the file is damaged, is not what its name says, clamps voltage or lacks the injected
            current; if an argument names what is not there, the units are implausible, samples are not
            finite, or the window is too short or begins in a spike.
        FileNotFoundError: If there is no such file.
        IsADirectoryError: If it is a folder.
    """
    path = Path(path)
    kind = file_kind(path)
    exported = load_exported(path, kind)
    if exported is not None:
        return _window(exported, path, sweep=sweep, start=start, stop=stop, dt=dt, t_ref=t_ref)
    with _OPEN[kind](path, channel=channel, current=current) as source:
        index = _check_sweep(sweep, source.n_sweeps, path)
        raw = source.read(index)
    where = f"{path.name} sweep {index}" if source.n_sweeps > 1 else path.name
    check_plausible(raw, where=where)
    name = where if start is None and stop is None else f"{where}, {_span(start, stop, len(raw.V) * raw.dt)}"
    return to_recording(raw, start=start, stop=stop, dt=_DT if dt is None else dt, t_ref=t_ref, name=name)


def list_sweeps(
    path: str | Path, *, channel: int | str | None = None, current: int | str | Path | None = None
) -> list[Sweep]:
    """Describe each sweep of a file.

    Args:
        path: The file, as in `read_recording`.
        channel: As in `read_recording`.
        current: As in `read_recording`.

    Raises:
        ValueError: As `read_recording` does, where the file or the choice of channels is at fault.
        FileNotFoundError: If there is no such file.
        IsADirectoryError: If it is a folder.
    """
    path = Path(path)
    kind = file_kind(path)
    exported = load_exported(path, kind)
    if exported is not None:
        return [_describe_exported(exported)]
    with _OPEN[kind](path, channel=channel, current=current) as source:
        return [_describe(index, source.read(index)) for index in range(source.n_sweeps)]


def _span(start: float | None, stop: float | None, duration: float) -> str:
    return f"{0 if start is None else start:g} to {duration if stop is None else stop:g} ms"


def _check_sweep(sweep: int | None, n_sweeps: int, path: Path) -> int:
    if sweep is None and n_sweeps == 1:
        return 0
    if sweep is None:
        raise ValueError(
            f"{path.name} has {n_sweeps} sweeps, 0 to {n_sweeps - 1}. Pass sweep=; list_sweeps describes each of them."
        )
    if isinstance(sweep, bool) or int(sweep) != sweep or not 0 <= sweep < n_sweeps:
        raise ValueError(
            f"`sweep` must be a whole number from 0 to {n_sweeps - 1}, got {sweep!r}. {path.name} has "
            f"{n_sweeps} sweep{'s' if n_sweeps > 1 else ''}; list_sweeps describes each of them."
        )
    return int(sweep)


def _window(
    recording: Recording,
    path: Path,
    *,
    sweep: int | None,
    start: float | None,
    stop: float | None,
    dt: float | None,
    t_ref: float | None,
) -> Recording:
    """Cut a saved recording. Its raw trace is gone: no other sampling, no other refractory period."""
    _check_sweep(sweep, 1, path)
    if t_ref is not None or (dt is not None and not np.isclose(dt, recording.dt, rtol=1e-9, atol=0)):
        raise ValueError(
            f"{path.name} is a recording saved at dt={recording.dt:g} ms with its refractory period, got "
            f"dt={dt}, t_ref={t_ref}. Leave both out, or read the original file again."
        )
    if start is None and stop is None:
        return recording
    first, n_time = window_samples(start, stop, duration=recording.duration, dt=recording.dt)
    begin = round(first / recording.dt)
    keep = slice(begin, begin + n_time)
    check_first_sample(recording.spikes[keep], recording.refractory[keep], start=first, dt=recording.dt)
    return replace(
        recording,
        V=recording.V[keep],
        I=recording.I[keep],
        spikes=recording.spikes[keep],
        refractory=recording.refractory[keep],
        name=f"{recording.name}, {_span(start, stop, recording.duration)}",
    )


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
    )


def _range(x: np.ndarray) -> tuple[float, float]:
    return (float(x.min()), float(x.max())) if x.size else (float("nan"), float("nan"))
