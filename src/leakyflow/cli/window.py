"""Which part of a file is read, and which of its sweeps are a cell."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from leakyflow.errors import LeakyflowError
from leakyflow.recordings.window import Window

if TYPE_CHECKING:
    from leakyflow.recordings.cell import Cell

__all__ = ["Asked", "read_asked", "said_hold_out"]

MOST_NAMED = 4  # sweeps in the name of a file


class Asked(NamedTuple):
    """One cell that is to be inferred."""

    cell: "Cell"
    numbers: list[int]  # in the file, of its sweeps
    name: str  # of its results


def read_asked(
    file: Path, sweeps: list[int] | None, window: Window, *, each: bool, dt: float | None = None
) -> list[Asked]:
    """All sweeps of the file, or those that are named, as one cell, or each as one.

    Args:
        file: To read.
        sweeps: Numbers that are named; None for all.
        window: Of each.
        each: Whether each sweep is a cell of its own.
        dt: Sampling interval of the recordings, in ms.
    """
    from leakyflow.recordings.cell import Cell
    from leakyflow.recordings.read_cell import numbers_of, read_cell

    named = None if sweeps is None else list(dict.fromkeys(sweeps))
    cell = read_cell(file, named, dt=dt, **window.reading)
    numbers = numbers_of(cell, named)
    if not each:
        return [Asked(cell, numbers, _name(window, file, named))]
    left_out = {number: reason for number, reason in cell.left_out.items() if named is not None}
    if left_out:
        raise LeakyflowError(f"Sweep {min(left_out)} cannot be used: {left_out[min(left_out)]}", argument="sweep")
    return [Asked(Cell([sweep]), [k], _name(window, file, [k])) for k, sweep in zip(numbers, cell, strict=True)]


def _name(window: Window, file: Path, sweeps: Sequence[int] | None) -> str:
    """What results are called, so that other sweeps, another window or channel do not replace them."""
    words = [file.stem]
    if sweeps:
        few = len(sweeps) <= MOST_NAMED
        words.append("sweep" + ("-".join(map(str, sweeps)) if few else f"{sweeps[0]}-to-{sweeps[-1]}"))
    words += [] if window.channel is None else ["".join(c if c.isalnum() else "-" for c in str(window.channel))]
    if window.start is not None or window.stop is not None:
        end = "end" if window.stop is None else f"{window.stop:g}"
        words.append(f"{0 if window.start is None else window.start:g}-{end}ms")
    return "_".join(words)


def said_hold_out(hold_out: str) -> tuple[int, ...] | Literal["auto"]:
    """Numbers of the sweeps that are kept back, none where it is empty, or "auto".

    Args:
        hold_out: Numbers of sweeps in the file, separated by commas, "none" or "auto".

    Raises:
        LeakyflowError: If it says something else.

    Example:
        >>> said_hold_out("5, 3"), said_hold_out("none"), said_hold_out("auto")
        ((5, 3), (), 'auto')
    """
    if hold_out == "auto":
        return "auto"
    said = [] if hold_out == "none" else [word.strip() for word in hold_out.split(",")]
    wrong = [word for word in said if not word.isdecimal()]
    if wrong:
        raise LeakyflowError(
            f"`hold_out` must be auto, none, or numbers of sweeps, separated by commas, got {wrong[0]!r}.",
            argument="hold_out",
        )
    return tuple(int(word) for word in said)
