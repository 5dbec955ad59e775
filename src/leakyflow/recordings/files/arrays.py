"""Named arrays of a container (NPZ, MATLAB, HDF5), and how the signals among them are found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from leakyflow.errors import LeakyflowError
from leakyflow.recordings.files.choices import IGNORED, Choices
from leakyflow.recordings.files.labels import parse_label
from leakyflow.recordings.files.pairing import Signal
from leakyflow.recordings.files.raw import Source
from leakyflow.recordings.files.signals import to_source
from leakyflow.recordings.files.timebase import LIMITS, only_unit, sampling_interval
from leakyflow.recordings.files.units import quantity, scale

__all__ = ["Variable", "variables_to_source"]

_INTERVALS = {"dt", "si", "interval", "sampleinterval", "samplinginterval"}
_RATES = {"fs", "sr", "rate", "samplerate", "samplingrate", "samplefrequency", "samplingfrequency"}
_HERTZ = {"hz": 1.0, "khz": 1000.0}


@dataclass(frozen=True, eq=False, kw_only=True)
class Variable:
    """A variable with the unit and the interval that the file gives beside it, if any.

    Attributes:
        values: Numbers, with at most two dimensions.
        unit: Empty where the file gives none apart from the name.
        dt: Interval between its samples, in ms.
    """

    values: np.ndarray
    unit: str = ""
    dt: float | None = None


def variables_to_source(
    variables: Mapping[str, Variable], path: Path, choices: Choices, *, measured: bool = False
) -> Source:
    """Find voltage, current and time among variables, by their units and names.

    A variable of two dimensions has a sweep in each row or column; a matrix without a name of its own is a table,
    with `choices.columns`. Time is a variable such as `t_ms`, `dt_ms`, or a rate such as `fs`.

    Args:
        variables: By name; a path within the file is part of the name.
        path: The file, for errors.
        choices: What the caller said.
        measured: Whether the currents were recorded.

    Raises:
        LeakyflowError: If a variable is missing, or times are not evenly spaced.
    """
    if choices.columns:
        variables = _columns_of(variables, choices.columns, path)
    dt = choices.dt_file if choices.dt_file is not None else _interval(variables, path)
    lengths = {len(v.values) for name, v in variables.items() if v.values.ndim == 1 and _is_time(name, v)}
    signals = [
        Signal(name=name, unit=v.unit or parse_label(_last(name)).unit, sweeps=sweeps, dt=own)
        for name, v in variables.items()
        if not _is_time(name, v) and not _is_clock(name)
        for own in [v.dt if choices.dt_file is None and v.dt is not None else dt]
        for sweeps in [_sweeps(name, v, lengths, path)]
        if sweeps
    ]
    return to_source(signals, path, choices, measured=measured)


def _last(name: str) -> str:
    """The name without the folders and structures that it lies in."""
    return name.replace("/", ".").rsplit(".", 1)[-1]


def _plain(name: str) -> str:
    return "".join(letter for letter in _stem_of_rate(name)[0].lower() if letter.isalpha())


def _stem_of_rate(name: str) -> tuple[str, str]:
    """The name of a rate or interval without its unit, and the unit."""
    name = _last(name)
    for unit in ("kHz", "Hz", "khz", "hz", "KHZ", "HZ"):
        if name.rstrip(")] ").endswith(unit):
            return name[: name.rindex(unit)], unit
    label = parse_label(name)
    return label.stem, label.unit


def _is_clock(name: str) -> bool:
    return _plain(name) in _INTERVALS | _RATES


def _is_time(name: str, variable: Variable) -> bool:
    label = parse_label(_last(name))
    return quantity(variable.unit or label.unit) == "time" or (not variable.unit and label.said == "time")


def _interval(variables: Mapping[str, Variable], path: Path) -> float | None:
    """The sampling interval, in ms, if the file gives one: a rate or an interval, or times."""
    for name, variable in variables.items():
        if variable.values.size == 1 and (_is_clock(name) or _is_time(name, variable)):
            found = _scalar_interval(name, variable, path)
            if found is not None:
                return found
    times = {name: v for name, v in variables.items() if v.values.size > 1 and _is_time(name, v)}
    found_all = {name: _interval_of_times(name, variable, path) for name, variable in times.items()}
    known = {name: dt for name, dt in found_all.items() if dt is not None}
    if known and max(known.values()) > min(known.values()) * (1 + 1e-4):
        listing = ", ".join(f"{dt:g} ms in {name}" for name, dt in known.items())
        raise LeakyflowError(
            f"All times of {path.name} must have the same interval, got {listing}. Pass dt_file= with the interval in "
            "ms of the channels that you name by channel= and current=.",
            argument=("channel", "current"),
        )
    return next(iter(known.values()), None)


def _scalar_interval(name: str, variable: Variable, path: Path) -> float | None:
    """From dt_ms, or fs_Hz; without a unit, where only one is possible."""
    value = float(variable.values.ravel()[0])
    unit = variable.unit or _stem_of_rate(name)[1]
    if not (np.isfinite(value) and value > 0):
        raise LeakyflowError(
            f"{name} of {path.name} must be a positive interval or rate, got {value:g}. Pass dt_file= with the "
            "sampling interval in ms."
        )
    if unit.lower() in _HERTZ:
        return 1000.0 / (value * _HERTZ[unit.lower()])
    if quantity(unit) == "time":
        return value * scale(unit, "ms")
    if _plain(name) in _RATES:
        return _only([1000.0 / value, 1.0 / value])
    return _only([value, 1000.0 * value]) if _plain(name) in _INTERVALS else None


def _only(candidates: Sequence[float]) -> float | None:
    possible = [dt for dt in candidates if LIMITS[0] <= dt <= LIMITS[1]]
    return possible[0] if len(possible) == 1 else None


def _interval_of_times(name: str, variable: Variable, path: Path) -> float | None:
    unit = variable.unit or parse_label(_last(name)).unit
    t = variable.values if variable.values.ndim == 1 else max(variable.values, variable.values.T, key=len)[:, 0]
    where = f"{name} of {path.name}"
    unit = unit or only_unit(t)
    return sampling_interval(t * scale(unit, "ms"), where=where) if unit else None


def _sweeps(name: str, variable: Variable, lengths: set[int], path: Path) -> Sequence[np.ndarray]:
    """Sweeps along the shorter axis, or along the one that is not as long as the times; none of what is no signal."""
    values = variable.values
    if values.ndim == 1 and values.size > 1:
        return (values,)
    fits = [axis for axis in range(values.ndim) if values.shape[axis] in lengths]
    fits = fits or [axis for axis in range(values.ndim) if values.shape[axis] == max(values.shape) > 1]
    if len(fits) == 1:
        return list(values if fits[0] == 1 else values.T)
    if quantity(variable.unit or parse_label(_last(name)).unit) in ("voltage", "current"):
        raise LeakyflowError(
            f"{name!r} of {path.name} must hold samples, with one axis the time, but is of shape {values.shape}. Write "
            "each sweep as a variable of its own."
        )
    return ()


def _columns_of(variables: Mapping[str, Variable], columns: Sequence[str], path: Path) -> dict[str, Variable]:
    """The columns of the one matrix that has as many."""
    matrices = {name: v for name, v in variables.items() if v.values.ndim == 2 and len(columns) in v.values.shape}
    if len(matrices) != 1:
        shapes = ", ".join(f"{name} {v.values.shape}" for name, v in variables.items()) or "nothing"
        raise LeakyflowError(
            f"`columns` must name the columns of one matrix of {path.name}, got {len(columns)} names; it has {shapes}. "
            "Pass channel=, current=, units= and dt_file= for variables of their own.",
            argument="columns",
        )
    (matrix,) = (v.values for v in matrices.values())
    rows = matrix if matrix.shape[1] == len(columns) else matrix.T
    return {name: Variable(values=rows[:, n]) for n, name in enumerate(columns) if name not in IGNORED}
