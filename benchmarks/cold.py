"""How long a command takes from the prompt to its end, with nothing in memory: imports, compilation and work.

    python benchmarks/cold.py ../shared/recordings/steps_171116sh_0018.abf

`first`: what JAX compiles is kept for later commands, but nothing is kept yet. `again`: the median of three more.
Before either, the command runs once, unmeasured and with a cache of its own, so that files are in memory and Python's
byte code is written. Seconds on the clock, and seconds of processor time, of all CPUs together; other work on the
machine, in `load`, slows the former. Results go to `benchmarks/results/cold.json`.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import jax

RESULTS = Path(__file__).parent / "results" / "cold.json"
N_AGAIN = 3


def commands(file: Path) -> dict[str, list[str]]:
    """What is measured."""
    window = ["--sweep", "12", "--start", "1100", "--stop", "1900"]
    return {
        "infer": ["infer", str(file), "--network", "lif", *window],
        "sweeps": ["sweeps", str(file)],
        "help": ["--help"],
    }


def seconds_of(arguments: list[str], cache: Path) -> dict[str, float]:
    """Run a command in an empty folder, to its end."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_", "PYTHONDONT"))}
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [str(Path(sys.executable).with_name("leakyflow")), *arguments],
            env=environment | {"JAX_COMPILATION_CACHE_DIR": str(cache)},
            cwd=folder,
            stdout=subprocess.DEVNULL,
        )
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"leakyflow {' '.join(arguments)} ended with status {process.returncode}; see above.")
    return {"wall_s": wall, "cpu_s": used.ru_utime + used.ru_stime}


def measure(arguments: list[str]) -> dict[str, dict[str, float]]:
    """Seconds of the first run, and of later ones."""
    with tempfile.TemporaryDirectory() as warm, tempfile.TemporaryDirectory() as empty:
        seconds_of(arguments, Path(warm))
        first = seconds_of(arguments, Path(empty))
        more = [seconds_of(arguments, Path(empty)) for _ in range(N_AGAIN)]
    return {"first": first, "again": {key: statistics.median(run[key] for run in more) for key in first}}


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="with a sweep 12 of at least 1900 ms")
    file = parser.parse_args().file.resolve()
    n_cpu = len(os.sched_getaffinity(0))
    results: dict[str, dict] = {"machine": {"n_cpu": n_cpu, "load": os.getloadavg()[0]}}
    results["machine"] |= {"python": platform.python_version(), "jax": jax.__version__}
    print("| command | first: clock, s | processor, s | again: clock, s | processor, s |\n|---|--:|--:|--:|--:|")
    for name, arguments in commands(file).items():
        results[name] = measure(arguments)
        numbers = [f"{run[key]:.2f}" for run in results[name].values() for key in ("wall_s", "cpu_s")]
        print(f"| `{name}` | {' | '.join(numbers)} |", flush=True)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
