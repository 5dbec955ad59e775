"""Neurons inferred by leakyflow, in Brian2: run it, or import `create` from it into a network of your own.

The JSON file of the same name without `_brian2` holds the numbers. `--current` names a text file with one number a
line, the injected current in pA, one for each step; without it, a step that makes them spike is given.
"""

import argparse
import json
from pathlib import Path

import brian2 as b2
import numpy as np

HERE = Path(__file__)
DATA = json.loads(HERE.with_name(HERE.stem.removesuffix("_brian2") + ".json").read_text(encoding="utf-8"))
DT = DATA["dt"]["value"] * b2.ms

EQUATIONS = ""
THRESHOLD = ""
RESET = ""


def create(current):
    """The neurons, at rest under the first of a current (pA, one number for each step of DT); sets the clock."""
    native, b2.defaultclock.dt = DATA["native"], DT
    neurons = b2.NeuronGroup(
        DATA["n"],
        EQUATIONS,
        threshold=THRESHOLD,
        reset=RESET,
        refractory=native["refractory"],
        method=native["method"],
        namespace={"stimulus": b2.TimedArray(np.asarray(current) * b2.pA, dt=DT)},
    )
    for name, values in native["parameters_SI"].items():
        setattr(neurons, name + "_", values)  # in SI units
    neurons.t_held = neurons.t_ref + DT
    neurons.v = neurons.V_rest + np.array(native["input_resistance_GOhm"]) * b2.Gohm * current[0] * b2.pA
    for name, value in native["start"].items():
        setattr(neurons, name, value)
    return neurons


def simulate(current, seed=1):
    """Voltages (mV) of shape (neuron, step) and spikes (step number, neuron) under one current (pA)."""
    b2.start_scope()
    b2.seed(seed)
    neurons = create(current)
    voltage, spikes = b2.StateMonitor(neurons, "v", record=True), b2.SpikeMonitor(neurons)
    b2.Network(neurons, voltage, spikes).run(len(current) * DT)
    # A spike that Brian2 finds in a step shows in the voltage of the next.
    step = np.rint(np.asarray(spikes.t / DT)).astype(int) + 1
    seen = step < len(current)
    return np.asarray(voltage.v / b2.mV), step[seen], np.asarray(spikes.i)[seen]


def a_step():
    """500 ms of a current that is half as strong again as the strongest rheobase."""
    values = {name: np.array(column["values"]) for name, column in DATA["parameters"].items()}
    rheobase = (values["V_th"] - values["V_rest"]) / np.array(DATA["native"]["input_resistance_GOhm"])
    lengths = np.rint(np.array([100.0, 500.0, 100.0]) / DATA["dt"]["value"]).astype(int)
    return np.repeat([0.0, 1.5 * rheobase.max(), 0.0], lengths)


def main():
    """Simulate, and say how many spikes there were."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--current", help="text file, pA, one number a step")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", help="NPZ file for V (mV), step and neuron of each spike")
    options = parser.parse_args()
    current = np.loadtxt(options.current) if options.current else a_step()
    V, step, neuron = simulate(current, options.seed)
    print(f"{len(V)} neurons, {len(current) * (DT / b2.ms):g} ms: {len(step)} spikes, {len(step) / len(V):g} a neuron")
    if options.out:
        np.savez(options.out, V=V, step=step, neuron=neuron)


if __name__ == "__main__":
    main()
