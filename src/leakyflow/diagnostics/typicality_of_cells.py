"""Whether a cell could be a simulation, by its sweeps."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from leakyflow.diagnostics.cloud import ATYPICAL
from leakyflow.diagnostics.wording import typicality_note
from leakyflow.models.posterior import Block, Posterior
from leakyflow.recordings.cell import Cell
from leakyflow.recordings.recording import Recording

if TYPE_CHECKING:
    from leakyflow.diagnostics.typicality import Typicality, Verdict

__all__ = ["check_cell", "fitting", "seen"]


def fitting(posterior: Posterior, cell: Cell) -> list[Recording]:
    """The sweeps that last as long as simulations of the network do; none where these are whole cells."""
    if posterior.network.takes_cells:
        return []
    shortest, longest = posterior.duration
    return [sweep for sweep in cell if shortest - 1e-6 <= sweep.duration <= longest + 1e-6]


def seen(posterior: Posterior, cell: Cell) -> list[Block] | None:
    """What the network sees of a single sweep, of which draws and typicality are made; None where it takes none."""
    if len(cell) > 1 or not fitting(posterior, cell):
        return None
    recordings, _ = posterior.as_recordings(cell)
    return list(posterior.blocks(recordings))


def check_cell(
    posterior: Posterior,
    cell: Cell,
    typicality: "Typicality | None" = None,
    blocks: Sequence[Block] | None = None,
) -> "tuple[Verdict | None, str]":
    """Ask the simulations of a network about each sweep, and take the most unusual one for the cell.

    Sweeps of one cell are not independent. Whatever they are, the smallest of n p-values is below alpha / n in at most
    a share alpha of cells (Bonferroni), so the cell's is n times the smallest.

    Args:
        posterior: Of the network.
        cell: Its sweeps.
        typicality: What is typical to the network; loaded or simulated where it is needed, and not given.
        blocks: From `seen`, where they were made before.

    Returns:
        The verdict; None where the network takes no such sweeps, with the reason.
    """
    from leakyflow.diagnostics.typicality import Verdict, typicality_of

    if posterior.network.takes_cells:
        return None, f"single sweeps are held against simulations of such, and `{posterior.name}` knows whole cells"
    fits = fitting(posterior, cell)
    if not fits:
        shortest, longest = posterior.duration
        return None, f"the simulations of `{posterior.name}` last {shortest:g} to {longest:g} ms, and no sweep does"
    known = typicality or typicality_of(posterior)
    worst, own = known.most_unusual(fits, blocks)
    if len(fits) == 1:
        return own, ""
    p = min(1.0, own.p * len(fits))
    reason = f"Most of all {fits[worst].name or 'one sweep'}: {own.reason}"
    return Verdict(p, p >= ATYPICAL, typicality_note(p, reason), reason), ""
