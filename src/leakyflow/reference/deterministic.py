r"""The likelihood of a neuron without membrane noise, seen through an electrode that has some.

Between spikes the voltage is then a deterministic trace, linear in the voltage v at which the last spike released
the neuron,

.. math:: V_k = a_k + b_k (v - V_{reset}) , \qquad v \sim N(V_{reset}, reset\_noise) ,

so a segment, from one spike to the next, is a linear regression on a single number, which is integrated out.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp
from jax.scipy.stats import norm
from jaxtyping import Array, Bool, Float, Int

from leakyflow.reference.normal import log_ndtr
from leakyflow.simulator.parameters import Parameters

__all__ = ["deterministic_log_likelihood"]

# Nodes over each voltage of release. In 100 ms with 1 to 30 spikes the log likelihood was off by at most 4e-13 where
# the measurement noise was that of the threshold, 4e-4 at 3 times, and 0.4 at 10 to 20 times; more far from the
# truth, where a narrow threshold cuts the tail beyond the nodes: then it is too low.
ORDER = 24
# Nats by which each mV costs that a hard threshold forbids.
STEEPNESS = 1e3
# SD, in mV, below which a voltage counts as known and a threshold as hard.
KNOWN = 1e-9
# SDs at which a voltage of release stands for one without a bound.
UNBOUNDED = 1e15


def deterministic_log_likelihood(
    p: Parameters,
    V: Float[Array, " time"],
    I: Float[Array, " time"],
    spikes: Bool[Array, " time"],
    free: Bool[Array, " time"],
    valid: Bool[Array, " time"],
    dt: float | Float[Array, ""],
    *,
    n_segments: int,
) -> tuple[Float[Array, ""], Bool[Array, ""]]:
    """Log density of a recording, its spikes included, given its stimulus and when it was refractory.

    The voltage at which the neuron stands from a spike to the end of its refractory period was measured once, so
    the sample of the spike counts and the refractory ones do not.

    Args:
        p: Parameters, numbers; `membrane_noise` is taken as 0, `measurement_noise` > 0 and `tau` > `dt`.
        V: Observed voltage, in mV.
        I: Injected current, in pA.
        spikes: True at each spike.
        free: True where a sample is neither a spike nor refractory.
        valid: False at padding, which may hold any finite number.
        dt: Sampling interval, in ms.
        n_segments: At least one more than there are spikes; static.

    Returns:
        The log density, and whether a hard threshold excludes the parameters. Where it does, the impossible factors
        are left out of the density and `STEEPNESS` nats are taken off for each mV by which they fail: finite, and
        it leads back to what is possible. Its true value there is -inf.
    """
    spikes, free = spikes & valid, free & valid
    trace = _trace(p, I.astype(float), spikes, free, dt)
    segment = jnp.cumsum(spikes)
    total = partial(jax.ops.segment_sum, segment_ids=segment, num_segments=n_segments, indices_are_sorted=True)

    measured = free | spikes
    residual = jnp.where(measured, V - trace.a, 0.0)
    b = jnp.where(measured, trace.b, 0.0)
    ratio = p.reset_noise / p.measurement_noise
    widening = 1.0 + ratio**2 * total(b**2)
    slope = ratio * total(b * residual) / widening / p.measurement_noise  # released by `slope` SDs of the prior
    mean, sd = p.reset_noise * slope, p.reset_noise / jnp.sqrt(widening)
    # The regression's evidence about its best fit: nothing cancels, and no reset noise is no special case.
    density = norm.logpdf(residual - b * mean[segment], 0.0, p.measurement_noise)
    evidence = jnp.sum(jnp.where(measured, density, 0.0)) - 0.5 * jnp.sum(slope**2 + jnp.log(widening))

    before = segment[:-1]
    known = trace.b_next * sd[before] <= KNOWN
    steps = _Steps(
        margin=jnp.asarray(p.V_th - trace.a_next - trace.b_next * mean[before]),
        sd=jnp.where(known, 0.0, trace.b_next * sd[before]),
        spike=spikes[1:],
        free=free[1:],
        segment=before,
    )
    noisy = jnp.asarray(p.threshold_noise > KNOWN)
    crossed = _noisy_threshold(steps, jnp.where(noisy, p.threshold_noise, 1.0), n_segments)
    possible, excess, violated = _hard_threshold(steps, n_segments)
    return evidence + jnp.where(noisy, crossed, possible - STEEPNESS * excess), ~noisy & violated


class _Trace(NamedTuple):
    """Voltages in mV, as a + b (v - V_reset); `next` is Euler's prediction, from all samples but the last."""

    a: Float[Array, " time"]
    b: Float[Array, " time"]
    a_next: Float[Array, " time-1"]
    b_next: Float[Array, " time-1"]


def _trace(p: Parameters, I: Array, spikes: Array, free: Array, dt: float | Array) -> _Trace:
    # The simulator refuses tau <= dt; a sampler that strays there must not overflow.
    leak = jnp.minimum(dt / p.tau, 1.0)

    def step(state: tuple[Array, Array], x: tuple[Array, Array, Array]) -> tuple[tuple[Array, Array], _Trace]:
        (a, b), (I, spike, is_free) = state, x
        a_next, b_next = a + leak * (p.V_rest - a) + dt / p.C * I, b * (1.0 - leak)
        a = jnp.where(spike, p.V_reset, jnp.where(is_free, a_next, a))
        b = jnp.where(spike, 1.0, jnp.where(is_free, b_next, b))
        return (a, b), _Trace(a, b, a_next, b_next)

    a = jnp.asarray(p.V_rest + p.tau / p.C * I[0])
    first = (a, jnp.zeros_like(a))
    _, trace = jax.lax.scan(step, first, (I[:-1], spikes[1:], free[1:]))
    return trace._replace(a=jnp.append(a, trace.a), b=jnp.append(0.0, trace.b))


class _Steps(NamedTuple):
    """The threshold below which each sample after the first stayed, or which it reached."""

    margin: Float[Array, " time-1"]  # mV by which the expected prediction stays below the threshold
    sd: Float[Array, " time-1"]  # mV, of the prediction, given the voltages observed
    spike: Bool[Array, " time-1"]
    free: Bool[Array, " time-1"]
    segment: Int[Array, " time-1"]  # to which the sample before it belongs


def _noisy_threshold(steps: _Steps, noise: Array, n_segments: int) -> Array:
    """Log probability of the spikes, by Gauss-Hermite quadrature over each voltage of release."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(ORDER)
    z = (steps.margin - steps.sd * nodes[:, None]) / noise
    survived = jnp.where(steps.spike | steps.free, log_ndtr(jnp.where(steps.spike, -z, z)), 0.0)
    logs = jax.ops.segment_sum(survived.T, steps.segment, n_segments, indices_are_sorted=True)
    return jnp.sum(logsumexp(logs + np.log(weights / weights.sum()), axis=1))


def _hard_threshold(steps: _Steps, n_segments: int) -> tuple[Array, Array, Array]:
    """Log probability of the spikes, mV by which it is impossible, and whether it is."""

    def largest(values: Array) -> Array:
        return jax.ops.segment_max(values, steps.segment, n_segments, indices_are_sorted=True)

    known = steps.sd == 0.0
    z = steps.margin / jnp.where(known, 1.0, steps.sd)
    # A segment without samples has infinite extremes.
    above = jnp.minimum(-largest(jnp.where(steps.free & ~known, -z, -UNBOUNDED)), UNBOUNDED)
    below = jnp.maximum(largest(jnp.where(steps.spike & ~known, z, -UNBOUNDED)), -UNBOUNDED)
    empty = below >= above
    inside = jnp.where(empty, 0.0, _log_mass(jnp.where(empty, -1.0, below), jnp.where(empty, 1.0, above)))

    reached = steps.free & known & (steps.margin <= 0.0)
    too_high = jnp.maximum(largest(jnp.where(reached, -steps.margin, 0.0)), 0.0)
    # At the highest release that the free samples allow, the spike's prediction is still too low by this much.
    too_low = steps.margin - steps.sd * above[steps.segment]
    missed = steps.spike & (too_low > 0.0)
    excess = jnp.sum(too_high) + jnp.sum(jnp.where(missed, too_low, 0.0))
    return jnp.sum(inside), excess, jnp.any(reached) | jnp.any(missed) | jnp.any(empty)


def _log_mass(low: Array, high: Array) -> Array:
    """Log probability that a standard normal variable lies between two numbers, low < high, in either tail."""
    mirrored = low + high > 0.0
    low, high = jnp.where(mirrored, -high, low), jnp.where(mirrored, -low, high)
    top = log_ndtr(high)
    # A bound 50 SDs further out changes nothing, and need not be known exactly.
    gap = top - log_ndtr(jnp.maximum(low, jnp.minimum(high, 0.0) - 50.0))
    # Close bounds cancel. The slope of log Phi is at least this: Sampford (1953), Annals of Mathematical Statistics 24.
    least = (high - low) * (jnp.sqrt(high**2 + 8.0) - 3.0 * high) / 4.0
    return top + jnp.log(-jnp.expm1(-jnp.maximum(gap, least)))
