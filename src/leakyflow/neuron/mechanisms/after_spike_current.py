"""After-spike currents: each spike adds a current that decays exponentially.

Mihalas & Niebur (2009), Neural Computation 21; Teeter et al. (2018), Nature Communications 9:709.
"""

from typing import Any

import jax.numpy as jnp

from leakyflow.neuron.mechanism import Mechanism
from leakyflow.neuron.parameter import POSITIVE, Parameter, Values

__all__ = ["ahp_fast", "ahp_slow"]


def _after_spike_current(name: str, speed: str) -> Mechanism:
    def prepare(p: Any, dt: Any) -> tuple[Values, Values]:
        return p[name], jnp.exp(-dt / p[f"{name}_tau"])

    return Mechanism(
        name=name,
        meaning=f"{speed} after-spike current",
        parameters=(
            Parameter(
                name=name,
                symbol=rf"a_{{\mathrm{{{speed}}}}}",
                unit="pA",
                meaning=f"{speed} current that a spike adds; negative hyperpolarizes",
                off=0.0,
            ),
            Parameter(
                name=f"{name}_tau",
                symbol=rf"\tau_{{\mathrm{{{speed}}}}}",
                unit="ms",
                meaning=f"time constant of the {speed} after-spike current",
                support=POSITIVE,
            ),
        ),
        prepare=prepare,
        start=lambda prepared, V: jnp.zeros_like(V),
        advance=lambda prepared, state, V, spike: prepared[1] * state + spike,
        current=lambda prepared, state, V: prepared[0] * state,
        decay=(name, f"{name}_tau"),
    )


ahp_fast = _after_spike_current("ahp_fast", "fast")
ahp_slow = _after_spike_current("ahp_slow", "slow")
