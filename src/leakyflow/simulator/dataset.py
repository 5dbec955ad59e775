"""Datasets: neurons drawn from the prior, and what they did, in memory or streamed to disk."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int32
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from leakyflow.errors import LeakyflowError
from leakyflow.files import claiming
from leakyflow.neuron.parameters import Parameters
from leakyflow.recordings.batch import Batch
from leakyflow.simulator.config import SimulatorConfig
from leakyflow.simulator.simulate import check_parameters, check_seed, simulate_traces
from leakyflow.simulator.stimulus_prior import draw_stimuli
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
    """Simulated recordings and the parameters behind them.

    Attributes:
        header: What they were drawn from.
        group: The arrays `V`, `I`, `spikes` and `refractory` of shape (dataset, time), `n_samples` and
            `stimulus` of shape (dataset,), and `parameters` of shape (dataset, parameter).
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

    def parameters(self, rows: slice = slice(None)) -> Parameters:
        """Parameters of some or all recordings; arrays of shape (dataset,), float64."""
        columns = self._read("parameters", rows).T
        return Parameters(**dict(zip(self.header.parameters, columns, strict=True)))

    def stimulus(self, rows: slice = slice(None)) -> Int32[np.ndarray, " dataset"]:
        """Place of each recording's stimulus prior in `config.stimuli`."""
        return self._read("stimulus", rows)

    def recordings(self, rows: slice = slice(None)) -> Batch:
        """Some or all recordings. All of a large dataset may not fit in memory: use `chunks`."""
        traces: dict[str, Any] = {name: self._read(name, rows) for name in TRACES}
        return Batch(
            **traces,
            n_samples=self._read("n_samples", rows),
            dt=self.config.dt,
            names=tuple(f"simulation {i}" for i in range(*rows.indices(len(self)))),
        )

    def chunks(self, size: int = CHUNK) -> Iterator[tuple[slice, Batch]]:
        """Go through the recordings in bounded memory."""
        for first in range(0, len(self), size):
            rows = slice(first, min(first + size, len(self)))
            yield rows, self.recordings(rows)

    def _array(self, name: str) -> "zarr.Array":
        return array_of(self.path, self.header, self.group, name)

    def _read(self, name: str, rows: slice) -> np.ndarray:
        return read(self.path, self.header, self.group, name, rows)


def make_dataset(
    config: HasSimulator, n: int, *, seed: int, out: str | Path | None = None, progress: bool = False
) -> Dataset:
    """Draw neurons, stimuli and durations from the prior and simulate them.

    Recording i depends on the configuration, the seed and i alone. On disk, the chunks are written one after
    the other; called again after an interruption, it continues where it stopped and gives the same bits.

    Args:
        config: A `Config`, or anything with a `simulator`.
        n: Number of recordings.
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
    simulator = config.simulator
    parameters, n_samples = simulator.prior.sample(n, seed), simulator.draw_n_samples(n, seed)
    check_parameters(parameters, simulator.dt)
    try:
        dataset = _begun(Header(simulator=simulator, seed=seed, n=n, chunk=CHUNK), None if out is None else Path(out))
        _write(dataset, parameters, n_samples, progress)
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


def _write(dataset: Dataset, parameters: Parameters, n_samples: np.ndarray, progress: bool) -> None:
    """Simulate the chunks that are missing. Each is marked as done last, so that a torn one is made again."""
    missing, path = np.flatnonzero(~dataset._read("done", slice(None))), dataset.path
    with claiming(path) if path is not None and len(missing) else nullcontext(False) as alone:
        if path is not None and alone:
            sweep_partial(path)
        _write_chunks(dataset, missing, parameters, n_samples, progress)
    if path is not None:
        check_complete(path, dataset.header, dataset.group)


def _write_chunks(
    dataset: Dataset, missing: np.ndarray, parameters: Parameters, n_samples: np.ndarray, progress: bool
) -> None:
    n, size, done = len(dataset), dataset.header.chunk, dataset._array("done")
    starts = {chunk: chunk * size for chunk in missing.tolist()}
    columns = TextColumn("simulating"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, disable=not progress, transient=True) as bar:
        task = bar.add_task("", total=n, completed=n - sum(min(size, n - start) for start in starts.values()))
        for chunk, start in starts.items():
            rows = slice(start, min(start + size, n))
            block = Parameters(
                **{name: np.asarray(getattr(parameters, name))[rows] for name in dataset.header.parameters}
            )
            _write_chunk(dataset, rows, block, n_samples[rows])
            done[chunk] = True
            bar.advance(task, rows.stop - start)


def _write_chunk(dataset: Dataset, rows: slice, parameters: Parameters, n_samples: np.ndarray) -> None:
    config, index = dataset.config, np.arange(rows.start, rows.stop)
    I, which = draw_stimuli(
        config.stimuli,
        index=index,
        n_samples=n_samples,
        n_time=config.n_time,
        dt=config.dt,
        seed=dataset.seed,
    )
    traces = simulate_traces(parameters, I, config.dt, seed=dataset.seed, index=index)
    padding = np.arange(config.n_time) >= n_samples[:, None]
    for name, values in traces._asdict().items():
        values[padding] = 0
        dataset._array(name)[rows] = values
    dataset._array("I")[rows] = I
    dataset._array("n_samples")[rows] = n_samples
    dataset._array("stimulus")[rows] = which
    dataset._array("parameters")[rows] = np.stack(
        [getattr(parameters, name) for name in dataset.header.parameters], axis=-1
    )
