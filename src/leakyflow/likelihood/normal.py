"""The normal distribution function and its inverse, with derivatives written out.

JAX differentiates the rational approximations inside its own versions; second derivatives of those take seconds
to compile, while the derivatives themselves are one exponential.
"""

import jax
import jax.numpy as jnp
import jax.scipy.special
from jax.scipy.special import ndtr
from jaxtyping import Array, Float

__all__ = ["crossed", "log_ndtr", "ndtr", "ndtri"]

LOG_SQRT_2PI = 0.9189385332046727
SQRT_HALF = 0.7071067811865476
DENSITY = 0.3989422804014327  # of the standard normal distribution at 0


# Of (1 + 2 x) exp(x^2) erfc(x), even and odd powers of (x - 3.75) / (x + 3.75), highest first: a Chebyshev series, in
# powers (Shepherd & Laframboise 1981, Mathematics of Computation 36).
MIDDLE = 3.75
EVEN = (
    -2.623107347133476e-09, 3.197926671666804e-08, -2.4857126248016745e-07, 1.7419821586224816e-06,
    -1.1438048033346894e-05, 5.164652974177416e-05, 0.000293714378044958, -0.009746579683265262,
    -0.05869339857664934, -0.10880393014244462, 0.0035854154854790257, 1.2375126308378275,
)  # fmt: skip
ODD = (
    -1.9551358868985616e-09, 1.879082322370048e-08, -5.084465378687302e-08, -9.792625707303523e-07,
    2.2387565714911816e-05, -0.00029015535246077655, 0.0017556261651970652, 0.02836227737211114,
    0.09230432116428125, 0.08227673848999506, -0.14024059858554525,
)  # fmt: skip
# Beyond it a square overflows, in double and in single precision.
FARTHEST = {8: 1e150, 4: 1e18}  # by bytes of a number


def log_ndtr(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """Log of the standard normal distribution function.

    Several times as fast as JAX's, on the CPU and in double precision, where the likelihood spends its time.
    """
    return crossed(x, jnp.ones(()))[0]


@jax.custom_jvp
def crossed(x: Float[Array, "..."], scale: Float[Array, "..."]) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """Log of scale x the standard normal distribution function, and the density over the distribution function.

    Both at the price of one logarithm and one exponential, to rounding: a relative 1e-15, of the logarithm an absolute
    1e-15, too.

    Args:
        x: Of any size.
        scale: Positive.
    """
    far = jnp.minimum(SQRT_HALF * jnp.abs(x), FARTHEST[jnp.asarray(x).dtype.itemsize])
    above, halved = x > 0.0, 0.5 * _scaled_erfc(far)
    tail = jnp.exp(-(far**2))
    share = jnp.where(above, 1.0 - tail * halved, halved)  # without the exponential, where that is small
    # XLA would compute both anew for each of what follows.
    tail, share = jax.lax.optimization_barrier((tail, share))
    log = jnp.log(share * scale) - jnp.where(above, 0.0, 0.5 * x**2)
    return log, DENSITY * jnp.where(above, tail, 1.0) / share


def _scaled_erfc(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """exp(x^2) erfc(x) of numbers from 0 to `FARTHEST`."""
    both = 1.0 / ((x + MIDDLE) * (1.0 + 2.0 * x))
    t = (x - MIDDLE) * (1.0 + 2.0 * x) * both
    squared = t * t
    even, odd = (_polynomial(powers, squared) for powers in (EVEN, ODD))
    return (even + t * odd) * (x + MIDDLE) * both


def _polynomial(powers: tuple[float, ...], x: Float[Array, "..."]) -> Float[Array, "..."]:
    value = jnp.full_like(x, powers[0])
    for power in powers[1:]:
        value = value * x + power
    return value


@crossed.defjvp
def _crossed_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[tuple, tuple]:
    (x, scale), (dx, dscale) = primals, tangents
    log, ratio = crossed(x, scale)
    return (log, ratio), (ratio * dx + dscale / scale, -ratio * (x + ratio) * dx)


@jax.custom_jvp
def ndtri(p: Float[Array, "..."]) -> Float[Array, "..."]:
    """Quantile of the standard normal distribution."""
    return jax.scipy.special.ndtri(p)


@ndtri.defjvp
def _ndtri_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    value = ndtri(primals[0])
    return value, jnp.exp(0.5 * value**2 + LOG_SQRT_2PI) * tangents[0]
