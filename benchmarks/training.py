"""How far is a training step from the machine's own speed, and how much memory does training take?

    JAX_NUM_CPU_DEVICES=2 python benchmarks/training.py
    JAX_NUM_CPU_DEVICES=1 taskset -c 0 python benchmarks/training.py
    python benchmarks/training.py --memory FOLDER
    python benchmarks/training.py --from-nothing FOLDER

The first compares, for each network, the time of a training step with the time that its floating-point
operations take at this machine's measured matrix-multiply rate. The second trains on 100,000 recordings, a process
for each network, and reports the peak memory. The third is the whole command, with 100,000 and with the preset's
simulations: simulating, summarizing, training, what is typical. Results go to `benchmarks/results/training.json`.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import leakyflow as lf
from leakyflow.models.config import SummaryConfig
from leakyflow.training.config import Config

if TYPE_CHECKING:
    from leakyflow.training.batches import Examples
    from leakyflow.training.steps import Steps

RESULTS = Path(__file__).parent / "results" / "training.json"
N_SIMULATIONS, N_REPEATS = 12_800, 6
N_MEMORY = 100_000


def variants() -> dict[str, Config]:
    """The presets, and the third summary network."""
    configs = {name: lf.load_config(name) for name in ("standard", "lif", "lstm")}
    both = replace(configs["lstm"].network, summary=replace(configs["lstm"].network.summary, variant="both"))
    configs["both"] = replace(configs["lstm"], name="both", network=both)
    return configs


def multiply_rate(n: int = 1024, repeats: int = 20) -> float:
    """Floating-point operations per second of a float32 matrix product, the best of several."""
    import jax
    import jax.numpy as jnp

    x = jnp.ones((n, n), jnp.float32)
    product = jax.jit(lambda a: a @ a)
    product(x).block_until_ready()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        product(x).block_until_ready()
        times.append(time.perf_counter() - began)
    return 2 * n**3 / min(times)


def step_operations(config: Config) -> float:
    """Multiplications and additions of a training step: three times those of the forward pass."""
    from leakyflow.models.network import Network

    network = Network(config.network, config.simulator, seed=1)
    summary: SummaryConfig = config.network.summary
    n_patches = -(-config.simulator.n_time // summary.patch)
    per_row = 0
    for weight in network.approximator.trainable_weights:
        if len(weight.shape) == 2:
            times = n_patches if "lstm" in weight.path else 1
            per_row += 2 * int(np.prod(weight.shape)) * times
    return 3.0 * per_row * config.training.batch_size


def steps_of(config: Config, n: int) -> "tuple[Steps, Examples, list[np.ndarray]]":
    """What trains a new network on n recordings, these, and their numbers in each call of an epoch."""
    from leakyflow.models.network import Network
    from leakyflow.training.batches import prepare, training_batches
    from leakyflow.training.fit import give_optimizer, in_calls
    from leakyflow.training.steps import compiled_steps

    config = replace(config, training=replace(config.training, n_simulations=n))
    network = Network(config.network, config.simulator, seed=1)
    examples = prepare(network, lf.make_dataset(config, n, seed=1), n=n)
    examples.adapt(np.arange(n))
    give_optimizer(network.approximator, config.training)
    steps = compiled_steps(network.approximator, config.training.batch_size)
    order = training_batches(np.arange(n), config.training.batch_size, seed=1, epoch=0)
    return steps, examples, in_calls(order, examples.nbytes)


def step_seconds(config: Config, n: int = N_SIMULATIONS) -> float:
    """Seconds of a training step on all of JAX's devices: of the fastest of many calls, after the first compiles."""
    steps, examples, calls = steps_of(config, n)
    times = []
    for some in calls * N_REPEATS:
        began = time.perf_counter()
        np.asarray(steps.train(examples.batch(some)))
        times.append((time.perf_counter() - began) / len(some))
    return min(times)


def measure_steps() -> dict[str, dict[str, float]]:
    """The table of steps; the multiply rate is measured beside each network, for the machine is shared."""
    table = {}
    for name, config in variants().items():
        seconds, rate, operations = step_seconds(config), multiply_rate(), step_operations(config)
        table[name] = {
            "step_ms": 1e3 * seconds,
            "operations_M": operations / 1e6,
            "multiply_GFLOPs": rate / 1e9,
            "ratio": seconds * rate / operations,
        }
        print(f"{name:10s} " + "  ".join(f"{key} {value:.3g}" for key, value in table[name].items()))
    return table


def measure_memory(folder: Path) -> dict[str, float]:
    """Peak memory, in GiB, of an epoch on 100,000 recordings, each in a process of its own."""
    peaks = {}
    for name in ("standard", "lstm"):
        command = [sys.executable, __file__, "--epoch-of", name, "--memory", str(folder)]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        peaks[name] = float(printed.split()[-1])
        print(f"{name:10s} peak {peaks[name]:.2f} GiB")
    return peaks


def measure_from_nothing(folder: Path) -> dict[str, float]:
    """Seconds on the wall of `leakyflow train`, process and all."""
    seconds = {}
    for n in (100_000, lf.load_config("standard").training.n_simulations):
        settings, run = folder / f"{n}.toml", folder / f"from-nothing-{time.time_ns()}"
        folder.mkdir(parents=True, exist_ok=True)
        settings.write_text(f'base = "standard"\n[training]\nn_simulations = {n}\n')
        command = ["-c", "from leakyflow.cli import main; main()", "train", "--config", settings, "--out", run]
        began = time.perf_counter()
        subprocess.run([sys.executable, *command], check=True, capture_output=True)
        seconds[str(n)] = time.perf_counter() - began
        print(f"{n:,} simulations: {seconds[str(n)]:.0f} s")
    return seconds


def train_one_epoch(name: str, folder: Path) -> None:
    """Simulate if need be, train one epoch and print the peak memory."""
    config = variants()[name]
    config = replace(config, training=replace(config.training, epochs=1, n_simulations=N_MEMORY))
    dataset = lf.make_dataset(config, config.training.n_simulations, seed=1, out=folder / "dataset.zarr")
    lf.train(config, dataset, out=folder / f"{name}-{time.time_ns()}")
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memory", type=Path, help="folder for 100,000 recordings (about 1 GB)")
    parser.add_argument("--from-nothing", type=Path, help="folder for two runs (about 6 GB)")
    parser.add_argument("--epoch-of", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.epoch_of:
        train_one_epoch(arguments.epoch_of, arguments.memory)
        return
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if arguments.from_nothing:
        results["from_nothing_s"] = measure_from_nothing(arguments.from_nothing)
    elif arguments.memory:
        results["peak_memory_GiB"] = measure_memory(arguments.memory)
    else:
        import jax

        results.setdefault("steps", {})[str(jax.local_device_count())] = measure_steps()
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
