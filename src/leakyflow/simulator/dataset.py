"""Datasets: neurons drawn from the prior, and what they did, in memory or streamed to disk."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int, Int32
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from leakyflow.errors import LeakyflowError
from leakyflow.files import claiming
from leakyflow.neuron.parameters import Parameters
from leakyflow.recordings.batch import Batch
from leakyflow.simulator.config import SimulatorConfig
from leakyflow.simulator.rows import as_batch, draw_parameters, simulate_rows
from leakyflow.simulator.simulate import check_seed
from leakyflow.simulator.store import (
    TRACES,
    Header,
    array_of,
    check_complete,
    create,
    open_group,
    read,
    sweep_partial,
)

if TYPE_CHECKING:
    import zarr

__all__ = ["CHUNK", "Dataset", "make_dataset", "open_dataset"]

# Recordings held in memory at a time: 1024 of 500 ms at 0.2 ms are some 25 MB.
CHUNK = 1024


@runtime_checkable
class HasSimulator(Protocol):
    """A configuration of which the simulator is a part."""

    @property
    def simulator(self) -> SimulatorConfig: ...


@dataclass(frozen=True, eq=False)
class Dataset:
    """Simulated recordings, or cells of many sweeps, and the parameters behind them.

    Where the configuration has protocols it is a dataset of cells: its length is their number, slices count them, and
    their sweeps are the rows of its arrays, one cell after the other.

    Attributes:
        header: What they were drawn from.
        group: The arrays `V`, `I`, `spikes` and `refractory` of shape (row, time), `n_samples` and
            `stimulus` of shape (row,), `parameters` of shape (row, parameter), and `cell`, of shape (row,), where there
            are protocols.
        path: Of the folder; None in memory.
    """

    header: Header
    group: "zarr.Group"
    path: Path | None = None

    @property
    def config(self) -> SimulatorConfig:
        """What they were drawn from."""
        return self.header.simulator

    @property
    def seed(self) -> int:
        """Of the whole dataset."""
        return self.header.seed

    def __len__(self) -> int:
        return self.header.n

    @property
    def n_sweeps(self) -> Int[np.ndarray, " dataset"]:
        """Sweeps of each cell; 1 throughout where each recording is one of its own."""
        return np.ones(len(self), int) if self.header.plan is None else self.header.plan.n_sweeps

    def parameters(self, rows: slice = slice(None)) -> Parameters:
        """Parameters of some or all recordings or cells; arrays of shape (dataset,), float64.

        What each sweep of a cell has for itself (scope "sweep") is that of its first one.
        """
        of_sweeps, n_sweeps = self.sweep_parameters(rows), self.n_sweeps[rows]
        return of_sweeps.map(lambda value: value[np.cumsum(n_sweeps) - n_sweeps])

    def sweep_parameters(self, rows: slice = slice(None)) -> Parameters:
        """Parameters of each sweep of some or all cells; arrays of shape (sweep,), float64."""
        columns = self._read("parameters", self._sweeps(rows)).T
        return Parameters(**dict(zip(self.header.parameters, columns, strict=True)))

    def stimulus(self, rows: slice = slice(None)) -> Int32[np.ndarray, " sweep"]:
        """Place of each sweep's stimulus prior in `config.stimuli`, or of its protocol in `config.protocols`."""
        return self._read("stimulus", self._sweeps(rows))

    def recordings(self, rows: slice = slice(None)) -> Batch:
        """Some or all recordings, or all sweeps of some or all cells.

        All of a large dataset may not fit in memory: use `chunks`.
        """
        sweeps, numbers = self._sweeps(rows), range(*rows.indices(len(self)))
        arrays = {name: self._read(name, sweeps) for name in (*TRACES, "n_samples")}
        return as_batch(self.header, arrays, sweeps, numbers)

    def chunks(self, size: int = CHUNK) -> Iterator[tuple[slice, Batch]]:
        """Go through the recordings, or cells, in bounded memory."""
        for rows in self.spans(len(self), size):
            yield rows, self.recordings(rows)

    def spans(self, n: int, size: int = CHUNK) -> list[slice]:
        """The first n recordings or cells in parts of at most so many sweeps, or of one cell that has more."""
        ends, spans, first = np.cumsum(self.n_sweeps[:n]), [], 0
        while first < len(ends):
            before = int(ends[first - 1]) if first else 0
            last = max(first + 1, int(np.searchsorted(ends, before + size, side="right")))
            spans.append(slice(first, last))
            first = last
        return spans

    def _sweeps(self, rows: slice) -> slice:
        """Rows of the arrays that hold some recordings or cells."""
        return rows if self.header.plan is None else self.header.plan.rows(rows)

    def _array(self, name: str) -> "zarr.Array":
        return array_of(self.path, self.header, self.group, name)

    def _read(self, name: str, rows: slice) -> np.ndarray:
        return read(self.path, self.header, self.group, name, rows)


def make_dataset(
    config: HasSimulator, n: int, *, seed: int, out: str | Path | None = None, progress: bool = False
) -> Dataset:
    """Draw neurons, stimuli and durations from the prior and simulate them.

    Where the configuration has protocols, each neuron is a cell of as many sweeps as its protocol has.
    Recording or cell i depends on the configuration, the seed and i alone. On disk, the chunks are written one after
    the other; called again after an interruption, it continues where it stopped and gives the same bits.

    Args:
        config: A `Config`, or anything with a `simulator`.
        n: Number of recordings, or of cells.
        seed: From 0 to 2^63 - 1.
        out: Zarr folder to write; in memory when None.
        progress: Show a progress bar on the terminal.

    Returns:
        The dataset.

    Raises:
        ValueError: If n, seed or a drawn parameter is out of range, or `out` holds something else, or is damaged.
        OSError: If the disk is full or cannot be written; finished chunks stay, and the same call continues.

    Example:
        >>> import leakyflow as lf
        >>> dataset = make_dataset(lf.load_config("quick"), 20, seed=1)
        >>> len(dataset), dataset.parameters().tau.shape, dataset.recordings().dt
        (20, (20,), 0.2)
    """
    if n < 1:
        raise LeakyflowError(f"`n` must be positive, got {n}.")
    check_seed(seed)
    header = Header(simulator=config.simulator, seed=seed, n=n, chunk=CHUNK)
    parameters = draw_parameters(header)
    try:
        dataset = _begun(header, None if out is None else Path(out))
        _write(dataset, parameters, progress)
    except OSError as error:
        raise OSError(
            error.errno,
            f"{error.strerror or error}, while writing the dataset {out}. Finished chunks stay: make room "
            "and call again with the same settings.",
        ) from error
    return dataset


def open_dataset(path: str | Path) -> Dataset:
    """Open a finished dataset.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is something else, unfinished, or damaged.

    Example:
        >>> import leakyflow as lf
        >>> _ = lf.make_dataset(lf.load_config("quick"), 20, seed=1, out="quick.zarr")
        >>> dataset = open_dataset("quick.zarr")
        >>> len(dataset), dataset.seed
        (20, 1)
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"No dataset at {path}. Make one with `leakyflow simulate`.")
    dataset = Dataset(*open_group(path, mode="r"), path)
    done = dataset._read("done", slice(None))
    if not done.all():
        raise LeakyflowError(
            f"The dataset {path} is unfinished: {np.sum(~done)} of {done.size} chunks are missing. Call "
            "make_dataset (or `leakyflow simulate`) again with the same settings to finish it."
        )
    check_complete(path, dataset.header, dataset.group)
    return dataset


def _begun(header: Header, path: Path | None) -> Dataset:
    """Create the arrays, or find them where the same call was interrupted."""
    if path is None or not path.exists():
        return Dataset(header, create(path, header), path)
    found, group = open_group(path, mode="r+")
    same = {
        "prior or stimuli": found.simulator == header.simulator,
        "seed": found.seed == header.seed,
        "n": found.n == header.n,
        "number of recordings written together": found.chunk == header.chunk,
    }
    if not all(same.values()):
        different = " and ".join(name for name, agrees in same.items() if not agrees)
        raise LeakyflowError(
            f"{path} holds a dataset with another {different}. Choose another folder, or delete this one."
        )
    return Dataset(found, group, path)


def _write(dataset: Dataset, parameters: Parameters, progress: bool) -> None:
    """Simulate the chunks that are missing. Each is marked as done last, so that a torn one is made again."""
    missing, path = np.flatnonzero(~dataset._read("done", slice(None))), dataset.path
    with claiming(path) if path is not None and len(missing) else nullcontext(False) as alone:
        if path is not None and alone:
            sweep_partial(path)
        _write_chunks(dataset, missing, parameters, progress)
    if path is not None:
        check_complete(path, dataset.header, dataset.group)


def _write_chunks(dataset: Dataset, missing: np.ndarray, parameters: Parameters, progress: bool) -> None:
    n, size = dataset.header.n_rows, dataset.header.chunk
    arrays = {name: dataset._array(name) for name in dataset.header.layout}
    starts = {chunk: chunk * size for chunk in missing.tolist()}
    columns = TextColumn("simulating"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    # One chunk is written while the next is simulated: the work in Python of either leaves a core free.
    with Progress(*columns, disable=not progress, transient=True) as bar, ThreadPoolExecutor(1) as writer:
        task = bar.add_task("", total=n, completed=n - sum(min(size, n - start) for start in starts.values()))
        before: Future[None] | None = None
        for chunk, start in starts.items():
            rows = slice(start, min(start + size, n))
            found = simulate_rows(dataset.header, parameters, rows)
            if before is not None:
                before.result()  # so that no more than two are in memory
            before = writer.submit(_write_chunk, arrays, chunk, rows, found)
            bar.advance(task, rows.stop - start)
        if before is not None:
            before.result()


def _write_chunk(arrays: dict[str, "zarr.Array"], chunk: int, rows: slice, simulated: dict[str, np.ndarray]) -> None:
    for name, values in simulated.items():
        arrays[name][rows] = values
    arrays["done"][chunk] = True
