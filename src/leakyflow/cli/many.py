"""The command that works through many files."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from leakyflow.cli.console import err, out, show_files
from leakyflow.cli.errors import resumable
from leakyflow.cli.options import (
    ChannelOption,
    ColumnsOption,
    CurrentOption,
    HoldOutOption,
    IntervalOption,
    SeedOption,
    StepOption,
    UnitsOption,
    examples,
    group,
)
from leakyflow.cli.window import said_hold_out

if TYPE_CHECKING:
    import pandas as pd

    from leakyflow.batches.manifest import Manifest

__all__ = ["commands"]

commands = group()


@commands.command(
    epilog=examples(
        "batch recordings --out results --sweep 3 --start 900 --stop 1700",
        "batch recordings --out results --workers 8 --timeout 120",
        "batch recordings --out results --scheduler tcp://head:8786",
        "batch recordings --out results --plan",
        "batch recordings --out results --shard 3",
    )
)
def batch(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Of the recordings; every file is one cell.")],
    to: Annotated[Path, typer.Option("--out", help="Folder for the table, the page, draws and pictures.")],
    sweep: Annotated[
        list[int] | None,
        typer.Option(help="Number of a sweep of each file; repeat for more.  \\[default: all of current clamp]"),
    ] = None,
    hold_out: HoldOutOption = "auto",
    channel: ChannelOption = None,
    current: CurrentOption = None,
    columns: ColumnsOption = None,
    units: UnitsOption = None,
    dt_file: IntervalOption = None,
    step: StepOption = None,
    start: Annotated[float | None, typer.Option(help="Begin of the window, in ms, with the cell at rest.")] = None,
    stop: Annotated[float | None, typer.Option(help="End of the window, in ms.")] = None,
    network: Annotated[str, typer.Option(help="Folder of a run, or a network that ships.")] = "lif",
    draws: Annotated[int, typer.Option(min=100, help="Posterior draws of each cell.")] = 1000,
    amortized: Annotated[bool, typer.Option("--amortized", help="Leave the network's draws uncorrected.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds that a cell may take.")] = 600.0,
    shard_size: Annotated[int, typer.Option(min=1, help="Files that are written together.")] = 16,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes on this machine.  \\[default: one for each core]")
    ] = None,
    scheduler: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Dask scheduler to use instead.")] = None,
    shard: Annotated[int | None, typer.Option(min=0, help="Make this shard only, in this process.")] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Only look at the files, and count the shards.")] = False,
    seed: SeedOption = 0,
) -> None:
    """Infer the neuron behind each file of a folder: a table, a page to look at, draws and pictures.

    A file that cannot be used is a row with its error. Interrupted, the same command continues.
    """
    from leakyflow.batches.batch import begin
    from leakyflow.batches.collect import collect
    from leakyflow.batches.settings import Settings

    settings = Settings(
        sweeps=tuple(sweep) if sweep else None,
        hold_out=said_hold_out(hold_out),
        n_draws=draws,
        seed=seed,
        correct=not amortized,
        timeout=timeout,
        channel=channel,
        current=current,
        columns=columns,
        units=units,
        dt_file=dt_file,
        step=step,
        start=start,
        stop=stop,
    )
    manifest = begin(folder, to, network=network, settings=settings, shard_size=shard_size, look=shard is None)
    if plan:
        out.print(f"{len(manifest.files)} files in {manifest.n_shards} shards: 0 to {manifest.n_shards - 1}.")
        return
    with resumable(shlex.join(["leakyflow", *sys.argv[1:]])):
        work(to, manifest, workers=workers, scheduler=scheduler, shard=shard)
    if shard is None:
        show(to, collect(to))


def work(to: Path, manifest: "Manifest", *, workers: int | None, scheduler: str | None, shard: int | None) -> None:
    """Make shards, with a bar that says how long it will take."""
    from leakyflow.batches.batch import run
    from leakyflow.batches.shard import is_done

    left = [index for index in range(manifest.n_shards) if not is_done(to, index)] if shard is None else [shard]
    n_left = sum(len(manifest.shard(index)) for index in left)
    total = len(manifest.files) if shard is None else n_left
    columns = TextColumn("cells"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=err, disable=not err.is_terminal, transient=True) as bar:
        task = bar.add_task("", total=total, completed=total - n_left)
        run(to, workers=workers, scheduler=scheduler, shard=shard, done=lambda n: bar.advance(task, n))


def show(to: Path, table: "pd.DataFrame") -> None:
    """Say what came of it."""
    from leakyflow.batches.collect import CSV, INDEX, PARQUET

    for status, n in table["status"].value_counts().items():
        out.print(f"{n} {status}")
    show_files(to, [INDEX, CSV, PARQUET])
