"""A second compartment, which takes its share of the capacitance and of the leak and equalizes with the soma.

Rall (1969), Biophysical Journal 9, the first two terms of his equalization; the coupling conductance is
C share (1 - share) / dendrite_tau.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp

from leakyflow.neuron.mechanism import Mechanism
from leakyflow.neuron.parameter import POSITIVE, SHARE, Parameter, Values

__all__ = ["dendrite"]


class _Prepared(NamedTuple):
    conductance: Values  # nS, between the compartments
    leak: Values  # per step, of the dendrite
    coupling: Values  # per step, of the dendrite towards the soma
    V_rest: Values  # mV
    steady: Values  # share of the soma's V - V_rest at which the dendrite settles
    soma: Values  # share of the capacitance


def _prepare(p: Any, dt: Any) -> _Prepared:
    share, tau = p["dendrite_share"], p["dendrite_tau"]
    pull = (1.0 - share) / tau  # 1/ms
    return _Prepared(
        conductance=p["C"] * share * (1.0 - share) / tau,
        leak=dt / p["tau"],
        coupling=dt * pull,
        V_rest=p["V_rest"],
        steady=pull / (pull + 1.0 / p["tau"]),
        soma=1.0 - share,
    )


dendrite = Mechanism(
    name="dendrite_share",
    meaning="dendritic compartment",
    parameters=(
        Parameter(
            name="dendrite_share",
            symbol=r"s_{\mathrm{d}}",
            unit="1",
            meaning="share of the capacitance that lies in the dendrite",
            support=SHARE,
            off=0.0,
        ),
        Parameter(
            name="dendrite_tau",
            symbol=r"\tau_{\mathrm{d}}",
            unit="ms",
            meaning="time constant with which soma and dendrite equalize",
            support=POSITIVE,
        ),
    ),
    prepare=_prepare,
    # The voltage of the dendrite above rest.
    start=lambda c, V: c.steady * (V - c.V_rest),
    advance=lambda c, state, V, spike: state - c.leak * state + c.coupling * (V - c.V_rest - state),
    current=lambda c, state, V: c.conductance * (state - (V - c.V_rest)),
    soma=lambda c: jnp.asarray(c.soma),
)
