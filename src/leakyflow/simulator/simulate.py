"""Recordings of neurons: the membrane stepped by Euler's method, Euler-Maruyama's where it is noisy.

The equations are those of `leakyflow.neuron` (Gerstner et al. 2014, Neuronal Dynamics, chapters 1, 6 and 8).
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Float32, Int, Int32

from leakyflow.cpu import shared
from leakyflow.errors import LeakyflowError
from leakyflow.layout import double_precision, layout
from leakyflow.neuron.membrane import Membrane, Spread
from leakyflow.neuron.parameter import Values
from leakyflow.neuron.parameters import TABLE, Parameters, check_names, check_ranges, needed
from leakyflow.recordings.batch import Batch
from leakyflow.recordings.recording import Recording
from leakyflow.simulator.noise import SPARED, Noise, draw_noise
from leakyflow.simulator.stimuli import Stimulus

__all__ = ["Traces", "check_parameters", "check_seed", "n_refractory", "simulate", "simulate_traces"]

FREE, SPIKE, REFRACTORY = 0, 1, 2


class Traces(NamedTuple):
    """What a batch of neurons did."""

    V: Float32[np.ndarray, "dataset time"]  # mV
    spikes: Bool[np.ndarray, "dataset time"]
    refractory: Bool[np.ndarray, "dataset time"]


def simulate(parameters: Parameters, stimulus: Stimulus, *, seed: int) -> Recording | Batch:
    """Simulate current-clamp recordings of neurons that receive one stimulus.

    Args:
        parameters: Of one neuron (numbers) or of many (arrays of one axis, dataset; numbers are shared).
        stimulus: The injected current, in pA; its length and dt are those of the recording.
        seed: From 0 to 2^63 - 1. Neuron i is driven by noise stream i of it, whatever the number of neurons.

    Returns:
        A Recording for one neuron, Batch for many. Voltages are in mV, rounded to single precision but
        never onto the threshold: a sample below it stays below. From a spike to the end of its refractory
        period they stand at one value, measured once.

    Raises:
        ValueError: If a parameter or the seed is out of range, or the arrays do not fit each other.

    Example:
        >>> import leakyflow as lf
        >>> neuron = lf.Parameters(tau=17.0, V_rest=-72.0, C=90.0, V_th=-45.0, membrane_noise=0.3,
        ...     V_reset=-60.0, reset_noise=5.0, t_ref=3.0)
        >>> current = lf.square(amplitude=200.0, onset=100.0, duration=300.0, t_max=500.0, dt=0.2)
        >>> int(lf.simulate(neuron, current, seed=1).spikes.sum())
        16
    """
    check_seed(seed)
    shape = check_parameters(parameters, stimulus.dt)
    n = shape[0] if shape else 1
    batch = parameters.map(lambda value: np.broadcast_to(np.asarray(value, np.float64), (n,)))
    I = np.broadcast_to(stimulus.I, (n, len(stimulus.I)))
    traces = simulate_traces(batch, I, stimulus.dt, seed=seed, index=np.arange(n))
    recordings = as_recordings(traces, np.ascontiguousarray(I), stimulus.dt)
    return recordings if shape else recordings[0]


def as_recordings(traces: Traces, I: Float32[np.ndarray, "dataset time"], dt: float) -> Batch:
    """Recordings of simulated traces, none of them padded."""
    n, n_time = I.shape
    names = tuple(f"simulation {i}" for i in range(n))
    return Batch(**traces._asdict(), I=I, n_samples=np.full(n, n_time, np.int32), dt=dt, names=names)


def simulate_traces(
    parameters: Parameters,
    I: Float32[np.ndarray, "dataset time"],
    dt: float,
    *,
    seed: int,
    index: Int[np.ndarray, " dataset"],
    I_electrode: Float32[np.ndarray, "dataset time"] | None = None,
) -> Traces:
    """Simulate neurons that each receive a current of their own.

    Args:
        parameters: Of every neuron; arrays of shape (dataset,).
        I: Injected current, in pA.
        dt: Sampling interval, in ms.
        seed: Of the whole set.
        index: Number of each neuron within the set: neuron i is driven by noise stream i.
        I_electrode: Current through the electrode at each sample, in pA; I by default.

    Returns:
        Traces of shape (dataset, time).
    """
    parameters = parameters.pruned()
    noisy = tuple(f"{name}_noise" in parameters for name in SPARED)
    out = Traces(np.empty(I.shape, np.float32), np.empty(I.shape, bool), np.empty(I.shape, bool))
    n_ref = n_refractory(parameters.t_ref, dt)
    now = I if I_electrode is None else I_electrode
    # Every call runs blocks of this many neurons, padded if need be, so that a neuron meets the same compiled
    # arithmetic, and hence gives the same bits, whatever the batch it came in.
    size = layout().neurons

    def run(start: int) -> None:
        rows = np.minimum(np.arange(start, start + size), len(I) - 1)
        block = parameters.map(lambda value: np.asarray(value, np.float64)[rows])
        with double_precision():
            traces = _simulate_block(block, n_ref[rows], I[rows], now[rows], dt, seed, index[rows], noisy)
        keep = min(size, len(I) - start)
        for target, source in zip(out, traces, strict=True):
            target[start : start + keep] = np.asarray(source)[:keep]

    shared(run, range(0, len(I), size))
    return out


def n_refractory(t_ref: Float[np.ndarray, "..."] | float, dt: float) -> Int32[np.ndarray, "..."]:
    """Samples for which a neuron stays refractory after the sample of its spike."""
    return np.asarray(np.rint(np.asarray(t_ref) / dt), np.int32)


@partial(jax.jit, static_argnames=("noisy",))
def _simulate_block(
    p: Parameters,
    n_ref: Int32[Array, " dataset"],
    I: Float32[Array, "dataset time"],
    I_electrode: Float32[Array, "dataset time"],
    dt: Array,
    seed: Array,
    index: Int[Array, " dataset"],
    noisy: tuple[bool, ...],
) -> tuple[Array, Array, Array]:
    """Integrate one block. Time is the leading axis within: neurons side by side are stepped together."""
    first = jax.tree.map(lambda z: z[0], draw_noise(seed, index, 0, 1, noisy))
    later = draw_noise(seed, index, 1, I.shape[1], noisy)
    neuron = _Neuron.of(p, n_ref, dt)
    state = _begin(neuron, I[:, 0], I_electrode[:, 0], first)
    # While V stands still it was measured once, at the end, through the electrode and its current there.
    ahead = tuple(_shifted(I_electrode, n).T for n in (1 + 0 * n_ref, 1 + n_ref)) if "R_s" in p else None
    _, (recorded, phase) = jax.lax.scan(partial(_step, neuron), state, (I.T, ahead, later))
    return recorded.T, phase.T == SPIKE, phase.T == REFRACTORY


def _shifted(I: Float32[Array, "dataset time"], n: Int32[Array, " dataset"]) -> Float32[Array, "dataset time"]:
    """The current n samples later, or the last one."""
    places = jnp.minimum(jnp.arange(I.shape[1])[None] + n[:, None], I.shape[1] - 1)
    return jnp.take_along_axis(I, places, axis=1)


class _State(NamedTuple):
    """A neuron at one sample; None where it has no such part."""

    V: Float[Array, " dataset"]
    held: Int32[Array, " dataset"]  # samples for which V stands still, this one included; 0 where it is free
    states: Any  # of the mechanisms, after the sample before
    x: Float[Array, " dataset"] | None  # current noise, pA
    error: Float32[Array, " dataset"] | None  # of the measurement, in SD
    electrode: Float[Array, " dataset"] | None  # current through it when this voltage was measured, pA
    theta: Float[Array, " dataset"] | None  # mV, threshold of this sample, where it moves


class _Neuron(NamedTuple):
    """What does not change from step to step."""

    p: Parameters
    membrane: Membrane
    spread: Spread
    n_held: Int32[Array, " dataset"]  # samples for which V stands still, that of the spike included
    noise: Float[Array, " dataset"]  # mV, of the membrane in one step
    below: Float32[Array, " dataset"]  # mV, the greatest single below V_th

    @classmethod
    def of(cls, p: Parameters, n_ref: Int32[Array, " dataset"], dt: Array) -> "_Neuron":
        noise = jnp.sqrt(dt) * p.membrane_noise
        below = _single_below(jnp.asarray(p.V_th))
        return cls(p, Membrane.of(p, dt), Spread.of(p, dt), n_ref + 1, noise, below)

    @property
    def moving(self) -> bool:
        """Whether the threshold does."""
        return any(mechanism.threshold for mechanism in self.p.mechanisms)


def _begin(neuron: _Neuron, I: Array, I_electrode: Array, noise: Noise) -> _State:
    """Rest under the first current, with the spread that the noises give it there."""
    V, spread, x = neuron.membrane.rest(I), neuron.spread, None
    states = neuron.membrane.start(V)
    if noise.current is not None:
        x = jnp.sqrt(spread.x) * noise.current
        V = V + spread.covariance / jnp.sqrt(spread.x) * noise.current
        alone = spread.V - spread.covariance**2 / spread.x
    else:
        alone = spread.V
    V = V + jnp.sqrt(alone) * noise.membrane
    electrode = I_electrode if "R_s" in neuron.p else None
    theta = neuron.membrane.threshold(states) if neuron.moving else None
    return _State(V, jnp.zeros_like(neuron.n_held), states, x, noise.measurement, electrode, theta)


def _step(
    neuron: _Neuron, state: _State, inputs: tuple[Array, tuple[Array, Array] | None, Noise]
) -> tuple[_State, tuple[Array, Array]]:
    """Sample k, and the state at sample k + 1."""
    I, ahead, noise = inputs
    p, (V, held) = neuron.p, state[:2]
    phase = jnp.where(held == neuron.n_held, SPIKE, jnp.where(held > 0, REFRACTORY, FREE)).astype(jnp.int8)
    states = neuron.membrane.advance(state.states, V, (phase == SPIKE).astype(V.dtype))
    U = neuron.membrane.step(states, V, I if state.x is None else I + state.x) + neuron.noise * noise.membrane
    theta = neuron.membrane.threshold(states)
    still = held > 1
    spike = (U + _times(p.threshold_noise, noise.threshold) >= theta) & ~still
    new = _State(
        V=jnp.where(still, V, jnp.where(spike, p.V_reset + _times(p.reset_noise, noise.reset), U)),
        held=jnp.where(spike, neuron.n_held, jnp.maximum(held - 1, 0)),
        states=states,
        x=_next_noise(neuron.spread, state.x, noise),
        error=_unless(still, state.error, noise.measurement),
        electrode=_unless(still, state.electrode, None if ahead is None else jnp.where(spike, ahead[1], ahead[0])),
        theta=theta if neuron.moving else None,
    )
    return new, (_recorded(neuron, state), phase)


def _recorded(neuron: _Neuron, state: _State) -> Float32[Array, " dataset"]:
    """What the electrode shows; rounding must not carry a voltage onto the threshold that it stayed below."""
    p = neuron.p
    exact = state.V + _times(p.measurement_noise, state.error)
    if state.electrode is not None:
        return (exact + p.R_s * state.electrode).astype(jnp.float32)
    single = exact.astype(jnp.float32)
    theta = p.V_th if state.theta is None else state.theta
    below = neuron.below if state.theta is None else _single_below(state.theta)
    return jnp.where((exact < theta) & (single > below), below, single)


def _times(scale: Values, noise: Array | None) -> Values:
    return 0.0 if noise is None else scale * noise


def _unless(still: Array, old: Array | None, new: Array | None) -> Array | None:
    return None if old is None or new is None else jnp.where(still, old, new)


def _next_noise(spread: Spread, x: Array | None, noise: Noise) -> Array | None:
    if x is None or noise.current is None:
        return None
    return spread.decay * x + jnp.sqrt(spread.renewed) * noise.current


def _single_below(V_th: Array) -> Array:
    """The greatest number in single precision below each threshold."""
    single = V_th.astype(jnp.float32)
    return jnp.where(single.astype(V_th.dtype) < V_th, single, jnp.nextafter(single, jnp.float32(-jnp.inf)))


def check_seed(seed: int) -> None:
    """Refuse a seed that is no key of the random numbers."""
    if not 0 <= seed < 2**63:
        raise LeakyflowError(f"`seed` must lie between 0 and 2^63 - 1, got {seed}.")


def check_parameters(parameters: Parameters, dt: float) -> tuple[int, ...]:
    """Refuse what the model does not define; return the common shape."""
    check_names(parameters, tuple(TABLE), what="parameters", missing=False)
    check_names({name: 0 for name in parameters if name in needed(parameters)}, needed(parameters), what="parameters")
    arrays = {name: np.asarray(value, np.float64) for name, value in parameters.items()}
    shapes = {value.shape for value in arrays.values() if value.shape}
    if len(shapes) > 1 or any(len(shape) > 1 for shape in shapes):
        given = {name: value.shape for name, value in arrays.items()}
        raise LeakyflowError(f"Parameters must be numbers or arrays of one common length, got shapes {given}.")
    check_ranges(arrays)
    tau = arrays["tau"]
    if not (tau > dt).all():
        # Euler's method is stable for dt < 2 tau, but only close to the neuron for dt well below tau.
        raise LeakyflowError(
            f"`tau` must be longer than dt={dt:g} ms, got {tau.min():g} ms ({np.sum(tau <= dt)} of {tau.size} "
            "neurons). Change the number, or the prior that drew it.",
            argument="tau",
        )
    return shapes.pop() if shapes else ()
