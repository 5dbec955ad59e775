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
    flat = Parameters(*(value.ravel() for value in arrays))
    free = recording.free
    with jax.enable_x64(True):
        one = partial(_log_likelihood, V=recording.V, I=recording.I, spikes=recording.spikes, free=free, dt=recording.dt)
        # One draw after the other in memory, all in one compiled loop: draws x samples would not fit.
        values = np.asarray(jax.lax.map(one, flat, batch_size=64))
    return values.reshape(arrays[0].shape)


def _log_likelihood(p: Parameters, V: Array, I: Array, spikes: Array, free: Array, dt: float) -> Array:
    V, I = jnp.asarray(V, jnp.float64), jnp.asarray(I, jnp.float64)
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
