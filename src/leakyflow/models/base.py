"""The distribution that a coupling flow starts from: a normal, or one of heavier tails."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64
from scipy import special

__all__ = ["Base"]

LOG_2_PI = float(np.log(2.0 * np.pi))


class Base(NamedTuple):
    """A standard distribution of so many parameters, normal or Student's t.

    A proposal must have heavier tails than what it is weighed against, or few draws have all the weight. In many
    directions a normal one has not (Owen 2013, Monte Carlo theory, methods and examples, section 9.3).

    Attributes:
        n_params: Directions, which the multivariate t has a common scale of.
        degrees: Of freedom; None is the normal distribution.
    """

    n_params: int
    degrees: float | None = None

    def draws(self, rng: np.random.Generator, n: int) -> Float64[np.ndarray, "draw param"]:
        """Draws of it.

        Example:
            >>> Base(2, 5.0).draws(np.random.default_rng(0), 3).shape
            (3, 2)
        """
        noise = rng.standard_normal((n, self.n_params))
        if self.degrees is None:
            return noise
        return noise * np.sqrt(self.degrees / rng.chisquare(self.degrees, n))[:, None]

    def log_density(self, z: Float64[np.ndarray, "*row param"]) -> Float64[np.ndarray, "*row"]:
        """Log density at z.

        Example:
            >>> round(float(Base(1).log_density(np.zeros(1))), 4)
            -0.9189
        """
        square, n, nu = (z**2).sum(-1), self.n_params, self.degrees
        if nu is None:
            return -0.5 * (square + n * LOG_2_PI)
        constant = special.gammaln(0.5 * (nu + n)) - special.gammaln(0.5 * nu) - 0.5 * n * np.log(nu * np.pi)
        return constant - 0.5 * (nu + n) * np.log1p(square / nu)
