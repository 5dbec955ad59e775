"""What is read of a sweep: the one value that `read_recording`, `read_cell` and `read_arrays` hand on."""

from dataclasses import dataclass

__all__ = ["Reading"]

_DT = 0.2  # ms, of `lif`, `standard` and `lstm`


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A window, and how it is sampled and its spikes are found.

    Attributes:
        start: Beginning of the window, in ms; the beginning of the sweep when None.
        stop: End of the window, in ms; the end of the sweep when None.
        dt: Sampling interval of the recording, in ms; None leaves it open.
        t_ref: Refractory period, in ms; read off the spikes when None.
        spike_slope: Least slope of the upstroke of a spike, in mV/ms; adapted to the sweep when None.
        spike_height: Least height of a spike from onset to peak, in mV; adapted to the sweep when None.
    """

    start: float | None
    stop: float | None
    dt: float | None
    t_ref: float | None
    spike_slope: float | None
    spike_height: float | None

    @property
    def interval(self) -> float:
        """Sampling interval, in ms: that of most networks that ship where it was left open."""
        return _DT if self.dt is None else self.dt
