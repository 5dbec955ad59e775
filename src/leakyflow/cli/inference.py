"""The commands that read files of a laboratory: what is in them, and which neuron is behind them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.text import Text

from leakyflow.cli.cells import inferred, show_inferred, show_read, write_inferred
from leakyflow.cli.console import out, show_files
from leakyflow.cli.options import (
    DEFAULT_NETWORK,
    ChannelOption,
    ColumnsOption,
    CurrentOption,
    FileArgument,
    HoldOutOption,
    IntervalOption,
    SeedOption,
    StepOption,
    UnitsOption,
    again,
    examples,
    group,
)
from leakyflow.cli.posteriors import channels
from leakyflow.cli.tables import said_of_all, sweeps_table
from leakyflow.cli.window import read_asked, said_hold_out
from leakyflow.errors import LeakyflowError
from leakyflow.files import filling
from leakyflow.recordings.window import Layout, Window

__all__ = ["commands"]

commands = group()


@commands.command(
    epilog=examples(
        "infer cell.abf",
        "infer cell.abf --hold-out 5,9 --start 100 --stop 2500",
        "infer cell.nwb --sweep 3 --sweep 4 --each --out results",
        "infer cell_v.ibw --current cell_i.ibw --network my_run --report",
    )
)
def infer(
    file: FileArgument,
    sweep: Annotated[
        list[int] | None,
        typer.Option(help="Number of a sweep, from 0; repeat for more, which are one cell.  \\[default: all]"),
    ] = None,
    each: Annotated[bool, typer.Option("--each", help="Infer each sweep by itself, not all as one cell.")] = False,
    hold_out: HoldOutOption = "auto",
    channel: ChannelOption = None,
    current: CurrentOption = None,
    columns: ColumnsOption = None,
    units: UnitsOption = None,
    dt_file: IntervalOption = None,
    step: StepOption = None,
    start: Annotated[float | None, typer.Option(help="Begin of the window, in ms, with the cell at rest.")] = None,
    stop: Annotated[float | None, typer.Option(help="End of the window, in ms.")] = None,
    t_ref: Annotated[float | None, typer.Option(help="Refractory period, in ms.  \\[default: from spikes]")] = None,
    spike_slope: Annotated[
        float | None, typer.Option(help="Least slope of a spike's upstroke, in mV/ms.  \\[default: adapted]")
    ] = None,
    spike_height: Annotated[
        float | None, typer.Option(help="Least height of a spike, in mV.  \\[default: adapted]")
    ] = None,
    network: Annotated[
        str, typer.Option(help="Folder of a run, or a network that ships: cell, lif (no adaptation; fast).")
    ] = DEFAULT_NETWORK,
    draws: Annotated[int, typer.Option(min=100, help="Posterior draws.")] = 1000,
    amortized: Annotated[bool, typer.Option("--amortized", help="Leave the network's draws uncorrected.")] = False,
    seed: SeedOption = 0,
    folder: Annotated[Path, typer.Option("--out", help="Folder for figures and draws.")] = Path("posteriors"),
    report: Annotated[bool, typer.Option("--report", help="Write a page to read, too (HTML).")] = False,
) -> None:
    """Infer the neuron behind a file: a table, whether to believe it, a figure (PNG, SVG), draws (NetCDF, by ArviZ).

    All sweeps are one cell, but for some that are kept back and predicted, where there are at least four.
    """
    from leakyflow.diagnostics.hold_out import places_of
    from leakyflow.recordings.sweeps import list_sweeps
    from leakyflow.training.run import load_posterior

    kept_back = said_hold_out(hold_out)
    layout = Layout(channel=channel, current=current, columns=columns, units=units, dt_file=dt_file, step=step)
    window = Window(
        **layout.layout, start=start, stop=stop, t_ref=t_ref, spike_slope=spike_slope, spike_height=spike_height
    )
    # Before the network, which takes seconds to load: what is wrong with the file is said at once.
    described = list_sweeps(file, **layout.layout)
    asked = read_asked(file, sweep, window, each=each)
    held = [places_of(kept_back, one.numbers) for one in asked]
    refuse_others(folder, [one.name for one in asked], file)
    posterior = load_posterior(network)
    if any(one.cell.dt != posterior.dt for one in asked):
        asked = read_asked(file, sweep, window, each=each, dt=posterior.dt)
    correct: bool | Literal["auto"] = False if amortized else "auto"
    given = window.reading | {"network": network, "draws": draws, "amortized": amortized, "seed": seed}
    given["dt"] = given.pop("dt_file")  # the option is named so
    given["hold_out"] = None if hold_out == "auto" else hold_out
    with filling(folder) as scratch:
        for one, places in zip(asked, held, strict=True):
            source = channels(described[one.numbers[0]])
            show_read(one, places, source)
            verdict = inferred(posterior, one.cell, places, n_draws=draws, seed=seed, correct=correct)
            show_inferred(verdict, posterior.prior, seed=seed)
            write_inferred(verdict, posterior, scratch / one.name, seed=seed, source=file.resolve())
            if report:
                from leakyflow.report.cell import cell_page

                command = again("infer", file, sweep=one.numbers if sweep else None, **given, each=each, report=True)
                page = cell_page(verdict, posterior, seed=seed, command=command, source=source)
                page.write_html(scratch / f"{one.name}.html")
    for one in asked:
        endings = (".png", ".svg", ".nc", *([".html"] if report else []))
        show_files(folder, [one.name + ending for ending in endings])


@commands.command(epilog=examples("sweeps cell.abf", "sweeps cell.abf --current command"))
def sweeps(
    file: FileArgument,
    channel: ChannelOption = None,
    current: CurrentOption = None,
    columns: ColumnsOption = None,
    units: UnitsOption = None,
    dt_file: IntervalOption = None,
    step: StepOption = None,
) -> None:
    """List the sweeps of a file: length, voltage, current and spikes of each."""
    from leakyflow.recordings.sweeps import list_sweeps

    layout = Layout(channel=channel, current=current, columns=columns, units=units, dt_file=dt_file, step=step)
    found = list_sweeps(file, **layout.layout, every=True)
    out.print(f"{file.name}: {channels(found[0])}", soft_wrap=True)
    if same := said_of_all(found):
        out.print(Text(same), soft_wrap=True)
    out.print(sweeps_table(found))


def refuse_others(folder: Path, names: Sequence[str], file: Path) -> None:
    """Refuse to replace results of another file of the same name.

    Raises:
        LeakyflowError: If there are any, or it cannot be told.
    """
    import h5py

    from leakyflow.schema import reading

    for path in (folder / f"{name}.nc" for name in names):
        if not path.is_file():
            continue
        with reading(path, "what it would replace", "Delete it, or choose another folder."), h5py.File(path) as results:
            other = str(results["posterior"].attrs.get("file", "an unknown file"))
        if other != str(file.resolve()):
            raise LeakyflowError(f"{path} holds the posterior of {other}. Choose another folder.", argument="folder")
