"""The GLIF neuron of the Allen SDK, by the rules that its documentation names.

Teeter et al. (2018), Nature Communications 9:709; linear_forward_euler, exp, sum, v_before, spike_component and
three_components. As there, voltage k is what current k leads to, and a spike jumps over the samples that are cut.
"""

from typing import Any

import numpy as np


def glif(model: dict[str, Any], I: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """Voltage from rest (V), NaN where a spike is cut, and steps of the spikes; I in A."""
    cut, dt = model["spike_cut_length"], model["dt"]
    amplitude, tau = np.array(model["asc_amp_array"]), np.array(model["asc_tau_array"])
    rule, raised = model["threshold_dynamics_method"], 0.0
    v, after = model["init_voltage"], np.array(model["init_AScurrents"])
    out, spikes, k = np.full(len(I), np.nan), [], 0
    while k < len(I):
        new = v + dt / model["C"] * (I[k] + after.sum() - (v - model["El"]) / model["R_input"])
        after = after * np.exp(-dt / tau)
        raised *= np.exp(-rule["params"].get("b_spike", 0.0) * dt)
        if new > model["th_inf"] + raised:
            spikes.append(k)
            reset = model["voltage_reset_method"]["params"]
            new = reset["a"] * new + reset["b"]
            after = amplitude + after * np.exp(-cut * dt / tau)
            raised *= np.exp(-rule["params"].get("b_spike", 0.0) * cut * dt)
            raised += rule["params"].get("a_spike", 0.0)
            k += cut
        if k < len(I):
            out[k] = new
        v, k = new, k + 1
    return out, spikes
