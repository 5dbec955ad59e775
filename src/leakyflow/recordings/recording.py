"""What is known of one current-clamp trace."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32

from leakyflow.errors import LeakyflowError
from leakyflow.recordings.finding import Finding

__all__ = ["TRACES", "Recording"]

TRACES = ("V", "I", "spikes", "refractory", "I_electrode")


@dataclass(frozen=True, eq=False, kw_only=True)
class Recording:
    """One current-clamp trace, preprocessed: as the leaky integrate-and-fire neuron sees it.

    A spike is one sample. From there through its refractory samples the voltage stands at the value at which
    the neuron is released. Sample k is taken at `k * dt`; the first is neither a spike nor refractory.

    Attributes:
        V: Membrane voltage, in mV.
        I: Injected current, in pA, holding current included: the mean over the step that begins with the sample.
        spikes: True at each spike.
        refractory: True at the refractory samples after each spike.
        dt: Sampling interval, in ms.
        name: Where it comes from, for tables and figures.
        findings: What the reader warns of, one line each.
        I_electrode: Current through the electrode at the moment of each sample, in pA, which a series resistance adds
            to V; None where it is `I`, as on the grid of a simulation.

    Raises:
        ValueError: If the arrays differ in length, hold NaN or infinity, or are not preprocessed so.
    """

    V: Float32[np.ndarray, " time"]
    I: Float32[np.ndarray, " time"]
    spikes: Bool[np.ndarray, " time"]
    refractory: Bool[np.ndarray, " time"]
    dt: float
    name: str = ""
    findings: tuple[Finding, ...] = ()
    I_electrode: Float32[np.ndarray, " time"] | None = None

    def __post_init__(self) -> None:
        if not (np.isfinite(self.dt) and self.dt > 0):
            raise LeakyflowError(
                f"`dt` must be positive and finite, got {self.dt} ms. Pass the sampling interval in ms."
            )
        traces = {field: getattr(self, field) for field in TRACES}
        lengths = {field: len(trace) for field, trace in traces.items() if trace is not None}
        if len(set(lengths.values())) != 1:
            raise LeakyflowError(f"V, I, spikes and refractory must have the same length, got {lengths}.")
        if self.n_samples < 2:
            raise LeakyflowError(f"A recording needs at least 2 samples, got {self.n_samples}.")
        for field, unit in (("V", "mV"), ("I", "pA"), ("I_electrode", "pA")):
            bad = ~np.isfinite(traces[field]) if traces[field] is not None else np.zeros(1, bool)
            if bad.any():
                raise LeakyflowError(
                    f"`{field}` must be finite, got {bad.sum()} NaN or infinite of {bad.size} samples (first "
                    f"at {bad.argmax() * self.dt:g} ms). Cut them off with start= and stop=, or repair the "
                    f"file; values are in {unit}.",
                    argument=("start", "stop"),
                )
        if self.spikes[0] or self.refractory[0]:
            raise LeakyflowError("The first sample must be neither a spike nor refractory. Start outside a spike.")
        if (self.spikes & self.refractory).any():
            raise LeakyflowError("A sample cannot be both a spike and refractory.")
        orphan = self.refractory[1:] & ~(self.refractory[:-1] | self.spikes[:-1])
        if orphan.any():
            first = (orphan.argmax() + 1) * self.dt
            raise LeakyflowError(f"Refractory samples must follow a spike; those at {first:g} ms do not.")
        moved = self.refractory[1:] & (self.V[1:] != self.V[:-1])
        if moved.any():
            first = (moved.argmax() + 1) * self.dt
            raise LeakyflowError(
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

    def part(self, samples: slice, **changes: Any) -> "Recording":
        """Some samples of it.

        Args:
            samples: Which, one after the other.
            changes: Other fields of the result.

        Raises:
            LeakyflowError: As for a recording that begins there.

        Example:
            >>> V, never = np.linspace(-70.0, -69.0, 6, dtype=np.float32), np.zeros(6, bool)
            >>> Recording(V=V, I=0 * V, spikes=never, refractory=never, dt=0.2).part(slice(2, 5)).V
            array([-69.6, -69.4, -69.2], dtype=float32)
        """
        traces = {name: getattr(self, name) for name in TRACES}
        parts: dict[str, Any] = {name: None if trace is None else trace[samples] for name, trace in traces.items()}
        return replace(self, **parts | changes)
