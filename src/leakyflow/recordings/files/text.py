"""Text tables as people write them: where the numbers begin, what separates them, what the columns are called."""

import re
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from leakyflow.errors import LeakyflowError
from leakyflow.recordings.files.door import check_size
from leakyflow.recordings.files.header import column_names
from leakyflow.recordings.files.raw import parsing

__all__ = ["Table", "read_table"]

_EXPECTED = (
    "Name the columns t_ms, V_mV and I_pA in its first line (other units are read from their names: t_s, V_V, I_nA), "
    "or pass columns=t_ms,V_mV,I_pA."
)
_HEAD = 2**18  # bytes in which the numbers must begin
_COMMENTS = ("#", "%", "//", "!")
_CELL = r"\"?[+-]?(?:\d+{mark}?\d*|{mark}\d+)(?:[eEdD][+-]?\d+)?\"?|\"?[+-]?(?:nan|inf|infinity|na)\"?|"
_CELLS = {mark: re.compile(_CELL.format(mark=re.escape(mark)), re.IGNORECASE) for mark in ".,"}
_SEPARATORS = ("\t", ";", ",", r"\s+")
_MARKS_OF_GROUPS = re.compile(r"\d\.\d{3}(?:\.\d{3})*,\d|\d,\d{3}(?:,\d{3})*\.\d")
_TRIED = 2000  # rows by which the decimal mark is told


@dataclass(frozen=True, eq=False, kw_only=True)
class Table:
    """Columns of numbers with their names; no name where there is none."""

    names: tuple[str, ...]
    columns: tuple[np.ndarray, ...]


@dataclass(frozen=True)
class _Layout:
    """How the numbers are written: the line of the first, the separator, the decimal mark, the number of columns."""

    first: int
    separator: str
    decimal: str
    n_columns: int


def read_table(path: Path, *, columns: tuple[str, ...] | None, skip: int = 0) -> Table:
    """Read a text table: any separator, point or comma, comments, lines of text above, units in a line of their own.

    Args:
        path: The file.
        columns: Names of all columns, in place of those in the file.
        skip: Lines at the beginning that are no part of the table.

    Raises:
        LeakyflowError: If it is no table, has no names and none are passed, ends within a row, or holds text.
    """
    check_size(path.stat().st_size, what="The text", where=path.name)
    encoding, lines = _head(path, skip)
    layout = _layout(lines)
    if layout is None:
        shown = next((line for line in lines if line.strip() and not _is_comment(line)), "")
        raise LeakyflowError(
            f"{path.name} must be a table of numbers with a header, got {shown[:60]!r} as its first line.\n{_EXPECTED}",
            argument="columns",
        )
    _check_end(path, encoding, layout)
    rows = _numbers(path, encoding, layout, skip)
    return _named(rows, lines[: layout.first], columns, layout, path)


def _head(path: Path, skip: int) -> tuple[str, list[str]]:
    """The encoding, and the first lines, the last of which may be cut."""
    with path.open("rb") as file:
        raw = file.read(_HEAD)
    encoding = _encoding(raw)
    lines = raw.decode(encoding, errors="replace").splitlines()
    if len(raw) == _HEAD:
        lines = lines[:-1]
    return encoding, lines[skip:]


def _encoding(raw: bytes) -> str:
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    try:
        raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.start < len(raw) - 4:
            return "latin-1"  # µ of older programs
    return "utf-8-sig"


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith(_COMMENTS)


def _cells(line: str, separator: str) -> list[str]:
    line = line.split("#")[0].strip(" \r\n")
    if separator == r"\s+":
        return line.split()
    return [cell.strip() for cell in line.split(separator)]


def _layout(lines: list[str]) -> _Layout | None:
    """Where two lines of as many numbers follow each other, or the last line has some.

    Where the first lines fit several ways of writing, for they hold whole numbers, the one that fits most lines is it.
    """
    rows = [n for n, line in enumerate(lines) if line.strip() and not _is_comment(line)]
    for k, this in enumerate(rows):
        ways = {}
        for separator, decimal in product(_SEPARATORS, ".,"):
            counts = [_count(lines[n], separator, decimal) for n in rows[k : k + 2]]
            if counts[0] and len(set(counts)) == 1:
                following = [_count(lines[n], separator, decimal) for n in rows[k : k + _TRIED]]
                ways[_Layout(this, separator, decimal, counts[0])] = following.count(counts[0])
        if ways:
            return max(ways, key=lambda way: ways[way])
    return None


def _count(line: str, separator: str, decimal: str) -> int:
    """Number of cells, if all are numbers and one at least is not empty; 0 otherwise."""
    cells = _cells(line, separator)
    if separator == decimal or not any(cells) or not all(_CELLS[decimal].fullmatch(cell) for cell in cells):
        return 0
    # One number a line is a table only if nothing separates it: "1,5" is one number or two.
    return len(cells) if len(cells) > 1 or separator == r"\s+" else 0


def _check_end(path: Path, encoding: str, layout: _Layout) -> None:
    """Refuse a table that ends within a row; comments and empty lines after it are fine."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _HEAD) // 2 * 2)
        lines = file.read().decode("utf-16-le" if encoding == "utf-16" else encoding, errors="replace").splitlines()
    last = next((line for line in reversed(lines) if line.strip(" \0\x1a") and not _is_comment(line)), "")
    if len(_cells(last, layout.separator)) < layout.n_columns:
        raise LeakyflowError(f"{path.name} ends within a row, {last[:60]!r}: it is truncated. Copy it again.")


def _numbers(path: Path, encoding: str, layout: _Layout, skip: int) -> np.ndarray:
    import pandas as pd

    try:
        with parsing(path, "CSV"):
            table = pd.read_csv(
                path,
                sep=layout.separator,
                decimal=layout.decimal,
                skiprows=skip + layout.first,
                header=None,
                comment="#",
                encoding=encoding,
                skipinitialspace=True,
                na_values=["NA", "nan", "NaN", "NAN"],
                low_memory=False,
            )
    except LeakyflowError as error:
        if isinstance(error.__cause__, pd.errors.ParserError):
            raise LeakyflowError(
                f"All rows of {path.name} must have the same {layout.n_columns} columns ({error.__cause__}). Repair or "
                "leave out the row.".replace("\n", " ")
            ) from error
        raise
    return np.column_stack([_floats(table[name], n, path) for n, name in enumerate(table.columns)])


def _floats(column: "object", n: int, path: Path) -> np.ndarray:
    import pandas as pd

    assert isinstance(column, pd.Series)
    try:
        return column.to_numpy().astype(np.float64)
    except (ValueError, TypeError, OverflowError):
        numbers = pd.to_numeric(column, errors="coerce")
        bad = int((numbers.isna() & column.notna()).to_numpy().argmax())
        shown = str(column.iloc[bad])[:40]
        hint = " Write numbers without marks of thousands." if _MARKS_OF_GROUPS.search(shown) else ""
        raise LeakyflowError(
            f"Column {n + 1} of {path.name} must hold numbers, got {shown!r} in row {bad + 1} of the table. "
            f"Correct it, or write it as a comment with # before it.{hint}"
        ) from None


def _named(rows: np.ndarray, above: list[str], columns: tuple[str, ...] | None, layout: _Layout, path: Path) -> Table:
    header = column_names(above, layout.separator, rows.shape[1])
    while header is None and rows.shape[1] > 1 and np.isnan(rows[:, -1]).all():
        rows = rows[:, :-1]  # each line ends with a separator
        header = column_names(above, layout.separator, rows.shape[1])
    n = rows.shape[1]
    if header is None and n > 2 and (np.diff(rows[:, 0]) == 1).all():  # an index, which goes without a name
        unnamed = column_names(above, layout.separator, n - 1)
        header = None if unnamed is None else ["", *unnamed]
    if columns is not None and len(columns) != n:
        raise LeakyflowError(
            f"`columns` must name each of the {n} columns of {path.name}, got {len(columns)}: {','.join(columns)}. "
            "Write - for one that is not read.",
            argument="columns",
        )
    names = columns or header
    if names is None:
        raise _without_names(above, layout, n, path)
    return Table(names=tuple(names), columns=tuple(rows.T))


def _without_names(above: list[str], layout: _Layout, n: int, path: Path) -> LeakyflowError:
    if layout.separator == "," and n % 2 == 0 and column_names(above, ",", n // 2):
        return LeakyflowError(
            f"{path.name} must show where a column ends, but commas both separate its {n // 2} columns and mark the "
            "decimals. Export it again with semicolons or tabs between the columns, or with decimal points."
        )
    return LeakyflowError(
        f"{path.name} must be a table with a header, got {n} columns of numbers without names.\n{_EXPECTED}",
        argument="columns",
    )
