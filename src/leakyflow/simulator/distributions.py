r"""The distributions that priors are made of, each with its map to the standard normal.

Unconstrained space is the space of normal scores, :math:`z = \Phi^{-1}(F(x))`: there every prior is exactly
standard normal, whatever its support. All methods take numbers, NumPy arrays and JAX arrays, traced ones too.
"""

import math
import sys
from abc import ABC, abstractmethod
from types import SimpleNamespace
from typing import Annotated, Any, Literal

import numpy as np
import scipy.special
from jaxtyping import Float
from pydantic import AfterValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass

from leakyflow.errors import LeakyflowError

__all__ = [
    "AbstractDistribution",
    "Distribution",
    "LogNormal",
    "Normal",
    "Number",
    "TruncatedNormal",
    "Uniform",
    "check_spread",
]

# In the units of the package nothing that neurons have comes near; beyond it, squares and exponentials overflow.
MOST = 1e9


def _within(value: float) -> float:
    if abs(value) > MOST:
        raise LeakyflowError(f"A number must lie within -{MOST:g} and {MOST:g}")
    return value


# Not by ge and le, which those of a field would replace.
Number = Annotated[float, Field(strict=True, allow_inf_nan=False), AfterValidator(_within)]
Values = float | Float[Any, "..."]

CONFIG = ConfigDict(extra="forbid")
ON_HOST = SimpleNamespace(np=np, ndtr=scipy.special.ndtr, ndtri=scipy.special.ndtri)
LOG_SQRT_2PI = 0.5 * math.log(2 * math.pi)
# A truncation keeping less lies some 6 SD out: there `mean` and `sd` no longer describe the distribution, and
# single precision no longer resolves it.
LEAST_MASS = 1e-9


def math_of(*values: Values) -> SimpleNamespace:
    """The functions for these values: JAX's if one of them is a JAX array, else those of NumPy and SciPy."""
    jax = sys.modules.get("jax")
    if jax is not None and any(isinstance(value, jax.Array) for value in values):
        import jax.numpy
        import jax.scipy.special

        return SimpleNamespace(np=jax.numpy, ndtr=jax.scipy.special.ndtr, ndtri=jax.scipy.special.ndtri)
    return ON_HOST


def normal_log_prob(z: Values) -> Values:
    """Log density of the standard normal."""
    return -0.5 * z * z - LOG_SQRT_2PI


def _check_positive(name: str, value: float) -> None:
    if value <= 0:
        raise LeakyflowError(f"`{name}` must be positive, got {value:g}. A value that does not vary is a plain number.")


def _check_ordered(low: float, high: float) -> None:
    if low >= high:
        raise LeakyflowError(f"`low` must be below `high`, got low={low:g} >= high={high:g}. Swap or separate them.")


def check_spread(name: str, distribution: "AbstractDistribution") -> None:
    """Refuse what no computation of 16 digits can be about: numbers too large, or too close to each other or to 0.

    Args:
        name: Of what is distributed so.
        distribution: Its distribution.

    Raises:
        LeakyflowError: If its normal scores of -5 and 5 lie beyond 1e9, or those of -1 and 1 within a billionth of
            their value.

    Example:
        >>> check_spread("tau", LogNormal(median=17.0, sigma=500.0))
        Traceback (most recent call last):
        leakyflow.errors.LeakyflowError: `tau` must stay within 1e+09, and differ by more than 1e-09 of its value ...
    """
    with np.errstate(all="ignore"):
        low, left, right, high = (float(distribution.from_unconstrained(z)) for z in (-5.0, -1.0, 1.0, 5.0))
    if not (max(abs(low), abs(high)) <= MOST and right - left > max(abs(left), abs(right), 1.0) / MOST):
        raise LeakyflowError(
            f"`{name}` must stay within {MOST:g}, and differ by more than {1 / MOST:g} of its value from draw to draw, "
            f"got {low:g} to {high:g} (normal scores -5 to 5). Change its distribution, or make it a number."
        )


class AbstractDistribution(ABC):
    """A proper, continuous distribution of one number; a final class adds its fields and four methods."""

    @property
    @abstractmethod
    def support(self) -> tuple[float, float]:
        """Least and greatest value, or infinity."""

    @abstractmethod
    def log_prob(self, x: Values) -> Values:
        """Log density at x, -inf outside the support."""

    @abstractmethod
    def to_unconstrained(self, x: Values) -> Values:
        r"""Normal score of x, :math:`\Phi^{-1}(F(x))`; infinite or NaN unless x lies inside the support."""

    @abstractmethod
    def from_unconstrained(self, z: Values) -> Values:
        """The value whose normal score is z."""

    def quantile(self, u: Values) -> Values:
        """The value below which a share u of the distribution lies."""
        return self.from_unconstrained(math_of(u).ndtri(u))

    def log_det_jacobian(self, z: Values) -> Values:
        """Log of |dx / dz| where x = from_unconstrained(z)."""
        return normal_log_prob(z) - self.log_prob(self.from_unconstrained(z))


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class Normal(AbstractDistribution):
    """The normal distribution.

    Attributes:
        mean: Mean, in the unit of the parameter.
        sd: Standard deviation, in the same unit.

    Raises:
        ValueError: If a number is not finite, or sd is not positive.

    Example:
        >>> Normal(mean=-72.0, sd=6.0).from_unconstrained(2.0)
        -60.0
    """

    family: Literal["normal"] = "normal"
    mean: Number
    sd: Number

    def __post_init__(self) -> None:
        _check_positive("sd", self.sd)

    @property
    def support(self) -> tuple[float, float]:  # noqa: D102
        return -math.inf, math.inf

    def log_prob(self, x: Values) -> Values:  # noqa: D102
        return normal_log_prob(self.to_unconstrained(x)) - math.log(self.sd)

    def to_unconstrained(self, x: Values) -> Values:  # noqa: D102
        return (x - self.mean) / self.sd

    def from_unconstrained(self, z: Values) -> Values:  # noqa: D102
        return self.mean + self.sd * z


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class LogNormal(AbstractDistribution):
    """The distribution of a positive number whose logarithm is normal.

    Attributes:
        median: Median, in the unit of the parameter.
        sigma: Standard deviation of the natural logarithm.

    Raises:
        ValueError: If a number is not finite or not positive.

    Example:
        >>> LogNormal(median=17.0, sigma=0.5).from_unconstrained(0.0)
        np.float64(17.0)
    """

    family: Literal["lognormal"] = "lognormal"
    median: Number
    sigma: Number

    def __post_init__(self) -> None:
        _check_positive("median", self.median)
        _check_positive("sigma", self.sigma)

    @property
    def support(self) -> tuple[float, float]:  # noqa: D102
        return 0.0, math.inf

    def log_prob(self, x: Values) -> Values:  # noqa: D102
        xp = math_of(x).np
        # The logarithm of a value that the outer `where` discards would still poison the gradient.
        inside = xp.where(x > 0, x, 1.0)
        log_density = normal_log_prob(self.to_unconstrained(inside)) - math.log(self.sigma) - xp.log(inside)
        return xp.where(x > 0, log_density, -math.inf)

    def to_unconstrained(self, x: Values) -> Values:  # noqa: D102
        return math_of(x).np.log(x / self.median) / self.sigma

    def from_unconstrained(self, z: Values) -> Values:  # noqa: D102
        return self.median * math_of(z).np.exp(self.sigma * z)


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class Uniform(AbstractDistribution):
    """The uniform distribution between two numbers.

    Attributes:
        low: Least value, in the unit of the parameter.
        high: Greatest value, in the same unit.

    Raises:
        ValueError: If a number is not finite, or low is not below high.

    Example:
        >>> Uniform(low=2.0, high=6.0).quantile(0.25)
        array(3.)
    """

    family: Literal["uniform"] = "uniform"
    low: Number
    high: Number

    def __post_init__(self) -> None:
        _check_ordered(self.low, self.high)

    @property
    def support(self) -> tuple[float, float]:  # noqa: D102
        return self.low, self.high

    def log_prob(self, x: Values) -> Values:  # noqa: D102
        inside = (x >= self.low) & (x <= self.high)
        return math_of(x).np.where(inside, -math.log(self.high - self.low), -math.inf)

    def to_unconstrained(self, x: Values) -> Values:  # noqa: D102
        width = self.high - self.low
        return _normal_score((x - self.low) / width, (self.high - x) / width)

    def from_unconstrained(self, z: Values) -> Values:  # noqa: D102
        functions = math_of(z)
        width = self.high - self.low
        # Counted from the nearer end, which keeps every digit there and never steps over it.
        from_low, from_high = functions.ndtr(z) * width, functions.ndtr(-z) * width
        return functions.np.where(z < 0, self.low + from_low, self.high - from_high)


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class TruncatedNormal(AbstractDistribution):
    """The normal distribution kept between two numbers.

    Attributes:
        mean: Mean before truncation, in the unit of the parameter.
        sd: Standard deviation before truncation, in the same unit.
        low: Least value, in the same unit.
        high: Greatest value, in the same unit.

    Raises:
        ValueError: If a number is not finite, sd is not positive, low is not below high, or truncation leaves
            less than 1e-9 of the normal.

    Example:
        >>> prior = TruncatedNormal(mean=-45.0, sd=6.0, low=-55.0, high=-35.0)
        >>> prior.quantile(0.5).round(6)
        np.float64(-45.0)
    """

    family: Literal["truncated_normal"] = "truncated_normal"
    mean: Number
    sd: Number
    low: Number
    high: Number

    def __post_init__(self) -> None:
        _check_positive("sd", self.sd)
        _check_ordered(self.low, self.high)
        if self._mass < LEAST_MASS:
            raise LeakyflowError(
                f"Truncation must leave at least {LEAST_MASS:g} of the normal, got {self._mass:.2g} between "
                f"low={self.low:g} and high={self.high:g} for mean={self.mean:g}, sd={self.sd:g}. "
                "Move the mean towards the interval, or use a Uniform."
            )

    @property
    def _ends(self) -> tuple[float, float]:
        return (self.low - self.mean) / self.sd, (self.high - self.mean) / self.sd

    @property
    def _mass(self) -> float:
        return float(_normal_mass(*self._ends))

    @property
    def support(self) -> tuple[float, float]:  # noqa: D102
        return self.low, self.high

    def log_prob(self, x: Values) -> Values:  # noqa: D102
        log_density = normal_log_prob((x - self.mean) / self.sd) - math.log(self.sd * self._mass)
        return math_of(x).np.where((x >= self.low) & (x <= self.high), log_density, -math.inf)

    def to_unconstrained(self, x: Values) -> Values:  # noqa: D102
        a, b = self._ends
        t = (x - self.mean) / self.sd
        return _normal_score(_normal_mass(a, t) / self._mass, _normal_mass(t, b) / self._mass)

    def from_unconstrained(self, z: Values) -> Values:  # noqa: D102
        a, b = self._ends
        functions = math_of(z)
        below = _cdf(a) + self._mass * functions.ndtr(z)
        above = _cdf(-b) + self._mass * functions.ndtr(-z)
        # Rounding at the ends may step over them by one unit in the last place.
        return functions.np.clip(self.mean + self.sd * _normal_score(below, above), self.low, self.high)


Distribution = Annotated[Normal | LogNormal | Uniform | TruncatedNormal, Field(discriminator="family")]


def _normal_mass(a: Values, b: Values) -> Values:
    """Probability that a standard normal lies between a and b, without cancellation in either tail."""
    return math_of(a, b).np.where(a + b < 0, _cdf(b) - _cdf(a), _cdf(-a) - _cdf(-b))


def _cdf(x: Values) -> Values:
    # A number stays one, so that it takes on the precision of the array that it meets.
    return float(scipy.special.ndtr(x)) if isinstance(x, float) else math_of(x).ndtr(x)


def _normal_score(below: Values, above: Values) -> Values:
    """Normal score from the probabilities below and above (their sum is 1), accurate in both tails."""
    functions = math_of(below, above)
    # One call on the smaller of the two: ndtri(1) is infinite, and so would be its gradient.
    score = functions.ndtri(functions.np.where(below < above, below, above))
    return functions.np.where(below < above, score, -score)
