"""Recordings from the files of a laboratory, whatever their format."""

from collections.abc import Sequence
from pathlib import Path

from leakyflow.errors import LeakyflowError
from leakyflow.recordings.checked import checked_recording
from leakyflow.recordings.cut import cut_recording, span
from leakyflow.recordings.files.choices import Choices
from leakyflow.recordings.files.opening import open_file
from leakyflow.recordings.files.raw import Source
from leakyflow.recordings.reading import Reading
from leakyflow.recordings.recording import Recording

__all__ = ["check_sweep", "read_recording", "read_sweep"]


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
    spike_slope: float | None = None,
    spike_height: float | None = None,
    columns: str | Sequence[str] | None = None,
    units: str | Sequence[str] | None = None,
    dt_file: float | None = None,
    step: str | Sequence[float] | None = None,
) -> Recording:
    """Read one current-clamp sweep, or a window of it, as the leaky integrate-and-fire neuron sees it.

    Formats are told apart by their content: ABF and ATF, NWB, Igor (.ibw, .itx, .pxp), text tables, NPZ, MATLAB,
    HDF5 and WaveSurfer, and by neo WinWCP, WinEDR, AxoGraph and Spike2; each may be packed by gzip.
    Units come from the file. The voltage is read at the moments of the grid, without a filter, and the current
    averaged over each step; spikes are found at the original sampling, and from each spike to the end of the
    refractory period the voltage holds the value measured at that end. A recorded current is a measurement: where the
    command is in the file and explains it, the neuron got the command, with the offset between the two; else its
    noise is averaged away where it stands still. Begin the window where the cell is at rest: the model's first sample
    is stationary. What cannot be is refused; what may be meant is kept as the recording's `findings`.

    The columns of a table, or the arrays of a container, say their units in their names: `t_ms,V_mV,I_pA`,
    `Time (s)`, `Vm [mV]`, `Iinj_nA`.

    Args:
        path: The file; of an Igor pair either file.
        sweep: Number of the sweep, from 0; may be left out where there is one.
        channel: Number or name of the voltage, where there are several: recorded channel (ABF), electrode
            (NWB), column, variable or wave.
        current: What was injected, where the file leaves it open: recorded channel or `"command"` (ABF),
            stimulus series (NWB), column, variable or wave, or the path of the other wave (Igor). Naming it
            confirms that a constant current was constant.
        start: Beginning of the window, in ms from the beginning of the sweep; the beginning when None.
        stop: End of the window, in ms; the end of the sweep when None.
        dt: Sampling interval of the recording, in ms; 0.2 when None, or that of a file that `save_recording`
            wrote.
        t_ref: Refractory period, in ms. When None it is read off the spikes of the sweep: 9 in 10 have
            repolarised and are back at the voltage of their onset; longer after a spike that then has not, shorter
            before one that follows earlier.
        spike_slope: Least slope of the upstroke of a spike, in mV/ms; adapted to the sweep when None.
        spike_height: Least height of a spike from onset to peak, in mV; adapted to the sweep when None.
        columns: Names of all columns of a table, as in `"t_ms,V_mV,I_pA"`, where its header does not say them;
            `-` for one that is not read.
        units: Units of voltage and current, as in `"mV,pA"`, where the file gives none.
        dt_file: Sampling interval of the file, in ms, where it gives none or a wrong one; times are not used then.
        step: Amplitude (pA), onset and duration (ms) of the injected step, as in `"200,100,500"`, where the file
            holds the voltage alone.

    Returns:
        Recording of at least 100 ms.

    Raises:
        LeakyflowError: If the file is damaged, is not what its name says, clamps voltage or lacks the injected
            current; if an argument names what is not there, the units are implausible, samples are not
            finite, or the window is too short or begins in a spike.
        FileNotFoundError: If there is no such file.
        IsADirectoryError: If it is a folder.

    Example:
        >>> import numpy as np, tempfile
        >>> t = np.arange(0, 500, 0.1)
        >>> I = np.where(t > 100, 50.0, 0.0)
        >>> path = Path(tempfile.mkdtemp()) / "cell.csv"
        >>> np.savetxt(path, np.c_[t, -70 + 0.1 * I, I], delimiter=",", header="Time (ms),Vm (mV),Iinj (pA)")
        >>> read_recording(path).duration
        500.0
    """
    path = Path(path)
    choices = Choices.of(channel=channel, current=current, columns=columns, units=units, dt_file=dt_file, step=step)
    reading = Reading(start=start, stop=stop, dt=dt, t_ref=t_ref, spike_slope=spike_slope, spike_height=spike_height)
    with open_file(path, choices) as found:
        if isinstance(found, Recording):
            check_sweep(sweep, 1, path)
            return cut_recording(found, path, reading)
        return read_sweep(found, check_sweep(sweep, found.n_sweeps, path), path, reading)


def read_sweep(source: Source, index: int, path: Path, reading: Reading) -> Recording:
    """Read one sweep of an open file."""
    raw = source.read(index)
    where = f"{path.name} sweep {index}" if source.n_sweeps > 1 else path.name
    start, stop = reading.start, reading.stop
    name = where if start is None and stop is None else f"{where}, {span(start, stop, len(raw.V) * raw.dt)}"
    return checked_recording(raw, reading, name=name, where=where)


def check_sweep(sweep: int | None, n_sweeps: int, path: Path) -> int:
    """The number of the sweep to read; the only one when None.

    Raises:
        LeakyflowError: If there is no such sweep, or several and no choice.
    """
    if sweep is None and n_sweeps == 1:
        return 0
    if sweep is None:
        raise LeakyflowError(
            f"{path.name} has {n_sweeps} sweeps, 0 to {n_sweeps - 1}. Pass sweep=; list_sweeps describes each of them.",
            argument="sweep",
        )
    if isinstance(sweep, bool) or int(sweep) != sweep or not 0 <= sweep < n_sweeps:
        raise LeakyflowError(
            f"`sweep` must be a whole number from 0 to {n_sweeps - 1}, got {sweep!r}. {path.name} has "
            f"{n_sweeps} sweep{'s' if n_sweeps > 1 else ''}; list_sweeps describes each of them.",
            argument="sweep",
        )
    return int(sweep)
