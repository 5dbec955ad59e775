"""Posterior predictive: what neurons drawn from a posterior do under the current of the recording."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

from leakyflow.recordings.recording import Recording, Recordings
from leakyflow.reference.draws import Draws
from leakyflow.reference.observed import observed_parameters
from leakyflow.simulator.lif import simulate_traces
from leakyflow.simulator.parameters import Parameters
from leakyflow.simulator.prior import Prior

__all__ = ["Predictive", "PredictiveCheck", "posterior_predictive"]

TAILS = (0.05, 0.5, 0.95)
# Among 150 simulated recordings and their posteriors, the least share was 0.78.
LEAST_INSIDE = 0.7
FAR_BELOW = 50.0  # mV, further from threshold than any noise reaches


class PredictiveCheck(NamedTuple):
    """A recording beside what its posterior predicts."""

    share_inside: float  # of samples of V inside the 90 % band
    n_spikes: int  # recorded
    n_spikes_low: int  # 5 % quantile of the predicted number
    n_spikes_high: int  # 95 % quantile

    @property
    def reproduced(self) -> bool:
        """False where the model does something else than the recorded neuron."""
        return self.share_inside >= LEAST_INSIDE and self.n_spikes_low <= self.n_spikes <= self.n_spikes_high


@dataclass(frozen=True, eq=False, kw_only=True)
class Predictive:
    """Simulations of neurons drawn from the posterior of a recording.

    Attributes:
        V: Membrane voltage, in mV.
        spikes: True at each spike.
        dt: Sampling interval, in ms.
    """

    V: Float32[np.ndarray, "draw time"]
    spikes: Bool[np.ndarray, "draw time"]
    dt: float

    @property
    def n_spikes(self) -> Int[np.ndarray, " draw"]:
        """Spikes of each simulated neuron."""
        return self.spikes.sum(axis=1)

    @property
    def band(self) -> Float[np.ndarray, "3 time"]:
        """5 %, 50 % and 95 % quantiles of V at each sample, in mV."""
        return np.quantile(self.V, TAILS, axis=0)

    def check(self, recording: Recording) -> PredictiveCheck:
        """Compare with the recording."""
        low, _, high = self.band
        # All simulations share the first sample, to single precision.
        outside = np.maximum(low - recording.V, recording.V - high)  # mV, negative inside
        fewest, most = np.quantile(self.n_spikes, (TAILS[0], TAILS[2]), method="inverted_cdf")
        return PredictiveCheck(float(np.mean(outside < 1e-3)), int(recording.spikes.sum()), int(fewest), int(most))


def posterior_predictive(
    recording: Recording, draws: Draws, prior: Prior, *, n_draws: int = 200, seed: int = 0
) -> Predictive:
    """Simulate the recording anew, each time with a neuron drawn from its posterior.

    The current is that of the recording, and so is the voltage of the first sample.

    Args:
        recording: With its current.
        draws: From the posterior of this recording.
        prior: Of the network; gives the parameters that are not inferred.
        n_draws: Neurons, at most as many as there are draws.
        seed: Of their noise.

    Raises:
        ValueError: If the draws are of many recordings or of other parameters than the prior's.
    """
    if draws.array.ndim != 2 or draws.names != prior.inferred:
        raise ValueError(
            f"Draws must be from one recording's posterior of {', '.join(prior.inferred)}, got shape "
            f"{draws.array.shape} of {', '.join(draws.names)}."
        )
    n = min(n_draws, draws.n_draws)
    given = prior.known | observed_parameters(Recordings.from_list([recording]), prior)
    parameters = Parameters(
        **{name: np.broadcast_to(value, n) for name, value in given.items()},
        **{name: draws[name][:n] for name in draws.names},
    )
    V, spikes = _simulate_from(parameters, recording, seed)
    return Predictive(V=V, spikes=spikes, dt=recording.dt)


def _simulate_from(
    parameters: Parameters, recording: Recording, seed: int
) -> tuple[Float32[np.ndarray, "draw time"], Bool[np.ndarray, "draw time"]]:
    """Simulate neurons under the current of a recording, from the voltage of its first sample on.

    The simulator begins at a stationary voltage. One sample before the recording, each neuron gets the
    current that brings it to the recorded voltage: below threshold, V is linear in it, with the resistance
    tau / C as slope.
    """
    n = np.asarray(parameters.tau).size
    index = np.arange(n)
    I = np.tile(np.concatenate([[0.0], recording.I]).astype(np.float32), (n, 1))
    R, target = parameters.tau / parameters.C, float(recording.V[0])
    I[:, 0] = (target - FAR_BELOW - parameters.V_rest) / R
    arrived = simulate_traces(parameters, I, recording.dt, seed=seed, index=index).V[:, 1]
    I[:, 0] += (target - arrived) / R
    traces = simulate_traces(parameters, I, recording.dt, seed=seed, index=index)
    return traces.V[:, 1:], traces.spikes[:, 1:]
