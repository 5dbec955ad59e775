"""Many recordings side by side: the one place where recordings are padded, cut and joined."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, overload

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Int32

from leakyflow.errors import LeakyflowError
from leakyflow.recordings.cell import Cell, as_cell
from leakyflow.recordings.recording import TRACES, Recording

__all__ = ["Batch", "room"]


def room(n: int) -> int:
    """A number of samples, of few, that is not smaller: each length is a shape to compile.

    There are four from each power of two to the next, and none below 128.

    Example:
        >>> [room(n) for n in (1, 500, 2500, 5000, 10_000)]
        [128, 512, 2560, 5120, 10240]
    """
    step = 1 << max(7, (n - 1).bit_length() - 3)
    return -(-n // step) * step


@dataclass(frozen=True, eq=False, kw_only=True)
class Batch:
    """Sweeps of many cells with one sampling interval, padded to the longest; padded samples mean nothing.

    A row is a sweep; most batches have one for each cell, which then is a recording.

    Attributes:
        V: Membrane voltage, in mV.
        I: Injected current, in pA.
        spikes: True at each spike.
        refractory: True at the refractory samples after each spike.
        n_samples: Length of each recording; samples from there on are padding.
        dt: Sampling interval, in ms.
        names: One name for each recording.
        cell: Number of the cell that each row belongs to, from 0 in order; each its own by default.
        cell_names: One name for each cell; those of the recordings by default.
        I_electrode: Current through the electrode at the moment of each sample, in pA; None where it is I in all.
    """

    V: Float32[np.ndarray, "dataset time"]
    I: Float32[np.ndarray, "dataset time"]
    spikes: Bool[np.ndarray, "dataset time"]
    refractory: Bool[np.ndarray, "dataset time"]
    n_samples: Int32[np.ndarray, " dataset"]
    dt: float
    names: tuple[str, ...]
    cell: Int[np.ndarray, " dataset"] = field(default_factory=lambda: np.zeros(0, np.int64))
    cell_names: tuple[str, ...] = ()
    I_electrode: Float32[np.ndarray, "dataset time"] | None = None

    def __post_init__(self) -> None:
        if len(self.cell) != len(self.n_samples):
            object.__setattr__(self, "cell", np.arange(len(self.n_samples)))
            object.__setattr__(self, "cell_names", self.names)

    @classmethod
    def of(cls, recording: "Recording | Cell | Batch | Sequence[Recording | Cell]") -> "Batch":
        """Whatever holds recordings, as a batch."""
        if isinstance(recording, Batch):
            return recording
        cells = [recording] if isinstance(recording, Recording | Cell) else list(recording)
        sweeps = [list(as_cell(cell)) for cell in cells]
        batch = cls.from_list([sweep for of_cell in sweeps for sweep in of_cell])
        cell = np.repeat(np.arange(len(cells)), [len(of_cell) for of_cell in sweeps])
        return replace(batch, cell=cell, cell_names=tuple(cell.name for cell in cells))

    @classmethod
    def from_list(cls, recordings: Sequence[Recording], *, n_time: int | None = None) -> "Batch":
        """Pad recordings to one length.

        Args:
            recordings: At least one; all with the same dt, each a cell of its own.
            n_time: Samples to pad to; the longest recording when None.

        Raises:
            ValueError: If there is none, the sampling intervals differ, or one is longer than `n_time`.
        """
        if not recordings:
            raise LeakyflowError("At least one recording is needed, got an empty list.")
        dt = _common_dt(recordings)
        lengths = np.array([recording.n_samples for recording in recordings], dtype=np.int32)
        n_time = int(lengths.max()) if n_time is None else n_time
        if lengths.max() > n_time:
            raise LeakyflowError(
                f"Every recording must have at most {n_time} samples, got {lengths.max()} (recording "
                f"{lengths.argmax()}). Cut it with start= and stop=.",
                argument=("start", "stop"),
            )
        alike = all(recording.I_electrode is None for recording in recordings)
        arrays: dict[str, Any] = {}
        for name in TRACES[:4] if alike else TRACES:
            dtype = bool if name in ("spikes", "refractory") else np.float32
            arrays[name] = np.zeros((len(recordings), n_time), dtype)
            for row, recording in zip(arrays[name], recordings, strict=True):
                trace = getattr(recording, name)
                row[: recording.n_samples] = recording.I if trace is None else trace
        return cls(**arrays, n_samples=lengths, dt=dt, names=tuple(recording.name for recording in recordings))

    @property
    def valid(self) -> Bool[np.ndarray, "dataset time"]:
        """False where a sample is padding."""
        return np.arange(self.V.shape[1]) < self.n_samples[:, None]

    @property
    def free(self) -> Bool[np.ndarray, "dataset time"]:
        """True where the membrane moves by the subthreshold equation: neither spike, refractory nor padding."""
        return self.valid & ~(self.spikes | self.refractory)

    @property
    def n_spikes(self) -> Int[np.ndarray, " dataset"]:
        """Number of spikes of each recording."""
        return (self.spikes & self.valid).sum(axis=1)

    def take(self, rows: Int[np.ndarray, " row"]) -> "Batch":
        """The recordings at these places, in this order, and their cells as they first come.

        Where each recording is a cell of its own, so is each that is taken, however often.
        """
        arrays: dict[str, Any] = {"n_samples": self.n_samples[rows]} | self._traces(lambda trace: trace[rows])
        kept, cell = self.cell[rows], np.arange(len(rows))
        if self.n_cells < len(self):
            kept, first, cell = np.unique(kept, return_index=True, return_inverse=True)
            order = np.argsort(first)
            kept, cell = kept[order], np.argsort(order)[cell]
        names: dict[str, Any] = {
            "names": tuple(self.names[row] for row in rows),
            "cell_names": tuple(self.cell_names[number] for number in kept),
        }
        return replace(self, **arrays, **names, cell=cell)

    def cut(self, n_samples: Int32[np.ndarray, " dataset"]) -> "Batch":
        """The first so many samples of each recording."""
        n_samples = np.minimum(n_samples, self.n_samples)
        kept = self._traces(lambda trace: trace[:, : n_samples.max()])
        return replace(self, **kept, n_samples=n_samples)

    def joined(self, others: "Batch") -> "Batch":
        """These recordings and then others, whose cells are cells of their own.

        Raises:
            ValueError: If the sampling intervals differ.
        """
        dt, n_time = _common_dt([self, others]), max(self.V.shape[1], others.V.shape[1])
        parts = [batch.padded_to(n_time) for batch in (self, others)]
        alike = all(batch.I_electrode is None for batch in parts)
        arrays: dict[str, Any] = {}
        for name in TRACES[:4] if alike else TRACES:
            traces = (batch.I if (trace := getattr(batch, name)) is None else trace for batch in parts)
            arrays[name] = np.concatenate(list(traces))
        return Batch(
            **arrays,
            n_samples=np.concatenate([self.n_samples, others.n_samples]),
            dt=dt,
            names=self.names + others.names,
            cell=np.concatenate([self.cell, others.cell + self.n_cells]),
            cell_names=self.cell_names + others.cell_names,
        )

    def _traces(self, change: Callable[[np.ndarray], np.ndarray]) -> dict[str, Any]:
        """Every trace that there is, changed."""
        return {name: change(trace) for name in TRACES if (trace := getattr(self, name)) is not None}

    def of_cells(self, cells: slice) -> "Batch":
        """All sweeps of some cells."""
        first, last, _ = cells.indices(self.n_cells)
        return self.take(np.flatnonzero((self.cell >= first) & (self.cell < last)))

    def cells(self) -> Iterator[Cell]:
        """Each cell with its sweeps."""
        for number, name in enumerate(self.cell_names):
            yield Cell([self[int(row)] for row in np.flatnonzero(self.cell == number)], name=name)

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return len(self.cell_names)

    def per_cell(self, values: Float[np.ndarray, "dataset ..."]) -> Float[np.ndarray, "cell ..."]:
        """Sums over the sweeps of each cell."""
        out = np.zeros((self.n_cells, *values.shape[1:]), values.dtype)
        np.add.at(out, self.cell, values)
        return out

    def when_measured(self, trace: Float32[np.ndarray, "dataset time"]) -> Float32[np.ndarray, "dataset time"]:
        """A trace at the moments at which V was measured: while V stands still that was once, at the end."""
        places = np.broadcast_to(np.arange(trace.shape[1]), trace.shape)
        last = ~(self.refractory & self.valid)  # or free, or a spike
        ends = np.where(np.pad(last[:, 1:], ((0, 0), (0, 1)), constant_values=True), places, trace.shape[1])
        ends = np.minimum.accumulate(ends[:, ::-1], axis=1)[:, ::-1]
        held = (self.spikes | self.refractory) & self.valid
        return np.where(held, np.take_along_axis(trace, np.minimum(ends, self.n_samples[:, None] - 1), axis=1), trace)

    def on_grid(self, R_s: Float[np.ndarray, " dataset"]) -> "Batch":
        """The voltages that electrodes of a series resistance (GOhm) show if the current stands during a step."""
        if self.I_electrode is None:
            return self
        more = self.when_measured(self.I) - self.when_measured(self.I_electrode)
        V = self.V + (R_s[:, None] * more).astype(np.float32)
        return replace(self, V=V, I_electrode=None)

    def cell_means(self, values: Mapping[str, Float[np.ndarray, " dataset"]]) -> dict[str, Float[np.ndarray, " cell"]]:
        """Means over the sweeps of each cell, of each of some values."""
        n_sweeps = self.per_cell(np.ones(len(self)))
        return {name: self.per_cell(value) / n_sweeps for name, value in values.items()}

    def padded_to(self, n_time: int) -> "Batch":
        """The same recordings with at least n_time samples of room."""
        more = n_time - self.V.shape[1]
        if more <= 0:
            return self
        return replace(self, **self._traces(lambda trace: np.pad(trace, ((0, 0), (0, more)))))

    def roomy(self) -> "Batch":
        """The same recordings, padded to a length that most others share: each new one is compiled anew."""
        return self.padded_to(room(self.V.shape[1]))

    def __len__(self) -> int:
        return len(self.n_samples)

    @overload
    def __getitem__(self, index: int) -> Recording: ...
    @overload
    def __getitem__(self, index: slice) -> "Batch": ...
    def __getitem__(self, index: int | slice) -> "Recording | Batch":
        if isinstance(index, slice):
            return self.take(np.arange(len(self))[index])
        keep = slice(int(self.n_samples[index]))
        return Recording(**self._traces(lambda trace: trace[index, keep]), dt=self.dt, name=self.names[index])

    def __iter__(self) -> Iterator[Recording]:
        return (self[index] for index in range(len(self)))


def _common_dt(sampled: "Sequence[Recording | Batch]") -> float:
    dts = sorted({one.dt for one in sampled})
    if len(dts) > 1:
        raise LeakyflowError(f"All recordings must have the same dt, got {dts} ms. Read them with read_recording(dt=).")
    return dts[0]
