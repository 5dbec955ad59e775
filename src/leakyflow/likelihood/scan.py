r"""The likelihood of any neuron, as what a predictor is worth: one scan over the samples.

Before sample k the neuron predicts a voltage m with variance P (with current noise, the covariance of V and x), a
threshold theta and the states of its mechanisms. With y the recorded voltage less R_s I, R = measurement_noise^2,
S = P + R, K = P / S and v = m + K (y - m),

.. math:: \log p(\mathrm{spike}) = \log \Phi\left((m - \theta) / \sqrt{\sigma_{th}^2 + P}\right)

.. math:: \log p(\mathrm{free}, y) = \log N(y; m, S)
    + \log \Phi\left((\theta - v) / \sqrt{\sigma_{th}^2 + P R / S}\right)

then the mechanisms advance with v and the spike, and (m, P) go on by Kalman's equations. Exact where V is observed
(R = 0) and only the membrane is noisy. Else a voltage is taken as normal after a threshold that it did or did not
cross, with the moments that the crossing leaves it (assumed-density filtering; Minka 2001, Expectation propagation,
section 3.2), and the mechanisms follow its mean.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from leakyflow.likelihood.normal import LOG_SQRT_2PI, log_ndtr
from leakyflow.neuron.membrane import Membrane, Spread
from leakyflow.neuron.parameter import Values
from leakyflow.neuron.parameters import Parameters
from leakyflow.recordings.batch import Batch

__all__ = ["Scored", "Trace", "scan_log_likelihood", "scan_scores", "trace_of"]

# mV within which a hard threshold and voltages in single precision are told apart, where other terms are rounded, too.
ROUNDING = 1e-4
# SDs beyond which a threshold says nothing.
NO_MARGIN = 40.0


class Trace(NamedTuple):
    """Sweeps as the scan takes them, of shape (time, sweep); padded samples are neither free nor spikes."""

    y: Any  # mV, as recorded
    I: Any  # pA, during the step that begins with the sample
    electrode: Any  # pA, through the electrode when y was measured
    spikes: Any  # 0 or 1
    free: Any  # 0 or 1; a first sample is free
    dt: Any


def trace_of(batch: Batch) -> Trace:
    """Sweeps as the scan takes them, in double precision, of few lengths.

    While V stands still it was measured once, at the end, with the current of that moment.
    """
    wide = batch.roomy()
    y, I = (np.where(wide.valid, x, 0.0).astype(np.float64) for x in (wide.V, wide.I))
    places = np.broadcast_to(np.arange(y.shape[1]), y.shape)
    last = np.where(wide.refractory & wide.valid, 0, 1)  # the sample after which V moves again, or a free one
    ends = np.where(np.pad(last[:, 1:], ((0, 0), (0, 1)), constant_values=1) == 1, places, y.shape[1])
    ends = np.minimum.accumulate(ends[:, ::-1], axis=1)[:, ::-1]
    held = (wide.spikes | wide.refractory) & wide.valid
    electrode = np.where(held, np.take_along_axis(I, np.minimum(ends, wide.n_samples[:, None] - 1), axis=1), I)
    spikes, free = (x.astype(np.float64) for x in (wide.spikes & wide.valid, wide.free))
    return Trace._make([*(np.ascontiguousarray(x.T) for x in (y, I, electrode, spikes, free)), batch.dt])


class _State(NamedTuple):
    """What is known after a sample; None where the neuron has no such part."""

    v: Values  # mV, mean of the voltage
    P: Values  # mV^2, its variance
    x: Any  # pA, mean of the current noise
    cross: Any  # mV pA, their covariance
    X: Any  # pA^2, variance of the current noise
    states: Any
    total: Values  # nats


class _Filter(NamedTuple):
    """What does not change from sample to sample."""

    p: Parameters
    membrane: Membrane
    spread: Spread
    R: Values  # mV^2, of the measurement

    @classmethod
    def of(cls, p: Parameters, dt: Any) -> "_Filter":
        return cls(p, Membrane.of(p, dt), Spread.of(p, dt), jnp.asarray(p.measurement_noise) ** 2)

    @property
    def coloured(self) -> bool:
        """Whether there is current noise."""
        return "current_noise" in self.p

    @property
    def hidden(self) -> bool:
        """Whether the voltage is seen through noise."""
        return "measurement_noise" in self.p

    @property
    def rounded(self) -> bool:
        """Whether more than the voltage itself decides what a hard threshold excludes."""
        return "R_s" in self.p or any(mechanism.threshold for mechanism in self.p.mechanisms)


def scan_log_likelihood(p: Parameters, trace: Trace) -> Float[Array, "..."]:
    """Log likelihood of each sweep; traced by JAX.

    Args:
        p: Of shapes that broadcast against (sweep,), such as (draw, 1).
        trace: Sweeps.

    Returns:
        Of shape (..., sweep), in the precision of the trace.
    """
    f, begun, inputs = _prepared(p, trace)
    known, _ = jax.lax.scan(lambda known, x: (_step(f, known, *x)[0], None), begun, inputs)
    return known.total


class Residuals(NamedTuple):
    """What the log likelihood is made of, for each sample after the first and each sweep."""

    deviation: Values  # of the voltage from its prediction, in SDs; 0 where there is none
    log_variance: Values  # of that prediction, in mV^2; 0 where there is none
    margin: Values  # from the threshold, in SDs, positive on the side on which the sample was; NO_MARGIN where none


class Scored(NamedTuple):
    """Of each sweep, by some parameters of which the first axis is the number."""

    slope: Values  # of the log likelihood
    curvature: Values  # its negative second derivatives, but for terms that vanish on average (Fisher scoring)


def scan_scores(p: Parameters, tangents: Parameters, trace: Trace) -> Scored:
    r"""Slope and curvature of the log likelihood of each sweep, in one scan; traced by JAX.

    The log likelihood is a sum over samples of squares of deviations u, of log variances s and of log Phi of margins m.
    With their first derivatives alone,

    .. math:: H = \sum (u' + u s' / 2) (u' + u s' / 2)^T + \frac{1}{2} \sum s' s'^T
        + \sum \lambda (\lambda + m) m' m'^T , \quad \lambda = \phi(m) / \Phi(m) .

    Args:
        p: Of shape (sweep,).
        tangents: Derivatives of p by each direction, of shape (direction, sweep).
        trace: Sweeps.

    Returns:
        Of shape (direction, sweep) and (direction, direction, sweep). The first sample has no part in them.
    """

    def prepared(p: Parameters) -> tuple[_Filter, _State]:
        return _prepared(p, trace)[:2]

    f, begun, inputs = _prepared(p, trace)
    df, dbegun = jax.vmap(lambda own: jax.jvp(prepared, (p,), (own,))[1])(tangents)
    n = len(jax.tree.leaves(tangents)[0])
    zero = jnp.zeros((n, *trace.y.shape[1:]), trace.y.dtype)

    def step(carry: tuple, x: tuple[Values, ...]) -> tuple[tuple, None]:
        known, dknown, slope, curvature = carry

        def one(f: _Filter, known: _State) -> tuple[_State, Residuals]:
            return _step(f, known, *x)

        after, (u, _, m) = one(f, known)
        dknown, (du, ds, dm) = jax.vmap(lambda a, b: jax.jvp(one, (f, known), (a, b))[1])(df, dknown)
        ratio = jnp.exp(-0.5 * m * m - LOG_SQRT_2PI - log_ndtr(m))
        weight = ratio * jnp.clip(ratio + m, 0.0)
        de = du + 0.5 * u * ds  # of the prediction alone
        curvature = curvature + de[:, None] * de + 0.5 * ds[:, None] * ds + weight * dm[:, None] * dm
        return (after, dknown, slope + ratio * dm - u * du - 0.5 * ds, curvature), None

    (_, _, slope, curvature), _ = jax.lax.scan(step, (begun, dbegun, zero, zero[:, None] * zero), inputs)
    return Scored(slope, curvature)


def _prepared(p: Parameters, trace: Trace) -> tuple["_Filter", "_State", tuple[Values, ...]]:
    y, I, electrode, spikes, free, dt = trace
    f = _Filter.of(p, dt)
    shape = jnp.broadcast_shapes(*(jnp.shape(value) for value in p.values()), y.shape[1:])
    # A step sees the current that flowed since the sample before, and the spike of that sample.
    inputs = (y[1:], I[:-1], electrode[1:], spikes[:-1], spikes[1:], free[1:])
    return f, _begin(f, y[0], I[0], electrode[0], shape), inputs


def _begin(f: _Filter, y: Values, I: Values, electrode: Values, shape: tuple[int, ...]) -> _State:
    """The first sample, at rest under the first current."""
    full = partial(jnp.broadcast_to, shape=shape)
    m = f.membrane.rest(I)
    states = jax.tree.map(full, f.membrane.start(m))
    cross, X = (f.spread.covariance, f.spread.x) if f.coloured else (None, None)
    prior = _State(m, f.spread.V, jnp.zeros(()) if f.coloured else None, cross, X, states, jnp.zeros(()))
    seen, log_density = _observe(f, prior, y - f.p.R_s * electrode)
    seen = seen._replace(total=jnp.zeros(shape, y.dtype) + log_density)
    return jax.tree.map(lambda value: full(jnp.asarray(value, y.dtype)), seen)


def _step(
    f: _Filter, s: _State, y: Values, I: Values, electrode: Values, spiked: Values, spike: Values, free: Values
) -> tuple[_State, Residuals]:
    """One sample: what is known after it, and how it deviated."""
    p = f.p
    states = f.membrane.advance(s.states, s.v, spiked)
    predicted = _predict(f, s._replace(states=states), I)
    theta = f.membrane.threshold(states)
    at = y - p.R_s * electrode
    seen, log_density = _observe(f, predicted, at)
    released, log_release = _release(f, predicted, at)
    is_spike, is_free = spike > 0, free > 0
    before = _State._make([*(_either(is_spike, a, b) for a, b in zip(predicted[:5], seen[:5], strict=True)), None, 0.0])
    above = jnp.where(is_spike, 1.0, -1.0)
    crossed = _crossing(f, above * (before.v - theta), before.P)
    gained = jnp.where(is_spike, log_release, log_density) + crossed
    if f.hidden or f.coloured:
        left = _left_by_crossing(f, before, theta, above, crossed)
        seen = seen._replace(v=left.v, P=left.P, x=left.x, cross=left.cross, X=left.X)
        released = released._replace(x=left.x, X=left.X)

    def after(free: Any, spike: Any, held: Any) -> Any:
        return _either(is_free, free, _either(is_spike, spike, held))

    residuals = Residuals(
        deviation=jnp.where(is_free, (at - predicted.v) / jnp.sqrt(predicted.P + f.R), 0.0),
        log_variance=jnp.where(is_free, jnp.log(predicted.P + f.R), 0.0),
        margin=jnp.where(is_free | is_spike, _margin(f, above * (before.v - theta), before.P), NO_MARGIN),
    )
    known = _State(
        v=after(seen.v, released.v, s.v),
        P=after(seen.P, released.P, s.P),
        x=after(seen.x, released.x, predicted.x),
        cross=after(seen.cross, released.cross, s.cross),
        X=after(seen.X, released.X, predicted.X),
        states=states,
        total=s.total + jnp.where(is_free | is_spike, gained, 0.0),
    )
    return known, residuals


def _predict(f: _Filter, s: _State, I: Values) -> _State:
    """The next sample, before anything of it is seen."""
    m = f.membrane.step(s.states, s.v, I if s.x is None else I + s.x)
    if s.x is None:
        P = f.spread.diffused if not f.hidden else f.membrane.slope(s.states, s.v) ** 2 * s.P + f.spread.diffused
        return s._replace(v=m, P=P)
    a, b, decay = f.membrane.slope(s.states, s.v), f.membrane.gain, f.spread.decay
    P = a * (a * s.P + 2.0 * b * s.cross) + b * b * s.X + f.spread.diffused
    return s._replace(
        v=m, P=P, x=decay * s.x, cross=decay * (a * s.cross + b * s.X), X=decay**2 * s.X + f.spread.renewed
    )


def _observe(f: _Filter, s: _State, y: Values) -> tuple[_State, Values]:
    """What is known once y is seen, and the log density of y."""
    S = s.P + f.R
    e = y - s.v
    log_density = _log_normal(e, S)
    v, P = (y, jnp.zeros_like(s.P)) if not f.hidden else (s.v + s.P / S * e, s.P * f.R / S)
    if s.x is None:
        return s._replace(v=v, P=P), log_density
    share = s.cross / S
    return s._replace(v=v, P=P, x=s.x + share * e, cross=share * f.R, X=s.X - share * s.cross), log_density


def _release(f: _Filter, s: _State, y: Values) -> tuple[_State, Values]:
    """What is known of the voltage at which a spike released the neuron; the current noise goes on by itself."""
    zero = None if s.cross is None else jnp.zeros_like(s.cross)
    if "reset_noise" not in f.p:
        return s._replace(v=y, P=f.R, cross=zero), 0.0
    spread = f.p.reset_noise**2
    S = spread + f.R
    e = y - f.p.V_reset
    return s._replace(v=f.p.V_reset + spread / S * e, P=spread * f.R / S, cross=zero), _log_normal(e, S)


def _log_normal(e: Values, variance: Values) -> Values:
    return -0.5 * e * e / variance - 0.5 * jnp.log(variance) - LOG_SQRT_2PI


def _crossing(f: _Filter, margin: Values, P: Values) -> Values:
    """Log probability of being on the side of the threshold on which the mean is by so much."""
    if "threshold_noise" in f.p:
        return log_ndtr(margin / jnp.sqrt(f.p.threshold_noise**2 + P))
    certain = P <= 0.0
    sd = jnp.sqrt(jnp.where(certain, 1.0, P))
    hard = jnp.where(margin > (-ROUNDING if f.rounded else 0.0), 0.0, -jnp.inf)
    return jnp.where(certain, hard, log_ndtr(margin / sd))


def _margin(f: _Filter, margin: Values, P: Values) -> Values:
    variance = f.p.threshold_noise**2 + P
    return margin / jnp.sqrt(jnp.where(variance > 0.0, variance, 1.0))


def _left_by_crossing(f: _Filter, s: _State, theta: Values, above: Values, log_probability: Values) -> _State:
    """Moments of the voltage and the current noise on one side of the threshold (Minka 2001, equation 3.32)."""
    variance = f.p.threshold_noise**2 + s.P
    sd = jnp.sqrt(jnp.where(variance > 0.0, variance, 1.0))
    z = above * (s.v - theta) / sd
    # Of a hard threshold that an exact voltage crossed nothing is learned.
    ratio = jnp.where(variance > 0.0, jnp.exp(-0.5 * z * z - LOG_SQRT_2PI - log_probability), 0.0)
    shift, narrowing = above * ratio / sd, ratio * (ratio + z) / jnp.where(variance > 0.0, variance, 1.0)
    moved = s._replace(v=s.v + s.P * shift, P=s.P - s.P**2 * narrowing)
    if s.x is None:
        return moved
    return moved._replace(
        x=s.x + s.cross * shift, cross=s.cross - s.P * s.cross * narrowing, X=s.X - s.cross**2 * narrowing
    )


def _either(condition: Values, a: Any, b: Any) -> Any:
    return None if a is None or b is None else jnp.where(condition, a, b)
