"""The part of a sweep that is judged, so that another window can help."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float64

from leakyflow.recordings.files.raw import RawSweep
from leakyflow.recordings.spikes import Spikes, find_spikes

__all__ = ["Window", "longest", "window_of"]

_FINE, _COARSE = 1.0, 5.0  # ms
_REST = 20  # ms before the first change of the current that count as rest


@dataclass(frozen=True, eq=False, kw_only=True)
class Window:
    """A window of a sweep, all samples finite.

    Attributes:
        raw: Its samples, as the file has them.
        start: Its beginning, in ms from the beginning of the sweep.
        where: File and sweep, for messages.
        slope: What the caller asks of the upstroke of a spike, in mV/ms; None where that adapts.
        height: What the caller asks of the height of a spike, in mV; None where that adapts.
    """

    raw: RawSweep
    start: float
    where: str
    slope: float | None = None
    height: float | None = None

    @property
    def dt(self) -> float:
        """Sampling interval, in ms."""
        return self.raw.dt

    @cached_property
    def spikes(self) -> Spikes:
        """Spikes that are counted."""
        return find_spikes(self.raw.V, self.dt, slope=self.slope, height=self.height)

    @cached_property
    def free(self) -> Bool[np.ndarray, " time"]:
        """False from each spike's onset to its end."""
        free = np.ones(len(self.raw.V), dtype=bool)
        for onset, end in zip(self.spikes.onset.tolist(), self.spikes.end.tolist(), strict=True):
            free[onset + 1 : end if end >= 0 else len(free)] = False
        return free

    @cached_property
    def V(self) -> Float64[np.ndarray, " block"]:
        """Voltage between spikes, a line across each, in means of 1 ms; mV."""
        samples = np.arange(len(self.free))
        return blocks(np.interp(samples, samples[self.free], self.raw.V[self.free]), self.dt)

    @cached_property
    def I(self) -> Float64[np.ndarray, " block"]:  # noqa: E743
        """Current in means of 1 ms, in pA."""
        return blocks(self.raw.I, self.dt)

    @cached_property
    def moves(self) -> tuple[float, float]:
        """How far V moves between spikes, in mV, and I, in pA, over 5 ms."""
        return float(np.ptp(coarse(self.V))), float(np.ptp(coarse(self.I)))

    @cached_property
    def still(self) -> Bool[np.ndarray, " block"]:
        """Blocks (1 ms) in which the current stands still and no spike falls."""
        n = max(1, round(_FINE / self.dt))
        whole = len(self.I) * n
        noise = float(np.median(self.raw.I[:whole].reshape(-1, n).std(axis=1))) / np.sqrt(n)
        tolerance = max(0.01 * float(np.ptp(self.I)), 6.0 * noise, 1e-9)
        same = np.abs(np.diff(self.I, prepend=self.I[0])) <= tolerance
        return same & self.free[:whole].reshape(-1, n).all(axis=1)

    @cached_property
    def rest(self) -> slice:
        """Still blocks before the first change of the current and the first spike; else the longest stretch."""
        first = len(self.still) if self.still.all() else int(np.argmin(self.still))
        return slice(0, first) if first >= _REST else longest(self.still)

    def time(self, sample: int) -> float:
        """Moment of a sample of the window, in ms from the beginning of the sweep."""
        return self.start + sample * self.dt


def window_of(
    raw: RawSweep, *, start: float | None, stop: float | None, where: str, slope: float | None, height: float | None
) -> Window:
    """Cut a window, as far as the sweep goes."""
    first = max(0, round((start or 0.0) / raw.dt))
    last = len(raw.V) if stop is None else min(len(raw.V), round(stop / raw.dt))
    return Window(raw=raw[first:last], start=first * raw.dt, where=where, slope=slope, height=height)


def blocks(x: Float64[np.ndarray, " time"], dt: float) -> Float64[np.ndarray, " block"]:
    """Means of 1 ms."""
    n = max(1, min(len(x), round(_FINE / dt)))
    return x[: len(x) // n * n].reshape(-1, n).mean(axis=1)


def coarse(x: Float64[np.ndarray, " block"]) -> Float64[np.ndarray, " coarse"]:
    """Means of 5 ms from those of 1 ms."""
    n = min(len(x), round(_COARSE / _FINE))
    return x[: len(x) // n * n].reshape(-1, n).mean(axis=1)


def longest(true: Bool[np.ndarray, " time"]) -> slice:
    """Longest run of True; empty where there is none."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], true, [False]]).astype(np.int8)))
    if not len(edges):
        return slice(0, 0)
    begins, ends = edges[::2], edges[1::2]
    k = int(np.argmax(ends - begins))
    return slice(int(begins[k]), int(ends[k]))
