"""The ten parameters of the leaky integrate-and-fire neuron, their units and their meaning."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

__all__ = ["MEANINGS", "UNITS", "Parameters"]

Scalars = float | Float[np.ndarray, "..."]


class Parameters(NamedTuple):
    """What the model needs to know of a neuron: numbers, or arrays with the same leading axes.

    pA / pF = mV / ms, so no conversion factor appears in any equation; the input resistance is tau / C in
    GOhm.
    """

    tau: Scalars  # ms, membrane time constant
    V_rest: Scalars  # mV, resting potential
    C: Scalars  # pF, membrane capacitance
    V_th: Scalars  # mV, spike threshold (absolute)
    threshold_noise: Scalars  # mV, SD of the threshold from step to step; 0 is the hard threshold
    membrane_noise: Scalars  # mV / sqrt(ms), diffusion of V; 0 gives the ordinary differential equation
    measurement_noise: Scalars  # mV, SD of the electrode noise on each sample
    V_reset: Scalars  # mV, mean voltage at which the neuron is released after a spike
    reset_noise: Scalars  # mV, SD of that voltage from spike to spike
    t_ref: Scalars  # ms, refractory period


UNITS = {
    "tau": "ms",
    "V_rest": "mV",
    "C": "pF",
    "V_th": "mV",
    "threshold_noise": "mV",
    "membrane_noise": "mV/sqrt(ms)",
    "measurement_noise": "mV",
    "V_reset": "mV",
    "reset_noise": "mV",
    "t_ref": "ms",
}

# As beside the fields above, for tables.
MEANINGS = {
    "tau": "membrane time constant",
    "V_rest": "resting potential",
    "C": "membrane capacitance",
    "V_th": "spike threshold (absolute)",
    "threshold_noise": "SD of the threshold from step to step; 0 is the hard threshold",
    "membrane_noise": "diffusion of V; 0 gives the ordinary differential equation",
    "measurement_noise": "SD of the electrode noise on each sample",
    "V_reset": "mean voltage at which the neuron is released after a spike",
    "reset_noise": "SD of that voltage from spike to spike",
    "t_ref": "refractory period",
}
