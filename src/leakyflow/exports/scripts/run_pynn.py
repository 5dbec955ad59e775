"""Neurons inferred by leakyflow, in PyNN: run it, or import `create` from it into a network of your own.

The JSON file of the same name without `_pynn` holds the numbers. `--simulator` names what is behind PyNN. `--current`
names a text file with one number a line, the injected current in pA, one for each step; without it, a step that makes
them spike is given.
"""

import argparse
import importlib
import json
from pathlib import Path

import numpy as np

HERE = Path(__file__)
DATA = json.loads(HERE.with_name(HERE.stem.removesuffix("_pynn") + ".json").read_text(encoding="utf-8"))
DT = DATA["dt"]["value"]  # ms
NA = 1e-3  # of pA


def create(sim, current=0.0):
    """The neurons, at rest under a constant current in pA; call it after sim.setup(timestep=DT, min_delay=DT)."""
    native = DATA["native"]
    cell = getattr(sim, native["cell"])(**native["params"], i_offset=current * NA)
    neurons = sim.Population(DATA["n"], cell)
    resistance = np.array(native["input_resistance_GOhm"])
    neurons.initialize(v=np.array(native["params"]["v_rest"]) + resistance * current)
    for neuron, std in zip(neurons, native["noise_std_nA"], strict=True):
        if std:
            noise = sim.NoisyCurrentSource(mean=0.0, stdev=std, start=0.0, stop=1e9, dt=DT)
            noise.inject_into([neuron])
    return neurons


def simulate(current, sim, seed=1):
    """Voltages (mV) of shape (neuron, step) and spikes (step number, neuron) under one current (pA)."""
    # Spikes lie on the grid, as those of leakyflow do; between its points, by interpolation, is what PyNN asks of NEST.
    settings = {"rng_seed": seed, "spike_precision": "on_grid"} if "nest" in sim.__name__ else {}
    sim.setup(timestep=DT, min_delay=DT, **settings)
    neurons = create(sim, current[0])
    times = np.round(DT * np.arange(1, len(current)), 9)
    changes = sim.StepCurrentSource(times=times.tolist(), amplitudes=((current[1:] - current[0]) * NA).tolist())
    neurons.inject(changes)
    neurons.record(["v", "spikes"])
    sim.run(len(current) * DT)
    found = neurons.get_data().segments[0]
    V = np.asarray(found.analogsignals[0]).T[:, : len(current)]
    steps = [np.rint(np.asarray(train) / DT).astype(int) for train in found.spiketrains]
    sim.end()
    steps = [row[row < len(current)] for row in steps]
    return V, np.concatenate(steps), np.repeat(np.arange(len(V)), [len(row) for row in steps])


def a_step():
    """500 ms of a current that is half as strong again as the strongest rheobase."""
    values = {name: np.array(column["values"]) for name, column in DATA["parameters"].items()}
    rheobase = (values["V_th"] - values["V_rest"]) / np.array(DATA["native"]["input_resistance_GOhm"])
    return np.repeat([0.0, 1.5 * rheobase.max(), 0.0], np.rint(np.array([100.0, 500.0, 100.0]) / DT).astype(int))


def main():
    """Simulate, and say how many spikes there were."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulator", default="nest", help="nest, brian2, neuron or arbor")
    parser.add_argument("--current", help="text file, pA, one number a step")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", help="NPZ file for V (mV), step and neuron of each spike")
    options = parser.parse_args()
    sim = importlib.import_module(f"pyNN.{options.simulator}")
    current = np.loadtxt(options.current) if options.current else a_step()
    V, step, neuron = simulate(current, sim, options.seed)
    print(f"{len(V)} neurons, {len(current) * DT:g} ms: {len(step)} spikes, {len(step) / len(V):g} a neuron")
    if options.out:
        np.savez(options.out, V=V, step=step, neuron=neuron)


if __name__ == "__main__":
    main()
