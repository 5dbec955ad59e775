r"""The leaky integrate-and-fire neuron with membrane, threshold, reset and measurement noise.

.. math:: dV = \left( \frac{V_{rest} - V}{\tau} + \frac{I(t)}{C} \right) dt + \sigma \, dW

integrated by Euler's method, Euler-Maruyama's where the membrane noise sigma is positive
(Gerstner et al. 2014, Neuronal Dynamics, chapters 1 and 8).
"""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Float32, Int, Int32

from leakyflow.cores import n_cores
from leakyflow.recordings.recording import Recording, Recordings
from leakyflow.simulator.noise import SPARED, Noise, draw_noise
from leakyflow.simulator.parameters import UNITS, Parameters
from leakyflow.simulator.stimuli import Stimulus

__all__ = ["Traces", "check_parameters", "check_seed", "n_refractory", "simulate", "simulate_traces"]

# Every call runs blocks of this many neurons, padded if need be, so that a neuron meets the same compiled
# arithmetic, and hence gives the same bits, whatever the batch it came in.
BLOCK = 128
FREE, SPIKE, REFRACTORY = 0, 1, 2


class Traces(NamedTuple):
    """What a batch of neurons did."""

    V: Float32[np.ndarray, "dataset time"]  # mV
    spikes: Bool[np.ndarray, "dataset time"]
    refractory: Bool[np.ndarray, "dataset time"]


def simulate(parameters: Parameters, stimulus: Stimulus, *, seed: int) -> Recording | Recordings:
    """Simulate current-clamp recordings of neurons that receive one stimulus.

    Args:
        parameters: Of one neuron (numbers) or of many (arrays of one axis, dataset; numbers are shared).
        stimulus: The injected current, in pA; its length and dt are those of the recording.
        seed: From 0 to 2^63 - 1. Neuron i is driven by noise stream i of it, whatever the number of neurons.

    Returns:
        A Recording for one neuron, Recordings for many. Voltages are in mV, rounded to single precision but
        never onto the threshold: a sample below it stays below. From a spike to the end of its refractory
        period they stand at one value, measured once.

    Raises:
        ValueError: If a parameter or the seed is out of range, or the arrays do not fit each other.

    Example:
        >>> import leakyflow as lf
        >>> neuron = lf.Parameters(tau=17.0, V_rest=-72.0, C=90.0, V_th=-45.0, threshold_noise=0.0,
        ...     membrane_noise=0.3, measurement_noise=0.0, V_reset=-60.0, reset_noise=5.0, t_ref=3.0)
        >>> current = lf.square(amplitude=200.0, onset=100.0, duration=300.0, t_max=500.0, dt=0.2)
        >>> int(lf.simulate(neuron, current, seed=1).spikes.sum())
        16
    """
    check_seed(seed)
    shape = check_parameters(parameters, stimulus.dt)
    n = shape[0] if shape else 1
    batch = Parameters(*(np.broadcast_to(np.asarray(value, np.float64), (n,)) for value in parameters))
    I = np.broadcast_to(stimulus.I, (n, len(stimulus.I)))
    traces = simulate_traces(batch, I, stimulus.dt, seed=seed, index=np.arange(n))
    recordings = as_recordings(traces, np.ascontiguousarray(I), stimulus.dt)
    return recordings if shape else recordings[0]


def as_recordings(traces: Traces, I: Float32[np.ndarray, "dataset time"], dt: float) -> Recordings:
    """Recordings of simulated traces, none of them padded."""
    n, n_time = I.shape
    names = tuple(f"simulation {i}" for i in range(n))
    return Recordings(**traces._asdict(), I=I, n_samples=np.full(n, n_time, np.int32), dt=dt, names=names)


def simulate_traces(
    parameters: Parameters,
    I: Float32[np.ndarray, "dataset time"],
    dt: float,
    *,
    seed: int,
    index: Int[np.ndarray, " dataset"],
) -> Traces:
    """Simulate neurons that each receive a current of their own.

    Args:
        parameters: Of every neuron; arrays of shape (dataset,).
        I: Injected current, in pA.
        dt: Sampling interval, in ms.
        seed: Of the whole set.
        index: Number of each neuron within the set: neuron i is driven by noise stream i.

    Returns:
        Traces of shape (dataset, time).
    """
    noisy = tuple(bool(np.any(getattr(parameters, f"{name}_noise"))) for name in SPARED)
    out = Traces(np.empty(I.shape, np.float32), np.empty(I.shape, bool), np.empty(I.shape, bool))
    n_ref = n_refractory(parameters.t_ref, dt)

    def run(start: int) -> None:
        rows = np.minimum(np.arange(start, start + BLOCK), len(I) - 1)
        block = Parameters(*(np.asarray(value, np.float64)[rows] for value in parameters))
        # Set here because a thread of its own does not inherit it.
        with jax.enable_x64(True):
            traces = _simulate_block(block, n_ref[rows], I[rows], dt, seed, index[rows], noisy)
        keep = min(BLOCK, len(I) - start)
        for target, source in zip(out, traces, strict=True):
            target[start : start + keep] = np.asarray(source)[:keep]

    with ThreadPoolExecutor(n_cores()) as pool:
        list(pool.map(run, range(0, len(I), BLOCK)))
    return out


def n_refractory(t_ref: Float[np.ndarray, "..."] | float, dt: float) -> Int32[np.ndarray, "..."]:
    """Samples for which a neuron stays refractory after the sample of its spike."""
    return np.asarray(np.rint(np.asarray(t_ref) / dt), np.int32)


@partial(jax.jit, static_argnames=("noisy",))
def _simulate_block(
    p: Parameters,
    n_ref: Int32[Array, " dataset"],
    I: Float32[Array, "dataset time"],
    dt: Array,
    seed: Array,
    index: Int[Array, " dataset"],
    noisy: tuple[bool, ...],
) -> tuple[Array, Array, Array]:
    """Integrate one block. Time is the leading axis within: neurons side by side are stepped together."""
    first = jax.tree.map(lambda z: z[0], draw_noise(seed, index, 0, 1, noisy))
    later = draw_noise(seed, index, 1, I.shape[1], noisy)
    noise_per_step = jnp.sqrt(dt) * p.membrane_noise
    per_step = _PerStep(n_ref + 1, dt / p.tau, dt / p.C, noise_per_step, _single_below(jnp.asarray(p.V_th)))
    V = p.V_rest + p.tau / p.C * I[:, 0] + p.membrane_noise * jnp.sqrt(p.tau / 2) * first.membrane
    state = _State(V, jnp.zeros_like(n_ref), first.measurement)
    _, (observed, kind) = jax.lax.scan(lambda state, x: _step(state, *x, p, per_step), state, (I.T, later))
    return observed.T, kind.T == SPIKE, kind.T == REFRACTORY


class _State(NamedTuple):
    """A neuron at one sample."""

    V: Float[Array, " dataset"]
    held: Int32[Array, " dataset"]  # samples for which V stands still, this one included; 0 where it is free
    measurement: Float32[Array, " dataset"] | None  # error of this sample, in SD


class _PerStep(NamedTuple):
    """What does not change from step to step."""

    n_held: Int32[Array, " dataset"]  # samples for which V stands still, that of the spike included
    leak: Float[Array, " dataset"]
    gain: Float[Array, " dataset"]  # mV / pA
    membrane_noise: Float[Array, " dataset"]  # mV
    below: Float32[Array, " dataset"]  # mV, the greatest single below V_th


def _step(
    state: _State, I: Array, noise: Noise, p: Parameters, per_step: _PerStep
) -> tuple[_State, tuple[Array, Array]]:
    """Sample k, and the state at sample k + 1."""
    (V, held, error), (n_held, leak, gain, membrane_noise, below) = state, per_step
    observed = V if error is None else V + p.measurement_noise * error
    single = observed.astype(jnp.float32)
    # Rounding must not carry a voltage onto the threshold that it stayed below.
    single = jnp.where((observed < p.V_th) & (single > below), below, single)
    kind = jnp.where(held == n_held, SPIKE, jnp.where(held > 0, REFRACTORY, FREE)).astype(jnp.int8)

    U = V + leak * (p.V_rest - V) + gain * I + membrane_noise * noise.membrane
    still = held > 1
    crossed = U + (0.0 if noise.threshold is None else p.threshold_noise * noise.threshold) >= p.V_th
    spike = crossed & ~still
    released = p.V_reset + (0.0 if noise.reset is None else p.reset_noise * noise.reset)
    # While V stands still it was measured once, at the end: recordings hold that voltage from the spike on.
    if error is not None and noise.measurement is not None:
        error = jnp.where(still, error, noise.measurement)
    V = jnp.where(still, V, jnp.where(spike, released, U))
    held = jnp.where(spike, n_held, jnp.maximum(held - 1, 0))
    return _State(V, held, error), (single, kind)


def _single_below(V_th: Array) -> Array:
    """The greatest number in single precision below each threshold."""
    single = V_th.astype(jnp.float32)
    return jnp.where(single.astype(V_th.dtype) < V_th, single, jnp.nextafter(single, jnp.float32(-jnp.inf)))


def check_seed(seed: int) -> None:
    """Refuse a seed that is no key of the random numbers."""
    if not 0 <= seed < 2**63:
        raise ValueError(f"`seed` must lie between 0 and 2^63 - 1, got {seed}.")


def check_parameters(parameters: Parameters, dt: float) -> tuple[int, ...]:
    """Refuse what the model does not define; return the common shape."""
    arrays = {name: np.asarray(value, np.float64) for name, value in parameters._asdict().items()}
    shapes = {value.shape for value in arrays.values() if value.shape}
    if len(shapes) > 1 or any(len(shape) > 1 for shape in shapes):
        given = {name: value.shape for name, value in arrays.items()}
        raise ValueError(f"Parameters must be numbers or arrays of one common length, got shapes {given}.")
    # Euler's method is stable for dt < 2 tau, but only close to the neuron for dt well below tau.
    lowest = {"tau": dt, "C": 0.0}
    for name, value in arrays.items():
        floor = lowest.get(name, 0.0 if name.endswith("noise") or name == "t_ref" else -np.inf)
        good = np.isfinite(value) & ((value > floor) if name in lowest else (value >= floor))
        if not good.all():
            bad = value if value.ndim == 0 else value[~good][0]
            sign = ">" if name in lowest else ">="
            raise ValueError(
                f"`{name}` must be finite and {sign} {floor:g} {UNITS[name]}, got {bad:g} "
                f"({np.sum(~good)} of {value.size} neurons). Change the number, or the prior that drew it."
            )
    return shapes.pop() if shapes else ()
