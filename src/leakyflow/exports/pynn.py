"""PyNN: `IF_curr_exp`, which every simulator behind it has."""

from typing import Any

import numpy as np

from leakyflow.exports.exact import exact, input_resistance
from leakyflow.exports.population import Population
from leakyflow.exports.scripts import script
from leakyflow.exports.target import Target

__all__ = ["pynn"]

NF, NA = 1e-3, 1e-3  # of pF and pA


def _native(population: Population) -> dict[str, Any]:
    p, membrane = population.parameters, exact(population)
    params = {
        "v_rest": p.V_rest,
        "cm": membrane.C * NF,
        "tau_m": membrane.tau,
        "tau_refrac": population.n_ref * population.dt,
        "v_reset": p.V_reset,
        "v_thresh": p.V_th,
    }
    noise = np.broadcast_to(p.membrane_noise * p.C * NA / np.sqrt(population.dt), len(population))
    return {
        "cell": "IF_curr_exp",
        "params": {name: values.tolist() for name, values in params.items()},
        "noise_std_nA": noise.tolist(),
        "input_resistance_GOhm": input_resistance(population).tolist(),
    }


pynn = Target(
    name="pynn",
    meaning="PyNN",
    expresses=frozenset({"membrane_noise"}),
    lacks={
        "threshold_noise": "its standard cells have a hard threshold",
        "reset_noise": "its standard cells are reset to one voltage",
        "current_noise": "its NoisyCurrentSource is white",
    },
    otherwise="none of its standard cells has it without synaptic conductances of its own",
    native=_native,
    files=lambda population, stem: {f"{stem}_pynn.py": script("pynn")},
    notes=(
        "cm and tau_m are those of exact integration, which pyNN.nest does; simulators that integrate otherwise differ "
        "from it by terms of dt / tau.",
    ),
)
