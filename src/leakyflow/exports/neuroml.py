"""NeuroML 2: `iafRefCell`, or a component type of LEMS where the neuron is made of more."""

from typing import Any, NamedTuple
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from leakyflow.exports.exact import input_resistance
from leakyflow.exports.population import Population
from leakyflow.exports.target import Target

__all__ = ["neuroml"]

SCHEMA = "http://www.neuroml.org/schema/neuroml2"
TYPE = "leakyflowCell"
UNITS = {"voltage": "mV", "time": "ms", "capacitance": "pF", "current": "pA", "conductance": "nS", "per_time": "per_ms"}


class _Part(NamedTuple):
    """What one part of a neuron adds to the component type."""

    states: tuple[tuple[str, str, str], ...]  # name, dimension, derivative
    start: str = "0"  # value of the state at the beginning
    now: tuple[tuple[str, str, str], ...] = ()  # derived variables: name, dimension, value
    current: str = ""
    threshold: str = ""
    reset: str = ""


def _after_spike(name: str) -> _Part:
    return _Part(
        ((f"w_{name}", "none", f"-w_{name} * {name}_rate"),), current=f"{name} * w_{name}", reset=f"w_{name} + 1"
    )


# As in Brian2: jLEMS steps by Euler's method, too. `_rate` gives an exact decay by it, `_share` is what a step takes.
PARTS = {
    "ahp_fast": _after_spike("ahp_fast"),
    "ahp_slow": _after_spike("ahp_slow"),
    "threshold_jump": _Part(
        (("w_jump", "none", "-w_jump * threshold_jump_rate"),),
        threshold="threshold_jump * w_jump",
        reset="w_jump + threshold_jump_ahead",
    ),
    "threshold_coupling": _Part(
        (("w_coupling", "voltage", "(v - V_rest - w_coupling) * threshold_coupling_rate"),),
        start="v0 - V_rest",
        threshold="threshold_coupling * w_coupling",
    ),
    "sag": _Part(
        (("w_sag", "voltage", "(v - V_rest - w_sag) * sag_rate"),),
        start="v0 - V_rest",
        now=(("w_sag_now", "voltage", "w_sag + sag_share * (v - V_rest - w_sag)"),),
        current="-sag_conductance * w_sag_now",
    ),
    "dendrite_share": _Part(
        (("v_dendrite", "voltage", "dendrite_change"),),
        start="(v0 - V_rest) * dendrite_steady",
        now=(
            ("dendrite_change", "voltage_rate", "(v - V_rest - v_dendrite) * dendrite_pull - v_dendrite * leak"),
            ("v_dendrite_now", "voltage", "v_dendrite + step * dendrite_change"),
        ),
        current="dendrite_conductance * (v_dendrite_now - (v - V_rest))",
    ),
}


def _parts(population: Population) -> dict[str, _Part]:
    return {name: part for name, part in PARTS.items() if name in population.parameters}


class _Value(NamedTuple):
    """A parameter of the component type."""

    dimension: str
    values: np.ndarray


def _values(population: Population) -> dict[str, _Value]:
    """Parameters of each neuron, with what the time step makes of them."""
    p, dt = population.parameters, population.dt
    soma = p.C * (1.0 - p.dendrite_share)
    values = {
        "C": _Value("capacitance", soma),
        "leak": _Value("per_time", 1.0 / p.tau),
        "V_rest": _Value("voltage", p.V_rest),
        "V_th": _Value("voltage", p.V_th),
        "V_reset": _Value("voltage", p.V_reset),
        "v0": _Value("voltage", p.V_rest),
        # Halfway between two samples, so that rounding cannot move the end of the refractory period.
        "held": _Value("time", (population.n_ref + 0.5) * dt),
        "step": _Value("time", np.full(len(population), dt)),
    }
    for name in _parts(population):
        values |= _of_part(population, name)
    return values


def _of_part(population: Population, name: str) -> dict[str, _Value]:
    p, dt = population.parameters, population.dt
    dimension = {"threshold_jump": "voltage", "threshold_coupling": "none"}.get(name, "current")
    if name == "dendrite_share":
        share, pull = p.dendrite_share, (1.0 - p.dendrite_share) / p.dendrite_tau
        conductance = p.C * share * (1.0 - share) / p.dendrite_tau
        return {
            "dendrite_pull": _Value("per_time", pull),
            "dendrite_steady": _Value("none", pull / (pull + 1.0 / p.tau)),
            "dendrite_conductance": _Value("conductance", conductance),
        }
    share = -np.expm1(-dt / p[f"{name}_tau"])
    rate = {f"{name}_rate": _Value("per_time", share / dt)}
    if name == "sag":
        return rate | {
            "sag_share": _Value("none", share),
            "sag_conductance": _Value("conductance", p.sag * p.C / p.tau),
        }
    if name == "threshold_jump":  # the threshold is compared after one decay
        rate |= {"threshold_jump_ahead": _Value("none", 1.0 / (1.0 - share))}
    return rate | {name: _Value(dimension, p[name])}


def _type(population: Population) -> str:
    """The component type, with the parts that are on."""
    parts, values = _parts(population), _values(population)
    currents = " + ".join(["iSyn", *(part.current for part in parts.values() if part.current)])
    theta = " + ".join(["V_th", *(part.threshold for part in parts.values() if part.threshold)])
    lines = [f'<ComponentType name="{TYPE}" extends="baseCellMembPotCap" description="A neuron inferred by leakyflow">']
    lines += [f'  <Parameter name="{n}" dimension="{v.dimension}"/>' for n, v in values.items() if n != "C"]
    lines += ['  <Attachments name="synapses" type="basePointCurrent"/>', "  <Dynamics>"]
    states = [state for part in parts.values() for state in part.states]
    lines += ['    <StateVariable name="v" dimension="voltage" exposure="v"/>']
    lines += [f'    <StateVariable name="{name}" dimension="{dimension}"/>' for name, dimension, _ in states]
    lines += ['    <StateVariable name="lastSpike" dimension="time"/>']
    lines += [
        '    <DerivedVariable name="iSyn" dimension="current" exposure="iSyn" select="synapses[*]/i" reduce="add"/>'
    ]
    lines += [_derived(*now) for part in parts.values() for now in part.now]
    lines += [_derived("iMemb", "current", f"C * leak * (V_rest - v) + {currents}", exposure=True)]
    lines += [
        '    <ConditionalDerivedVariable name="free" dimension="none">',
        '      <Case condition="t .gt. lastSpike + held" value="1"/>',
        '      <Case value="0"/>',
        "    </ConditionalDerivedVariable>",
        '    <TimeDerivative variable="v" value="free * iMemb / C"/>',
    ]
    lines += [f'    <TimeDerivative variable="{name}" value="{change}"/>' for name, _, change in states]
    lines += ["    <OnStart>", _assigned("v", "v0"), _assigned("lastSpike", "-1000 * held - 1000 * step")]
    lines += [_assigned(part.states[0][0], part.start) for part in parts.values()]
    lines += ["    </OnStart>", f'    <OnCondition test="v .geq. {theta} .and. t .gt. lastSpike + held">']
    lines += [_assigned("v", "V_reset"), _assigned("lastSpike", "t")]
    lines += [_assigned(part.states[0][0], part.reset) for part in parts.values() if part.reset]
    lines += ['      <EventOut port="spike"/>', "    </OnCondition>", "  </Dynamics>", "</ComponentType>"]
    return "\n".join(lines)


def _derived(name: str, dimension: str, value: str, *, exposure: bool = False) -> str:
    shown = f' exposure="{name}"' if exposure else ""
    return f'    <DerivedVariable name="{name}" dimension="{dimension}"{shown} value="{value}"/>'


def _assigned(variable: str, value: str) -> str:
    return f'      <StateAssignment variable="{variable}" value="{value}"/>'


def _number(value: float, dimension: str) -> str:
    return f"{value:.17g}{UNITS.get(dimension, '')}"


def _cells(population: Population) -> list[str]:
    """One component for each neuron."""
    return [
        f'<{TYPE if _parts(population) else "iafRefCell"} id="neuron{i}" '
        + " ".join(f'{name}="{value}"' for name, value in row.items())
        + "/>"
        for i, row in enumerate(_rows(population))
    ]


def _rows(population: Population) -> list[dict[str, str]]:
    if _parts(population):
        columns = _values(population)
    else:
        p, held = population.parameters, (population.n_ref - 0.5) * population.dt
        columns = {
            "leakReversal": _Value("voltage", p.V_rest),
            "thresh": _Value("voltage", p.V_th),
            "reset": _Value("voltage", p.V_reset),
            "C": _Value("capacitance", p.C),
            "leakConductance": _Value("conductance", p.C / p.tau),
            "refract": _Value("time", held),
        }
    return [
        {name: _number(column.values[i], column.dimension) for name, column in columns.items()}
        for i in range(len(population))
    ]


def _nml(population: Population) -> str:
    """Cells, and a network of one of each under a step of current."""
    names = [f"neuron{i}" for i in range(len(population))]
    onset, duration, amplitude = _step(population)
    times = f'delay="{onset:.17g}ms" duration="{duration:.17g}ms"'
    pulse = f'<pulseGenerator id="step" {times} amplitude="{amplitude:.17g}pA"/>'
    network = [
        *(f'  <population id="of_{name}" component="{name}" size="1"/>' for name in names),
        *(f'  <explicitInput target="of_{name}[0]" input="step"/>' for name in names),
    ]
    return "\n".join([*_cells(population), pulse, '<network id="network">', *network, "</network>"])


def _step(population: Population) -> tuple[float, float, float]:
    """Onset, duration (ms) and amplitude (pA) of a current half as strong again as the strongest rheobase."""
    p = population.parameters
    strongest = float(np.max((p.V_th - p.V_rest) / input_resistance(population)))
    dt = population.dt
    # In jLEMS a cell with regimes, which iafRefCell is, learns of a current one step late.
    late = -0.5 if not _parts(population) else 0.5
    return (round(100.0 / dt) + late) * dt, round(500.0 / dt) * dt, 1.5 * strongest


def _simulation(population: Population, stem: str, cells: str) -> str:
    """A LEMS file that runs them, and writes voltages and spikes."""
    n, dt = range(len(population)), population.dt
    return "\n".join([
        "<Lems>",
        '  <Target component="simulation"/>',
        *(f'  <Include file="{name}"/>' for name in ("Cells.xml", "Networks.xml", "Simulation.xml", cells)),
        f'  <Simulation id="simulation" length="{round(700.0 / dt) * dt:.17g}ms" step="{dt:.17g}ms" target="network">',
        f'    <OutputFile id="voltages" fileName="{stem}_V.dat">',
        *(f'      <OutputColumn id="v{i}" quantity="of_neuron{i}[0]/v"/>' for i in n),
        "    </OutputFile>",
        f'    <EventOutputFile id="spikes" fileName="{stem}_spikes.dat" format="TIME_ID">',
        *(f'      <EventSelection id="{i}" select="of_neuron{i}[0]" eventPort="spike"/>' for i in n),
        "    </EventOutputFile>",
        "  </Simulation>",
        "</Lems>",
        "",
    ])  # fmt: skip


def _files(population: Population, stem: str) -> dict[str, str]:
    if _parts(population):
        cells = f"{stem}_cells.xml"
        own = '<Dimension name="voltage_rate" m="1" l="2" t="-4" i="-1"/>'
        text = "\n".join(["<Lems>", own, _type(population), _nml(population), "</Lems>", ""])
    else:
        cells = f"{stem}.nml"
        text = "\n".join([f'<neuroml xmlns="{SCHEMA}" id={quoteattr(_id(stem))}>', _nml(population), "</neuroml>", ""])
    return {cells: text, f"LEMS_{stem}.xml": _simulation(population, escape(stem), escape(cells))}


def _id(stem: str) -> str:
    """A name that NeuroML takes."""
    return "neurons_" + "".join(c if c.isascii() and c.isalnum() else "_" for c in stem)


def _native(population: Population) -> dict[str, Any]:
    return {"component": TYPE if _parts(population) else "iafRefCell", "cells": _rows(population)}


neuroml = Target(
    name="neuroml",
    meaning="NeuroML",
    expresses=frozenset(PARTS),
    otherwise="LEMS has no normal random numbers",
    native=_native,
    files=_files,
    notes=(
        "For jLEMS (pynml LEMS_... -nogui), which takes Euler's steps, at the step of the file. A pulse generator acts "
        "one step late there, and a refractory period lasts one sample longer than it says: both are allowed for.",
    ),
)
