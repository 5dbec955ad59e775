"""The likelihood of the leaky integrate-and-fire neuron, sample by sample."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.stats import norm
from jaxtyping import Array, Float, Float64

from leakyflow.recordings.recording import Recording, Recordings
from leakyflow.reference.deterministic import deterministic_log_likelihood
from leakyflow.reference.normal import log_ndtr
from leakyflow.simulator.parameters import Parameters

__all__ = ["Traces", "log_likelihood", "n_segments", "traces_of"]

# Draws computed at a time.
BLOCK = 64


class Traces(NamedTuple):
    """Recordings as the likelihood takes them; padded samples are not valid and hold zeros."""

    V: Any  # mV, float64, of shape (dataset, time), as the next ones
    I: Any  # pA
    spikes: Any
    free: Any
    valid: Any
    dt: Any

    def at(self, rows: Any) -> "Traces":
        """Those of some recordings; of one number, without their axis."""
        return Traces._make(value if isinstance(value, float) else value[rows] for value in self)


def log_likelihood(parameters: Parameters, recording: Recording | Recordings) -> Float64[np.ndarray, "..."]:
    """Log density of recordings, given their stimuli and when they were refractory.

    Two kinds of neuron have a closed form. With membrane noise alone, the density is that of the Euler-Maruyama
    steps and of the spikes they led to. With measurement noise alone, it is Gaussian around the deterministic trace,
    the spike train being part of the data and each voltage of release integrated out.

    Args:
        parameters: Numbers, or arrays whose axes broadcast against each other; for many recordings the first axis
            is that of the recordings, and numbers hold for all.
        recording: One, or many of any durations.

    Returns:
        Log likelihood, float64: of the parameters' shape for one recording, (dataset, ...) for many; -inf where a
        hard threshold excludes the parameters.

    Raises:
        ValueError: If both noises are positive somewhere, or both are 0, or the first axis is not that of the
            recordings.

    References:
        The Euler-Maruyama transition density; the spike probability as in Paninski, Pillow & Simoncelli (2004),
        Neural Computation 16, for a neuron that is observed between its spikes.
    """
    diffusing = _diffusing(parameters)
    single = isinstance(recording, Recording)
    recordings = Recordings.from_list([recording]) if isinstance(recording, Recording) else recording
    shape = np.broadcast_shapes(*(np.shape(value) for value in parameters))
    if not single and shape[:1] not in ((), (1,), (len(recordings),)):
        raise ValueError(
            f"The first axis of the parameters must be that of the {len(recordings)} recordings, got shape {shape}. "
            "Parameters of shape (dataset, 1) hold for all draws of a recording."
        )
    full = (1, *shape) if single else np.broadcast_shapes(shape, (len(recordings),) + (1,) * (len(shape) - 1))
    n_draws = int(np.prod(full[1:], dtype=int))
    columns = np.minimum(np.arange(-(-n_draws // BLOCK) * BLOCK), n_draws - 1)
    flat = Parameters(
        *(np.broadcast_to(np.asarray(x, float), full).reshape(len(recordings), -1)[:, columns] for x in parameters)
    )
    with jax.enable_x64(True):
        values = np.asarray(_blockwise(flat, traces_of(recordings), None if diffusing else n_segments(recordings)))
    return values[:, :n_draws].reshape(shape if single else full)


def _diffusing(p: Parameters) -> bool:
    """Whether it is the membrane that is noisy, or the electrode."""
    membrane, measurement = np.asarray(p.membrane_noise), np.asarray(p.measurement_noise)
    if np.all(membrane > 0) and np.all(measurement == 0):
        return True
    if np.all(membrane == 0) and np.all(measurement > 0):
        return False
    raise ValueError(
        "The likelihood is known in closed form only where one of `membrane_noise` and `measurement_noise` is positive "
        f"and the other 0, got {p.membrane_noise} mV/sqrt(ms) and {p.measurement_noise} mV. Set one of them to 0, or "
        "use the amortized posterior alone."
    )


def n_segments(recordings: Recordings) -> int:
    """Room for the stretches between spikes, a power of two, so that little is compiled."""
    return 1 << int(recordings.n_spikes.max()).bit_length()


def traces_of(recordings: Recordings) -> Traces:
    """Traces as the likelihood takes them, of few lengths."""
    wide = recordings.roomy()
    valid = wide.valid
    V, I = (np.where(valid, x, 0.0).astype(np.float64) for x in (wide.V, wide.I))
    return Traces(V, I, wide.spikes & valid, wide.free, valid, recordings.dt)


@partial(jax.jit, static_argnums=2)
def _blockwise(flat: Parameters, traces: Traces, n_segments: int | None) -> Array:
    """One recording, and one block of draws, after the other: draws x samples would not fit in memory."""

    def of_recording(arguments: tuple[Parameters, tuple[Array, ...]]) -> Array:
        draws, arrays = arguments
        own = Traces._make([*arrays, traces.dt])

        def one(p: Parameters) -> Array:
            if n_segments is None:
                return _diffusing_log_likelihood(p, own)
            value, violated = deterministic_log_likelihood(p, *own, n_segments=n_segments)
            return jnp.where(violated, -jnp.inf, value)

        return jax.lax.map(one, draws, batch_size=BLOCK)

    return jax.lax.map(of_recording, (flat, tuple(traces[:-1])))


def _diffusing_log_likelihood(p: Parameters, traces: Traces) -> Float[Array, ""]:
    """The likelihood with membrane noise; traced by JAX, both arguments without leading axes."""
    V, I, spikes, free, _, dt = traces
    s = p.membrane_noise * jnp.sqrt(dt)
    m = V[:-1] + dt * ((p.V_rest - V[:-1]) / p.tau + I[:-1] / p.C)
    crossed = log_ndtr((m - p.V_th) / jnp.hypot(s, p.threshold_noise))
    hard = jnp.where(V[1:] < p.V_th, 0.0, -jnp.inf)
    soft = p.threshold_noise > 0
    below = jnp.where(soft, log_ndtr((p.V_th - V[1:]) / jnp.where(soft, p.threshold_noise, 1.0)), hard)
    steps = jnp.where(spikes[1:], crossed, jnp.where(free[1:], norm.logpdf(V[1:], m, s) + below, 0.0))
    scattered = p.reset_noise > 0
    scatter = norm.logpdf(V, p.V_reset, jnp.where(scattered, p.reset_noise, 1.0))
    released = jnp.where(spikes & scattered, scatter, 0.0)
    first = norm.logpdf(V[0], p.V_rest + p.tau / p.C * I[0], p.membrane_noise * jnp.sqrt(p.tau / 2.0))
    return first + jnp.sum(steps) + jnp.sum(released)
