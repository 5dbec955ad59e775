"""Posterior predictive: what neurons drawn from a posterior do under the current of the recording."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float64

from leakyflow.errors import LeakyflowError
from leakyflow.likelihood.draws import Draws
from leakyflow.likelihood.read_off import read_off_for, read_off_parameters
from leakyflow.models.statistics import descriptive_statistics
from leakyflow.neuron.parameters import Parameters
from leakyflow.recordings.batch import Batch
from leakyflow.recordings.recording import Recording
from leakyflow.simulator.prior import Prior
from leakyflow.simulator.simulate import Traces, as_recordings, simulate_traces

__all__ = ["FEATURES", "SMALL", "Predictive", "PredictiveCheck", "posterior_predictive"]

# What is compared one by one; the value in brackets stands where there are too few spikes.
FEATURES = {
    "spike_count": "spike count",
    "latency": "latency of the first spike [duration]",
    "isi_mean": "mean inter-spike interval [duration]",
    "isi_cv": "coefficient of variation of the intervals [0]",
    "V_mean": "mean subthreshold voltage",
    "V_sd": "SD of the subthreshold voltage",
    "V_end": "mean subthreshold voltage of the last tenth",
}
# A p-value below it is small.
SMALL = 0.05
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
        simulations: One for each neuron, under the current of the recording.
    """

    simulations: Batch

    @property
    def spikes(self) -> Bool[np.ndarray, "draw time"]:
        """True at each spike of each simulated neuron."""
        return self.simulations.spikes

    @property
    def band(self) -> Float[np.ndarray, "3 time"]:
        """5 %, 50 % and 95 % quantiles of V at each sample, in mV."""
        return np.quantile(self.simulations.V, TAILS, axis=0)

    def p_values(self, recording: Recording) -> dict[str, float]:
        """Two-sided posterior predictive p-value of each of the `FEATURES`.

        Of the recordings of the right model, at most a share 2 alpha has one below alpha.

        References:
            Gelman, Meng & Stern (1996), Statistica Sinica 6; Meng (1994), Posterior predictive p-values, Annals of
            Statistics 22, for what they are under the model.
        """
        found = {}
        # As if the recording were one of the simulations, which also spares its statistics a compilation of their own.
        features = _features(self.simulations.joined(Batch.from_list([recording])).roomy())
        for name in FEATURES:
            x, at = features[name][:-1], features[name][-1]
            # Of equal ones half count.
            tolerance = 1e-6 * (1.0 + abs(at))
            above = np.sum(x > at + tolerance) + 0.5 * (np.sum(np.abs(x - at) <= tolerance) + 1)
            share = above / (len(x) + 1)
            found[name] = float(2.0 * min(share, 1.0 - share))
        return found

    def check(self, recording: Recording) -> PredictiveCheck:
        """Compare with the recording."""
        low, _, high = self.band
        # All simulations share the first sample, to single precision.
        outside = np.maximum(low - recording.V, recording.V - high)  # mV, negative inside
        fewest, most = np.quantile(self.simulations.n_spikes, (TAILS[0], TAILS[2]), method="inverted_cdf")
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

    Example:
        >>> import leakyflow as lf
        >>> posterior, config = lf.load_posterior("standard"), lf.load_config("standard")
        >>> dataset = lf.make_dataset(config, 20, seed=7)
        >>> recording = dataset.recordings()[4]
        >>> draws = posterior.sample(recording, n_draws=200, seed=0)
        >>> predictive = posterior_predictive(recording, draws, posterior.prior, n_draws=50)
        >>> predictive.simulations.V.shape == (50, recording.n_samples)
        True
        >>> predictive.check(recording).n_spikes
        12
    """
    if draws.array.ndim != 2 or draws.names != prior.inferred:
        raise LeakyflowError(
            f"Draws must be from one recording's posterior of {', '.join(prior.inferred)}, got shape "
            f"{draws.array.shape} of {', '.join(draws.names)}."
        )
    n = min(n_draws, draws.n_draws)
    inferred = {name: draws[name][:n] for name in draws.names}
    read_off = read_off_parameters(Batch.from_list([recording]), prior)
    given = prior.known | read_off_for(prior.known | inferred, read_off)
    parameters = Parameters(**{name: np.broadcast_to(value, n) for name, value in given.items()}, **inferred)
    return Predictive(simulations=_simulate_from(parameters, recording, seed))


def _features(recordings: Batch) -> dict[str, Float64[np.ndarray, " dataset"]]:
    found = descriptive_statistics(recordings)
    late = np.arange(recordings.V.shape[1]) >= 0.9 * recordings.n_samples[:, None]
    free = recordings.free & late
    V_end = np.where(free, recordings.V, 0.0).sum(axis=1) / np.maximum(free.sum(axis=1), 1)
    return found | {
        "spike_count": recordings.n_spikes.astype(float),
        # One that ends within a refractory period has none.
        "V_end": np.where(free.any(axis=1), V_end, found["V_mean"]),
    }


def _simulate_from(parameters: Parameters, recording: Recording, seed: int) -> Batch:
    """Simulate neurons under the current of a recording, from the voltage of its first sample on.

    The simulator begins at a stationary voltage. One sample before the recording, each neuron gets the
    current that brings it to the recorded voltage: below threshold, V is linear in it, with the resistance
    tau / C as slope.
    """
    n = np.asarray(parameters.tau).size
    index = np.arange(n)
    roomy = Batch.from_list([recording]).roomy()
    I = np.tile(np.append(np.float32(0.0), roomy.I[0]), (n, 1))
    now = None if roomy.I_electrode is None else np.tile(np.append(np.float32(0.0), roomy.I_electrode[0]), (n, 1))
    R, target = parameters.tau / parameters.C, float(recording.V[0])
    I[:, 0] = (target - FAR_BELOW - parameters.V_rest) / R
    arrived = simulate_traces(parameters, I, recording.dt, seed=seed, index=index, I_electrode=now).V[:, 1]
    I[:, 0] += (target - arrived) / R
    traces = simulate_traces(parameters, I, recording.dt, seed=seed, index=index, I_electrode=now)
    own = slice(1, 1 + recording.n_samples)
    return as_recordings(Traces(*(values[:, own] for values in traces)), I[:, own], recording.dt)
