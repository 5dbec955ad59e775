"""The exact posterior as samplers see it: prior scores in, log likelihood out, many recordings at once."""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Float64
from scipy import special

from leakyflow.recordings.recording import Recordings
from leakyflow.reference.deterministic import deterministic_log_likelihood
from leakyflow.reference.likelihood import Traces, n_segments, traces_of
from leakyflow.reference.normal import ndtr, ndtri
from leakyflow.reference.observed import observed_parameters
from leakyflow.reference.sufficient import Sufficient, compress, compressed_log_likelihood, spike_columns
from leakyflow.simulator.distributions import AbstractDistribution, normal_log_prob
from leakyflow.simulator.prior import Prior

__all__ = [
    "Target",
    "above",
    "has_likelihood",
    "log_mass_above",
    "score_of",
    "scores_log_likelihood",
    "target_of",
    "threshold_bound",
]

# Nodes of the grid of survived voltages: see `compressed_log_likelihood` for its error.
N_DEPTHS = 128
# A bound below the first excludes nothing, and one above the second leaves 1e-12 of the prior.
NEAREST_BOUND, FARTHEST_BOUND = -30.0, 7.0
# Recordings x draws evaluated at a time, and draws where whole traces are.
ROWS = 2**16
TRACE_ROWS = 2**8


class Target(NamedTuple):
    """Posteriors of the normal scores z, whose prior is N(0, I), of one or many recordings."""

    prior: Prior
    data: Sufficient | Traces
    observed: Mapping[str, Float64[np.ndarray, " dataset"]]
    bound: Float64[np.ndarray, "dataset param"]  # score that a parameter exceeds for certain; -inf without one
    possible: Bool[np.ndarray, " dataset"]  # False where the prior excludes the recording
    n_segments: int  # 0 where the traces were compressed

    def one(self, index: int) -> "Target":
        """The target of one of the recordings, with all axes kept."""
        rows = slice(index, index + 1)
        data, observed = self.given(rows)
        return self._replace(data=data, observed=observed, bound=self.bound[rows], possible=self.possible[rows])

    def given(self, rows: Any) -> tuple[Sufficient | Traces, dict[str, Any]]:
        """Data and observed parameters of some rows; of one number, without their axis."""
        data = self.data.at(rows)
        if isinstance(data, Sufficient):
            data = data.narrow()
        return data, {name: value[rows] for name, value in self.observed.items()}

    def log_likelihood(self, z: Float64[np.ndarray, "dataset draw param"]) -> Float64[np.ndarray, "dataset draw"]:
        """Log likelihood at prior scores; -inf where a hard threshold excludes them, never NaN."""
        n, n_draws = z.shape[:2]
        step = min(n, max(1, ROWS // n_draws))
        values = np.empty((n, n_draws))
        # Those with like numbers of spikes together: no more columns than they need.
        order = np.argsort((self.data.weight > 0).sum(1)) if isinstance(self.data, Sufficient) else np.arange(n)
        for first in range(0, n, step):
            rows = order[np.minimum(np.arange(first, first + step), n - 1)]  # the last repeated: one compiled shape
            with jax.enable_x64(True):
                block, violated = _evaluate(self.prior, self.n_segments, *self.given(rows), z[rows])
            values[rows] = np.where(violated, -np.inf, block)
        inside = (z > self.bound[:, None]).all(-1) & self.possible[:, None]
        return np.where(inside & ~np.isnan(values), values, -np.inf)

    def log_joint(self, z: Float64[np.ndarray, "dataset draw param"]) -> Float64[np.ndarray, "dataset draw"]:
        """Log likelihood and log prior density of the scores, together."""
        return self.log_likelihood(z) + np.asarray(normal_log_prob(z)).sum(-1)


def has_likelihood(prior: Prior) -> bool:
    """Whether the likelihood is known: one of membrane and measurement noise is 0, the other is not."""
    membrane, measurement = (prior.known.get(name) for name in ("membrane_noise", "measurement_noise"))
    return (measurement == 0.0 and membrane != 0.0) or (membrane == 0.0 and measurement != 0.0)


def target_of(recordings: Recordings, prior: Prior) -> Target:
    """The exact posteriors of recordings.

    Args:
        recordings: One or many.
        prior: With one of `membrane_noise` and `measurement_noise` known to be 0.

    Raises:
        ValueError: If the likelihood is not known in closed form, or there are no recordings.
    """
    if not len(recordings):
        raise ValueError("At least one recording is needed, got none.")
    if not has_likelihood(prior):
        raise ValueError(
            "The likelihood is known in closed form only where one of `membrane_noise` and `measurement_noise` is "
            "known to be 0 and the other is not. Set one of them to 0 in the prior, or take uncorrected draws with "
            "correct=False."
        )
    n = len(recordings)
    bound, possible = np.full((n, prior.n_inferred), -np.inf), np.ones(n, bool)
    data: Sufficient | Traces
    if prior.known.get("measurement_noise") == 0.0:
        soft = prior.known.get("threshold_noise") != 0.0
        data = compress(
            recordings.roomy(),
            n_spikes=spike_columns(int(recordings.n_spikes.max())),
            n_depths=N_DEPTHS if soft else 4,
        )
        if not soft and "V_th" in prior.inferred:
            bound[:, prior.inferred.index("V_th")] = threshold_bound(prior, data)
            possible &= (bound < FARTHEST_BOUND).all(1)
        elif not soft:
            possible &= np.asarray((data.n_steps == 0) | (data.V_max < prior.known["V_th"]))
        room = 0  # for segments, which only traces need
    else:
        data, room = traces_of(recordings), n_segments(recordings)
    return Target(prior, data, observed_parameters(recordings, prior), bound, possible, room)


def threshold_bound(prior: Prior, s: Sufficient) -> Float64[np.ndarray, " dataset"]:
    """Prior score that V_th exceeds where the threshold is hard: that of the largest voltage survived."""
    score = np.clip(score_of(prior.distributions["V_th"], s.V_max), NEAREST_BOUND, FARTHEST_BOUND)
    # Without a free step nothing was survived.
    return np.where(s.n_steps > 0, score, NEAREST_BOUND)


def score_of(distribution: AbstractDistribution, x: Float64[np.ndarray, " dataset"]) -> Float64[np.ndarray, " dataset"]:
    """Normal score of any number, infinite from the ends of the support on."""
    low, high = distribution.support
    inside = (x > low) & (x < high)
    score = distribution.to_unconstrained(np.where(inside, x, distribution.from_unconstrained(0.0)))
    return np.where(inside, score, np.where(x <= low, -np.inf, np.inf))


def above(bound: Float[Array, " param"], u: Float[Array, " param"]) -> Float[Array, " param"]:
    """Prior scores of the numbers u, which are standard normal under the prior truncated at the bound."""
    return jnp.where(jnp.isfinite(bound), -ndtri(ndtr(-bound) * ndtr(-u)), u)


def log_mass_above(bound: Float64[np.ndarray, "dataset param"]) -> Float64[np.ndarray, " dataset"]:
    """Log of the prior's mass above the bound."""
    return special.log_ndtr(-bound).sum(1)


def scores_log_likelihood(
    prior: Prior,
    n_segments: int,
    z: Float[Array, " param"],
    data: Sufficient | Traces,
    observed: Mapping[str, Array],
) -> tuple[Array, Array]:
    """Log likelihood of one recording, bounds aside, and whether a hard threshold is violated; traced by JAX.

    Where it is, the value is finite and falls with the violation.
    """
    p = prior.from_unconstrained(z, observed=observed)
    if isinstance(data, Traces):
        return deterministic_log_likelihood(p, *data, n_segments=n_segments)
    return compressed_log_likelihood(p, data), jnp.asarray(False)


@partial(jax.jit, static_argnums=(0, 1))
def _evaluate(
    prior: Prior, n_segments: int, data: Sufficient | Traces, observed: Mapping[str, Array], z: Array
) -> tuple[Array, Array]:
    axes = type(data)._make([*[0] * (len(data) - 1), None])
    one = partial(scores_log_likelihood, prior, n_segments)

    def of_draws(z: Array, data: Sufficient | Traces, observed: Mapping[str, Array]) -> tuple[Array, Array]:
        if isinstance(data, Traces):
            return jax.lax.map(lambda x: one(x, data, observed), z, batch_size=TRACE_ROWS)
        return jax.vmap(one, in_axes=(0, None, None))(z, data, observed)

    return jax.vmap(of_draws, in_axes=(0, axes, 0))(z, data, observed)
