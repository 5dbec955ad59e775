"""Sweeps that are kept back from the inference, to be predicted."""

from collections.abc import Sequence
from typing import Literal

from leakyflow.errors import LeakyflowError
from leakyflow.recordings.cell import Cell

__all__ = ["HoldOut", "kept_back", "parted", "places_of"]

HoldOut = Sequence[int] | Literal["auto"]

# Of how many sweeps one is kept back, from how many sweeps on.
ONE_IN, LEAST_SWEEPS = 5, 4


def kept_back(n_sweeps: int) -> list[int]:
    """Places of the sweeps that are kept back where nobody says which: one in five, spread over the protocol.

    The first and the last have part in the inference, so that families of steps are not extrapolated. None of less than
    four.

    Args:
        n_sweeps: Sweeps of the cell.

    Example:
        >>> kept_back(17), kept_back(4), kept_back(3)
        ([2, 8, 14], [2], [])
    """
    if n_sweeps < LEAST_SWEEPS:
        return []
    n = max(1, n_sweeps // ONE_IN)
    return [int((i + 0.5) * n_sweeps / n) for i in range(n)]


def places_of(hold_out: HoldOut, numbers: Sequence[int]) -> list[int]:
    """Places in a cell of the sweeps that are kept back.

    Args:
        hold_out: Their numbers in the file, of which there may be none; "auto" for those that are kept back where
            nobody says which.
        numbers: In the file, of the sweeps of the cell.

    Raises:
        LeakyflowError: If it names a sweep that is not read, or leaves none.

    Example:
        >>> places_of([5, 3], [3, 4, 5]), places_of([], [3, 4, 5]), places_of("auto", range(17))
        ([2, 0], [], [2, 8, 14])
    """
    if hold_out == "auto":
        return kept_back(len(numbers))
    wrong = [number for number in hold_out if number not in numbers]
    if wrong:
        raise LeakyflowError(
            f"`hold_out` must name sweeps that are read ({', '.join(map(str, numbers))}), got {wrong[0]}.",
            argument="hold_out",
        )
    if len(set(hold_out)) == len(numbers):
        raise LeakyflowError(
            f"`hold_out` must leave a sweep to infer from, got all {len(numbers)}. Keep fewer back.",
            argument="hold_out",
        )
    return [list(numbers).index(number) for number in dict.fromkeys(hold_out)]


def parted(cell: Cell, hold_out: HoldOut) -> tuple[Cell, Cell | None]:
    """The sweeps that the inference has, and those that it has not.

    Args:
        cell: With all its sweeps.
        hold_out: Places of sweeps in the cell, from 0, or "auto".

    Raises:
        LeakyflowError: If there is no such sweep, or none is left.

    Example:
        >>> import numpy as np
        >>> from leakyflow.recordings.recording import Recording
        >>> V, quiet = np.full(600, -70.0, np.float32), np.zeros(600, bool)
        >>> sweeps = [Recording(V=V, I=0 * V, spikes=quiet, refractory=quiet, dt=0.2, name=name) for name in "abcd"]
        >>> used, unseen = parted(Cell(sweeps, name="cell"), "auto")
        >>> [sweep.name for sweep in used], [sweep.name for sweep in unseen]
        (['a', 'b', 'd'], ['c'])
    """
    held = kept_back(len(cell)) if hold_out == "auto" else list(dict.fromkeys(hold_out))
    wrong = [place for place in held if not 0 <= place < len(cell)]
    if wrong:
        raise LeakyflowError(
            f"`hold_out` must name sweeps from 0 to {len(cell) - 1}, got {wrong[0]}. Count the sweeps that are read.",
            argument="hold_out",
        )
    if len(held) == len(cell):
        raise LeakyflowError(
            f"`hold_out` must leave a sweep to infer from, got all {len(cell)}. Keep fewer back.", argument="hold_out"
        )
    if not held:
        return cell, None
    used = [sweep for place, sweep in enumerate(cell) if place not in held]
    return Cell(used, name=cell.name, findings=cell.findings), Cell([cell[place] for place in held], name=cell.name)
