"""Text tables: CSV and its relatives, and the text format of Axon (ATF)."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from leakyflow.errors import LeakyflowError
from leakyflow.recordings.files.choices import Choices
from leakyflow.recordings.files.labels import Label, parse_label
from leakyflow.recordings.files.pairing import Signal
from leakyflow.recordings.files.raw import Source
from leakyflow.recordings.files.signals import to_source
from leakyflow.recordings.files.text import Table, read_table
from leakyflow.recordings.files.timebase import only_unit, restarts, sampling_interval
from leakyflow.recordings.files.units import scale

__all__ = ["open_atf", "open_csv"]


@contextmanager
def open_csv(path: Path, choices: Choices) -> Iterator[Source]:
    """Open a text table: a line of names with units, columns separated by comma, semicolon, tab or spaces.

    One sweep; or several side by side (V0_mV, I0_pA, V1_mV, I1_pA), or one below the other where the time begins
    again.

    Args:
        path: The file.
        choices: `channel` and `current` are names or numbers of columns of voltage and current, `columns` the names
            of all columns.

    Raises:
        LeakyflowError: If a column is missing or holds text, or times are not evenly spaced.
    """
    yield _source(read_table(path, columns=choices.columns), path, choices)


@contextmanager
def open_atf(path: Path, choices: Choices) -> Iterator[Source]:
    """Open an Axon text file: a header that says its length, then a table; each pair of columns is a sweep.

    Args:
        path: The file.
        choices: As in `open_csv`.

    Raises:
        LeakyflowError: As `open_csv` does, and if the header is damaged.
    """
    with path.open("rb") as file:
        lines = [file.readline(2**16).split() for _ in range(2)]
    if len(lines[1]) < 2 or not all(re.fullmatch(rb"\d{1,9}", word) for word in lines[1][:2]):
        raise LeakyflowError(
            f"{path.name} begins like an Axon text file, but its second line does not say how long its header is. It "
            "is damaged: copy it again from its source."
        )
    yield _source(read_table(path, columns=choices.columns, skip=2 + int(lines[1][0])), path, choices)


def _source(table: Table, path: Path, choices: Choices) -> Source:
    labels = [parse_label(name) for name in table.names]
    columns = list(zip(labels, table.columns, strict=True))
    times = [(label, column) for label, column in columns if _is_time(label)]
    dt, begins = _time(times, path, choices)
    n_time = min([_length(column) for _, column in times], default=len(table.columns[0]))
    signals = [
        Signal(name=label.name, unit=label.unit, sweeps=np.split(column[:n_time], begins[1:]), dt=dt)
        for label, column in columns
        if label.name not in ("", "-") and not _is_time(label)
    ]
    return to_source(signals, path, choices, measured=False)


def _is_time(label: Label) -> bool:
    return label.kind == "time" or (not label.unit and label.said == "time")


def _time(times: list[tuple[Label, np.ndarray]], path: Path, choices: Choices) -> tuple[float | None, np.ndarray]:
    """The sampling interval, in ms, and the rows in which sweeps begin."""
    if choices.dt_file is not None or not times:
        return choices.dt_file, restarts(times[0][1][: _length(times[0][1])]) if times else np.array([0])
    found = []
    for label, column in times:
        t = column[: _length(column)]
        unit = label.unit or (choices.units or {}).get("time") or only_unit(t)
        if not unit:
            continue
        t = t * scale(unit, "ms")
        begins = restarts(t)
        where = f"{label.name} of {path.name}"
        found.append((sampling_interval(t[: begins[1]] if len(begins) > 1 else t, where=where), begins))
        for part in np.split(t, begins[1:])[1:]:
            _check_same(found[0][0], sampling_interval(part, where=where), where)
    for dt, _ in found:
        _check_same(found[0][0], dt, path.name)
    return found[0] if found else (None, np.array([0]))


def _check_same(first: float, other: float, where: str) -> None:
    if not np.isclose(first, other, rtol=1e-4, atol=0):
        raise LeakyflowError(
            f"All times must have the same interval, got {first:g} and {other:g} ms in {where}. Keep one column of "
            "times (columns= with - for the others), or write one file for each interval."
        )


def _length(column: np.ndarray) -> int:
    """Rows up to the last number: a column of times may end with empty cells, where others are longer."""
    filled = np.flatnonzero(~np.isnan(column))
    return int(filled[-1]) + 1 if filled.size else 0
