"""Neurons inferred by leakyflow, in NEST: run it, or import `create` from it into a network of your own.

The JSON file of the same name without `_nest` holds the numbers. `--current` names a text file with one number a
line, the injected current in pA, one for each step; without it, a step that makes them spike is given.
"""

import argparse
import json
from pathlib import Path

import nest
import numpy as np

HERE = Path(__file__)
DATA = json.loads(HERE.with_name(HERE.stem.removesuffix("_nest") + ".json").read_text(encoding="utf-8"))
DT = DATA["dt"]["value"]  # ms
WAIT = 4  # steps until a current that begins with the simulation has reached the neurons


def create():
    """The neurons, each with its own noise; call it after nest.resolution was set to DT."""
    native = DATA["native"]
    neurons = nest.Create(native["model"], len(native["params"]), params=native["params"])
    for neuron, std in zip(neurons, native["noise_std_pA"], strict=True):
        if std:
            noise = nest.Create("noise_generator", params={"std": std, "dt": DT})
            nest.Connect(noise, neuron, syn_spec={"delay": DT})
    return neurons


def simulate(current, seed=1):
    """Voltages (mV) of shape (neuron, step) and spikes (step number, neuron) under one current (pA)."""
    nest.ResetKernel()
    nest.resolution = DT
    nest.rng_seed = seed
    neurons = create()
    # A generator acts one step late, and not before one step has passed: so the current begins WAIT steps early.
    amplitudes = np.concatenate([np.full(WAIT - 2, current[0]), current])
    times = np.round(DT * np.arange(1, len(amplitudes) + 1), 9)
    stimulus = nest.Create("step_current_generator", params={"amplitude_times": times, "amplitude_values": amplitudes})
    nest.Connect(stimulus, neurons, syn_spec={"delay": DT})
    nest.Simulate(WAIT * DT)
    rest = [row["E_L"] for row in DATA["native"]["params"]]
    start = np.array(rest) + np.array(DATA["native"]["input_resistance_GOhm"]) * current[0]
    neurons.V_m = start.tolist()
    voltmeter = nest.Create("multimeter", params={"record_from": ["V_m"], "interval": DT})
    spikes = nest.Create("spike_recorder")
    nest.Connect(voltmeter, neurons, syn_spec={"delay": DT})
    nest.Connect(neurons, spikes, syn_spec={"delay": DT})
    nest.Simulate((len(current) + WAIT) * DT)
    return collected(neurons, start, voltmeter.events, spikes.events, len(current))


def collected(neurons, start, traces, spikes, n_steps):
    """What was recorded, from the first step on."""
    V = np.empty((len(neurons), n_steps))
    for row, gid in enumerate(neurons.tolist()):
        V[row, 0] = start[row]
        V[row, 1:] = traces["V_m"][traces["senders"] == gid][: n_steps - 1]
    step = np.rint(spikes["times"] / DT).astype(int) - WAIT
    neuron = np.searchsorted(neurons.tolist(), spikes["senders"])
    seen = step < n_steps
    return V, step[seen], neuron[seen]


def a_step():
    """500 ms of a current that is half as strong again as the strongest rheobase."""
    values = {name: np.array(column["values"]) for name, column in DATA["parameters"].items()}
    rheobase = (values["V_th"] - values["V_rest"]) / np.array(DATA["native"]["input_resistance_GOhm"])
    return np.repeat([0.0, 1.5 * rheobase.max(), 0.0], np.rint(np.array([100.0, 500.0, 100.0]) / DT).astype(int))


def main():
    """Simulate, and say how many spikes there were."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--current", help="text file, pA, one number a step")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", help="NPZ file for V (mV), step and neuron of each spike")
    options = parser.parse_args()
    current = np.loadtxt(options.current) if options.current else a_step()
    V, step, neuron = simulate(current, options.seed)
    print(f"{len(V)} neurons, {len(current) * DT:g} ms: {len(step)} spikes, {len(step) / len(V):g} a neuron")
    if options.out:
        np.savez(options.out, V=V, step=step, neuron=neuron)


if __name__ == "__main__":
    main()
