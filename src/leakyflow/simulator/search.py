"""The search: the first sweep of a cell, from which an experimenter sees what currents the cell needs.

Currents that were scaled by the neuron's parameters themselves would tell of them what no likelihood knows, and a
network would learn to read it off. So they are scaled by what a sweep of the same cell shows: given all sweeps, the
currents then say nothing more. Cells without a search get currents of a size that is drawn without looking.
"""

import numpy as np
from jaxtyping import Float, Float32, Int
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from leakyflow.simulator.distributions import Distribution, LogNormal, Number, Uniform
from leakyflow.simulator.simulate import Traces
from leakyflow.simulator.stimulus_prior import Argument, argument_value

__all__ = ["Search"]

# Shares of the sweep at which the step down begins and ends, and the ramp begins.
STEP, RAMP = (0.1, 0.3), 0.4
# ms after the first spike of the ramp for which the sweep goes on.
AFTER_SPIKE = 30.0
# mV: currents that move the voltage by less, or by more, are no unit, whatever the ramp showed.
LEAST, MOST = 8.0, 35.0
LEAST_RESISTANCE = 0.01  # GOhm


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Search:
    """Rest, a small step down, and a ramp that ends with the first spike.

    Attributes:
        share: Of the cells of at least two sweeps, those whose first sweep is a search.
        step: Current of the step, in pA.
        top: Current at which a ramp without spikes ends, in pA.
        unit: What a cell is thought to need where nobody looked, in pA.
        alike: Correlation between the sweeps of a cell of what each has for itself and is read off (scope "sweep").
    """

    share: Number = Field(default=0.85, ge=0, le=1)
    step: Argument = Uniform(low=-60.0, high=-10.0)
    top: Argument = LogNormal(median=500.0, sigma=0.3)
    unit: Distribution = LogNormal(median=90.0, sigma=0.5)
    alike: Number = Field(default=0.95, ge=0, le=1)

    def current(self, scores: Float[np.ndarray, " score"], n_time: int) -> Float32[np.ndarray, " time"]:
        """The current of a search, in pA.

        Example:
            >>> Search(step=-20.0, top=600.0).current(np.zeros(3), 10).tolist()
            [0.0, -20.0, -20.0, 0.0, 0.0, 100.0, 200.0, 300.0, 400.0, 500.0]
        """
        start, stop, ramp = (round(share * n_time) for share in (*STEP, RAMP))
        I = np.zeros(n_time, np.float32)
        I[start:stop] = argument_value(self.step, scores[1])
        last = argument_value(self.top, scores[2]) * (1.0 - 1.0 / (n_time - ramp))
        I[ramp + 1 :] = np.linspace(0.0, last, n_time - ramp)[1:]
        return I

    def unseen(self, scores: Float[np.ndarray, " score"]) -> float:
        """What the cell is thought to need where nobody looked, in pA."""
        return float(self.unit.from_unconstrained(scores[0]))


def ends(traces: Traces, dt: float) -> Int[np.ndarray, " dataset"]:
    """Samples of each search: up to a little after the first spike of the ramp."""
    n_time = traces.V.shape[1]
    ramp = round(RAMP * n_time)
    spikes = traces.spikes[:, ramp:]
    last = ramp + spikes.argmax(1) + round(AFTER_SPIKE / dt)
    return np.where(spikes.any(1), np.minimum(last, n_time), n_time)


def needed_currents(I: Float32[np.ndarray, "dataset time"], traces: Traces) -> Float[np.ndarray, " dataset"]:
    """What each cell needs, by its search, in pA: the current at the first spike of the ramp, within reason."""
    n_time = I.shape[1]
    start, stop, ramp = (round(share * n_time) for share in (*STEP, RAMP))
    rest, moved = (np.median(traces.V[:, a:b].astype(float), 1) for a, b in ((0, start), ((start + stop) // 2, stop)))
    resistance = np.maximum((moved - rest) / I[:, start], LEAST_RESISTANCE)
    spikes = traces.spikes[:, ramp:]
    place = np.where(spikes.any(1), ramp + spikes.argmax(1), n_time - 1)
    return np.clip(I[np.arange(len(I)), place], LEAST / resistance, MOST / resistance).astype(float)
