"""Tables: CSV with a header, or NPZ with the same names as keys. The name of a column says its unit."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from leakyflow.recordings.raw import RawSweep, Source, parsing, pick
from leakyflow.recordings.units import quantity, scale

__all__ = ["open_csv", "open_npz"]

_COLUMN = re.compile(r"(?P<kind>t|V|I|dt)(?P<label>\w*)_(?P<unit>[A-Za-zµμ]+)")
_KINDS = {"t": "time", "dt": "time", "V": "voltage", "I": "current"}
_EXPECTED = "Name the columns t_ms, V_mV and I_pA; other units are read from their names (t_s, V_V, I_nA)."


@contextmanager
def open_csv(path: Path, *, channel: int | str | None, current: int | str | Path | None) -> Iterator[Source]:
    """Open a CSV file: one sweep, a header, columns separated by comma, semicolon or tab; # begins a comment.

    Args:
        path: The file.
        channel: Name or number of the voltage column, where there are several (V1_mV, V2_mV).
        current: Name or number of the current column, where there are several.

    Raises:
        ValueError: If a column is missing, holds text, or times are not evenly spaced.
    """
    yield _source(_csv_columns(path), path, channel, current)


@contextmanager
def open_npz(path: Path, *, channel: int | str | None, current: int | str | Path | None) -> Iterator[Source]:
    """Open an NPZ file: one sweep, arrays named like the columns of a CSV file, or `dt_ms` for `t_ms`.

    Args:
        path: The file.
        channel: Name or number of the voltage array, where there are several.
        current: Name or number of the current array, where there are several.

    Raises:
        ValueError: If an array is missing, is not one-dimensional, or times are not evenly spaced.
    """
    with parsing(path, "NPZ"), np.load(path, allow_pickle=False) as file:
        columns = {name: file[name] for name in file.files if _COLUMN.fullmatch(name)}
    for name, column in columns.items():
        if column.ndim > 1 or column.dtype.kind not in "fiu":
            raise ValueError(
                f"{name!r} of {path.name} must be one-dimensional numbers, got {column.dtype} {column.shape}."
            )
    yield _source({name: column.astype(np.float64) for name, column in columns.items()}, path, channel, current)


def _csv_columns(path: Path) -> dict[str, np.ndarray]:
    import pandas as pd

    with parsing(path, "CSV"):
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    header = next((line for line in lines if line.strip() and not line.startswith("#")), "")
    separator = max(",;\t", key=header.count)
    if not any(_COLUMN.fullmatch(name.strip(' "')) for name in header.split(separator)):
        raise ValueError(
            f"{path.name} must be a table with a header, got {header[:60]!r} as its first line.\n{_EXPECTED}"
        )
    last = next(line for line in reversed(lines) if line.strip())
    if last.count(separator) < header.count(separator):
        raise ValueError(f"{path.name} ends within a row, {last[:60]!r}: it is truncated. Copy it again.")
    with parsing(path, "CSV"):
        table = pd.read_csv(path, sep=separator, comment="#", encoding="utf-8-sig", skipinitialspace=True)
    columns = {}
    for name in map(str, table.columns):
        if _COLUMN.fullmatch(name.strip()):
            columns[name.strip()] = _numbers(table[name].to_numpy(), name, path)
    return columns


def _numbers(column: np.ndarray, name: str, path: Path) -> np.ndarray:
    try:
        return column.astype(np.float64)
    except ValueError as error:
        raise ValueError(f"Column {name!r} of {path.name} must hold numbers: {error}. Write 0.5, not 0,5.") from error


def _source(
    columns: dict[str, np.ndarray], path: Path, channel: int | str | None, current: int | str | Path | None
) -> Source:
    V = _choose(columns, "voltage", channel, option="channel", path=path)
    I = _choose(columns, "current", current if current is None else str(current), option="current", path=path)
    raw = RawSweep(
        V=columns[V] * scale(_unit(V), "mV"),
        I=columns[I] * scale(_unit(I), "pA"),
        dt=_interval(columns, path),
        voltage=V,
        current=I,
        measured=False,
        confirmed=current is not None,
    )
    if len(raw.V) != len(raw.I):
        raise ValueError(f"{V} and {I} of {path.name} must have the same length, got {len(raw.V)} and {len(raw.I)}.")
    return Source(n_sweeps=1, read=lambda sweep: raw)


def _unit(name: str) -> str:
    found = _COLUMN.fullmatch(name)
    assert found is not None  # names are columns only if they match
    return found["unit"]


def _named(columns: dict[str, np.ndarray], kind: str) -> list[str]:
    """Columns whose letter and unit agree on the kind: V_mV, not V_pA."""
    names = []
    for name in columns:
        found = _COLUMN.fullmatch(name)
        if found and _KINDS[found["kind"]] == kind == quantity(found["unit"]):
            names.append(name)
    return names


def _choose(columns: dict[str, np.ndarray], kind: str, wanted: int | str | None, *, option: str, path: Path) -> str:
    names = _named(columns, kind)
    if not names:
        found = ", ".join(columns) or "none of the kind"
        raise ValueError(f"{path.name} must have a column with the {kind}, got {found}.\n{_EXPECTED}")
    return names[pick(wanted, dict(enumerate(names)), option=option, what=f"{kind} column", where=path.name)]


def _interval(columns: dict[str, np.ndarray], path: Path) -> float:
    names = _named(columns, "time")
    if len(names) != 1:
        raise ValueError(f"{path.name} must have one column with the time, got {names}.\n{_EXPECTED}")
    t = columns[names[0]] * scale(_unit(names[0]), "ms")
    if t.ndim == 0:
        return float(t)
    if len(t) < 2:
        raise ValueError(f"{path.name} must hold at least 2 samples, got {len(t)}.")
    steps, dt = np.diff(t), float((t[-1] - t[0]) / (len(t) - 1))
    # A table writes few digits, so a step may be off by rounding, but not by a missing sample.
    off = ~(np.abs(steps - dt) <= 0.5 * abs(dt))
    if off.any() or not dt > 0:
        raise ValueError(
            f"Times must be evenly spaced, got steps of {steps.min():g} to {steps.max():g} ms in {path.name} "
            f"(first off at row {int(off.argmax()) + 1}). Resample to one interval, or cut the file at the "
            "gap."
        )
    return dt
