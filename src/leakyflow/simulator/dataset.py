"""Datasets: neurons drawn from the prior, and what they did, in memory or streamed to disk."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import zarr
from pydantic import TypeAdapter
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from leakyflow.recordings.recording import Recordings
from leakyflow.simulator.config import SimulatorConfig
from leakyflow.simulator.lif import simulate_traces
from leakyflow.simulator.parameters import Parameters
from leakyflow.simulator.stimulus_prior import draw_stimuli

__all__ = ["CHUNK", "Dataset", "make_dataset", "open_dataset"]

# Recordings held in memory at a time: 1024 of 500 ms at 0.2 ms are some 25 MB.
CHUNK = 1024
TRACES = {"V": np.float32, "I": np.float32, "spikes": np.bool_, "refractory": np.bool_}
FORMAT = 1


class HasSimulator(Protocol):
    """A configuration of which the simulator is a part."""

    @property
    def simulator(self) -> SimulatorConfig: ...  # noqa: D102


@dataclass(frozen=True, eq=False)
class Dataset:
    """Simulated recordings and the parameters behind them.

    Attributes:
        config: What they were drawn from.
        seed: Of the whole dataset.
        group: The arrays `V`, `I`, `spikes`, `refractory` of shape (dataset, time), `n_samples` and `stimulus`
            of shape (dataset,), and `parameters` of shape (dataset, 10).
    """

    config: SimulatorConfig
    seed: int
    group: zarr.Group

    def __len__(self) -> int:
        return self.group["n_samples"].shape[0]

    def parameters(self, rows: slice = slice(None)) -> Parameters:
        """Parameters of some or all recordings; ten arrays of shape (dataset,), float64."""
        return Parameters(*np.asarray(self.group["parameters"][rows]).T)

    def recordings(self, rows: slice = slice(None)) -> Recordings:
        """Some or all recordings. All of a large dataset may not fit in memory: use `chunks`."""
        first, stop, _ = rows.indices(len(self))
        return Recordings(
            **{name: np.asarray(self.group[name][rows]) for name in TRACES},
            n_samples=np.asarray(self.group["n_samples"][rows]),
            dt=self.config.dt,
            names=tuple(f"simulation {i}" for i in range(first, stop)),
        )

    def chunks(self, size: int = CHUNK) -> Iterator[tuple[slice, Recordings]]:
        """Go through the recordings in bounded memory."""
        for first in range(0, len(self), size):
            rows = slice(first, min(first + size, len(self)))
            yield rows, self.recordings(rows)


def make_dataset(
    config: HasSimulator, n: int, *, seed: int, out: str | Path | None = None, progress: bool = False
) -> Dataset:
    """Draw neurons, stimuli and durations from the prior and simulate them.

    Recording i depends on the configuration, the seed and i alone. On disk, the chunks are written one after the
    other; called again after an interruption, it continues where it stopped and gives the same bits.

    Args:
        config: A `Config`, or anything with a `simulator`.
        n: Number of recordings.
        seed: Not negative.
        out: Zarr folder to write; in memory when None.
        progress: Show a progress bar on the terminal.

    Returns:
        The dataset.

    Raises:
        ValueError: If n or seed is out of range, or `out` holds another dataset or something else.
        OSError: If the disk is full; finished chunks stay, and the same call continues.
    """
    if n < 1 or seed < 0:
        raise ValueError(f"`n` must be positive and `seed` not negative, got n={n}, seed={seed}.")
    simulator = config.simulator
    dataset = Dataset(simulator, seed, _open_group(simulator, n, seed, out))
    done = dataset.group["done"]
    todo = [chunk for chunk, finished in enumerate(np.asarray(done[:])) if not finished]
    parameters, n_samples = simulator.parameters.sample(n, seed), simulator.draw_n_samples(n, seed)
    columns = TextColumn("simulating"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, disable=not progress, transient=True) as bar:
        task = bar.add_task("", total=n, completed=n - sum(min(CHUNK, n - chunk * CHUNK) for chunk in todo))
        for chunk in todo:
            rows = slice(chunk * CHUNK, min((chunk + 1) * CHUNK, n))
            block = Parameters(*(value[rows] for value in parameters))
            _write_chunk(dataset, rows, block, n_samples[rows])
            done[chunk] = True
            bar.advance(task, rows.stop - rows.start)
    return dataset


def open_dataset(path: str | Path) -> Dataset:
    """Open a finished dataset.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is something else, or unfinished.
    """
    if not Path(path).exists():
        raise FileNotFoundError(f"No dataset at {path}. Make one with `leakyflow simulate`.")
    try:
        group = zarr.open_group(str(path), mode="r")
        header = dict(group.attrs)
        config = TypeAdapter(SimulatorConfig).validate_python(header["simulator"])
        missing = int((~np.asarray(group["done"][:])).sum())
    except (KeyError, FileNotFoundError, NotADirectoryError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is not a leakyflow dataset. Make one with `leakyflow simulate`.") from error
    if missing:
        raise ValueError(
            f"The dataset {path} is unfinished: {missing} of {group['done'].shape[0]} chunks are missing. Call "
            "make_dataset (or `leakyflow simulate`) again with the same settings to finish it."
        )
    return Dataset(config, int(header["seed"]), group)


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
    valid = np.arange(config.n_time) < n_samples[:, None]
    for name, values in (traces._asdict() | {"I": I}).items():
        dataset.group[name][rows] = np.where(valid, values, np.zeros((), values.dtype))
    dataset.group["n_samples"][rows] = n_samples
    dataset.group["stimulus"][rows] = which
    dataset.group["parameters"][rows] = np.stack(parameters, axis=-1)


def _open_group(config: SimulatorConfig, n: int, seed: int, out: str | Path | None) -> zarr.Group:
    """Create the arrays, or find them where the same call was interrupted."""
    header = {"format": FORMAT, "simulator": config.to_dict(), "seed": seed, "n": n}
    if out is None:
        return _create(zarr.create_group(store={}), header, config.n_time)
    path = Path(out)
    if not path.exists():
        # Built beside and renamed, so that no half-made header is ever found.
        scratch = path.with_name(path.name + ".new")
        shutil.rmtree(scratch, ignore_errors=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        _create(zarr.create_group(store=str(scratch)), header, config.n_time)
        scratch.rename(path)
    try:
        group = zarr.open_group(str(path), mode="r+")
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} exists and is not a leakyflow dataset. Choose another folder.") from error
    found = dict(group.attrs)
    different = [key for key in header if found.get(key) != header[key]]
    if different:
        raise ValueError(
            f"{path} holds a dataset with another {' and '.join(different)}. Choose another folder, or delete this one."
        )
    return group


def _create(group: zarr.Group, header: dict[str, Any], n_time: int) -> zarr.Group:
    n = header["n"]
    for name, dtype in TRACES.items():
        group.create_array(name, shape=(n, n_time), chunks=(CHUNK, n_time), dtype=dtype)
    group.create_array("n_samples", shape=(n,), chunks=(CHUNK,), dtype=np.int32)
    group.create_array("stimulus", shape=(n,), chunks=(CHUNK,), dtype=np.int32)
    group.create_array("parameters", shape=(n, len(Parameters._fields)), chunks=(CHUNK, 10), dtype=np.float64)
    group.create_array("done", shape=(-(-n // CHUNK),), chunks=(1,), dtype=np.bool_)
    group.attrs.update(header)
    return group
