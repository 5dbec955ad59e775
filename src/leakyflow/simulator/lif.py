r"""The leaky integrate-and-fire neuron with membrane, threshold, reset and measurement noise.

.. math:: dV = \left( \frac{V_{rest} - V}{\tau} + \frac{I(t)}{C} \right) dt + \sigma \, dW

integrated by Euler's method, Euler-Maruyama's where the membrane noise sigma is positive
(Gerstner et al. 2014, Neuronal Dynamics, chapters 1 and 8).
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Float32, Int, Int32

from leakyflow.recordings.recording import Recording, Recordings
from leakyflow.simulator.parameters import UNITS, Parameters
from leakyflow.simulator.stimuli import Stimulus

__all__ = ["Traces", "n_refractory", "simulate", "simulate_traces"]

# Every call runs blocks of this many neurons, padded if need be, so that a neuron meets the same compiled
# arithmetic, and hence gives the same bits, whatever the batch it came in.
BLOCK = 256


class Traces(NamedTuple):
    """What a batch of neurons did."""

    V: Float32[np.ndarray, "dataset time"]  # mV
    spikes: Bool[np.ndarray, "dataset time"]
    refractory: Bool[np.ndarray, "dataset time"]


class Noise(NamedTuple):
    """Standard normal draws, one per sample; None where no neuron uses them."""

    membrane: Float32[Array, "dataset time"]
    threshold: Float32[Array, "dataset time"] | None
    reset: Float32[Array, "dataset time"] | None
    measurement: Float32[Array, "dataset time"] | None


def simulate(parameters: Parameters, stimulus: Stimulus, *, seed: int) -> Recording | Recordings:
    """Simulate current-clamp recordings of neurons that receive one stimulus.

    Args:
        parameters: Of one neuron (numbers) or of many (arrays of one axis, dataset; numbers are shared).
        stimulus: The injected current, in pA; its length and dt are those of the recording.
        seed: Neuron i is driven by noise stream i of this seed, whatever the number of neurons.

    Returns:
        A Recording for one neuron, Recordings for many. Voltages are in mV and stored in single precision,
        rounded down, so that a sample below threshold stays below it.

    Raises:
        ValueError: If a parameter is not finite or out of range, or the arrays do not fit each other.

    Example:
        >>> import leakyflow as lf
        >>> neuron = lf.Parameters(tau=17.0, V_rest=-72.0, C=90.0, V_th=-45.0, threshold_noise=0.0,
        ...     membrane_noise=0.3, measurement_noise=0.0, V_reset=-60.0, reset_noise=5.0, t_ref=3.0)
        >>> current = lf.square(amplitude=200.0, onset=100.0, duration=300.0, t_max=500.0, dt=0.2)
        >>> int(lf.simulate(neuron, current, seed=1).spikes.sum())
        7
    """
    shape = _check(parameters, stimulus.dt)
    n = shape[0] if shape else 1
    batch = Parameters(*(np.broadcast_to(np.asarray(value, np.float64), (n,)) for value in parameters))
    I = np.broadcast_to(stimulus.I, (n, len(stimulus.I)))
    traces = simulate_traces(batch, I, stimulus.dt, seed=seed, index=np.arange(n))
    recordings = Recordings(
        **traces._asdict(),
        I=np.ascontiguousarray(I),
        n_samples=np.full(n, I.shape[1], np.int32),
        dt=stimulus.dt,
        names=tuple(f"simulation {i}" for i in range(n)),
    )
    return recordings if shape else recordings[0]


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
    # A noise that is zero for everyone need not be drawn; which one it is never changes another's stream.
    noisy = tuple(
        bool(np.any(getattr(parameters, f"{name}_noise"))) for name in ("threshold", "reset", "measurement")
    )
    out = Traces(np.empty(I.shape, np.float32), np.empty(I.shape, bool), np.empty(I.shape, bool))
    n_ref = n_refractory(parameters.t_ref, dt)
    for start in range(0, len(I), BLOCK):
        rows = np.minimum(np.arange(start, start + BLOCK), len(I) - 1)
        block = Parameters(*(np.asarray(value, np.float64)[rows] for value in parameters))
        with jax.enable_x64(True):
            traces = _simulate_block(block, n_ref[rows], I[rows], dt, seed, index[rows], noisy)
        keep = min(BLOCK, len(I) - start)
        for target, source in zip(out, traces, strict=True):
            target[start : start + keep] = np.asarray(source)[:keep]
    return out


def n_refractory(t_ref: Float[np.ndarray, "..."] | float, dt: float) -> Int32[np.ndarray, "..."]:
    """Samples for which a neuron stays refractory after the sample of its spike."""
    return np.rint(np.asarray(t_ref) / dt).astype(np.int32)


@partial(jax.jit, static_argnames=("noisy",))
def _simulate_block(
    p: Parameters, n_ref: Array, I: Array, dt: float, seed: int, index: Array, noisy: tuple[bool, bool, bool]
) -> Traces:
    """Integrate one block; time runs along the leading axis inside the scan."""
    noise = _draw_noise(seed, index, I.shape[1], noisy)
    drive, xs = noise.membrane.T, (I.T[:-1], noise.membrane.T[1:], *(_later(x) for x in noise[1:3]))
    V0 = p.V_rest + p.tau / p.C * I[:, 0] + p.membrane_noise * jnp.sqrt(p.tau / 2) * drive[0]
    n_left = jnp.zeros_like(n_ref)
    _, later = jax.lax.scan(lambda state, x: _step(state, x, p, n_ref, dt), (V0, n_left), xs)
    quiet = jnp.zeros_like(n_ref, dtype=bool)
    V, spikes, refractory = (
        jnp.concatenate([first[None], rest]).T for first, rest in zip((V0, quiet, quiet), later, strict=True)
    )
    if noise.measurement is not None:
        V = V + p.measurement_noise[:, None] * noise.measurement
    return Traces(_single_rounded_down(V), spikes, refractory)


def _later(noise: Array | None) -> Array | None:
    return None if noise is None else noise.T[1:]


def _step(
    state: tuple[Array, Array],
    x: tuple[Array, Array, Array | None, Array | None],
    p: Parameters,
    n_ref: Array,
    dt: float,
) -> tuple[tuple[Array, Array], tuple[Array, Array, Array]]:
    """From sample k to k + 1; `n_left` counts the refractory samples still to come."""
    V, n_left = state
    I, xi, zeta, rho = x
    U = V + dt * ((p.V_rest - V) / p.tau + I / p.C) + p.membrane_noise * jnp.sqrt(dt) * xi
    refractory = n_left > 0
    crossed = U + (0.0 if zeta is None else p.threshold_noise * zeta) >= p.V_th
    spike = crossed & ~refractory
    released = p.V_reset + (0.0 if rho is None else p.reset_noise * rho)
    V = jnp.where(refractory, V, jnp.where(spike, released, U))
    n_left = jnp.where(spike, n_ref, jnp.maximum(n_left - 1, 0))
    return (V, n_left), (V, spike, refractory)


def _draw_noise(seed: int, index: Array, n_time: int, noisy: tuple[bool, bool, bool]) -> Noise:
    """Sample k of stream i depends on (seed, i, k) alone: JAX's threefry counts positions, not calls."""

    def draw(kind: int) -> Array:
        key = jax.random.fold_in(jax.random.key(seed), kind)
        keys = jax.vmap(partial(jax.random.fold_in, key))(index)
        return jax.vmap(lambda k: jax.random.normal(k, (n_time,), jnp.float32))(keys)

    return Noise(draw(0), *(draw(kind) if on else None for kind, on in enumerate(noisy, start=1)))


def _single_rounded_down(V: Array) -> Array:
    single = V.astype(jnp.float32)
    below = jnp.nextafter(single, jnp.float32(-jnp.inf))
    return jnp.where(single.astype(V.dtype) > V, below, single)


def _check(parameters: Parameters, dt: float) -> tuple[int, ...]:
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
