"""The command that writes neurons for other simulators."""

from pathlib import Path
from typing import Annotated

import typer

from leakyflow.cli.console import out, show_files, warn
from leakyflow.cli.options import SeedOption, examples, group

__all__ = ["commands"]

commands = group()


@commands.command(
    epilog=examples(
        "export posteriors/cell_sweep3.nc --to brian2",
        "export cell.nc --to brian2 --n 100 --out network/cells.json",
        "export cell.nc --to nest --without threshold_noise",
    )
)
def export(
    file: Annotated[Path, typer.Argument(metavar="DRAWS", help="Draws as `leakyflow infer` writes them (NetCDF).")],
    target: Annotated[str, typer.Option("--to", metavar="TARGET", help="nest, brian2, neuroml, allen or pynn.")],
    to: Annotated[
        Path | None,
        typer.Option("--out", help="JSON file; a script goes beside it.  \\[default: as DRAWS, in this folder]"),
    ] = None,
    n: Annotated[
        int | None, typer.Option(min=1, help="Neurons, each another draw.  \\[default: one, the posterior mean]")
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(metavar="PARAMETER", help="Part to leave out, which TARGET lacks; repeat for more."),
    ] = None,
    dt: Annotated[
        float | None, typer.Option("--dt", metavar="MS", help="Step, where DRAWS does not say what it was inferred at.")
    ] = None,
    seed: SeedOption = 0,
) -> None:
    """Write inferred neurons for another simulator: data (JSON) and a script that runs.

    What TARGET cannot express is refused, unless it may be left out; the file names what it lacks.
    """
    from leakyflow.exports.export import export as write
    from leakyflow.likelihood.read_draws import read_draws

    place = Path(f"{file.stem}.json") if to is None else to
    written = write(read_draws(file), target, out=place, n=n, seed=seed, without=without or (), dt=dt)
    for name, why in written.left_out.items():
        warn(f"Without {name}: {why}.")
    for note in written.notes:
        out.print(note)
    show_files(place.parent, [path.name for path in written.files])
