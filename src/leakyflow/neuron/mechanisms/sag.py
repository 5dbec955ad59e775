"""A slow current against the voltage: sag under hyperpolarization, subthreshold adaptation above rest.

Richardson, Brunel & Hakim (2003), Journal of Neurophysiology 89.
"""

import jax.numpy as jnp

from leakyflow.neuron.mechanism import Mechanism
from leakyflow.neuron.parameter import NOT_NEGATIVE, POSITIVE, Parameter

__all__ = ["sag"]

sag = Mechanism(
    name="sag",
    meaning="subthreshold adaptation (sag)",
    parameters=(
        Parameter(
            name="sag",
            symbol=r"g_{\mathrm{sag}} / g_L",
            unit="1",
            meaning="slow conductance against V, as a ratio to the leak",
            support=NOT_NEGATIVE,
            off=0.0,
        ),
        Parameter(
            name="sag_tau",
            symbol=r"\tau_{\mathrm{sag}}",
            unit="ms",
            meaning="time constant of the sag",
            support=POSITIVE,
        ),
    ),
    prepare=lambda p, dt: (p["sag"] * p["C"] / p["tau"], -jnp.expm1(-dt / p["sag_tau"]), p["V_rest"]),
    start=lambda prepared, V: V - prepared[2],
    advance=lambda prepared, state, V, spike: state + prepared[1] * (V - prepared[2] - state),
    current=lambda prepared, state, V: -prepared[0] * state,
)
