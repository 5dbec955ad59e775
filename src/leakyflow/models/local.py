r"""Standardization by the data: coordinates in which the posterior of every recording looks alike.

The prior's normal scores z have prior N(0, 1). Where the threshold is hard, V_th lies above the largest voltage
that the recording survived: its score is taken under a normal distribution truncated there, which for a silent
recording is the truncated prior itself. A Laplace approximation of the closed-form posterior of these scores u
(Newton's method on a few hundred sufficient statistics) gives a centre and a root of the covariance, and the
flow learns

.. math:: w = \Sigma(x)^{-1/2} (u - \mu(x)) ,

which is standard normal to the first order; whatever it misses is the flow's to learn. The map and its Jacobian
are exact, so a poor centre costs sharpness, never correctness.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float64
from scipy import special

from leakyflow.errors import LeakyflowError
from leakyflow.likelihood.blocks import in_blocks
from leakyflow.likelihood.gauss_newton import scored_modes
from leakyflow.likelihood.regression import regression_is_exact, threshold_bound
from leakyflow.likelihood.scanned import Scanned
from leakyflow.likelihood.sufficient import Sufficient, compressed_log_likelihood
from leakyflow.likelihood.target import above, score_of
from leakyflow.models.least_squares import Regression, coefficients, least_squares, predicted_at_spikes
from leakyflow.neuron.parameters import Parameters
from leakyflow.simulator.distributions import AbstractDistribution
from leakyflow.simulator.prior import Prior, ReadOff

__all__ = [
    "LocalCoordinates",
    "coordinate_features",
    "from_local",
    "laplace_coordinates",
    "noise_features",
    "prior_coordinates",
    "scanned_coordinates",
    "score_above",
    "to_local",
]

N_NEWTON = 30
# A likelihood that is not log-concave can leave the Hessian flat or worse; half the prior's precision is the floor.
LEAST_PRECISION = 0.5
# Of log density: where a step of the search promises more, it did not arrive.
NOT_ARRIVED = 10.0
# Beyond this a normal distribution function rounds to 0 or 1.
LARGEST_SCORE = 7.0
# Draws that give the mean and covariance under the prior of what least squares fits.
N_PRIOR = 4096


class LocalCoordinates(NamedTuple):
    """Local coordinates of each recording. A parameter without a bound has bound -inf, location 0 and scale 1."""

    bound: Float64[np.ndarray, "dataset param"]  # prior score that the parameter exceeds for certain
    location: Float64[np.ndarray, "dataset param"]  # of the normal distribution that is truncated there
    scale: Float64[np.ndarray, "dataset param"]
    centre: Float64[np.ndarray, "dataset param"]
    root: Float64[np.ndarray, "dataset param param"]  # symmetric square root of the covariance


class Expansion(NamedTuple):
    """A loss to second order around u."""

    u: Array
    value: Array
    slope: Array
    curvature: Array


def prior_coordinates(n: int, n_params: int) -> LocalCoordinates:
    """The local coordinates of n recordings that knows nothing of them: w is the prior's score."""
    zeros = np.zeros((n, n_params))
    return LocalCoordinates(zeros - np.inf, zeros, zeros + 1.0, zeros, np.tile(np.eye(n_params), (n, 1, 1)))


def laplace_coordinates(prior: Prior, sufficient: Sufficient) -> LocalCoordinates:
    """The local coordinates of a Laplace approximation.

    Args:
        prior: With `measurement_noise` known to be 0 and `membrane_noise` positive.
        sufficient: Statistics of the recordings, from `compress`.

    Raises:
        LeakyflowError: If the regression is not exact for neurons of the prior.
    """
    if not regression_is_exact(prior):
        raise LeakyflowError(
            "Standardization by the data needs the closed-form likelihood: `measurement_noise` known to be 0 and "
            'a positive `membrane_noise`. Set standardize = "prior" for this prior.'
        )
    c = coefficients(prior.sample(N_PRIOR, 0))
    regression = least_squares(sufficient, c.mean(0), np.cov(c.T) + 1e-12 * np.eye(3))
    local, start = _starting_point(prior, sufficient, regression)
    # What is read off is taken as typical, but for the reset, which the solver takes from the recording.
    read_off = {name: entry.read_off for name, entry in prior.root.items() if isinstance(entry, ReadOff)}
    typical = {name: float(of.quantile(0.5)) for name, of in read_off.items() if name != "V_reset"}
    bounded = bool(np.isfinite(local.bound).any())  # by the prior alone
    solve = _laplace_solver(tuple(prior.distributions.items()), tuple((prior.known | typical).items()), bounded)
    centre, root = in_blocks(
        lambda rows: solve(start[rows], tuple(value[rows] for value in local[:3]), sufficient.at(rows)), len(start)
    )
    return local._replace(centre=centre, root=root)


def scanned_coordinates(target: Scanned) -> LocalCoordinates:
    """The local coordinates of a Laplace approximation, found by scoring on the scan over the samples.

    Where the search for the mode did not arrive, those that know nothing.
    """
    modes = scored_modes(target)
    arrived = np.asarray(modes.to_gain) < NOT_ARRIVED
    variance, axes = np.linalg.eigh(modes.covariance)
    root = np.einsum("nij,nj,nkj->nik", axes, np.sqrt(np.maximum(variance, 1e-12)), axes)
    blank = prior_coordinates(*modes.centre.shape)
    centre = np.where(arrived[:, None], modes.centre, blank.centre)
    return blank._replace(centre=centre, root=np.where(arrived[:, None, None], root, blank.root))


def to_local(
    local: LocalCoordinates, z: Float64[np.ndarray, "dataset draw param"]
) -> tuple[Float64[np.ndarray, "dataset draw param"], Float64[np.ndarray, "dataset draw"]]:
    """Map prior scores to local coordinates.

    Returns:
        w, and log |dw / dz|, which is -inf where a score does not exceed its bound (w then means nothing).
    """
    bound, location, scale = (value[:, None] for value in local[:3])
    inside = z > bound
    standard, least = (z - location) / scale, (bound - location) / scale
    u = np.where(np.isfinite(bound), score_above(np.where(inside, standard, least + 1.0), least), standard)
    log_det = 0.5 * (u**2 - standard**2) - special.log_ndtr(-least) - np.log(scale)
    w = np.einsum("nij,ndj->ndi", np.linalg.inv(local.root), u - local.centre[:, None])
    return w, np.where(inside, log_det, -np.inf).sum(-1) - _log_volume(local)


def from_local(
    local: LocalCoordinates, w: Float64[np.ndarray, "dataset draw param"]
) -> tuple[Float64[np.ndarray, "dataset draw param"], Float64[np.ndarray, "dataset draw"]]:
    """Map local coordinates to prior scores; the inverse of `to_local`, with log |dw / dz| again."""
    bound, location, scale = (value[:, None] for value in local[:3])
    least = (bound - location) / scale
    u = local.centre[:, None] + np.einsum("nij,ndj->ndi", local.root, w)
    standard = np.where(np.isfinite(bound), _number_above(u, least), u)
    log_det = 0.5 * (u**2 - standard**2) - special.log_ndtr(-least) - np.log(scale)
    return location + scale * standard, log_det.sum(-1) - _log_volume(local)


def score_above(x: Float64[np.ndarray, "..."], least: Float64[np.ndarray, "..."]) -> Float64[np.ndarray, "..."]:
    """Normal score of x under the standard normal truncated at `least`, from the nearer tail."""
    beyond = special.log_ndtr(-least)
    above = special.log_ndtr(-x) - beyond
    gap = -np.expm1(special.log_ndtr(least) - special.log_ndtr(x))
    below = special.log_ndtr(x) + np.log(np.maximum(gap, 1e-300)) - beyond
    return np.where(above < -np.log(2.0), -special.ndtri_exp(above), special.ndtri_exp(below))


def _number_above(u: Float64[np.ndarray, "..."], least: Float64[np.ndarray, "..."]) -> Float64[np.ndarray, "..."]:
    """The inverse of `score_above`."""
    beyond = special.log_ndtr(-least)
    above = special.log_ndtr(-u) + beyond
    below = np.logaddexp(special.log_ndtr(least), special.log_ndtr(u) + beyond)
    return np.where(above < -np.log(2.0), -special.ndtri_exp(above), special.ndtri_exp(below))


def _log_volume(local: LocalCoordinates) -> Float64[np.ndarray, "dataset 1"]:
    return np.linalg.slogdet(local.root)[1][:, None]


def coordinate_features(
    local: LocalCoordinates, *, correlations: bool = True
) -> Float64[np.ndarray, "dataset feature"]:
    """What a network is told of the local coordinates: bound, location, log scale, centre, log SDs and correlations.

    Args:
        local: Of each recording or cell.
        correlations: Whether they are among it.
    """
    bounded = np.isfinite(local.bound).any(0)
    least = ((local.bound - local.location) / local.scale)[:, bounded]
    sd = np.sqrt(np.einsum("nij,nij->ni", local.root, local.root))
    parts = [
        np.maximum(least, -LARGEST_SCORE),
        np.maximum(local.bound[:, bounded], -LARGEST_SCORE),
        np.log(local.scale[:, bounded]),
        local.centre,
        np.log(sd),
    ]
    if correlations:
        i, j = np.triu_indices(local.centre.shape[1], k=1)
        parts.append((local.root @ local.root)[:, i, j] / (sd[:, i] * sd[:, j]))
    return np.concatenate(parts, axis=1)


def noise_features(
    prior: Prior, read_off: Mapping[str, Float64[np.ndarray, " dataset"]]
) -> Float64[np.ndarray, "dataset feature"]:
    """What a network is told of what was read off: prior scores, which end where the network knows nothing more."""
    entries = {name: entry.read_off for name, entry in prior.root.items() if isinstance(entry, ReadOff)}
    columns = [score_of(entry, read_off[name]) for name, entry in entries.items()]
    return np.clip(np.stack(columns, axis=1), -LARGEST_SCORE, LARGEST_SCORE)


def _starting_point(
    prior: Prior, s: Sufficient, regression: Regression
) -> tuple[LocalCoordinates, Float64[np.ndarray, "dataset param"]]:
    """Where the search begins, in scores, and the truncation that the coordinates have built in."""
    local = prior_coordinates(len(s.V_ref), prior.n_inferred)
    start = np.zeros(local.centre.shape)
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
        return local, start
    axis, V_th = prior.inferred.index("V_th"), prior.distributions["V_th"]
    at_spikes = predicted_at_spikes(regression, s)
    if "threshold_noise" not in prior.root:
        bound = threshold_bound(prior, s)
        noise = prior.known.get("membrane_noise", regression.noise) * np.sqrt(s.dt)
        local.bound[:, axis] = bound
        local.location[:, axis], local.scale[:, axis] = _truncated_normal(V_th, bound, at_spikes, s.weight, noise)
    else:
        mean = (s.weight * at_spikes).sum(1) / np.maximum(s.weight.sum(1), 1.0)
        guess = np.where(s.weight.sum(1) > 0, mean, s.V_max + 3.0)
        start[:, axis] = np.clip(score_of(V_th, guess), -4.0, 4.0)
    return local, start


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
