"""What is inferred of a cell, shown, and written."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from leakyflow import __version__
from leakyflow.cli.console import out
from leakyflow.cli.posteriors import load_typicality, show
from leakyflow.cli.tables import cell_table, posterior_table
from leakyflow.cli.window import Asked

if TYPE_CHECKING:
    from leakyflow.diagnostics.adequacy import Adequacy
    from leakyflow.models.posterior import Posterior
    from leakyflow.recordings.cell import Cell
    from leakyflow.simulator.prior import Prior

__all__ = ["inferred", "show_inferred", "show_read", "write_inferred"]

N_REASONS = 3  # why sweeps were left out


def show_read(asked: Asked, held: list[int], source: str) -> None:
    """Print what was read from a file, and what was not."""
    from leakyflow.likelihood.read_off import refractory_period

    cell = asked.cell
    low, high = min(float(s.I.min()) for s in cell), max(float(s.I.max()) for s in cell)
    spikes = f"{cell.n_spikes} spike{'s' if cell.n_spikes != 1 else ''}"
    if cell.n_spikes:
        spikes += f", refractory for {max(refractory_period(s) for s in cell if s.spikes.any()):.3g} ms"
    out.print()
    out.print(cell.name, style="bold", soft_wrap=True)
    out.print(f"{cell.duration:g} ms at dt {cell.dt:g} ms; {spikes}")
    out.print(f"{source}, here {low:.0f} to {high:.0f} pA", soft_wrap=True)
    if len(cell) > 1 or cell.left_out:
        used = [number for place, number in enumerate(asked.numbers) if place not in held]
        kept = f"; kept back: {ranges([asked.numbers[place] for place in sorted(held)])}" if held else ""
        out.print(f"Sweeps used: {ranges(used)}{kept}", soft_wrap=True)
    for number, reason in list(cell.left_out.items())[:N_REASONS]:
        out.print(f"Left out: sweep {number}. {' '.join(reason.split())}", soft_wrap=True)
    if len(cell.left_out) > N_REASONS:
        out.print(f"Left out, too: sweeps {ranges(list(cell.left_out)[N_REASONS:])}", soft_wrap=True)


def ranges(numbers: list[int]) -> str:
    """Numbers in order, runs of them in short.

    Example:
        >>> ranges([0, 1, 3, 4, 5, 9])
        '0, 1, 3-5, 9'
    """
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs)


def inferred(
    posterior: "Posterior",
    cell: "Cell",
    held: list[int],
    *,
    n_draws: int,
    seed: int,
    correct: bool | Literal["auto"],
) -> "Adequacy":
    """The posterior of the sweeps that are not kept back, and what it is worth."""
    from leakyflow.diagnostics.adequacy import adequacy_of
    from leakyflow.diagnostics.hold_out import parted
    from leakyflow.diagnostics.typicality_of_cells import fitting

    used, _ = parted(cell, held)
    typicality = load_typicality(posterior) if fitting(posterior, used) else None
    return adequacy_of(
        posterior, cell, hold_out=held, correct=correct, typicality=typicality, n_draws=n_draws, seed=seed
    )


def show_inferred(verdict: "Adequacy", prior: "Prior", *, seed: int) -> None:
    """Print the table of a posterior, and what it is worth."""
    from leakyflow.diagnostics.wording import about_resistance

    table = verdict.summary(prior, seed=seed)
    if len(verdict.used) > 1:
        out.print(cell_table(table))
        out.print("SD: exact, of this model. Between: SD between sweeps (?: too few tell), in the interval, too.")
    else:
        out.print(posterior_table(table, None))
    out.print(about_resistance(verdict.draws))
    for answer in verdict.answers():
        show(answer)


def write_inferred(verdict: "Adequacy", posterior: "Posterior", stem: Path, *, seed: int, source: Path) -> None:
    """Write figure and draws."""
    from leakyflow.diagnostics.plots.cells import plot_cell
    from leakyflow.diagnostics.plots.style import save_figure
    from leakyflow.likelihood.write_draws import write_draws

    figure = plot_cell(verdict.prediction, verdict.draws, posterior.prior, verdict.spread)
    for suffix in (".png", ".svg"):
        save_figure(figure, stem.with_name(stem.name + suffix))
        figure.set_layout_engine(None)  # to lay it out takes as long as to draw it, and is done
    names = ", ".join(sweep.name for sweep in verdict.used)
    attributes = {"recording": verdict.used.name, "sweeps": names, "seed": seed, "leakyflow": __version__}
    write_draws(verdict.draws, stem.with_name(f"{stem.name}.nc"), **attributes, file=str(source))
