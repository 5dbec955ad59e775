"""JAX, PyTorch and TensorFlow side by side: how long each takes, and how much memory.

    python benchmarks/backends.py run
    python benchmarks/backends.py table

Each works in a process of its own, one for each task, and they are asked in turns: the fastest of several times
counts, after a first that compiles, so that other work on the machine falls on nobody in particular. `load`: from the
start of Python to a loaded network. `one`, `many`: the network's own draws of one recording and of a thousand, 1,000
each, by the network `standard`. `standard`, `lstm`: a training step of these presets, of 256 recordings, as
`leakyflow train` takes it. Results go to `benchmarks/results/backends.json`.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import packages_distributions, version
from pathlib import Path

import numpy as np

import leakyflow as lf

RESULTS = Path(__file__).parent / "results" / "backends.json"
BACKENDS = {"jax": "JAX", "torch": "PyTorch", "tensorflow": "TensorFlow"}
N_DRAWS = 1000
# Enough for the steps that JAX takes in one call; all take as many, one after the other.
N_TRAINING = {"standard": 12_800, "lstm": 2_048}


def sampling(n: int) -> tuple[Callable[[], object], int]:
    """Draws of n recordings."""
    posterior, config = lf.load_posterior("standard"), lf.load_config("standard")
    recordings = lf.make_dataset(config, n, seed=1).recordings()
    return lambda: posterior.sample(recordings, n_draws=N_DRAWS, correct=False), 1


def training(preset: str) -> tuple[Callable[[], object], int]:
    """Steps of a preset, and how many."""
    from leakyflow.cli.training import share_batches

    share_batches()
    from training import steps_of

    steps, examples, calls = steps_of(lf.load_config(preset), N_TRAINING[preset])
    batches = examples.batch(calls[0])
    return lambda: np.asarray(steps.train(batches)), len(calls[0])


TASKS: dict[str, Callable[[int], tuple[Callable[[], object], int]]] = {
    "load": lambda n_many: (lambda: lf.load_posterior("standard"), 1),
    "one": lambda n_many: sampling(1),
    "many": sampling,
    "standard": lambda n_many: training("standard"),
    "lstm": lambda n_many: training("lstm"),
}


def work(task: str, n_many: int) -> None:
    """One backend's side: the task once, then once more for every line on standard input; last, the peak memory."""
    call, n = TASKS[task](n_many)
    call()
    print("ready", flush=True)
    for _ in sys.stdin:
        began = time.perf_counter()
        call()
        print((time.perf_counter() - began) / n, flush=True)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)


def start(backend: str, task: str, n_many: int) -> tuple[subprocess.Popen, float]:
    """A process that is ready, and the seconds until it was."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, __file__, "run", "--task", task, "--recordings", str(n_many)],
        env=os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    answer(process)
    return process, time.perf_counter() - began


def answer(process: subprocess.Popen) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"A process ended with status {process.wait()}; its messages are above.")
    return line


def in_turns(task: str, repetitions: int, n_many: int) -> dict[str, dict[str, float]]:
    """Seconds and peak memory of each backend."""
    processes = {name: start(name, task, n_many)[0] for name in BACKENDS}
    seconds: dict[str, list[float]] = {name: [] for name in BACKENDS}
    for _ in range(repetitions):
        for name, process in processes.items():
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
            seconds[name].append(float(answer(process)))
    rows = {name: {"seconds": min(times)} for name, times in seconds.items()}
    for name, process in processes.items():
        rows[name]["peak_GiB"] = float(process.communicate()[0])
    return rows


def starts(repetitions: int) -> dict[str, dict[str, float]]:
    """Seconds until a network is loaded, in a new process each time; the first reads files into memory."""
    rows: dict[str, dict[str, float]] = {name: {"seconds": np.inf} for name in BACKENDS}
    for i in range(repetitions + 1):
        for name, row in rows.items():
            process, seconds = start(name, "load", 0)
            if i:
                row["seconds"] = min(row["seconds"], seconds)
            row["peak_GiB"] = float(process.communicate()[0])
    return rows


def machine() -> dict:
    """What the numbers are of."""
    versions = {name: version(packages_distributions()[name][0]) for name in (*BACKENDS, "keras", "numpy")}
    return {
        "n_cpu": len(os.sched_getaffinity(0)),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        **versions,
    }


def table() -> None:
    """Print the results as Markdown."""
    results = json.loads(RESULTS.read_text())
    head = "| | start, s | one recording, ms | 1,000 recordings, s | memory, GiB "
    print(head + "| step of `standard`, ms | memory, GiB | step of `lstm`, ms | memory, GiB |")
    print("|---" + "|--:" * 8 + "|")
    for name, label in BACKENDS.items():
        row = {task: results[task][name] for task in TASKS}
        cells = [f"{row['load']['seconds']:.1f}", f"{1e3 * row['one']['seconds']:.0f}"]
        cells += [f"{row['many']['seconds']:.1f}", f"{row['many']['peak_GiB']:.1f}"]
        for preset in N_TRAINING:
            cells += [f"{1e3 * row[preset]['seconds']:.3g}", f"{row[preset]['peak_GiB']:.1f}"]
        print(f"| {label} | {' | '.join(cells)} |")


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("run", "table"))
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--recordings", type=int, default=1000, help="of `many`; fewer to try it out, not to keep")
    parser.add_argument("--task", choices=TASKS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.task:
        work(arguments.task, arguments.recordings)
        return
    if arguments.step == "run":
        results = {"machine": machine(), "load": starts(arguments.repetitions)}
        for task in list(TASKS)[1:]:
            results[task] = in_turns(task, arguments.repetitions, arguments.recordings)
            print(task, results[task], file=sys.stderr, flush=True)
        RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    table()


if __name__ == "__main__":
    main()
