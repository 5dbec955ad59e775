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

from leakyflow.likelihood.normal import LOG_SQRT_2PI, crossed
from leakyflow.neuron.membrane import Membrane, Spread
from leakyflow.neuron.parameter import Values
from leakyflow.neuron.parameters import Parameters
from leakyflow.recordings.batch import Batch

__all__ = ["Residuals", "Scored", "Trace", "scan_log_likelihood", "scan_residuals", "scan_scores", "trace_of"]

# mV within which a hard threshold and voltages in single precision are told apart, where other terms are rounded, too.
ROUNDING = 1e-4
# SDs beyond which a threshold says nothing.
NO_MARGIN = 40.0
# Samples of which slope and curvature are summed together.
CHUNK = 32


class Trace(NamedTuple):
    """Sweeps as the scan takes them, of shape (time, sweep); padded samples are neither free nor spikes."""

    y: Any  # mV, as recorded
    I: Any  # pA, during the step that begins with the sample
    electrode: Any  # pA, through the electrode when y was measured
    spikes: Any  # 0 or 1
    free: Any  # 0 or 1; a first sample is free
    dt: Any


def trace_of(batch: Batch) -> Trace:
    """Sweeps as the scan takes them, in double precision, of few lengths."""
    wide = batch.roomy()
    now = wide.when_measured(wide.I if wide.I_electrode is None else wide.I_electrode)
    y, I, electrode = (np.where(wide.valid, x, 0.0).astype(np.float64) for x in (wide.V, wide.I, now))
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


class _Release(NamedTuple):
    """What is known of the voltage at which a spike releases the neuron, once it is seen."""

    root: Values  # mV^-1, of the precision of what is seen
    gain: Values  # share of the deviation that is the voltage's own
    P: Values  # mV^2, of the voltage then

    @classmethod
    def of(cls, spread: Values, R: Values) -> "_Release":
        S = spread + R
        return cls(jax.lax.rsqrt(S), spread / S, spread * R / S)


class _Filter(NamedTuple):
    """What does not change from sample to sample."""

    p: Parameters
    membrane: Membrane
    spread: Spread
    R: Values  # mV^2, of the measurement
    release: _Release | None  # None where the reset has no spread

    @classmethod
    def of(cls, p: Parameters, dt: Any) -> "_Filter":
        R = jnp.asarray(p.measurement_noise) ** 2
        release = _Release.of(p.reset_noise**2, R) if "reset_noise" in p else None
        return cls(p, Membrane.of(p, dt), Spread.of(p, dt), R, release)

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


def scan_log_likelihood(
    p: Parameters, trace: Trace, unroll: int = 1, n_steps: Any = None, *, silent: bool = False
) -> Float[Array, "..."]:
    """Log likelihood of each sweep; traced by JAX.

    Args:
        p: Of shapes that broadcast against (sweep,), such as (draw, 1).
        trace: Sweeps.
        unroll: Samples in one step of the compiled loop.
        n_steps: Samples after the first that are looked at; may be traced, for sweeps of many lengths to share a shape,
            and then has no reverse derivative. All by default.
        silent: Whether the threshold is so far away that nothing is to be said of it, and there are no spikes.

    Returns:
        Of shape (..., sweep), in the precision of the trace.
    """
    f, (begun, _), inputs = _prepared(p, trace)
    step = _silent_step if silent else _step
    if n_steps is None:
        known, _ = jax.lax.scan(lambda known, x: (step(f, known, *x)[0], None), begun, inputs, unroll=unroll)
    else:
        inputs = tuple(map(jnp.asarray, inputs))
        known = jax.lax.fori_loop(0, n_steps, lambda k, known: step(f, known, *(x[k] for x in inputs))[0], begun)
    return known.total


class Residuals(NamedTuple):
    """What the log likelihood is made of, for each sample and each sweep."""

    deviation: Values  # of the voltage from its prediction, in SDs; 0 where there is none
    log_variance: Values  # of that prediction, in mV^2; 0 where there is none
    margin: Values  # from the threshold, in SDs, positive on the side on which the sample was; NO_MARGIN where none


class Scored(NamedTuple):
    """Of each sweep, by some parameters of which the first axis is the number."""

    value: Values  # of the log likelihood
    slope: Values  # its derivatives
    curvature: Values  # its negative second derivatives, but for terms that vanish on average (Fisher scoring)


def scan_residuals(p: Parameters, trace: Trace) -> Residuals:
    """What the log likelihood is made of; traced by JAX.

    Args:
        p: As in `scan_log_likelihood`.
        trace: Sweeps.

    Returns:
        Of shape (time, ..., sweep).
    """
    f, (begun, told), inputs = _prepared(p, trace)
    _, later = jax.lax.scan(lambda known, x: _step(f, known, *x), begun, inputs)
    begun_with = (told.deviation, told.log_variance, NO_MARGIN)
    first = (jnp.broadcast_to(value, begun.v.shape)[None] for value in begun_with)
    return Residuals(*(jnp.concatenate(pair) for pair in zip(first, later, strict=True)))


def scan_scores(p: Parameters, h: float, trace: Trace, n_steps: Any) -> Scored:
    r"""Log likelihood of each sweep with its slope and curvature, in one scan; traced by JAX.

    The log likelihood is a sum over samples of squares of deviations u, of log variances s and of log Phi of margins m.
    With their first derivatives alone,

    .. math:: H = \sum (u' + u s' / 2) (u' + u s' / 2)^T + \frac{1}{2} \sum s' s'^T
        + \sum \lambda (\lambda + m) m' m'^T , \quad \lambda = \phi(m) / \Phi(m) .

    The derivatives are differences between neurons stepped side by side: in double precision as exact as is needed, and
    twice as fast as JAX's own, which take no account of what directions share.

    Args:
        p: Of shape (1 + direction, sweep): the neuron, and then one that is moved by h in each direction.
        h: Small.
        trace: Sweeps.
        n_steps: Samples after the first that are looked at; may be traced, for sweeps of many lengths to share a shape.

    Returns:
        Of shape (sweep,), (direction, sweep) and (direction, direction, sweep).
    """
    f, (begun, told), inputs = _prepared(p, jax.tree.map(jnp.asarray, trace))
    inputs = _in_chunks(inputs, n_steps)
    n, shape = begun.v.shape[0] - 1, trace.y.shape[1:]
    zero = jnp.zeros((n, *shape), trace.y.dtype)

    def with_samples(sums: tuple[Values, Values], residuals: Residuals) -> tuple[Values, Values]:
        slope, curvature = sums
        u, _, m = (x[:, :1] for x in residuals)
        du, ds, dm = ((x[:, 1:] - x[:, :1]) / h for x in residuals)
        _, ratio = crossed(m, jnp.ones(()))
        slope = slope + (ratio * dm - u * du - 0.5 * ds).sum(0)
        weight = jnp.sqrt(ratio * jnp.clip(ratio + m, 0.0))
        # Without the barrier XLA would compute them anew for each entry of the curvature.
        roots = jax.lax.optimization_barrier((du + 0.5 * u * ds, jnp.sqrt(0.5) * ds, weight * dm))
        return slope, curvature + sum((x[:, :, None] * x[:, None]).sum(0) for x in roots)

    def chunk(i: Array, carry: tuple[_State, tuple[Values, Values]]) -> tuple[_State, tuple[Values, Values]]:
        known, sums = carry
        own = tuple(x[i] for x in inputs)
        known, residuals = jax.lax.scan(lambda known, x: _step(f, known, *x), known, own)
        return known, with_samples(sums, of_all(residuals))

    def of_all(residuals: Any) -> Residuals:
        """A residual that no direction moves, such as the variance under a known noise, is that of all neurons."""
        wide = (x.reshape(len(x), *(1,) * (2 + len(shape) - x.ndim), *x.shape[1:]) for x in residuals)
        return Residuals(*(jnp.broadcast_to(x, (len(x), n + 1, *shape)) for x in wide))

    first = of_all(jnp.broadcast_to(x, (1, n + 1, *shape)) for x in (told.deviation, told.log_variance, NO_MARGIN))
    sums = with_samples((zero, zero[None] * zero[:, None]), first)
    n_chunks = -(-jnp.asarray(n_steps) // CHUNK)
    known, (slope, curvature) = jax.lax.fori_loop(0, n_chunks, chunk, (begun, sums))
    return Scored(known.total[0], slope, curvature)


def _in_chunks(inputs: tuple[Values, ...], n_steps: Any) -> tuple[Values, ...]:
    """What steps see, of shape (chunk, step, sweep); from n_steps on, nothing."""
    n, before = len(inputs[0]), jnp.arange(len(inputs[0]))[:, None] < n_steps
    inputs = (*inputs[:-2], *(jnp.where(before, x, 0.0) for x in inputs[-2:]))
    return tuple(jnp.pad(x, ((0, -n % CHUNK), (0, 0))).reshape(-1, CHUNK, *x.shape[1:]) for x in inputs)


def _prepared(p: Parameters, trace: Trace) -> tuple["_Filter", tuple["_State", "_Told"], tuple[Values, ...]]:
    y, I, electrode, spikes, free, dt = trace
    f = _Filter.of(p, dt)
    shape = jnp.broadcast_shapes(*(jnp.shape(value) for value in p.values()), y.shape[1:])
    # A step sees the current that flowed since the sample before, and the spike of that sample.
    inputs = (y[1:], I[:-1], electrode[1:], spikes[:-1], spikes[1:], free[1:])
    return f, _begin(f, y[0], I[0], electrode[0], shape), inputs


def _begin(f: _Filter, y: Values, I: Values, electrode: Values, shape: tuple[int, ...]) -> tuple[_State, "_Told"]:
    """The first sample, at rest under the first current: what is known after it, and how it deviated."""
    full = partial(jnp.broadcast_to, shape=shape)
    m = f.membrane.rest(I)
    states = jax.tree.map(full, f.membrane.start(m))
    cross, X = (f.spread.covariance, f.spread.x) if f.coloured else (None, None)
    prior = _State(m, f.spread.V, jnp.zeros(()) if f.coloured else None, cross, X, states, jnp.zeros(()))
    seen, told = _observe(f, prior, y - f.p.R_s * electrode)
    seen = seen._replace(total=jnp.zeros(shape, y.dtype) + told.log_density)
    return jax.tree.map(lambda value: full(jnp.asarray(value, y.dtype)), seen), told


def _step(
    f: _Filter, s: _State, y: Values, I: Values, electrode: Values, spiked: Values, spike: Values, free: Values
) -> tuple[_State, Residuals]:
    """One sample: what is known after it, and how it deviated."""
    p = f.p
    states = f.membrane.advance(s.states, s.v, spiked)
    predicted = _predict(f, s._replace(states=states), I)
    theta = f.membrane.threshold(states)
    at = y - p.R_s * electrode
    seen, told = _observe(f, predicted, at)
    released, told_by_release = _release(f, predicted, at)
    is_spike, is_free = spike > 0, free > 0
    before = _State._make([*(_either(is_spike, a, b) for a, b in zip(predicted[:5], seen[:5], strict=True)), None, 0.0])
    told = _Told._make(jnp.where(is_spike, a, b) for a, b in zip(told_by_release, told, strict=True))
    crossing = _cross(f, before, theta, jnp.where(is_spike, 1.0, -1.0), told.root)
    if f.hidden or f.coloured:
        left = _left_by(crossing, before)
        seen = seen._replace(v=left.v, P=left.P, x=left.x, cross=left.cross, X=left.X)
        released = released._replace(x=left.x, X=left.X)

    def after(free: Any, spike: Any, held: Any) -> Any:
        return _either(is_free, free, _either(is_spike, spike, held))

    told_of = is_free | is_spike
    residuals = Residuals(
        deviation=jnp.where(told_of, told.deviation, 0.0),
        log_variance=jnp.where(told_of, told.log_variance, 0.0),
        margin=jnp.where(told_of & ~crossing.certain, crossing.margin, NO_MARGIN),
    )
    gained = crossing.log_scaled - 0.5 * told.deviation**2 - LOG_SQRT_2PI
    known = _State(
        v=after(seen.v, released.v, s.v),
        P=after(seen.P, released.P, s.P),
        x=after(seen.x, released.x, predicted.x),
        cross=after(seen.cross, released.cross, s.cross),
        X=after(seen.X, released.X, predicted.X),
        states=states,
        total=s.total + jnp.where(told_of, gained, 0.0),
    )
    return known, residuals


def _silent_step(
    f: _Filter, s: _State, y: Values, I: Values, electrode: Values, spiked: Values, spike: Values, free: Values
) -> tuple[_State, None]:
    """One sample, far below the threshold."""
    predicted = _predict(f, s._replace(states=f.membrane.advance(s.states, s.v, spiked)), I)
    seen, told = _observe(f, predicted, y - f.p.R_s * electrode)
    held = predicted._replace(v=s.v, P=s.P, cross=s.cross)
    known = (_either(free > 0, a, b) for a, b in zip(seen[:5], held[:5], strict=True))
    return _State._make([*known, predicted.states, s.total + jnp.where(free > 0, told.log_density, 0.0)]), None


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


class _Told(NamedTuple):
    """How a sample deviated from its prediction."""

    deviation: Values  # in SDs
    root: Values  # mV^-1, one over the SD of the prediction; where it says nothing, one that makes its log density 0

    @property
    def log_variance(self) -> Values:
        return -2.0 * jnp.log(self.root)

    @property
    def log_density(self) -> Values:
        return jnp.log(self.root) - 0.5 * self.deviation**2 - LOG_SQRT_2PI


def _observe(f: _Filter, s: _State, y: Values) -> tuple[_State, _Told]:
    """What is known once y is seen, and how it deviated."""
    root = jax.lax.rsqrt(s.P + f.R)
    precision, e = root * root, y - s.v
    told = _Told(e * root, root)
    v, P = (y, jnp.zeros_like(s.P)) if not f.hidden else (s.v + s.P * precision * e, s.P * precision * f.R)
    if s.x is None:
        return s._replace(v=v, P=P), told
    share = s.cross * precision
    return s._replace(v=v, P=P, x=s.x + share * e, cross=share * f.R, X=s.X - share * s.cross), told


def _release(f: _Filter, s: _State, y: Values) -> tuple[_State, _Told]:
    """What is known of the voltage at which a spike released the neuron; the current noise goes on by itself."""
    zero = None if s.cross is None else jnp.zeros_like(s.cross)
    own = f.release
    if own is None:
        return s._replace(v=y, P=f.R, cross=zero), _Told(jnp.zeros(()), jnp.exp(LOG_SQRT_2PI))
    e = y - f.p.V_reset
    return s._replace(v=f.p.V_reset + own.gain * e, P=own.P, cross=zero), _Told(e * own.root, own.root)


class _Crossing(NamedTuple):
    """A threshold, and a voltage that did or did not cross it."""

    above: Values  # 1 where it did, -1 where it did not
    margin: Values  # SDs by which the mean is on that side
    precision: Values  # mV^-1, one over that SD
    ratio: Values  # mV^-1, of the density at the threshold to the probability; 0 where that is certain
    log_scaled: Values  # of the probability, times the scale that was given
    certain: Values  # neither voltage nor threshold is noisy


def _cross(f: _Filter, s: _State, theta: Values, above: Values, scale: Values) -> _Crossing:
    variance = f.p.threshold_noise**2 + s.P
    certain = variance <= 0.0
    gap = above * (s.v - theta)
    precision = jax.lax.rsqrt(jnp.where(certain, 1.0, variance))
    margin = gap * precision
    hard = jnp.where(gap > (-ROUNDING if f.rounded else 0.0), 0.0, -jnp.inf)
    log_scaled, ratio = crossed(jnp.where(certain, NO_MARGIN, margin), scale)
    # Of a hard threshold that an exact voltage crossed nothing is learned.
    ratio = jnp.where(certain, 0.0, ratio * precision)
    return _Crossing(above, margin, precision, ratio, log_scaled + jnp.where(certain, hard, 0.0), certain)


def _left_by(crossing: _Crossing, s: _State) -> _State:
    """Moments of the voltage and the current noise on one side of the threshold (Minka 2001, equation 3.32)."""
    ratio = crossing.ratio
    shift, narrowing = crossing.above * ratio, ratio * (ratio + crossing.margin * crossing.precision)
    moved = s._replace(v=s.v + s.P * shift, P=s.P - s.P**2 * narrowing)
    if s.x is None:
        return moved
    return moved._replace(
        x=s.x + s.cross * shift, cross=s.cross - s.P * s.cross * narrowing, X=s.X - s.cross**2 * narrowing
    )


def _either(condition: Values, a: Any, b: Any) -> Any:
    return None if a is None or b is None else jnp.where(condition, a, b)
