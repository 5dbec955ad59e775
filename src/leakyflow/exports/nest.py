"""NEST: `iaf_psc_delta`, or `glif_psc` where spikes leave currents or a raised threshold behind."""

from typing import Any

import numpy as np

from leakyflow.errors import LeakyflowError
from leakyflow.exports.exact import exact, faded, input_resistance
from leakyflow.exports.population import Population
from leakyflow.exports.scripts import script
from leakyflow.exports.target import Target

__all__ = ["nest"]

AFTER_SPIKE = ("ahp_fast", "ahp_slow")


def _has_glif(population: Population) -> bool:
    return any(name in population.parameters for name in (*AFTER_SPIKE, "threshold_jump"))


def _native(population: Population) -> dict[str, Any]:
    columns = _glif(population) if _has_glif(population) else _iaf(population)
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    p, dt = population.parameters, population.dt
    return {
        "model": "glif_psc" if _has_glif(population) else "iaf_psc_delta",
        "params": rows,
        # White noise on the membrane is a current that is drawn anew at each step.
        "noise_std_pA": np.broadcast_to(p.membrane_noise * p.C / np.sqrt(dt), len(population)).tolist(),
        "input_resistance_GOhm": input_resistance(population).tolist(),
    }


def _iaf(population: Population) -> dict[str, list]:
    p, membrane = population.parameters, exact(population)
    values = {"E_L": p.V_rest, "C_m": membrane.C, "tau_m": membrane.tau, "V_th": p.V_th, "V_reset": p.V_reset}
    values["t_ref"] = population.n_ref * population.dt
    return {name: value.tolist() for name, value in values.items()}


def _glif(population: Population) -> dict[str, list]:
    p, membrane, n = population.parameters, exact(population), len(population)
    columns = _iaf(population)
    del columns["tau_m"]
    columns |= {"g": (membrane.C / membrane.tau).tolist(), **_flags(population)}
    currents = [_current(population, name) for name in AFTER_SPIKE if name in p]
    if currents:
        amplitudes, rates = (np.stack(values, axis=1).tolist() for values in zip(*currents, strict=True))
        columns |= {"asc_amps": amplitudes, "asc_decay": rates}
        columns |= {"asc_init": [[0.0] * len(currents)] * n, "asc_r": [[1.0] * len(currents)] * n}
    if "threshold_jump" in p:
        jump = p.threshold_jump * faded(population, "threshold_jump_tau", population.n_ref - 1)
        columns |= {"th_spike_add": jump.tolist(), "th_spike_decay": (1.0 / p.threshold_jump_tau).tolist()}
        # With a moving threshold, the reset is this share of the voltage before, and a step from E_L.
        columns |= {"voltage_reset_fraction": [0.0] * n, "voltage_reset_add": (p.V_reset - p.V_rest).tolist()}
    return columns


def _flags(population: Population) -> dict[str, list]:
    p, n = population.parameters, len(population)
    return {
        "spike_dependent_threshold": ["threshold_jump" in p] * n,
        "after_spike_currents": [any(name in p for name in AFTER_SPIKE)] * n,
        "adapting_threshold": [False] * n,
    }


def _current(population: Population, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Amplitude after the refractory period and rate of decay; NEST means the current over each step."""
    tau, dt = population.parameters[f"{name}_tau"], population.dt
    mean = -np.expm1(-dt / tau) * tau / dt
    return population.parameters[name] * faded(population, f"{name}_tau", population.n_ref) / mean, 1.0 / tau


def _check(population: Population) -> None:
    if _has_glif(population) and (population.n_ref < 1).any():
        raise LeakyflowError(
            f"`t_ref` must be at least one step, {population.dt:g} ms, for glif_psc of NEST, got "
            f"{population.parameters.t_ref.min():g} ms. Export to brian2.",
            argument="target",
        )


nest = Target(
    name="nest",
    meaning="NEST",
    expresses=frozenset({"membrane_noise", "threshold_jump", *AFTER_SPIKE}),
    lacks={
        "threshold_noise": "its neurons have a hard threshold, or an exponential escape rate",
        "reset_noise": "its neurons are reset to one voltage",
        "current_noise": "its noise generator is white",
        "threshold_coupling": "glif_psc integrates it otherwise, and halts it while the neuron is refractory",
        "sag": "neither iaf_psc_delta nor glif_psc has it",
        "dendrite_share": "neither iaf_psc_delta nor glif_psc has a second compartment",
    },
    otherwise="neither iaf_psc_delta nor glif_psc has it",
    native=_native,
    files=lambda population, stem: {f"{stem}_nest.py": script("nest")},
    notes=(
        "NEST integrates exactly where leakyflow takes Euler's steps: C_m and tau_m (or g) differ by about dt / 2 tau "
        "from C and tau, so that at a resolution of dt the voltage is the same.",
    ),
    check=_check,
)
