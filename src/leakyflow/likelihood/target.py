"""The exact posterior as samplers see it: prior scores of cells in, log likelihood out."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Float64
from scipy import special

from leakyflow.likelihood.normal import ndtr, ndtri
from leakyflow.simulator.distributions import AbstractDistribution, normal_log_prob
from leakyflow.simulator.prior import Prior

__all__ = ["Density", "Target", "above", "log_mass_above", "score_of"]


class Density(NamedTuple):
    """A cell's log likelihood for samplers that JAX compiles."""

    log_likelihood: Callable[[Array, Any], Array]  # of scores z of shape (param,), and the data; the same object
    data: Any  # for every cell of one kind, so that it is compiled once


class Target(ABC):
    """Posteriors of the normal scores z, whose prior is N(0, I), of one or many cells.

    Attributes:
        prior: What is inferred.
        bound: Score that a parameter exceeds for certain, of shape (cell, param); -inf without one.
        possible: False where the prior excludes the cell, of shape (cell,).
        read_off: Parameters read off each sweep.
        remaining: Coordinates for some draws of one cell (`leakyflow.likelihood.remaining`); None without.
    """

    prior: Prior
    bound: Float64[np.ndarray, "cell param"]
    possible: Bool[np.ndarray, " cell"]
    read_off: Mapping[str, Float64[np.ndarray, " sweep"]]
    remaining: Any = None

    @abstractmethod
    def one(self, index: int) -> "Target":
        """The target of one of the cells, with all axes kept."""

    @abstractmethod
    def density(self) -> Density:
        """Of the first cell."""

    @abstractmethod
    def guess(self) -> Float64[np.ndarray, "cell param"]:
        """Scores near which the posterior may be, for a search to begin with."""

    @abstractmethod
    def _evaluate(self, z: Float64[np.ndarray, "cell draw param"]) -> Float64[np.ndarray, "cell draw"]:
        """Log likelihood, bounds aside."""

    def log_likelihood(self, z: Float64[np.ndarray, "cell draw param"]) -> Float64[np.ndarray, "cell draw"]:
        """Log likelihood at prior scores; -inf where a hard threshold excludes them, never NaN."""
        values = self._evaluate(z)
        inside = (z > self.bound[:, None]).all(-1) & self.possible[:, None]
        return np.where(inside & ~np.isnan(values), values, -np.inf)

    def log_joint(self, z: Float64[np.ndarray, "cell draw param"]) -> Float64[np.ndarray, "cell draw"]:
        """Log likelihood and log prior density of the scores, together."""
        return self.log_likelihood(z) + np.asarray(normal_log_prob(z)).sum(-1)


def score_of(distribution: AbstractDistribution, x: Float64[np.ndarray, " dataset"]) -> Float64[np.ndarray, " dataset"]:
    """Normal score of any number, infinite from the ends of the support on."""
    low, high = distribution.support
    inside = (x > low) & (x < high)
    score = distribution.to_unconstrained(np.where(inside, x, distribution.from_unconstrained(0.0)))
    return np.where(inside, score, np.where(x <= low, -np.inf, np.inf))


def above(bound: Float[Array, " param"], u: Float[Array, " param"]) -> Float[Array, " param"]:
    """Prior scores of the numbers u, which are standard normal under the prior truncated at the bound."""
    return jnp.where(jnp.isfinite(bound), -ndtri(ndtr(-bound) * ndtr(-u)), u)


def log_mass_above(bound: Float64[np.ndarray, "cell param"]) -> Float64[np.ndarray, " cell"]:
    """Log of the prior's mass above the bound."""
    return special.log_ndtr(-bound).sum(1)
