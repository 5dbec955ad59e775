"""Brian2: equations for all that a neuron can be made of, at any step."""

import json
from typing import Any, NamedTuple

from leakyflow.exports.exact import input_resistance
from leakyflow.exports.population import Population
from leakyflow.exports.scripts import script
from leakyflow.exports.target import Target
from leakyflow.neuron.parameters import UNITS

__all__ = ["brian2"]

# Of Brian2; pA / pF = mV / ms, as everywhere here.
DIMENSIONS = {
    "ms": "second",
    "mV": "volt",
    "pF": "farad",
    "pA": "amp",
    "GOhm": "ohm",
    "mV/sqrt(ms)": "volt/second**0.5",
    "mV/mV": "1",
    "1": "1",
}
FACTORS = {"ms": 1e-3, "mV": 1e-3, "pF": 1e-12, "pA": 1e-12, "GOhm": 1e9, "mV/sqrt(ms)": 1e-3 / 1e-3**0.5}


class _Part(NamedTuple):
    """What one part of a neuron adds to the model."""

    equations: tuple[str, ...] = ()
    current: str = ""
    threshold: str = ""
    reset: str = ""
    start: tuple[tuple[str, str], ...] = ()  # values at the beginning


def _after_spike(name: str) -> _Part:
    return _Part(
        (f"dw_{name}/dt = -w_{name} * (1 - exp(-dt / {name}_tau)) / dt : 1",),
        current=f"{name} * w_{name}",
        reset=f"w_{name} += 1",
    )


# Euler's method takes -w (1 - exp(-dt / tau)) / dt for what decays exactly. A state that follows the voltage has seen
# that of this step when the current flows, but Euler's method takes it as it was before: hence `_now`.
PARTS = {
    "ahp_fast": _after_spike("ahp_fast"),
    "ahp_slow": _after_spike("ahp_slow"),
    "threshold_jump": _Part(
        ("dw_jump/dt = -w_jump * (1 - exp(-dt / threshold_jump_tau)) / dt : 1",),
        threshold="threshold_jump * w_jump",
        reset="w_jump += exp(dt / threshold_jump_tau)  # the threshold is compared after one decay",
    ),
    "threshold_coupling": _Part(
        ("dw_coupling/dt = (v - V_rest - w_coupling) * (1 - exp(-dt / threshold_coupling_tau)) / dt : volt",),
        threshold="threshold_coupling * w_coupling",
        start=(("w_coupling", "v - V_rest"),),
    ),
    "sag": _Part(
        (
            "dw_sag/dt = (v - V_rest - w_sag) * (1 - exp(-dt / sag_tau)) / dt : volt",
            "w_sag_now = w_sag + (v - V_rest - w_sag) * (1 - exp(-dt / sag_tau)) : volt",
        ),
        current="-sag * C / tau * w_sag_now",
        start=(("w_sag", "v - V_rest"),),
    ),
    "dendrite_share": _Part(
        (
            "dv_dendrite/dt = -v_dendrite / tau"
            " + (v - V_rest - v_dendrite) * (1 - dendrite_share) / dendrite_tau : volt",
            "v_dendrite_now = v_dendrite + dt * (-v_dendrite / tau"
            " + (v - V_rest - v_dendrite) * (1 - dendrite_share) / dendrite_tau) : volt",
        ),
        current="C * dendrite_share * (1 - dendrite_share) / dendrite_tau * (v_dendrite_now - (v - V_rest))",
        start=(("v_dendrite", "(v - V_rest) * (1 - dendrite_share) / (1 - dendrite_share + dendrite_tau / tau)"),),
    ),
    "current_noise": _Part(
        (
            "dx/dt = -x * (1 - exp(-dt / current_noise_tau)) / dt"
            " + current_noise * sqrt((1 - exp(-2 * dt / current_noise_tau)) / dt) * xi_x : amp",
        ),
        current="x",
        start=(("x", "current_noise * randn()"),),
    ),
}


def _native(population: Population) -> dict[str, Any]:
    p = population.parameters
    parts = [part for name, part in PARTS.items() if name in p]
    return {
        "method": "euler",
        "equations": _equations(population, parts),
        "threshold": _threshold(population, parts),
        "reset": "\n".join([_released(population), *(part.reset for part in parts if part.reset)]),
        "refractory": "t_held",
        "start": dict(pair for part in parts for pair in part.start),
        "parameters_SI": {name: (p[name] * FACTORS.get(UNITS[name], 1.0)).tolist() for name in p if name != "t_ref"}
        | {"t_ref": (population.n_ref * population.dt * 1e-3).tolist()},
        "input_resistance_GOhm": input_resistance(population).tolist(),
    }


def _equations(population: Population, parts: list[_Part]) -> str:
    p = population.parameters
    soma = "(C * (1 - dendrite_share))" if "dendrite_share" in p else "C"
    noise = " + membrane_noise * xi_v" if "membrane_noise" in p else ""
    currents = [part.current for part in parts if part.current]
    lines = [
        f"dv/dt = (V_rest - v) / tau + (I + I_syn + I_own) / {soma}{noise} : volt (unless refractory)",
        "I = stimulus(t) : amp",
        "I_syn : amp  # for synapses of yours",
        f"I_own = {' + '.join(currents) if currents else '0*amp'} : amp",
        *(line for part in parts for line in part.equations),
        "t_held : second (constant)  # refractory samples and that of the spike, which Brian2 counts, too",
        *(f"{name} : {DIMENSIONS[UNITS[name]]} (constant)" for name in p),
    ]
    return "\n".join(lines)


def _threshold(population: Population, parts: list[_Part]) -> str:
    noise = " + threshold_noise * randn()" if "threshold_noise" in population.parameters else ""
    return f"v{noise} >= {' + '.join(['V_th', *(part.threshold for part in parts if part.threshold)])}"


def _released(population: Population) -> str:
    return "v = V_reset" + (" + reset_noise * randn()" if "reset_noise" in population.parameters else "")


def _files(population: Population, stem: str) -> dict[str, str]:
    native, text = _native(population), script("brian2")
    for name in ("equations", "threshold", "reset"):
        lines = native[name]
        written = f'"""\n{lines}\n"""' if "\n" in lines else json.dumps(lines)
        text = text.replace(f'{name.upper()} = ""', f"{name.upper()} = {written}")
    return {f"{stem}_brian2.py": text}


brian2 = Target(
    name="brian2",
    meaning="Brian2",
    expresses=frozenset({"membrane_noise", "threshold_noise", "reset_noise", *PARTS}),
    otherwise="there are no equations for it",
    native=_native,
    files=_files,
    notes=("By Euler's method, as leakyflow has it; each neuron starts at rest under the first current.",),
)
