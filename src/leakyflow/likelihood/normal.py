"""The normal distribution function and its inverse, with derivatives written out.

JAX differentiates the rational approximations inside its own versions; second derivatives of those take seconds
to compile, while the derivatives themselves are one exponential.
"""

import jax
import jax.numpy as jnp
import jax.scipy.special
from jax.scipy.special import erfc, ndtr
from jaxtyping import Array, Float

__all__ = ["log_ndtr", "ndtr", "ndtri"]

LOG_SQRT_2PI = 0.9189385332046727
SQRT_HALF = 0.7071067811865476


@jax.custom_jvp
def log_ndtr(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """Log of the standard normal distribution function, to a relative 1e-9 and an absolute 1e-15.

    Several times as fast as JAX's, on the CPU and in double precision, where the likelihood spends its time.
    """
    near = x > -12.0
    tail = jnp.minimum(x, -12.0)
    y = 1.0 / tail**2
    # Abramowitz and Stegun (1964), 26.2.12.
    series = 1.0 - y * (1.0 - y * (3.0 - y * (15.0 - y * 105.0)))
    factor = jnp.where(near, 0.5 * erfc(-SQRT_HALF * jnp.maximum(x, -12.0)), series / -tail)
    return jnp.log(factor) - jnp.where(near, 0.0, 0.5 * tail**2 + LOG_SQRT_2PI)


@log_ndtr.defjvp
def _log_ndtr_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    value = log_ndtr(primals[0])
    return value, jnp.exp(-0.5 * primals[0] ** 2 - value - LOG_SQRT_2PI) * tangents[0]


@jax.custom_jvp
def ndtri(p: Float[Array, "..."]) -> Float[Array, "..."]:
    """Quantile of the standard normal distribution."""
    return jax.scipy.special.ndtri(p)


@ndtri.defjvp
def _ndtri_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    value = ndtri(primals[0])
    return value, jnp.exp(0.5 * value**2 + LOG_SQRT_2PI) * tangents[0]
