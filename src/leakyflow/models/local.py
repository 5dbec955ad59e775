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

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64
from scipy import special

from leakyflow.errors import LeakyflowError
from leakyflow.likelihood.gauss_newton import scored_modes
from leakyflow.likelihood.regression import regression_is_exact
from leakyflow.likelihood.regression_mode import LARGEST_SCORE, regression_modes
from leakyflow.likelihood.scanned import Scanned
from leakyflow.likelihood.sufficient import Sufficient
from leakyflow.likelihood.target import score_of
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

# Of log density: where a step of the search promises more, it did not arrive.
NOT_ARRIVED = 10.0


class LocalCoordinates(NamedTuple):
    """Local coordinates of each recording. A parameter without a bound has bound -inf, location 0 and scale 1."""

    bound: Float64[np.ndarray, "dataset param"]  # prior score that the parameter exceeds for certain
    location: Float64[np.ndarray, "dataset param"]  # of the normal distribution that is truncated there
    scale: Float64[np.ndarray, "dataset param"]
    centre: Float64[np.ndarray, "dataset param"]
    root: Float64[np.ndarray, "dataset param param"]  # symmetric square root of the covariance


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
    truncation, centre, root = regression_modes(prior, sufficient)
    return LocalCoordinates(*truncation, centre, root)


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
