"""A threshold that each spike raises, and that decays back.

Mensi et al. (2012), Journal of Neurophysiology 107; Teeter et al. (2018), Nature Communications 9:709.
"""

import jax.numpy as jnp

from leakyflow.neuron.mechanism import Mechanism
from leakyflow.neuron.parameter import POSITIVE, Parameter

__all__ = ["moving_threshold"]

moving_threshold = Mechanism(
    name="threshold_jump",
    meaning="threshold raised by spikes",
    parameters=(
        Parameter(
            name="threshold_jump",
            symbol=r"\Delta_{\mathrm{th}}",
            unit="mV",
            meaning="by how much a spike raises the threshold",
            off=0.0,
        ),
        Parameter(
            name="threshold_jump_tau",
            symbol=r"\tau_{\Delta}",
            unit="ms",
            meaning="time constant with which the raised threshold decays",
            support=POSITIVE,
        ),
    ),
    prepare=lambda p, dt: (p["threshold_jump"], jnp.exp(-dt / p["threshold_jump_tau"])),
    start=lambda prepared, V: jnp.zeros_like(V),
    advance=lambda prepared, state, V, spike: prepared[1] * state + spike,
    threshold=lambda prepared, state: prepared[0] * state,
    decay=("threshold_jump", "threshold_jump_tau"),
)
