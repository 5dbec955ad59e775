"""The closed-form likelihood of the leaky integrate-and-fire neuron, sample by sample."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import log_ndtr
from jax.scipy.stats import norm
from jaxtyping import Array, Float

from leakyflow.recordings.recording import Recording
from leakyflow.simulator.parameters import Parameters

__all__ = ["log_likelihood"]

# Draws computed at a time, and samples to whose multiple a recording is padded.
BLOCK = 64
PADDING = 512


def log_likelihood(parameters: Parameters, recording: Recording) -> Float[np.ndarray, "..."]:
    """Log density of a recording, given its stimulus and when it was refractory.

    Args:
        parameters: Numbers, or arrays with leading axes that broadcast against each other.
        recording: One trace, without measurement noise.

    Returns:
        Log likelihood, float64, of the parameters' shape; -inf where a free sample reaches a hard threshold.

    Raises:
        ValueError: If the measurement noise is not 0 or the membrane noise not positive.

    References:
        The Euler-Maruyama transition density; the spike probability as in Paninski, Pillow & Simoncelli (2004),
        Neural Computation 16, for a neuron that is observed between its spikes.
    """
    if np.any(np.asarray(parameters.measurement_noise) != 0):
        raise ValueError(
            "The likelihood is known in closed form only where `measurement_noise` is 0 mV, got "
            f"{parameters.measurement_noise}. Set it to 0, or use the amortized posterior alone."
        )
    if not np.all(np.asarray(parameters.membrane_noise) > 0):
        raise ValueError(
            f"`membrane_noise` must be positive, got {parameters.membrane_noise} mV/sqrt(ms): without it a voltage "
            "trace has no density. Give the neuron some."
        )
    arrays = np.broadcast_arrays(*(np.asarray(value, np.float64) for value in parameters))
    n = arrays[0].size
    rows = np.minimum(np.arange(-(-n // BLOCK) * BLOCK), n - 1)
    flat = Parameters(*(value.ravel()[rows] for value in arrays))
    with jax.enable_x64(True):
        values = np.asarray(_blockwise(flat, *_padded(recording), recording.dt))
    return values[:n].reshape(arrays[0].shape)


def _padded(recording: Recording) -> tuple[np.ndarray, ...]:
    """Traces of a length that few recordings do not share, so that little is compiled; held samples add nothing."""
    more = -recording.n_samples % PADDING
    V, I = (np.pad(x.astype(np.float64), (0, more), mode="edge") for x in (recording.V, recording.I))
    return V, I, np.pad(recording.spikes, (0, more)), np.pad(recording.free, (0, more))


@jax.jit
def _blockwise(flat: Parameters, V: Array, I: Array, spikes: Array, free: Array, dt: float | Array) -> Array:
    """One block of draws after the other: draws x samples would not fit in memory."""
    one = partial(_log_likelihood, V=V, I=I, spikes=spikes, free=free, dt=dt)
    return jax.lax.map(one, flat, batch_size=BLOCK)


def _log_likelihood(p: Parameters, V: Array, I: Array, spikes: Array, free: Array, dt: float | Array) -> Array:
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
