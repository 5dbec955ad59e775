"""GLIF neurons of the Allen Institute, as `neuron_config.json` of the Allen Cell Types Database; these are read, too.

Teeter et al. (2018), Nature Communications 9:709. Voltages are from rest, in V; units are of the SI.
"""

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from leakyflow.errors import LeakyflowError
from leakyflow.exports.exact import faded
from leakyflow.exports.population import Population
from leakyflow.exports.target import Target
from leakyflow.neuron.parameters import Parameters, check_ranges
from leakyflow.schema import load_json

__all__ = ["allen", "read_glif"]

AFTER_SPIKE = ("ahp_fast", "ahp_slow")
MV, MS, PF, PA, GOHM = 1e-3, 1e-3, 1e-12, 1e-12, 1e9
MOST = 10**6  # bytes of a file
CURE = "Pass a GLIF model of the Allen Cell Types Database, as it was downloaded."


def _native(population: Population) -> dict[str, Any]:
    return {"type": "GLIF", "models": [_model(population, i) for i in range(len(population))]}


def _model(population: Population, i: int) -> dict[str, Any]:
    """What the Allen SDK needs of one neuron."""
    p, n_ref = population.parameters.map(lambda value: float(value[i])), population.n_ref
    kept = {name: float(faded(population, f"{name}_tau", n_ref)[i]) for name in AFTER_SPIKE if name in p}
    model: dict[str, Any] = {
        "type": "GLIF",
        "El": 0.0,
        "El_reference": p.V_rest * MV,
        "dt": population.dt * MS,
        "R_input": p.tau / p.C * GOHM,
        "C": p.C * PF,
        "th_inf": (p.V_th - p.V_rest) * MV,
        "th_adapt": None,
        "spike_cut_length": int(n_ref[i]),
        "coeffs": {"th_inf": 1.0, "C": 1.0, "G": 1.0, "a": 1.0, "b": 1.0, "asc_amp_array": [1.0] * len(kept)},
        # The amplitudes are those after the spike is cut.
        "asc_amp_array": [p[name] * kept[name] * PA for name in kept],
        "asc_tau_array": [p[f"{name}_tau"] * MS for name in kept],
        "init_voltage": 0.0,
        "init_threshold": (p.V_th - p.V_rest) * MV,
        "init_AScurrents": [0.0] * len(kept),
        "init_method_data": {},
        "AScurrent_dynamics_method": _method("exp" if kept else "none"),
        "AScurrent_reset_method": _method("sum", r=[1.0] * len(kept)) if kept else _method("none"),
        "voltage_dynamics_method": _method("linear_forward_euler"),
        "voltage_reset_method": _method("v_before", a=0.0, b=(p.V_reset - p.V_rest) * MV),
        "threshold_dynamics_method": _method("inf"),
        "threshold_reset_method": _method("inf"),
    }
    if "threshold_jump" in p:
        jump = p.threshold_jump * float(faded(population, "threshold_jump_tau", n_ref - 1)[i])
        spike = {"a_spike": jump * MV, "b_spike": 1.0 / (p.threshold_jump_tau * MS)}
        model["threshold_dynamics_method"] = _method("spike_component", **spike, a_voltage=0.0, b_voltage=0.0)
        model["threshold_reset_method"] = _method("three_components", **spike)
    return model


def _method(name: str, **params: Any) -> dict[str, Any]:
    return {"name": name, "params": params}


def _files(population: Population, stem: str) -> dict[str, str]:
    n = len(population)
    names = [f"{stem}_glif.json"] if n == 1 else [f"{stem}_glif_{i:0{len(str(n - 1))}d}.json" for i in range(n)]
    return {name: json.dumps(_model(population, i), indent=2) + "\n" for i, name in enumerate(names)}


allen = Target(
    name="allen",
    meaning="the Allen GLIF format",
    expresses=frozenset({"threshold_jump", *AFTER_SPIKE}),
    lacks={"threshold_coupling": "it integrates it otherwise, and halts it while the neuron is refractory"},
    otherwise="its neurons have none",
    native=_native,
    files=_files,
    notes=(
        "The Allen SDK calls voltage[k] what the current of step k leads to, so its traces are one sample ahead; from "
        "a spike on it has spike_cut_length samples that are NaN, and then the voltage of the reset.",
    ),
)


STORED = ConfigDict(extra="ignore", allow_inf_nan=False)
Positive = Annotated[float, Field(gt=0.0)]


@dataclass(frozen=True, config=STORED)
class _Params:
    """Numbers of a rule, those that are read."""

    a: float | None = None
    b: float | None = None
    r: list[float] | None = None
    a_spike: float | None = None
    b_spike: Positive | None = None
    a_voltage: float | None = None


@dataclass(frozen=True, config=STORED)
class _Method:
    name: str
    params: _Params | None = None


@dataclass(frozen=True, config=STORED)
class _Coeffs:
    """Factors of the numbers beside them."""

    C: Positive = 1.0
    G: Positive = 1.0
    th_inf: float = 1.0
    asc_amp_array: list[float] | float = 1.0


@dataclass(frozen=True, config=STORED)
class _File:
    """What is read of a file of the Allen Institute."""

    El: float
    El_reference: float
    dt: Positive
    R_input: Positive
    C: Positive
    th_inf: float
    spike_cut_length: Annotated[int, Field(ge=0, le=MOST)]
    coeffs: _Coeffs
    asc_amp_array: list[float]
    asc_tau_array: list[Positive]
    AScurrent_dynamics_method: _Method
    AScurrent_reset_method: _Method
    voltage_reset_method: _Method
    threshold_dynamics_method: _Method


def read_glif(path: str | Path) -> Parameters:
    """Read a GLIF neuron of the Allen Institute (`neuron_config.json`).

    Args:
        path: The file.

    Returns:
        The neuron, to simulate from at the dt of the file, 0.05 ms as a rule.

    Raises:
        FileNotFoundError: If there is no such file.
        LeakyflowError: If it is something else, or has a rule that leakyflow has not: a reset that scales the voltage
            before (GLIF 2, 4, 5), a threshold that follows the voltage (GLIF 5), or currents that fade at a spike.

    Example:
        >>> import leakyflow as lf
        >>> neuron = lf.Parameters(tau=17.0, V_rest=-72.0, C=90.0, V_th=-45.0, V_reset=-60.0, t_ref=3.0,
        ...     ahp_slow=-20.0, ahp_slow_tau=100.0)
        >>> _ = lf.export(neuron, "allen", out="neuron.json", dt=0.05)
        >>> round(read_glif("neuron_glif.json").ahp_slow, 6)
        -20.0
    """
    file = load_json(Path(path), _File, most=MOST, cure=CURE)
    coeffs, step = file.coeffs, file.dt / MS
    C, G = file.C * coeffs.C, coeffs.G / file.R_input
    rest = (file.El_reference + file.El) / MV
    values = {
        "tau": C / G / MS,
        "V_rest": rest,
        "C": C / PF,
        "V_th": (file.El_reference + file.th_inf * coeffs.th_inf) / MV,
        "V_reset": file.El_reference / MV + _reset(path, file) / MV,
        "t_ref": file.spike_cut_length * step,
    }
    values |= _currents(path, file) | _jump(path, file)
    check_ranges(values)
    return Parameters(**values)


def _reset(path: str | Path, file: _File) -> float:
    """Voltage after a spike, in V from the reference."""
    rule, params = file.voltage_reset_method.name, file.voltage_reset_method.params or _Params()
    if rule == "zero":
        return 0.0
    if rule != "v_before" or params.a != 0.0:
        raise _refused(path, "voltage_reset_method", rule, "the reset depends on the voltage before")
    return _said(path, "voltage_reset_method", "b", params.b)


def _currents(path: str | Path, file: _File) -> dict[str, float]:
    """After-spike currents, the faster first, as they are at the spike."""
    if file.AScurrent_dynamics_method.name == "none" or not file.asc_amp_array:
        return {}
    r = (file.AScurrent_reset_method.params or _Params()).r or []
    if len(file.asc_amp_array) > len(AFTER_SPIKE) or np.any(np.asarray(r) != 1.0):
        raise _refused(path, "AScurrent_reset_method", f"r={r}", "a spike changes the currents of those before")
    scale = np.asarray(file.coeffs.asc_amp_array) / PA
    tau = np.asarray(file.asc_tau_array) / MS
    if len(tau) != len(file.asc_amp_array) or scale.shape not in ((), tau.shape):
        raise LeakyflowError(
            f"{path}: `asc_amp_array`, its coefficients and `asc_tau_array` must be of one length, got "
            f"{len(file.asc_amp_array)}, {scale.size} and {len(tau)}. {CURE}"
        )
    amplitude = np.asarray(file.asc_amp_array) * scale * np.exp(file.spike_cut_length * file.dt / MS / tau)
    names = AFTER_SPIKE if len(tau) == 2 else AFTER_SPIKE[1:]
    found: dict[str, float] = {}
    for name, i in zip(names, np.argsort(tau), strict=True):
        if amplitude[i]:
            found |= {name: float(amplitude[i]), f"{name}_tau": float(tau[i])}
    return found


def _jump(path: str | Path, file: _File) -> dict[str, float]:
    """A threshold that spikes raise, as it is at the spike."""
    rule, params = file.threshold_dynamics_method.name, file.threshold_dynamics_method.params or _Params()
    if rule == "inf":
        return {}
    if params.a_voltage or rule not in ("spike_component", "three_components_exact"):
        raise _refused(path, "threshold_dynamics_method", rule, "the threshold follows the voltage")
    tau = 1.0 / _said(path, "threshold_dynamics_method", "b_spike", params.b_spike) / MS
    jump = _said(path, "threshold_dynamics_method", "a_spike", params.a_spike) / MV
    later = (file.spike_cut_length - 1) * file.dt / MS
    return {"threshold_jump": jump * float(np.exp(later / tau)), "threshold_jump_tau": tau}


def _said(path: str | Path, method: str, name: str, value: float | None) -> float:
    """A number that a rule needs."""
    if value is None:
        raise LeakyflowError(f"{path}: `{method}` must say its `{name}`. {CURE}")
    return value


def _refused(path: str | Path, method: str, rule: str, why: str) -> LeakyflowError:
    return LeakyflowError(
        f"{path}: `{method}` must be a rule that leakyflow has, got {rule!r}: {why}. GLIF 1 and 3 can be read.",
        argument="path",
    )
