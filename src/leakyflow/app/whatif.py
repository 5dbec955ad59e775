"""What neurons would do: with other parameters, or under another current. It runs in the worker."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from leakyflow.app.result import Simulated
from leakyflow.errors import LeakyflowError

__all__ = ["MOST_MS", "Wanted", "simulated", "under"]

N_TRAINS = 25
MOST_MS = 10_000.0  # of a stimulus
CURRENT = 20_000.0  # pA, more than any amplifier injects


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A stimulus of one's own.

    Attributes:
        kind: Its waveform.
        amplitude: In pA; of noise its SD, of a ramp its end.
        onset: In ms.
        duration: In ms, from its onset.
        t_max: Length of all, in ms.
        holding: In pA.
        frequency: Of a sinusoid, in Hz.

    Raises:
        LeakyflowError: If it is too long or too strong.

    Example:
        >>> Wanted(amplitude=50_000.0)
        Traceback (most recent call last):
        leakyflow.errors.LeakyflowError: `amplitude` and `holding` must lie within 20000 pA, got 50000 and 0 pA...
    """

    kind: Literal["step", "ramp", "sinusoid", "noise"] = "step"
    amplitude: float = 200.0
    onset: float = 100.0
    duration: float = 500.0
    t_max: float = 800.0
    holding: float = 0.0
    frequency: float = 5.0

    def __post_init__(self) -> None:
        if not max(abs(self.amplitude), abs(self.holding)) <= CURRENT:
            raise LeakyflowError(
                f"`amplitude` and `holding` must lie within {CURRENT:g} pA, got {self.amplitude:g} and "
                f"{self.holding:g} pA. Values are in pA.",
                argument=("amplitude", "holding"),
            )
        if not self.t_max <= MOST_MS:
            raise LeakyflowError(f"`t_max` must be at most {MOST_MS:g} ms, got {self.t_max:g} ms.", argument="t_max")


def simulated(progress: object, neurons: Mapping[str, float | np.ndarray], I: np.ndarray, dt: float) -> Simulated:
    """What neurons do under a current.

    Args:
        progress: Is not told anything: it takes a moment.
        neurons: Value of each parameter: numbers, or arrays with one value for each neuron.
        I: The current, in pA.
        dt: In ms.

    Raises:
        LeakyflowError: If a parameter is out of range.
    """
    from leakyflow.neuron.parameters import Parameters
    from leakyflow.simulator.simulate import simulate
    from leakyflow.simulator.stimuli import Stimulus

    n = max(np.size(value) for value in neurons.values())
    parameters = Parameters(**{name: np.broadcast_to(np.asarray(value, float), n) for name, value in neurons.items()})
    stimulus = Stimulus(I=np.asarray(I, np.float32), dt=dt)
    batch = simulate(parameters, stimulus, seed=0)
    counts = np.quantile(batch.spikes.sum(axis=-1), (0.05, 0.5, 0.95), method="inverted_cdf")
    low, middle, high = (int(count) for count in counts)
    return Simulated(
        dt=dt,
        I=stimulus.I,
        band=np.quantile(batch.V, (0.05, 0.5, 0.95), axis=0),
        trains=tuple(stimulus.t[row] for row in batch.spikes[:N_TRAINS]),
        n_spikes=(low, middle, high),
    )


def under(progress: object, neurons: Mapping[str, float | np.ndarray], wanted: Wanted, dt: float) -> Simulated:
    """What neurons do under a stimulus of one's own.

    Args:
        progress: Is not told anything.
        neurons: As for `simulated`.
        wanted: The stimulus.
        dt: In ms.

    Raises:
        LeakyflowError: If there is no such stimulus.
    """
    return simulated(progress, neurons, _current(wanted, dt), dt)


def _current(wanted: Wanted, dt: float) -> np.ndarray:
    from leakyflow.simulator import stimuli

    w = wanted
    where = {"onset": w.onset, "duration": w.duration, "t_max": w.t_max, "dt": dt, "holding": w.holding}
    match w.kind:
        case "step":
            return stimuli.square(amplitude=w.amplitude, **where).I
        case "ramp":
            return stimuli.ramp(start=0.0, stop=w.amplitude, **where).I
        case "sinusoid":
            return stimuli.sinusoid(amplitude=w.amplitude, frequency=w.frequency, **where).I
        case "noise":
            return stimuli.ornstein_uhlenbeck(mean=0.0, sd=w.amplitude, correlation_time=5.0, seed=0, **where).I
        case _:
            raise LeakyflowError(f"`kind` must be step, ramp, sinusoid or noise, got {w.kind!r}.", argument="kind")
