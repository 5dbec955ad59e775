"""The voltage that neurons predict from the current and the recorded spikes alone, running free.

A likelihood is corrected by each voltage that it has seen; here none is seen, and errors add up. So it is another judge
of a model than the likelihood, and the usual one of real neurons (Mensi et al. 2012; Pozzorini et al. 2015).
"""

from functools import partial
from operator import itemgetter

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32

from leakyflow.layout import double_precision
from leakyflow.likelihood.scan import Trace, trace_of
from leakyflow.neuron.membrane import Membrane
from leakyflow.neuron.parameter import Values
from leakyflow.neuron.parameters import Parameters
from leakyflow.recordings.batch import Batch
from leakyflow.recordings.cell import Cell
from leakyflow.recordings.recording import Recording

__all__ = ["free_running"]

# Points x sweeps that are stepped side by side.
SIDE_BY_SIDE = 1024


def free_running(
    parameters: Parameters, recordings: Recording | Cell | Batch
) -> Float32[np.ndarray, "*draw sweep time"]:
    """Predict the voltage of each sweep, without noise, by neurons that fire when the recorded one did.

    Each begins at rest under the first current, and stands at V_reset from a recorded spike to the end of the recorded
    refractory period, as what is recorded does; mechanisms see its own voltage and the recorded spikes.

    Args:
        parameters: Of one neuron (numbers) or of many (arrays of shape (draw,), or (draw, sweep) where each sweep has
            neurons of its own; numbers are shared).
        recordings: Sweeps, with their current and spikes.

    Returns:
        V as it would be recorded, in mV; from the end of a shorter sweep on it means nothing.

    Example:
        >>> import leakyflow as lf
        >>> neuron = lf.Parameters(tau=17.0, V_rest=-72.0, C=90.0, V_th=-45.0, V_reset=-60.0, t_ref=3.0)
        >>> current = lf.square(amplitude=200.0, onset=100.0, duration=300.0, t_max=500.0, dt=0.2)
        >>> recording = lf.simulate(neuron, current, seed=1)  # it has no noise
        >>> bool(np.allclose(free_running(neuron, recording)[0], recording.V, atol=1e-3))
        True
    """
    batch = Batch.of(recordings)
    trace, n = trace_of(batch), batch.V.shape[1]
    single = all(np.ndim(value) == 0 for value in parameters.values())
    n_draws = max(len(np.atleast_1d(value)) for value in parameters.values())
    size = max(1, SIDE_BY_SIDE // len(batch))
    arrays = parameters.map(partial(_of_sweeps, n_draws))
    out = np.empty((n_draws, len(batch), n), np.float32)
    for part in (slice(first, first + size) for first in range(0, n_draws, size)):
        own = arrays.map(itemgetter(part))
        with double_precision():
            out[part] = np.moveaxis(np.asarray(_run(own, trace)), 0, -1)[..., :n]
    return out[0] if single else out


def _of_sweeps(n_draws: int, value: Values) -> Float[np.ndarray, "draw _"]:
    array = np.asarray(value, np.float64)
    return array if array.ndim == 2 else np.broadcast_to(array, (n_draws,))[:, None]


@partial(jax.jit, compiler_options={"xla_cpu_multi_thread_eigen": False})
def _run(p: Parameters, trace: Trace) -> Float[Array, "time draw sweep"]:
    membrane = Membrane.of(p, trace.dt)
    shape = jnp.broadcast_shapes(*(jnp.shape(value) for value in p.values()), trace.y.shape[1:])
    full = partial(jnp.broadcast_to, shape=shape)
    first = membrane.rest(full(trace.I[0]))
    begun = jax.tree.map(full, (first, membrane.start(first)))

    def step(known: tuple[Values, Values], x: tuple[Values, ...]) -> tuple[tuple[Values, Values], Values]:
        (V, states), (I, electrode, spiked, free) = known, x
        states = membrane.advance(states, V, spiked)
        V = jnp.where(free > 0, membrane.step(states, V, I), p.V_reset)
        return (V, states), (V + p.R_s * electrode).astype(jnp.float32)

    inputs = (trace.I[:-1], trace.electrode[1:], trace.spikes[:-1], trace.free[1:])
    _, V = jax.lax.scan(step, begun, inputs)
    return jnp.concatenate([(first + p.R_s * trace.electrode[0]).astype(jnp.float32)[None], V])
