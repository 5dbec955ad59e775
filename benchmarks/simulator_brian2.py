"""The neurons of `simulator.py` in Brian2; run by the interpreter of Brian2's own environment.

Reads the neurons, builds the network, and then simulates once for every line on standard input, printing a
line of JSON each time: seconds on the wall and of the processor, compilation apart, and spikes per neuron.
"""

import argparse
import json
import sys
import time

import brian2
import numpy as np

EQUATIONS = """
dv/dt = (V_rest - v) / tau + I(t, i) / C + membrane_noise * xi : 1 (unless refractory)
tau : second (constant)
V_rest : 1 (constant)
C : second (constant)
V_th : 1 (constant)
membrane_noise : second**-0.5 (constant)
V_reset : 1 (constant)
reset_noise : 1 (constant)
t_ref : second (constant)
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("neurons", help="NPZ: I of shape (time, neuron), dt, and the parameters by name")
    parser.add_argument("target", choices=("numpy", "cython", "cpp"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--build", help="folder of the C++ program")
    arguments = parser.parse_args()
    neurons = dict(np.load(arguments.neurons))
    standalone = arguments.target == "cpp"
    if standalone:
        brian2.set_device("cpp_standalone", directory=arguments.build, build_on_run=False)
        # OpenMP even on one thread would change the random numbers and cost time.
        brian2.prefs.devices.cpp_standalone.openmp_threads = arguments.threads if arguments.threads > 1 else 0
    else:
        brian2.prefs.codegen.target = arguments.target
    dt = float(neurons.pop("dt")) * brian2.ms
    brian2.defaultclock.dt = dt
    brian2.seed(1)
    group, voltage, spikes = (build_all if "native" in neurons else build)(neurons, dt)
    network = brian2.Network(group, voltage, spikes)
    duration = len(neurons["I"]) * dt

    start = time.perf_counter()
    if standalone:
        network.run(duration)
        brian2.device.build(directory=arguments.build, compile=True, run=False)
    else:
        network.store()
        network.run(dt)
        network.restore()
    print(json.dumps({"compile_s": time.perf_counter() - start, "brian2": brian2.__version__}), flush=True)

    for _ in sys.stdin:
        if standalone:
            brian2.device.run(directory=arguments.build, with_output=False)
            # The program measures its own loop, without reading and writing files.
            wall = cpu = brian2.device._last_run_time
        else:
            network.restore()
            start, start_cpu = time.perf_counter(), time.process_time()
            network.run(duration)
            wall, cpu = time.perf_counter() - start, time.process_time() - start_cpu
        result = {"wall_s": wall, "cpu_s": cpu, "spikes": spikes.num_spikes / len(group)}
        result["last_V_sd"] = float(np.std(np.asarray(voltage.v)[:, -1]))
        print(json.dumps(result), flush=True)


def build(neurons: dict, dt: brian2.Quantity) -> tuple:
    """One group that Brian2 integrates with Euler's method, with its voltage and its spikes recorded.

    Brian2 knows units; the numbers here are in mV, pA and pF, so that I / C in mV / ms needs the unit of C.
    """
    current = brian2.TimedArray(neurons["I"], dt=dt)
    units = {"tau": brian2.ms, "C": brian2.ms, "t_ref": brian2.ms, "membrane_noise": brian2.ms**-0.5}
    group = brian2.NeuronGroup(
        neurons["I"].shape[1],
        EQUATIONS,
        method="euler",
        threshold="v >= V_th",
        reset="v = V_reset + reset_noise * randn()",
        # Brian2 counts the step of the spike itself.
        refractory="t_ref + dt",
        namespace={"I": current},
    )
    for name in ("tau", "V_rest", "C", "V_th", "membrane_noise", "V_reset", "reset_noise", "t_ref"):
        setattr(group, name, neurons[name] * units.get(name, 1))
    group.v = neurons["V_rest"] + neurons["tau"] / neurons["C"] * neurons["I"][0]
    return group, brian2.StateMonitor(group, "v", record=True), brian2.SpikeMonitor(group)


def build_all(neurons: dict, dt: brian2.Quantity) -> tuple:
    """The same for neurons whose equations were written by leakyflow's export, each with a current of its own."""
    native = {name: json.loads(value) for name, value in json.loads(str(neurons["native"])).items()}
    group = brian2.NeuronGroup(
        neurons["I"].shape[1],
        native["equations"].replace("stimulus(t)", "stimulus(t, i)"),
        method=native["method"],
        threshold=native["threshold"],
        reset=native["reset"],
        refractory=native["refractory"],
        namespace={"stimulus": brian2.TimedArray(neurons["I"] * brian2.pA, dt=dt)},
    )
    for name in neurons:
        if name.startswith("SI "):
            setattr(group, name.removeprefix("SI ") + "_", neurons[name])
    group.t_held = group.t_ref + dt
    first = neurons["I"][0] * brian2.pA
    group.v = group.V_rest + np.array(native["input_resistance_GOhm"]) * brian2.Gohm * first
    for name, value in native["start"].items():
        setattr(group, name, value)
    return group, brian2.StateMonitor(group, "v", record=True), brian2.SpikeMonitor(group)


if __name__ == "__main__":
    main()
