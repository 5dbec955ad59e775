"""What a deterministic neuron does, in double precision: the membrane of the package, stepped in a plain loop."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from leakyflow.neuron.membrane import Membrane
from leakyflow.neuron.parameters import Parameters


class Trace(NamedTuple):
    V: np.ndarray  # mV, (neuron, step)
    spikes: list[np.ndarray]  # of each neuron, numbers of the steps


def stepped(p: Parameters, I: np.ndarray, dt: float) -> Trace:
    """Neurons under one current; parameters of shape (neuron,)."""
    p = p.map(lambda value: jnp.atleast_1d(jnp.asarray(value, float)))
    membrane, n_held = Membrane.of(p, dt), np.rint(np.asarray(p.t_ref) / dt).astype(int) + 1
    V = membrane.rest(I[0] + 0.0 * p.tau)
    states, held, spike = membrane.start(V), 0 * n_held, np.zeros(len(n_held))
    voltages, spikes = [np.asarray(V)], [spike]
    for current in I[:-1]:
        states = membrane.advance(states, V, spike)
        U, still = membrane.step(states, V, current), held > 1
        spike = (np.asarray(membrane.threshold(states) <= U) & ~still).astype(float)
        V = jnp.where(still, V, jnp.where(spike > 0, p.V_reset, U))
        held = np.where(spike > 0, n_held, np.maximum(held - 1, 0))
        voltages.append(np.asarray(V))
        spikes.append(spike)
    return Trace(np.stack(voltages, axis=1), [np.flatnonzero(row) for row in np.stack(spikes, axis=1)])
