"""The mode of the regression's posterior, where its search begins, and what is known of the threshold beforehand."""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float64
from scipy import special

from leakyflow.likelihood.blocks import in_blocks
from leakyflow.likelihood.least_squares import Regression as Fit
from leakyflow.likelihood.least_squares import coefficients, least_squares, predicted_at_spikes
from leakyflow.likelihood.regression import threshold_bound
from leakyflow.likelihood.sufficient import Sufficient, compressed_log_likelihood
from leakyflow.likelihood.target import above, score_of
from leakyflow.neuron.parameters import Parameters
from leakyflow.simulator.distributions import AbstractDistribution
from leakyflow.simulator.prior import Prior, ReadOff

__all__ = ["LARGEST_SCORE", "Truncation", "regression_modes"]

N_NEWTON = 30
# A likelihood that is not log-concave can leave the Hessian flat or worse; half the prior's precision is the floor.
LEAST_PRECISION = 0.5
# Beyond this a normal distribution function rounds to 0 or 1.
LARGEST_SCORE = 7.0
# Draws that give the mean and covariance under the prior of what least squares fits.
N_PRIOR = 4096


class Truncation(NamedTuple):
    """Of the normal distribution of each score; without a bound that is -inf, the location 0 and the scale 1."""

    bound: Float64[np.ndarray, "dataset param"]
    location: Float64[np.ndarray, "dataset param"]
    scale: Float64[np.ndarray, "dataset param"]


class Expansion(NamedTuple):
    """A loss to second order around u."""

    u: Array
    value: Array
    slope: Array
    curvature: Array


def regression_modes(
    prior: Prior, sufficient: Sufficient
) -> tuple[Truncation, Float64[np.ndarray, "dataset param"], Float64[np.ndarray, "dataset param param"]]:
    """A Laplace approximation of each posterior, in scores in which a truncation is built in.

    Args:
        prior: Of neurons for which the regression is exact.
        sufficient: Statistics of the recordings, from `compress`.

    Returns:
        The truncation, the mode, and a symmetric square root of the covariance.
    """
    c = coefficients(prior.sample(N_PRIOR, 0))
    regression = least_squares(sufficient, c.mean(0), np.cov(c.T) + 1e-12 * np.eye(3))
    truncation, start = _starting_point(prior, sufficient, regression)
    # What is read off is taken as typical, but for the reset, which the solver takes from the recording.
    read_off = {name: entry.read_off for name, entry in prior.root.items() if isinstance(entry, ReadOff)}
    typical = {name: float(of.quantile(0.5)) for name, of in read_off.items() if name != "V_reset"}
    bounded = bool(np.isfinite(truncation.bound).any())  # by the prior alone
    solve = _laplace_solver(tuple(prior.distributions.items()), tuple((prior.known | typical).items()), bounded)
    centre, root = in_blocks(
        lambda rows: solve(start[rows], tuple(value[rows] for value in truncation), sufficient.at(rows)), len(start)
    )
    return truncation, centre, root


def _starting_point(
    prior: Prior, s: Sufficient, regression: Fit
) -> tuple[Truncation, Float64[np.ndarray, "dataset param"]]:
    """The truncation that is built in, and where the search begins, in scores."""
    start = np.zeros((len(s.V_ref), prior.n_inferred))
    truncation = Truncation(start - np.inf, start.copy(), start + 1.0)
    leak = np.maximum(-regression.c[:, 1], 1e-4)
    guesses = {
        "tau": 1.0 / leak,
        "V_rest": regression.c[:, 0] / leak,
        "C": 1.0 / np.maximum(regression.c[:, 2], 1e-5),
        "membrane_noise": regression.noise,
    }
    for axis, (name, distribution) in enumerate(prior.distributions.items()):
        if name in guesses:
            start[:, axis] = np.clip(score_of(distribution, guesses[name]), -3.0, 3.0)
    if "V_th" not in prior.inferred:
        return truncation, start
    axis, V_th = prior.inferred.index("V_th"), prior.distributions["V_th"]
    at_spikes = predicted_at_spikes(regression, s)
    if "threshold_noise" not in prior.root:
        bound = threshold_bound(prior, s)
        noise = prior.known.get("membrane_noise", regression.noise) * np.sqrt(s.dt)
        truncation.bound[:, axis] = bound
        truncation.location[:, axis], truncation.scale[:, axis] = _truncated_normal(
            V_th, bound, at_spikes, s.weight, noise
        )
    else:
        mean = (s.weight * at_spikes).sum(1) / np.maximum(s.weight.sum(1), 1.0)
        guess = np.where(s.weight.sum(1) > 0, mean, s.V_max + 3.0)
        start[:, axis] = np.clip(score_of(V_th, guess), -4.0, 4.0)
    return truncation, start


def _hazard(x: Float64[np.ndarray, "..."]) -> Float64[np.ndarray, "..."]:
    """Density of the standard normal over its mass above x, accurate in both tails."""
    return np.sqrt(2.0 / np.pi) / special.erfcx(x / np.sqrt(2.0))


def _truncated_normal(
    V_th: AbstractDistribution,
    bound: Float64[np.ndarray, " dataset"],
    at_spikes: Float64[np.ndarray, "dataset spike"],
    weight: Float64[np.ndarray, "dataset spike"],
    noise: Float64[np.ndarray, " dataset"] | float,
) -> tuple[Float64[np.ndarray, " dataset"], Float64[np.ndarray, " dataset"]]:
    """The normal distribution that, truncated at the bound, resembles the posterior of the threshold's score.

    Its log density has the posterior's slope and curvature at its own mean, found by iteration. Each spike
    multiplies the prior by Phi((predicted voltage - V_th) / noise).
    """
    location, scale = np.zeros_like(bound), np.ones_like(bound)
    noise = np.broadcast_to(np.reshape(noise, (-1, 1)), at_spikes.shape)
    # From the wall outwards: the first expansion is where the voltage certainly was.
    z = mean = before = np.maximum(bound, -LARGEST_SCORE)
    for iteration in range(12):
        # The way is halved where the map of the prior bends so much that the search would swing.
        z = mean if iteration < 6 else 0.5 * (z + mean)
        before = mean
        stretch = np.exp(np.asarray(V_th.log_det_jacobian(z)))[:, None]  # mV per unit of score
        margin = (at_spikes - np.asarray(V_th.from_unconstrained(z))[:, None]) / noise
        ratio = _hazard(-margin)
        slope = -z - (weight * ratio * stretch / noise).sum(1)
        # Between 0 and 1; far from the threshold margin and ratio cancel to the last digit.
        sharpness = np.clip(ratio * (margin + ratio), 0.0, 1.0)
        curvature = 1.0 + (weight * sharpness * (stretch / noise) ** 2).sum(1)
        location, scale = z + slope / curvature, 1.0 / np.sqrt(curvature)
        # Further out a truncated normal is an exponential, whatever its location.
        location = np.maximum(location, bound - 25.0 * scale)
        mean = location + scale * _hazard((bound - location) / scale)
    # Where it swings all the same, the truncated prior will do.
    found = np.abs(mean - before) < 0.1 * np.minimum(scale, mean - bound)
    return np.where(found, location, 0.0), np.where(found, scale, 1.0)


@lru_cache(maxsize=8)
def _laplace_solver(
    distributions: tuple[tuple[str, AbstractDistribution], ...], known: tuple[tuple[str, float], ...], bounded: bool
) -> Callable[..., tuple[Array, Array]]:
    """Compile the search for modes once per prior; the curvature of a bound takes as long as all else."""
    n = len(distributions)

    def loss(u: Array, truncation: tuple[Array, Array, Array], s: Sufficient) -> Array:
        """Negative log posterior density of the scores u, in which a truncation is built in."""
        bound, location, scale = truncation
        standard = above((bound - location) / scale, u) if bounded else u
        z = location + scale * standard
        log_det = 0.5 * (standard**2 - u**2)
        # Of those read off only the reset may enter another's likelihood: its mean is seen, its scatter is
        # taken as typical.
        released = jnp.sum(s.weight * s.V_released) / jnp.maximum(jnp.sum(s.weight), 1.0)
        values: dict[str, Any] = {"V_reset": released, **dict(known)}
        inferred = {name: prior.from_unconstrained(z[i]) for i, (name, prior) in enumerate(distributions)}
        log_prior = -0.5 * z @ z + jnp.sum(log_det)
        return -log_prior - compressed_log_likelihood(Parameters(**(values | inferred)), s)

    def expand(u: Array, truncation: tuple[Array, Array, Array], s: Sufficient) -> Expansion:
        def value_and_slope(u: Array) -> tuple[Array, tuple[Array, Array]]:
            value, slope = jax.value_and_grad(loss)(u, truncation, s)
            return slope, (value, slope)

        curvature, (value, slope) = jax.jacfwd(value_and_slope, has_aux=True)(u)
        return Expansion(u, value, slope, curvature)

    def step(state: tuple[Expansion, Array, Array], truncation: tuple, s: Sufficient) -> tuple:
        """Levenberg and Marquardt: damp more after a failure, less after a success."""
        best, damping, candidate = state
        new = expand(candidate, truncation, s)
        better = (new.value < best.value) & jnp.isfinite(new.curvature).all()  # False for NaN
        best = jax.tree.map(partial(jnp.where, better), new, best)
        damping = jnp.clip(jnp.where(better, damping / 5.0, damping * 10.0), 1e-6, 1e8)
        move = jnp.linalg.solve(best.curvature + damping * jnp.eye(n), best.slope)
        return best, damping, jnp.clip(best.u - move, -LARGEST_SCORE, LARGEST_SCORE)

    def solve(start: Array, truncation: tuple[Array, Array, Array], s: Sufficient) -> tuple[Array, Array]:
        nowhere = Expansion(start, jnp.asarray(jnp.inf), jnp.zeros(n), jnp.eye(n))
        state = (nowhere, jnp.asarray(5.0), start)
        (best, _, _), _ = jax.lax.scan(lambda x, _: (step(x, truncation, s), None), state, length=N_NEWTON)
        precision, axes = jnp.linalg.eigh(best.curvature)
        return best.u, (axes / jnp.sqrt(jnp.maximum(precision, LEAST_PRECISION))) @ axes.T

    return jax.jit(jax.vmap(solve, in_axes=(0, 0, Sufficient._make([*[0] * 12, None]))))
