"""Datasets: neurons drawn from the prior, and what they did, in memory or streamed to disk."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast, runtime_checkable

import numpy as np
from jaxtyping import Int32
from pydantic import TypeAdapter
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from leakyflow.recordings.recording import Recordings
from leakyflow.simulator.config import SimulatorConfig
from leakyflow.simulator.lif import check_parameters, check_seed, simulate_traces
from leakyflow.simulator.parameters import Parameters
from leakyflow.simulator.stimulus_prior import draw_stimuli

if TYPE_CHECKING:
    import zarr

__all__ = ["CHUNK", "Dataset", "make_dataset", "open_dataset"]

# Recordings held in memory at a time: 1024 of 500 ms at 0.2 ms are some 25 MB.
CHUNK = 1024
TRACES = {"V": np.float32, "I": np.float32, "spikes": np.bool_, "refractory": np.bool_}
FORMAT = 1
ARRAYS = (*TRACES, "n_samples", "stimulus", "parameters", "done")
N_PARAMETERS = len(Parameters._fields)


@runtime_checkable
class HasSimulator(Protocol):
    """A configuration of which the simulator is a part."""

    @property
    def simulator(self) -> SimulatorConfig: ...


@dataclass(frozen=True, eq=False)
class Dataset:
    """Simulated recordings and the parameters behind them.

    Attributes:
        config: What they were drawn from.
        seed: Of the whole dataset.
        group: The arrays `V`, `I`, `spikes` and `refractory` of shape (dataset, time), `n_samples` and
            `stimulus` of shape (dataset,), and `parameters` of shape (dataset, 10).
    """

    config: SimulatorConfig
    seed: int
    group: "zarr.Group"

    def __len__(self) -> int:
        return self._array("n_samples").shape[0]

    def parameters(self, rows: slice = slice(None)) -> Parameters:
        """Parameters of some or all recordings; ten arrays of shape (dataset,), float64."""
        return Parameters(*self._read("parameters", rows).T)

    def stimulus(self, rows: slice = slice(None)) -> Int32[np.ndarray, " dataset"]:
        """Place of each recording's stimulus prior in `config.stimuli`."""
        return self._read("stimulus", rows)

    def recordings(self, rows: slice = slice(None)) -> Recordings:
        """Some or all recordings. All of a large dataset may not fit in memory: use `chunks`."""
        return Recordings(
            **{name: self._read(name, rows) for name in TRACES},
            n_samples=self._read("n_samples", rows),
            dt=self.config.dt,
            names=tuple(f"simulation {i}" for i in range(*rows.indices(len(self)))),
        )

    def chunks(self, size: int = CHUNK) -> Iterator[tuple[slice, Recordings]]:
        """Go through the recordings in bounded memory."""
        for first in range(0, len(self), size):
            rows = slice(first, min(first + size, len(self)))
            yield rows, self.recordings(rows)

    def _array(self, name: str) -> "zarr.Array":
        return cast("zarr.Array", self.group[name])

    def _read(self, name: str, rows: slice) -> np.ndarray:
        return np.asarray(self._array(name)[rows])


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
        ValueError: If n, seed or a drawn parameter is out of range, or `out` holds something else.
        OSError: If the disk is full or cannot be written; finished chunks stay, and the same call continues.
    """
    if n < 1:
        raise ValueError(f"`n` must be positive, got {n}.")
    check_seed(seed)
    simulator = config.simulator
    parameters, n_samples = simulator.parameters.sample(n, seed), simulator.draw_n_samples(n, seed)
    check_parameters(parameters, simulator.dt)
    try:
        dataset = Dataset(simulator, seed, _open_group(simulator, n, seed, out))
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
        ValueError: If it is something else, or unfinished.
    """
    if not Path(path).exists():
        raise FileNotFoundError(f"No dataset at {path}. Make one with `leakyflow simulate`.")
    dataset = _open(Path(path), mode="r")
    done = dataset._read("done", slice(None))
    if not done.all():
        raise ValueError(
            f"The dataset {path} is unfinished: {np.sum(~done)} of {done.size} chunks are missing. Call "
            "make_dataset (or `leakyflow simulate`) again with the same settings to finish it."
        )
    return dataset


def _write(dataset: Dataset, parameters: Parameters, n_samples: np.ndarray, progress: bool) -> None:
    """Simulate the chunks that are missing. Each is marked as done last, so that a torn one is made again."""
    n, done = len(dataset), dataset._array("done")
    starts = {chunk: chunk * CHUNK for chunk, finished in enumerate(np.asarray(done[:])) if not finished}
    columns = TextColumn("simulating"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, disable=not progress, transient=True) as bar:
        task = bar.add_task("", total=n, completed=n - sum(min(CHUNK, n - start) for start in starts.values()))
        for chunk, start in starts.items():
            rows = slice(start, min(start + CHUNK, n))
            block = Parameters(*(np.asarray(value)[rows] for value in parameters))
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
    dataset._array("parameters")[rows] = np.stack(parameters, axis=-1)


def _open_group(config: SimulatorConfig, n: int, seed: int, out: str | Path | None) -> "zarr.Group":
    """Create the arrays, or find them where the same call was interrupted."""
    header = {"format": FORMAT, "simulator": config.to_dict(), "seed": seed, "n": n}
    if out is None:
        return _create({}, header, config.n_time)
    path = Path(out)
    if not path.exists():
        _create_folder(path, header, config.n_time)
    found = _open(path, mode="r+")
    same = {"prior or stimuli": found.config == config, "seed": found.seed == seed, "n": len(found) == n}
    if not all(same.values()):
        different = " and ".join(name for name, agrees in same.items() if not agrees)
        raise ValueError(f"{path} holds a dataset with another {different}. Choose another folder, or delete this one.")
    return found.group


def _open(path: Path, mode: Literal["r", "r+"]) -> Dataset:
    import zarr

    try:
        if not path.is_dir():
            raise NotADirectoryError(str(path))
        group = zarr.open_group(str(path), mode=mode)
        header = dict(group.attrs)
        if header["format"] != FORMAT or set(group.array_keys()) != set(ARRAYS):
            raise ValueError("another format, or incomplete")
        config = TypeAdapter(SimulatorConfig).validate_python(header["simulator"])
        return Dataset(config, int(cast(int, header["seed"])), group)
    except (KeyError, TypeError, ValueError, FileNotFoundError, NotADirectoryError) as error:
        raise ValueError(
            f"{path} is not a leakyflow dataset of this version. Choose another folder, or make one with "
            "`leakyflow simulate`."
        ) from error


def _create_folder(path: Path, header: dict[str, Any], n_time: int) -> None:
    """Build beside and rename, so that no half-made header is ever found."""
    scratch = path.with_name(path.name + ".new")
    shutil.rmtree(scratch, ignore_errors=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        _create(str(scratch), header, n_time)
        scratch.rename(path)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


def _create(store: Any, header: dict[str, Any], n_time: int) -> "zarr.Group":
    import zarr  # not above: inference needs no dataset

    group = zarr.create_group(store=store)
    n = header["n"]
    rows = min(n, CHUNK)
    for name, dtype in TRACES.items():
        group.create_array(name, shape=(n, n_time), chunks=(rows, n_time), dtype=dtype)
    group.create_array("n_samples", shape=(n,), chunks=(rows,), dtype=np.int32)
    group.create_array("stimulus", shape=(n,), chunks=(rows,), dtype=np.int32)
    group.create_array("parameters", shape=(n, N_PARAMETERS), chunks=(rows, N_PARAMETERS), dtype=np.float64)
    group.create_array("done", shape=(-(-n // CHUNK),), chunks=(1,), dtype=np.bool_)
    group.attrs.update(header)
    return group
