"""A threshold that follows the voltage, as inactivating sodium channels make it.

Platkiewicz & Brette (2011), PLoS Computational Biology 7; Mensi et al. (2016), ibid. 12, linearized.
"""

import jax.numpy as jnp

from leakyflow.neuron.mechanism import Mechanism
from leakyflow.neuron.parameter import POSITIVE, Parameter

__all__ = ["coupled_threshold"]


coupled_threshold = Mechanism(
    name="threshold_coupling",
    meaning="threshold coupled to V",
    parameters=(
        Parameter(
            name="threshold_coupling",
            symbol=r"\kappa_{\mathrm{th}}",
            unit="mV/mV",
            meaning="share of V - V_rest that the threshold follows",
            off=0.0,
        ),
        Parameter(
            name="threshold_coupling_tau",
            symbol=r"\tau_{\kappa}",
            unit="ms",
            meaning="time constant with which the threshold follows V",
            support=POSITIVE,
        ),
    ),
    prepare=lambda p, dt: (p["threshold_coupling"], -jnp.expm1(-dt / p["threshold_coupling_tau"]), p["V_rest"]),
    start=lambda prepared, V: V - prepared[2],
    advance=lambda prepared, state, V, spike: state + prepared[1] * (V - prepared[2] - state),
    threshold=lambda prepared, state: prepared[0] * state,
)
