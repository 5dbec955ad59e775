"""What is known of a current-clamp trace: one (`Recording`) or many of different lengths (`Recordings`)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, overload

import numpy as np
from jaxtyping import Bool, Float32, Int, Int32

__all__ = ["Recording", "Recordings"]

TRACES = ("V", "I", "spikes", "refractory")
ROOM = 512  # samples


@dataclass(frozen=True, eq=False, kw_only=True)
class Recording:
    """One current-clamp trace, in the picture that the leaky integrate-and-fire neuron has of it.

    A spike is one sample. From there through its refractory samples the voltage stands at the value at which
    the neuron is released. Sample k is taken at `k * dt`; the first is neither a spike nor refractory.

    Attributes:
        V: Membrane voltage, in mV.
        I: Injected current, in pA, holding current included.
        spikes: True at each spike.
        refractory: True at the refractory samples after each spike.
        dt: Sampling interval, in ms.
        name: Where it comes from, for tables and figures.

    Raises:
        ValueError: If the arrays differ in length, hold NaN or infinity, or break the picture above.
    """

    V: Float32[np.ndarray, " time"]
    I: Float32[np.ndarray, " time"]
    spikes: Bool[np.ndarray, " time"]
    refractory: Bool[np.ndarray, " time"]
    dt: float
    name: str = ""

    def __post_init__(self) -> None:
        if not (np.isfinite(self.dt) and self.dt > 0):
            raise ValueError(f"`dt` must be positive and finite, got {self.dt} ms. Pass the sampling interval in ms.")
        lengths = {field: len(getattr(self, field)) for field in ("V", "I", "spikes", "refractory")}
        if len(set(lengths.values())) != 1:
            raise ValueError(f"V, I, spikes and refractory must have the same length, got {lengths}.")
        if self.n_samples < 2:
            raise ValueError(f"A recording needs at least 2 samples, got {self.n_samples}.")
        for field, unit in (("V", "mV"), ("I", "pA")):
            bad = ~np.isfinite(getattr(self, field))
            if bad.any():
                raise ValueError(
                    f"`{field}` must be finite, got {bad.sum()} NaN or infinite of {bad.size} samples (first "
                    f"at {bad.argmax() * self.dt:g} ms). Cut them off with start= and stop=, or repair the "
                    f"file; values are in {unit}."
                )
        if self.spikes[0] or self.refractory[0]:
            raise ValueError("The first sample must be neither a spike nor refractory. Start outside a spike.")
        if (self.spikes & self.refractory).any():
            raise ValueError("A sample cannot be both a spike and refractory.")
        orphan = self.refractory[1:] & ~(self.refractory[:-1] | self.spikes[:-1])
        if orphan.any():
            first = (orphan.argmax() + 1) * self.dt
            raise ValueError(f"Refractory samples must follow a spike; those at {first:g} ms do not.")
        moved = self.refractory[1:] & (self.V[1:] != self.V[:-1])
        if moved.any():
            first = (moved.argmax() + 1) * self.dt
            raise ValueError(
                f"V must stand still from a spike to the end of its refractory period; it moves at {first:g} "
                "ms. Use read_recording, or hold there the voltage measured at the end."
            )

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        return len(self.V)

    @property
    def t(self) -> np.ndarray:
        """Time of each sample, in ms."""
        return np.arange(self.n_samples) * self.dt

    @property
    def duration(self) -> float:
        """Length, `n_samples * dt`, in ms."""
        return self.n_samples * self.dt

    @property
    def free(self) -> Bool[np.ndarray, " time"]:
        """True where the membrane moves by the subthreshold equation: neither spike nor refractory."""
        return ~(self.spikes | self.refractory)


@dataclass(frozen=True, eq=False, kw_only=True)
class Recordings:
    """Many recordings with one sampling interval, padded to the longest; padded samples mean nothing.

    Attributes:
        V: Membrane voltage, in mV.
        I: Injected current, in pA.
        spikes: True at each spike.
        refractory: True at the refractory samples after each spike.
        n_samples: Length of each recording; samples from there on are padding.
        dt: Sampling interval, in ms.
        names: One name for each recording.
    """

    V: Float32[np.ndarray, "dataset time"]
    I: Float32[np.ndarray, "dataset time"]
    spikes: Bool[np.ndarray, "dataset time"]
    refractory: Bool[np.ndarray, "dataset time"]
    n_samples: Int32[np.ndarray, " dataset"]
    dt: float
    names: tuple[str, ...]

    @classmethod
    def from_list(cls, recordings: Sequence[Recording], *, n_time: int | None = None) -> "Recordings":
        """Pad recordings to one length.

        Args:
            recordings: At least one; all with the same dt.
            n_time: Samples to pad to; the longest recording when None.

        Raises:
            ValueError: If there is none, the sampling intervals differ, or one is longer than `n_time`.
        """
        if not recordings:
            raise ValueError("At least one recording is needed, got an empty list.")
        dts = sorted({recording.dt for recording in recordings})
        if len(dts) > 1:
            raise ValueError(f"All recordings must have the same dt, got {dts} ms. Read them with read_recording(dt=).")
        lengths = np.array([recording.n_samples for recording in recordings], dtype=np.int32)
        n_time = int(lengths.max()) if n_time is None else n_time
        if lengths.max() > n_time:
            raise ValueError(
                f"Every recording must have at most {n_time} samples, got {lengths.max()} (recording "
                f"{lengths.argmax()}). Cut it with start= and stop=."
            )
        arrays = {}
        for field, dtype in (("V", np.float32), ("I", np.float32), ("spikes", bool), ("refractory", bool)):
            arrays[field] = np.zeros((len(recordings), n_time), dtype)
            for row, recording in zip(arrays[field], recordings, strict=True):
                row[: recording.n_samples] = getattr(recording, field)
        return cls(**arrays, n_samples=lengths, dt=dts[0], names=tuple(recording.name for recording in recordings))

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

    def take(self, rows: Int[np.ndarray, " row"]) -> "Recordings":
        """The recordings at these places, in this order."""
        arrays: dict[str, Any] = {name: getattr(self, name)[rows] for name in (*TRACES, "n_samples")}
        return replace(self, **arrays, names=tuple(self.names[row] for row in rows))

    def padded_to(self, n_time: int) -> "Recordings":
        """The same recordings with at least n_time samples of room."""
        more = n_time - self.V.shape[1]
        if more <= 0:
            return self
        widened: dict[str, Any] = {name: np.pad(getattr(self, name), ((0, 0), (0, more))) for name in TRACES}
        return replace(self, **widened)

    def roomy(self) -> "Recordings":
        """The same recordings, padded to a length that most others share: each new one is compiled anew."""
        return self.padded_to(-(-self.V.shape[1] // ROOM) * ROOM)

    def __len__(self) -> int:
        return len(self.n_samples)

    @overload
    def __getitem__(self, index: int) -> Recording: ...
    @overload
    def __getitem__(self, index: slice) -> "Recordings": ...
    def __getitem__(self, index: int | slice) -> "Recording | Recordings":
        if isinstance(index, slice):
            return Recordings(
                V=self.V[index],
                I=self.I[index],
                spikes=self.spikes[index],
                refractory=self.refractory[index],
                n_samples=self.n_samples[index],
                dt=self.dt,
                names=self.names[index],
            )
        keep = slice(int(self.n_samples[index]))
        return Recording(
            V=self.V[index, keep],
            I=self.I[index, keep],
            spikes=self.spikes[index, keep],
            refractory=self.refractory[index, keep],
            dt=self.dt,
            name=self.names[index],
        )

    def __iter__(self) -> Iterator[Recording]:
        return (self[index] for index in range(len(self)))
