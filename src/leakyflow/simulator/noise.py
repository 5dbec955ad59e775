"""The simulator's random numbers: standard normal, and a neuron's own whatever is drawn beside it."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32, Int, UInt32

__all__ = ["SPARED", "Noise", "draw_noise"]

# The noises of which nothing is drawn where they are zero for everyone; that never changes another's stream.
SPARED = ("threshold", "reset", "measurement", "current")

# Salmon et al. (2011), Parallel random numbers: as easy as 1, 2, 3, section 4.2 and table 2.
ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
PARITY = 0x1BD11BDA

# Of the inverse error function, highest power first.
CENTRE = (
    2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087, -0.00125372503,
    -0.00417768164, 0.246640727, 1.50140941,
)  # fmt: skip
TAIL = (
    -0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613,
    0.00943887047, 1.00167406, 2.83297682,
)  # fmt: skip


Words = UInt32[Array, "time dataset"]


class Noise(NamedTuple):
    """Standard normal draws, one per sample; None where no neuron uses them."""

    membrane: Float32[Array, "time dataset"]
    threshold: Float32[Array, "time dataset"] | None
    reset: Float32[Array, "time dataset"] | None
    measurement: Float32[Array, "time dataset"] | None
    current: Float32[Array, "time dataset"] | None


def draw_noise(seed: Array, index: Int[Array, " dataset"], start: int, n_time: int, noisy: tuple[bool, ...]) -> Noise:
    """Draw the noises of some neurons: number k of stream i depends on (seed, i, k) alone.

    Args:
        seed: Of the whole set.
        index: Number i of each neuron's stream.
        start: First number of each stream.
        n_time: How many numbers.
        noisy: Which of `SPARED` to draw.

    Returns:
        Time along the leading axis.
    """
    on = dict(zip(SPARED, noisy, strict=True))
    # One call gives two words, enough for two of the noises. What nobody uses is never computed.
    membrane, reset = _words(seed, index, start, n_time, pair=0)
    threshold, measurement = _words(seed, index, start, n_time, pair=1)
    current, _ = _words(seed, index, start, n_time, pair=2)
    return Noise(
        _normal(membrane),
        _normal(threshold) if on["threshold"] else None,
        _normal(reset) if on["reset"] else None,
        _normal(measurement) if on["measurement"] else None,
        _normal(current) if on["current"] else None,
    )


def _words(seed: Array, index: Int[Array, " dataset"], start: int, n_time: int, *, pair: int) -> tuple[Words, Words]:
    key = jax.random.fold_in(jax.random.key(seed), pair)
    keys = jax.random.key_data(jax.vmap(partial(jax.random.fold_in, key))(index))
    shape = (n_time, len(index))
    k = jnp.uint32(start) + jax.lax.broadcasted_iota(jnp.uint32, shape, 0)
    return _threefry(jnp.broadcast_to(keys[:, 0], shape), jnp.broadcast_to(keys[:, 1], shape), k)


def _threefry(key_0: Words, key_1: Words, count: Words) -> tuple[Words, Words]:
    """Threefry-2x32 with 20 rounds: two random words for each count, the same as those of JAX.

    On a CPU JAX runs the rounds as a loop over arrays; written out, they are one pass, in half the time.
    """
    keys = (key_0, key_1, key_0 ^ key_1 ^ jnp.uint32(PARITY))
    x, y = key_0, count + key_1
    for group in range(5):
        for rotation in ROTATIONS[group % 2]:
            x = x + y
            y = ((y << rotation) | (y >> (32 - rotation))) ^ x
        x = x + keys[(group + 1) % 3]
        y = y + keys[(group + 2) % 3] + jnp.uint32(group + 1)
    return x, y


def _normal(word: UInt32[Array, "..."]) -> Float32[Array, "..."]:
    """Standard normal from 32 random bits, by the inverse of its distribution function; symmetric about 0.

    M. Giles (2012), Approximating the erfinv function, GPU Computing Gems Jade Edition, chapter 10; for
    single precision. `jax.lax.erf_inv` has the same table and takes half as long again.
    """
    # The 24 highest bits, and a half so that neither end is reached: all exact in single precision.
    signed = jax.lax.bitcast_convert_type(word, jnp.int32) >> 8
    x = (signed.astype(jnp.float32) + 0.5) * jnp.float32(2.0**-23)
    w = -jnp.log((1 - x) * (1 + x))
    factor = jnp.where(w < 5, _polynomial(CENTRE, w - 2.5), _polynomial(TAIL, jnp.sqrt(w) - 3))
    return jnp.float32(2.0**0.5) * factor * x


def _polynomial(coefficients: tuple[float, ...], x: Float32[Array, "..."]) -> Float32[Array, "..."]:
    value = jnp.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        value = value * x + jnp.float32(coefficient)
    return value
