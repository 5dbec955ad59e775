"""Datasets of any size: of each recording its parameters and statistics are kept, and its traces simulated again."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from leakyflow.batches.engine import make_shards
from leakyflow.batches.plan import Plan
from leakyflow.batches.shard import place
from leakyflow.errors import LeakyflowError
from leakyflow.files import creating, sweep
from leakyflow.likelihood.sufficient import compress
from leakyflow.models.statistics import STATISTICS, summary_statistics
from leakyflow.neuron.parameters import Parameters
from leakyflow.recordings.batch import Batch
from leakyflow.recordings.cell import Cell
from leakyflow.recordings.recording import Recording
from leakyflow.schema import reading
from leakyflow.simulator.dataset import HasSimulator
from leakyflow.simulator.rows import as_batch, draw_parameters, simulate_rows
from leakyflow.simulator.store import TRACES, Header

__all__ = ["SHARD_SIZE", "Summaries", "make_summaries", "open_summaries", "run_summaries"]

SHARD_SIZE = 2**14
SUMMARIES = "summaries.parquet"
TOGETHER = 256  # recordings in memory at a time, which is a shape that statistics are compiled for


@dataclass(frozen=True, eq=False)
class Summaries:
    """A dataset of which summaries were kept. Its length is the number of recordings, or of cells.

    Attributes:
        folder: That holds it.
        plan: What it was drawn from.
    """

    folder: Path
    plan: Plan

    def __len__(self) -> int:
        return self.plan.n

    def __getitem__(self, i: int) -> Recording | Cell:
        """Recording i, or all sweeps of cell i, simulated again to the same bits."""
        if not 0 <= i < len(self):
            raise IndexError(f"Recordings are numbered from 0 to {len(self) - 1}, got {i}.")
        index, own = divmod(i, self.plan.shard_size)
        header = self.plan.header(index)
        rows = slice(own, own + 1) if header.plan is None else header.plan.rows(slice(own, own + 1))
        found = as_batch(header, simulate_rows(header, draw_parameters(header), rows), rows, range(i, i + 1))
        return next(found.cells()) if header.plan is not None else found[0]

    def table(self, shard: int) -> pd.DataFrame:
        """A row for each recording of a shard, or for each sweep of its cells.

        Returns:
            Columns `number` (of the recording or cell), each parameter, `n_samples`, `stimulus` (place of its prior or
            protocol), and each of the `STATISTICS`, in single precision.

        Raises:
            FileNotFoundError: If the shard is not made yet.
            LeakyflowError: If there is no such shard, or its table is not what was written.
        """
        numbers, path = self.plan.shards.numbers(shard), place(self.folder, shard) / SUMMARIES
        if not path.is_file():
            raise FileNotFoundError(f"{path} is not made yet. Make it by make_summaries(..., shard={shard}).")
        cure = f"Delete {path.parent}, and make the shard again."
        with reading(path, "its table", cure):
            table = pd.read_parquet(path, page_checksum_verification=True)
        wanted = ["number", *self.plan.header(shard).parameters, "n_samples", "stimulus", *STATISTICS]
        if list(table.columns) != wanted or not np.array_equal(table["number"].unique(), numbers):
            raise LeakyflowError(
                f"{path} must hold summaries of recordings {numbers.start} to {numbers.stop - 1}, got other rows or "
                f"columns. {cure}"
            )
        return table

    def tables(self) -> Iterator[pd.DataFrame]:
        """Go through all shards in bounded memory."""
        return (self.table(shard) for shard in range(len(self.plan.shards)))


def make_summaries(
    config: HasSimulator,
    n: int,
    *,
    seed: int,
    out: str | Path,
    shard_size: int = SHARD_SIZE,
    workers: int | None = None,
    scheduler: str | None = None,
    shard: int | None = None,
) -> Summaries:
    """Simulate a dataset of any size in shards, and keep a row of summaries for each recording.

    Traces are some seventy times as large; they are simulated again where they are wanted, for each recording depends
    on the configuration, the seed, the shard size and its number alone. Shards are made as those of `batch` are: by any
    worker, in any order, twice if need be; called again, it makes those that are missing.

    Args:
        config: A `Config`, or anything with a `simulator`.
        n: Number of recordings, or of cells.
        seed: From 0 to 2^63 - 1.
        out: Folder for the shards.
        shard_size: Recordings, or cells, that are kept together.
        workers: Processes on this machine; None takes one for each core.
        scheduler: Address of a Dask scheduler that runs, in place of processes on this machine.
        shard: Make this shard only, in this process and without Dask, as one task of many on a cluster.

    Returns:
        The dataset; a shard that is not made yet cannot be read.

    Raises:
        LeakyflowError: If a number is out of range, `out` holds another dataset, or Dask is not installed.

    Example:
        >>> import leakyflow as lf
        >>> made = make_summaries(lf.load_config("quick"), 40, seed=1, out="summaries", shard_size=20, shard=1)
        >>> table = made.table(1)
        >>> len(made), len(table), int(table.number[0]), bool(table.rate[0] * made[20].duration / 1000.0 < 1e3)
        (40, 20, 20, True)
    """
    for name, value in {"n": n, "shard_size": shard_size}.items():
        if value < 1:
            raise LeakyflowError(f"`{name}` must be at least 1, got {value}.", argument=name)
    Plan(simulator=config.simulator, n=n, seed=seed, shard_size=shard_size).begin(Path(out))
    run_summaries(Path(out), workers=workers, scheduler=scheduler, shard=shard)
    return open_summaries(out)


def open_summaries(out: str | Path) -> Summaries:
    """Open a dataset of which summaries were kept.

    Raises:
        FileNotFoundError: If there is none.
        LeakyflowError: If it is something else.

    Example:
        >>> import leakyflow as lf
        >>> _ = lf.make_summaries(lf.load_config("quick"), 20, seed=1, out="kept", shard=0)
        >>> len(open_summaries("kept")), sum(map(len, open_summaries("kept").tables()))
        (20, 20)
    """
    return Summaries(Path(out), Plan.load(Path(out)))


def run_summaries(
    out: Path,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    shard: int | None = None,
    done: Callable[[int], None] = lambda n: None,
) -> None:
    """Make the shards that are missing, or one of them.

    Args:
        out: Folder of a dataset that was begun.
        workers: As in `make_summaries`.
        scheduler: As in `make_summaries`.
        shard: As in `make_summaries`.
        done: Is told the number of recordings of each shard that is made.
    """
    if shard is not None:
        done(make_shard(out, shard))
        return
    missing = [index for index in range(len(Plan.load(out).shards)) if not is_made(out, index)]
    make_shards(make_shard, out, missing, workers=workers, scheduler=scheduler, done=done)


def is_made(out: Path, index: int) -> bool:
    """Whether a shard is there, and so is whole."""
    return (place(out, index) / SUMMARIES).is_file()


def make_shard(out: Path, index: int) -> int:
    """Make a shard, unless it is there; gives its number of recordings."""
    plan, folder = Plan.load(out), place(out, index)
    numbers = plan.shards.numbers(index)
    if is_made(out, index):
        return len(numbers)
    sweep(folder)
    try:
        with creating(folder) as scratch:
            _table(plan.header(index), numbers.start).to_parquet(
                scratch / SUMMARIES, index=False, write_page_checksum=True
            )
    except OSError:
        if not is_made(out, index):  # another worker may have been faster
            raise
    return len(numbers)


def _table(header: Header, first: int) -> pd.DataFrame:
    """Summaries of a shard, whose recordings are numbered from here on."""
    parameters = draw_parameters(header)
    starts = range(0, header.n_rows, TOGETHER)
    parts = [_rows(header, parameters, slice(k, min(k + TOGETHER, header.n_rows)), first) for k in starts]
    return pd.concat(parts, ignore_index=True)


def _rows(header: Header, parameters: Parameters, rows: slice, first: int) -> pd.DataFrame:
    arrays = simulate_rows(header, parameters, rows)
    n_samples, traces = arrays["n_samples"], {name: arrays[name] for name in TRACES}
    named: dict[str, Any] = traces | {"names": ("",) * len(n_samples)}
    batch = Batch(**named, n_samples=n_samples, dt=header.simulator.dt)
    cell = np.arange(rows.start, rows.stop) if header.plan is None else header.plan.cell[rows]
    own = pd.DataFrame({"number": first + cell})
    given = pd.DataFrame(arrays["parameters"], columns=list(header.parameters))
    of_stimulus = pd.DataFrame({"n_samples": n_samples, "stimulus": arrays["stimulus"]})
    statistics = summary_statistics(batch, compress(batch)).astype(np.float32)
    return pd.concat([own, given, of_stimulus, pd.DataFrame(statistics, columns=list(STATISTICS))], axis=1)
