"""The command that asks which mechanisms a cell needs."""

from typing import TYPE_CHECKING, Annotated

import typer

from leakyflow.cli.console import out, warn
from leakyflow.cli.options import (
    ChannelOption,
    ColumnsOption,
    CurrentOption,
    FileArgument,
    IntervalOption,
    SeedOption,
    StepOption,
    UnitsOption,
    examples,
    group,
)
from leakyflow.cli.tables import rungs_table
from leakyflow.errors import LeakyflowError

if TYPE_CHECKING:
    from leakyflow.diagnostics.comparison import Compared
    from leakyflow.recordings.cell import Cell

__all__ = ["commands"]

AUTO, NONE = "auto", "none"

commands = group()


@commands.command(
    epilog=examples(
        "compare cell.abf",
        "compare cell.abf --start 900 --stop 2500 --hold-out 4,9",
        "compare cell.nwb --rung lif --rung dendrite",
    )
)
def compare(
    file: FileArgument,
    sweep: Annotated[
        list[int] | None, typer.Option(help="Number of a sweep; repeat for more.  \\[default: all]")
    ] = None,
    hold_out: Annotated[
        str,
        typer.Option(metavar="SWEEPS", help="Sweeps kept back: 4,9, or none. Auto is every third of four or more."),
    ] = AUTO,
    rungs: Annotated[
        list[str] | None, typer.Option("--rung", help="A neuron to compare; repeat for more.  \\[default: all]")
    ] = None,
    channel: ChannelOption = None,
    current: CurrentOption = None,
    columns: ColumnsOption = None,
    units: UnitsOption = None,
    dt_file: IntervalOption = None,
    step: StepOption = None,
    start: Annotated[float | None, typer.Option(help="Begin of the window, in ms, with the cell at rest.")] = None,
    stop: Annotated[float | None, typer.Option(help="End of the window, in ms.")] = None,
    seed: SeedOption = 0,
) -> None:
    """Compare neurons with more and more mechanisms: what is each worth to a cell, and does it predict?

    Each is fitted to all sweeps but those kept back, in seconds to minutes; no network has a part in it. The rung sag
    is the neuron of the network cell. The rung lif is not that of the network lif, which has an electrode, and noises
    that are read off the rest: its verdict is that of infer --network lif.
    """
    from leakyflow.diagnostics.comparison import compared, table_of, verdict
    from leakyflow.likelihood.climb_ladder import climb_ladder
    from leakyflow.recordings.read_cell import read_cell

    layout = {"channel": channel, "current": current, "columns": columns, "units": units, "dt_file": dt_file}
    cell = read_cell(file, sweep, **layout, step=step, start=start, stop=stop)  # type: ignore[arg-type]
    used, held_out = _divided(cell, hold_out)
    for number, reason in cell.left_out.items():
        warn(f"Sweep {number} is left out: {reason}")
    kept = f"; {len(held_out)} kept back, with {held_out.n_spikes} spikes" if held_out else "; none kept back"
    shown = f"{len(used)} sweeps, {used.duration / 1e3:.3g} s, {used.n_spikes} spikes"
    out.print(f"{file.name}: {shown}{kept}", soft_wrap=True)
    found: list[Compared] = []
    for fit in climb_ladder(used, rungs or None):
        found.append(compared(fit, held_out, seed=seed))
        if out.is_terminal:
            out.print(f"  {fit.rung} ...", style="dim")
    table = table_of(found)
    out.print(rungs_table(table))
    out.print(f"Evidence and density of what was held out: nats above {table.index[0]}.", soft_wrap=True)
    for line in verdict(table):
        out.print(line, soft_wrap=True)


def _divided(cell: "Cell", hold_out: str) -> "tuple[Cell, Cell | None]":
    """Sweeps to infer from, and those kept back."""
    from leakyflow.diagnostics.comparison import keep_back
    from leakyflow.diagnostics.hold_out import parted

    if hold_out in (AUTO, NONE):
        return keep_back(cell) if hold_out == AUTO else (cell, None)
    wanted = {part.strip() for part in hold_out.split(",")}
    held = [i for i, sweep in enumerate(cell) if any(f" sweep {part}," in f"{sweep.name}," for part in wanted)]
    if len(held) != len(wanted) or len(held) == len(cell):
        raise LeakyflowError(
            f"`hold_out` must name some of the {len(cell)} sweeps that are used and leave others, got {hold_out!r}. "
            "Write numbers with commas between, as in 4,9, or none.",
            argument="hold_out",
        )
    return parted(cell, held)
