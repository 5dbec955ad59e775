"""All sweeps of a cell from its file."""

import re
from collections.abc import Sequence
from pathlib import Path

from leakyflow.errors import LeakyflowError
from leakyflow.recordings.cell import Cell
from leakyflow.recordings.checks.quality import drift_between
from leakyflow.recordings.cut import cut_recording
from leakyflow.recordings.files.choices import Choices
from leakyflow.recordings.files.opening import open_file
from leakyflow.recordings.files.raw import Source
from leakyflow.recordings.read import check_sweep, read_sweep
from leakyflow.recordings.reading import Reading
from leakyflow.recordings.recording import Recording

__all__ = ["numbers_of", "read_cell"]

_SHOWN = 5  # reasons in an error


def read_cell(
    path: str | Path,
    sweeps: Sequence[int] | None = None,
    *,
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
) -> Cell:
    """Read all current-clamp sweeps of a file, or those that are named, as one cell.

    A sweep that cannot be used, such as one that clamps voltage, ends early or begins in a spike, is left out, and
    `Cell.left_out` says why; `Cell.findings` says where the sweeps differ at rest.

    Args:
        path: The file, as in `read_recording`.
        sweeps: Numbers of the sweeps, from 0; all when None.
        channel: As in `read_recording`.
        current: As in `read_recording`.
        start: Beginning of the window in each sweep, in ms; the beginning when None.
        stop: End of the window in each sweep, in ms; the end when None.
        dt: Sampling interval of the recordings, in ms; 0.2 when None.
        t_ref: As in `read_recording`.
        spike_slope: As in `read_recording`.
        spike_height: As in `read_recording`.
        columns: As in `read_recording`.
        units: As in `read_recording`.
        dt_file: As in `read_recording`.
        step: As in `read_recording`.

    Raises:
        LeakyflowError: If the file cannot be read, a sweep that is named does not exist, or none can be used; then it
            says why.
        FileNotFoundError: If there is no such file.
        IsADirectoryError: If it is a folder.

    Example:
        >>> import numpy as np, tempfile
        >>> t = np.arange(0, 500, 0.1)
        >>> I = [np.where(t > 100, amplitude, 0.0) for amplitude in (-50.0, 50.0)]
        >>> table = np.c_[t, -70 + 0.1 * I[0], I[0], -70 + 0.1 * I[1], I[1]]
        >>> path = Path(tempfile.mkdtemp()) / "cell.csv"
        >>> np.savetxt(path, table, delimiter=",", header="t_ms,V0_mV,I0_pA,V1_mV,I1_pA")
        >>> len(read_cell(path)), read_cell(path).left_out
        (2, {})
    """
    path = Path(path)
    choices = Choices.of(channel=channel, current=current, columns=columns, units=units, dt_file=dt_file, step=step)
    reading = Reading(start=start, stop=stop, dt=dt, t_ref=t_ref, spike_slope=spike_slope, spike_height=spike_height)
    with open_file(path, choices) as found:
        if isinstance(found, Recording):
            for sweep in sweeps or ():
                check_sweep(sweep, 1, path)
            return Cell([cut_recording(found, path, reading)])
        wanted = _wanted(sweeps, found, path)
        recordings, errors = [], {}
        for index in wanted:
            try:
                recordings.append(read_sweep(found, index, path, reading))
            except LeakyflowError as error:
                errors[index] = error
    left_out = {index: str(error) for index, error in errors.items()}
    if not recordings and len(errors) == 1:
        raise next(iter(errors.values()))
    if not recordings:
        raise LeakyflowError(_nothing_left(path, left_out))
    return Cell(recordings, name=path.name, findings=tuple(drift_between(recordings)), left_out=left_out)


def numbers_of(cell: Cell, sweeps: Sequence[int] | None) -> list[int]:
    """Numbers in the file of the sweeps of a cell.

    Args:
        cell: As it was read.
        sweeps: That were named to `read_cell`.
    """
    read = range(len(cell) + len(cell.left_out)) if sweeps is None else dict.fromkeys(sweeps)
    return [number for number in read if number not in cell.left_out]


def _wanted(sweeps: Sequence[int] | None, source: Source, path: Path) -> list[int]:
    if sweeps is None:
        return list(range(source.n_sweeps))
    if not len(sweeps):
        raise LeakyflowError(
            "`sweeps` must name at least one sweep, got none. Leave it out for all.", argument="sweeps"
        )
    return list(dict.fromkeys(check_sweep(sweep, source.n_sweeps, path) for sweep in sweeps))


def _nothing_left(path: Path, left_out: dict[int, str]) -> str:
    """One error for all sweeps; those whose reasons differ in numbers alone share a line."""
    alike: dict[str, list[int]] = {}
    for index, reason in left_out.items():
        alike.setdefault(re.sub(r"\d[\d.]*", "", reason), []).append(index)
    lines = [f"sweep {', '.join(map(str, found))}: {left_out[found[0]]}" for found in alike.values()]
    more = [f"and {len(lines) - _SHOWN} more reasons"] if len(lines) > _SHOWN else []
    head = f"{path.name} must have a sweep that can be used, but none of {len(left_out)} can."
    return "\n".join([head, *lines[:_SHOWN], *more])
