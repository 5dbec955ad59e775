"""A sweep as it was sampled, with the spikes that are found in it, and what of it is drawn."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64

from leakyflow.app.choice import Choice
from leakyflow.app.decimate import decimated
from leakyflow.recordings.files.choices import Choices
from leakyflow.recordings.files.opening import open_file
from leakyflow.recordings.read import check_sweep
from leakyflow.recordings.recording import Recording
from leakyflow.recordings.spikes import find_spikes

__all__ = ["Drawn", "Trace", "read_traces"]

N_POINTS = 2400  # of a curve on a screen


@dataclass(frozen=True, eq=False, kw_only=True)
class Drawn:
    """Points of one curve, in ms and in its unit."""

    t: Float64[np.ndarray, " point"]
    x: Float64[np.ndarray, " point"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Trace:
    """Voltage and current of one sweep, at the sampling of the file.

    Attributes:
        sweep: Its number.
        V: In mV; NaN where the file has none.
        I: In pA.
        dt: In ms.
        peaks: Samples at which spikes peak.
    """

    sweep: int
    V: Float64[np.ndarray, " time"]
    I: Float64[np.ndarray, " time"]
    dt: float
    peaks: Int64[np.ndarray, " spike"]

    @property
    def duration(self) -> float:
        """In ms."""
        return len(self.V) * self.dt

    def with_spikes(self, slope: float | None, height: float | None) -> "Trace":
        """The same with spikes found by other settings.

        Raises:
            LeakyflowError: If one of them is not positive.
        """
        peaks = _peaks(self.V, self.dt, slope, height)
        return Trace(sweep=self.sweep, V=self.V, I=self.I, dt=self.dt, peaks=peaks)

    def drawn(self, start: float, stop: float, *, n_points: int = N_POINTS) -> dict[str, Drawn]:
        """What is drawn of a stretch: the curves "V" and "I", and the "spikes" at their peaks.

        Args:
            start: Of the stretch, in ms.
            stop: Its end, in ms.
            n_points: Of each curve, but for peaks, which are all there.
        """
        first, last = int(np.floor(start / self.dt)), int(np.ceil(stop / self.dt)) + 1
        V = decimated(self.V, first, last, n_points=n_points, keep=self.peaks)
        I = decimated(self.I, first, last, n_points=n_points)
        at = self.peaks[(self.peaks >= first) & (self.peaks < last)]
        return {"V": self._points(self.V, V), "I": self._points(self.I, I), "spikes": self._points(self.V, at)}

    def _points(self, x: np.ndarray, at: np.ndarray) -> Drawn:
        return Drawn(t=at * self.dt, x=x[at])


def read_traces(path: Path, choice: Choice, sweeps: tuple[int, ...]) -> list[Trace]:
    """Read sweeps of a file, which is opened once.

    Args:
        path: The file.
        choice: How it is read, and what a spike is.
        sweeps: Numbers.

    Raises:
        LeakyflowError: If the file cannot be read, or has no such sweep.
    """
    with open_file(path, Choices.of(**choice.layout)) as found:
        if isinstance(found, Recording):
            V, I = found.V.astype(np.float64), found.I.astype(np.float64)
            return [Trace(sweep=0, V=V, I=I, dt=found.dt, peaks=np.flatnonzero(found.spikes))]
        numbers = [check_sweep(sweep, found.n_sweeps, path) for sweep in sweeps]
        raw = [found.read(number) for number in numbers]
    return [
        Trace(
            sweep=n, V=r.V, I=r.I, dt=r.dt, peaks=_peaks(r.V, r.dt, choice.spike_slope, choice.spike_height)
        )
        for n, r in zip(numbers, raw, strict=True)
    ]  # fmt: skip


def _peaks(V: np.ndarray, dt: float, slope: float | None, height: float | None) -> Int64[np.ndarray, " spike"]:
    """Peaks of the spikes; gaps are bridged by lines, in which there are none."""
    finite = np.isfinite(V)
    if not finite.any() or len(V) < 2:
        return np.zeros(0, np.int64)
    if not finite.all():
        V = np.interp(np.arange(len(V)), np.flatnonzero(finite), V[finite])
    return find_spikes(V, dt, slope=slope, height=height).peak
