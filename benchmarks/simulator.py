"""How fast is the simulator? Against Brian2 on the same neurons, beside a dataset in memory, and 100,000 to disk.

Brian2 lives in an environment of its own, with a NumPy that it supports:

    python -m venv brian2-env
    brian2-env/bin/pip install "brian2==2.9.0" "numpy<2.4" cython setuptools
    python benchmarks/simulator.py --brian-python brian2-env/bin/python

Everyone simulates the same neurons with the same steps and the same kinds of noise, on the same CPUs, and keeps the
voltage of every sample and all spikes: those of the `standard` preset (membrane and reset noise), and neurons with all
mechanisms and current, threshold and reset noise, whose equations for Brian2 are those of `leakyflow export`.
Compilation is left out and reported. Repetitions alternate, and the fastest counts, so that other work on the machine
falls on nobody in particular. NumPy and Cython are how Brian2 runs by default; they use one CPU, whatever there is. Its
C++ programs are compiled for each network, and their time is that of their own loop, without the files through which
neurons and voltages pass.
"""

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np

T_MAX = 500.0  # ms
RESULTS = Path(__file__).parent / "results" / "simulator.json"
BRIAN2 = Path(__file__).parent / "simulator_brian2.py"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--brian-python", type=Path, help="interpreter of Brian2's environment; left out if not given")
    parser.add_argument("--neurons", type=int, default=2048)
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--recordings", type=int, default=100_000, help="for the dataset on disk; 0 leaves it out")
    parser.add_argument("--in-memory", type=int, default=20_000, help="for the dataset in memory; 0 leaves it out")
    parser.add_argument("--folder", type=Path, help="where the dataset is written for a while; 2 GB")
    parser.add_argument("--worker", choices=("trace", "dataset"), help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker == "trace":
        simulate_on_request(arguments.file)
    elif arguments.worker == "dataset":
        simulate_dataset(arguments.recordings, arguments.file)
    else:
        report = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        report["machine"] = machine()
        if arguments.brian_python:
            for name, write in NEURONS.items():
                report[name] = compare(arguments.brian_python, write, arguments.neurons, arguments.repetitions)
        if arguments.in_memory:
            report["dataset in memory"] = measure_in_memory(arguments.in_memory, arguments.repetitions)
        if arguments.recordings:
            report["dataset"] = measure_dataset(arguments.recordings, arguments.folder)
        RESULTS.write_text(json.dumps(report, indent=2) + "\n")
        print(json.dumps(report, indent=2))


def machine() -> dict:
    import jax

    versions = {"python": platform.python_version(), "numpy": np.__version__, "jax": jax.__version__}
    return {"n_cpu": len(os.sched_getaffinity(0)), "load": os.getloadavg()[0], **versions}


def compare(brian_python: Path, write: Callable[[Path, int], int], n: int, repetitions: int) -> dict:
    """Seconds for the same neurons, with everyone kept to one CPU and with everyone given all."""
    cpus = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        neurons = Path(folder) / "neurons.npz"
        n_steps = write(neurons, n)
        ours = [sys.executable, __file__, "--worker", "trace", "--file", str(neurons)]
        brian = [str(brian_python), str(BRIAN2), str(neurons)]
        programs = {
            "leakyflow": ours,
            "brian2 numpy": [*brian, "numpy"],
            "brian2 cython": [*brian, "cython"],
            "brian2 c++": [*brian, "cpp", "--build", f"{folder}/cpp"],
        }
        on_one = alternate(programs, cpus[:1], repetitions)
        threads = ["--threads", str(len(cpus)), "--build", f"{folder}/openmp"]
        on_all = alternate({**programs, "brian2 c++ openmp": [*brian, "cpp", *threads]}, cpus, repetitions)
    for runs in (on_one, on_all):
        for run in runs.values():
            run["ns_per_step"] = 1e9 * run["wall_s"] / (n * n_steps)
            run["times_as_long"] = run["wall_s"] / runs["leakyflow"]["wall_s"]
            run["times_the_processor_time"] = run["cpu_s"] / runs["leakyflow"]["cpu_s"]
    sizes = {"neurons": n, "steps": n_steps, "repetitions": repetitions}
    return {**sizes, "one CPU": on_one, f"{len(cpus)} CPUs": on_all}


def alternate(programs: dict[str, list[str]], cpus: list[int], repetitions: int) -> dict[str, dict]:
    """Start every program, let each compile, then ask them in turn; the fastest repetition of each counts."""
    running, runs = {}, {}
    for name, command in programs.items():
        running[name] = subprocess.Popen(
            ["taskset", "-c", ",".join(map(str, cpus)), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        runs[name] = [read(running[name], name)]
    for _ in range(repetitions):
        for name, process in running.items():
            process.stdin.write("go\n")
            process.stdin.flush()
            runs[name].append(read(process, name))
    for process in running.values():
        process.stdin.close()
        process.wait()
    return {name: {**first, **fastest(later)} for name, (first, *later) in runs.items()}


def fastest(repetitions: list[dict]) -> dict:
    """Least of both times; the machine's other work only ever adds."""
    best = min(repetitions, key=lambda run: run["wall_s"])
    return {**best, "cpu_s": min(run["cpu_s"] for run in repetitions)}


def read(process: subprocess.Popen, name: str) -> dict:
    for line in process.stdout:
        if line.startswith("{"):
            return json.loads(line)
    raise RuntimeError(f"{name} stopped with exit status {process.wait()}; its messages are above.")


def standard() -> SimpleNamespace:
    """The simulator of the standard preset, every recording as long as the longest."""
    import tomllib
    from dataclasses import replace
    from importlib.resources import files

    from pydantic import TypeAdapter

    from leakyflow.simulator.config import SimulatorConfig

    text = (files("leakyflow.training.presets") / "standard.toml").read_text()
    simulator = TypeAdapter(SimulatorConfig).validate_python(tomllib.loads(text)["simulator"])
    return SimpleNamespace(simulator=replace(simulator, duration=(T_MAX, T_MAX)))


def write_standard(path: Path, n: int) -> int:
    """Neurons of the `standard` preset and their stimuli; returns the number of steps."""
    simulator = standard().simulator
    I = stimuli(n)
    np.savez(path, I=I.T.astype(float), dt=simulator.dt, **simulator.prior.sample(n, seed=1))
    return simulator.n_time


def write_all(path: Path, n: int) -> int:
    """Neurons with all mechanisms under the same stimuli, and their equations in Brian2."""
    from leakyflow.exports.brian2 import brian2
    from leakyflow.exports.population import Population
    from reference_cells import PRIOR

    simulator = standard().simulator
    neurons = PRIOR.sample(n, seed=1).without("measurement_noise", "R_s")  # of the recording, not of the neuron
    native = brian2.native(Population(neurons, simulator.dt, {}))
    SI = {f"SI {name}": np.array(values) for name, values in native.pop("parameters_SI").items()}
    native = {name: json.dumps(value) for name, value in native.items()}
    np.savez(path, I=stimuli(n).T.astype(float), dt=simulator.dt, native=json.dumps(native), **neurons, **SI)
    return simulator.n_time


NEURONS = {"brian2": write_standard, "brian2 all mechanisms": write_all}


def stimuli(n: int, seed: int = 1) -> np.ndarray:
    from leakyflow.simulator.stimulus_prior import draw_stimuli

    simulator = standard().simulator
    I, _ = draw_stimuli(
        simulator.stimuli,
        index=np.arange(n),
        n_samples=np.full(n, simulator.n_time),
        n_time=simulator.n_time,
        dt=simulator.dt,
        seed=seed,
    )
    return I


def simulate_on_request(path: Path) -> None:
    """Our side of the comparison: simulate once for every line on standard input."""
    from leakyflow.neuron.parameters import TABLE, Parameters
    from leakyflow.simulator.simulate import simulate_traces

    neurons = dict(np.load(path))
    I = np.ascontiguousarray(neurons["I"].T, np.float32)
    parameters = Parameters(**{name: neurons[name] for name in neurons if name in TABLE})
    index, dt = np.arange(len(I)), float(neurons["dt"])
    start = time.perf_counter()
    simulate_traces(parameters, I, dt, seed=0, index=index)
    print(json.dumps({"compile_s": time.perf_counter() - start}), flush=True)
    for seed, _ in enumerate(sys.stdin):
        start, start_cpu = time.perf_counter(), time.process_time()
        traces = simulate_traces(parameters, I, dt, seed=seed, index=index)
        wall, cpu = time.perf_counter() - start, time.process_time() - start_cpu
        spikes, last = float(traces.spikes.sum() / len(I)), float(traces.V[:, -1].std())
        print(json.dumps({"wall_s": wall, "cpu_s": cpu, "spikes": spikes, "last_V_sd": last}), flush=True)


def measure_in_memory(n: int, repetitions: int) -> dict:
    """What drawing, placing and keeping cost beside the simulator itself: in turns, each with all CPUs."""
    from leakyflow.simulator.dataset import make_dataset
    from leakyflow.simulator.simulate import simulate_traces

    config = standard()
    neurons, I, dt = config.simulator.prior.sample(n, seed=1), stimuli(n), config.simulator.dt
    parts = {
        "dataset": lambda seed: make_dataset(config, n, seed=seed),
        "simulator": lambda seed: simulate_traces(neurons, I, dt, seed=seed, index=np.arange(n)),
        "stimuli": lambda seed: stimuli(n, seed=seed),
    }
    runs: dict[str, list[dict]] = {name: [] for name in parts}
    for seed in range(repetitions + 1):
        for name, part in parts.items():
            start, start_cpu = time.perf_counter(), time.process_time()
            part(seed)
            wall, cpu = time.perf_counter() - start, time.process_time() - start_cpu
            runs[name].append({"wall_s": wall, "cpu_s": cpu})
    steps = n * config.simulator.n_time
    best = {name: fastest(found[1:]) for name, found in runs.items()}
    per_step = {f"{name}_{key[:-2]}_ns": 1e9 * run[key] / steps for name, run in best.items() for key in run}
    return {"recordings": n, "duration_ms": T_MAX, **per_step}


def measure_dataset(n: int, folder: Path | None) -> dict:
    """A process of its own, so that its peak memory is the simulator's."""
    path = Path(tempfile.mkdtemp(dir=folder)) / "dataset"
    try:
        command = [
            sys.executable,
            __file__,
            "--worker",
            "dataset",
            "--recordings",
            str(n),
            "--file",
            str(path),
        ]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        return {"recordings": n, "duration_ms": T_MAX, "disk_GiB": size / 2**30, **json.loads(done.stdout)}
    finally:
        shutil.rmtree(path.parent)


def simulate_dataset(n: int, path: Path) -> None:
    from leakyflow.simulator.dataset import make_dataset

    start, start_cpu = time.perf_counter(), time.process_time()
    make_dataset(standard(), n, seed=1, out=path)
    wall, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps({"wall_s": wall, "cpu_s": cpu, "peak_GiB": peak}))


if __name__ == "__main__":
    main()
