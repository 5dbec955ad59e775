"""The commands that work through many files, or make many recordings, in shards."""

import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from leakyflow.cli.console import err, out, show_files
from leakyflow.cli.errors import resumable
from leakyflow.cli.options import (
    DEFAULT_NETWORK,
    ChannelOption,
    ColumnsOption,
    ConfigOption,
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
    network: Annotated[str, typer.Option(help="Folder of a run, or a network that ships.")] = DEFAULT_NETWORK,
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
        out.print(f"{len(manifest.files)} files in {len(manifest.shards)} shards: 0 to {len(manifest.shards) - 1}.")
        return
    with resumable(shlex.join(["leakyflow", *sys.argv[1:]])):
        work(to, manifest, workers=workers, scheduler=scheduler, shard=shard)
    if shard is None:
        show(to, collect(to))


@commands.command(
    epilog=examples(
        "summarize --config standard --n 100000000 --out data/big",
        "summarize --config standard --n 100000000 --out data/big --plan",
        "summarize --config standard --n 100000000 --out data/big --shard 3",
    )
)
def summarize(
    config: ConfigOption,
    n: Annotated[int, typer.Option(min=1, max=2**40, help="Recordings, or cells.")],
    to: Annotated[Path, typer.Option("--out", help="Folder for the shards.")],
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="The same seed gives the same result.")] = 0,
    shard_size: Annotated[int, typer.Option(min=1, help="Recordings, or cells, that are kept together.")] = 2**14,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes on this machine.  \\[default: one for each core]")
    ] = None,
    scheduler: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Dask scheduler to use instead.")] = None,
    shard: Annotated[int | None, typer.Option(min=0, help="Make this shard only, in this process.")] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Only count the shards.")] = False,
) -> None:
    """Simulate a dataset of any size, and keep parameters and statistics of each recording (Parquet).

    Traces are simulated again where they are wanted: open_summaries in Python. Interrupted, the same command continues.
    """
    from leakyflow.batches.plan import Plan
    from leakyflow.batches.summaries import is_made, run_summaries
    from leakyflow.training.config import load_config

    begun = Plan(simulator=load_config(config).simulator, n=n, seed=seed, shard_size=shard_size).begin(to)
    if plan:
        out.print(f"{n} in {len(begun.shards)} shards: 0 to {len(begun.shards) - 1}.")
        return
    left = [index for index in range(len(begun.shards)) if not is_made(to, index)] if shard is None else [shard]
    n_left = sum(len(begun.shards.numbers(index)) for index in left)
    with (
        resumable(shlex.join(["leakyflow", *sys.argv[1:]])),
        progress_of("recordings", n if shard is None else n_left, n_left) as advance,
    ):
        run_summaries(to, workers=workers, scheduler=scheduler, shard=shard, done=advance)


@contextmanager
def progress_of(what: str, total: int, left: int) -> Iterator[Callable[[int], None]]:
    """A bar that says how long it will take."""
    columns = TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=err, disable=not err.is_terminal, transient=True) as bar:
        task = bar.add_task("", total=total, completed=total - left)
        yield lambda n: bar.advance(task, n)


def work(to: Path, manifest: "Manifest", *, workers: int | None, scheduler: str | None, shard: int | None) -> None:
    """Make shards, with a bar that says how long it will take."""
    from leakyflow.batches.batch import run
    from leakyflow.batches.shard import is_done

    left = [index for index in range(len(manifest.shards)) if not is_done(to, index)] if shard is None else [shard]
    n_left = sum(len(manifest.shards.numbers(index)) for index in left)
    total = len(manifest.files) if shard is None else n_left
    with progress_of("cells", total, n_left) as advance:
        run(to, workers=workers, scheduler=scheduler, shard=shard, done=advance)


def show(to: Path, table: "pd.DataFrame") -> None:
    """Say what came of it."""
    from leakyflow.batches.collect import CSV, INDEX, PARQUET

    for status, n in table["status"].value_counts().items():
        out.print(f"{n} {status}")
    show_files(to, [INDEX, CSV, PARQUET])
