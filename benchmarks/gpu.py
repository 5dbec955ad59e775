"""What a GPU is good for: the ways among which `leakyflow.layout` chooses, on the machine's GPU and its processors.

    python -m benchmarks.gpu
    python -m benchmarks.gpu --small --out gpu.json
    JAX_PLATFORMS=cpu python -m benchmarks.gpu --parts training correcting --out without.json

Simulating 100,000 recordings of `standard`, on the processors and in wide blocks on the GPU; a training step of `lstm`
by groups and by Keras' own layers (cuDNN), and what its whole recipe would take; a training step of `standard`; the
likelihood of a neuron with all mechanisms, 4,096 draws x 5,000 samples, by precision and unroll; draws of `lif` checked
by importance weights, and sequential Monte Carlo. Each is compiled before it is measured. What would begin after eight
minutes is left out, as the file says; it is written after each row, to `benchmarks/results/gpu.json`. Where there is no
GPU, all runs on the processors (`--small`: a little of each, in two minutes).
"""

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import jax
import jax.numpy as jnp
import numpy as np
from benchmarks.likelihood import LIF, MECHANISMS, SHIFT
from benchmarks.training import steps_of
from jax.experimental import rnn

import leakyflow as lf
from leakyflow.layout import ON_ACCELERATOR, ON_PROCESSORS, Layout
from leakyflow.likelihood.scan import Trace, scan_log_likelihood, trace_of
from leakyflow.recordings.batch import Batch
from leakyflow.simulator import simulate as simulator

RESULTS = Path(__file__).parent / "results" / "gpu.json"
MOST_SECONDS = 480.0
Row = dict[str, Any]


class Sizes(NamedTuple):
    """How much is measured."""

    n_simulations: int = 100_000
    t_max: float = 500.0  # ms
    blocks: tuple[int, ...] = (128, 4096, 32_768)
    unrolls: tuple[int, ...] = (1, 8, 32)
    n_trained: int = 2560
    batch_size: int = 256
    n_draws: int = 4096
    n_samples: int = 5000
    n_corrected: int = 1000
    n_recordings: int = 20


SMALL = Sizes(256, 20.0, (128,), (1, 2), 128, 32, 64, 200, 100, 1)


def seconds_of(work: Callable[[], Any], repeats: int = 3) -> float:
    """The least of some times, after one that compiles."""
    work()
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return min(times)


@contextmanager
def laid_out(way: Layout) -> Iterator[None]:
    """Let everything be laid out in this way."""
    names = ("layout", "simulator.simulate", "likelihood.scanned")
    patches = [patch(f"leakyflow.{name}.layout", lambda: way) for name in names]
    for one in patches:
        one.start()
    try:
        yield
    finally:
        for one in patches:
            one.stop()


def simulating(sizes: Sizes) -> Iterator[Row]:
    """All recordings, on the processors as they are and on the default platform in blocks of some widths."""
    config = lf.load_config("standard").simulator
    neurons = config.prior.sample(sizes.n_simulations, seed=1)
    I = np.full((sizes.n_simulations, round(sizes.t_max / config.dt)), 100.0, np.float32)
    index = np.arange(len(I))
    n = 1 << (len(I) // 20).bit_length()  # compiled and warmed with a part
    ways = {"processors": (ON_ACCELERATOR, 1)}
    for width in sizes.blocks:
        for unroll in sizes.unrolls[:2]:
            ways[f"blocks of {width}, {unroll} samples a step"] = (ON_PROCESSORS._replace(neurons=width), unroll)
    for name, (way, unroll) in ways.items():
        simulator._simulate_block.clear_cache()
        with laid_out(way), patch("jax.lax.scan", partial(jax.lax.scan, unroll=unroll)):
            few = {"seed": 1, "index": index[:n]}
            simulator.simulate_traces(neurons.map(lambda value: np.asarray(value)[:n]), I[:n], config.dt, **few)
            begun = time.perf_counter()
            spikes = simulator.simulate_traces(neurons, I, config.dt, seed=1, index=index).spikes
            seconds = time.perf_counter() - begun
        yield {"way": name, "seconds": seconds, "ns_per_step": 1e9 * seconds / I.size, "spikes": int(spikes.sum())}


def training(sizes: Sizes) -> Iterator[Row]:
    """A training step of `lstm` in groups, as one group, by cuDNN and by Keras' layers; one of `standard`."""
    ways: dict[str, tuple[str, Any]] = {
        "groups of 32": ("lstm", _in_groups(32)),
        "one group": ("lstm", _in_groups(sizes.batch_size)),
        "cuDNN": ("lstm", _by_cudnn(sizes.batch_size)),
        "layers of Keras": ("lstm", _in_groups(None)),
        "": ("standard", nullcontext()),
    }
    for way, (name, replaced) in ways.items():
        settings = lf.load_config(name).training
        n_steps = settings.epochs * int((1.0 - settings.validation_fraction) * settings.n_simulations)
        config = replace(lf.load_config(name), training=replace(settings, batch_size=sizes.batch_size))
        with replaced:
            seconds = _step_seconds(config, sizes)
        whole = seconds * (n_steps // settings.batch_size)
        yield {"network": name, "way": way, "step_ms": 1e3 * seconds, "recipe_s": whole}


def _in_groups(group: int | None) -> Any:
    return patch("leakyflow.layout.layout", lambda: ON_PROCESSORS._replace(lstm_group=group))


@contextmanager
def _by_cudnn(n: int) -> Iterator[None]:
    there = jax.default_backend() == "gpu"
    with _in_groups(n), patch("leakyflow.models.lstm.last_state", _cudnn) if there else nullcontext():
        yield


def _cudnn(layers: Any, patches: Any, n_patches: Any, _: int) -> Any:
    """All steps of both layers in one launch of NVIDIA's library (Appleyard et al. 2016, arXiv:1604.01946)."""
    n_units = len(layers[0].recurrent)
    # All kernels, then all biases, of which there are two to a layer.
    kernels = [kernel.T.ravel() for layer in layers for kernel in (layer.kernel, layer.recurrent)]
    biases = [bias for layer in layers for bias in (layer.bias, jnp.zeros_like(layer.bias))]
    zero = jnp.zeros((len(layers), len(patches), n_units), patches.dtype)
    weights, shape = jnp.concatenate(kernels + biases), (patches.shape[-1], n_units, len(layers))
    precise = jax.lax.Precision.HIGHEST
    _, states, _ = rnn.lstm(patches, zero, zero, weights, n_patches, *shape, 0.0, False, precise)
    return states[-1]


def _step_seconds(config: Any, sizes: Sizes) -> float:
    steps, examples, calls = steps_of(config, sizes.n_trained)
    times = []
    for some in calls * 4:
        begun = time.perf_counter()
        np.asarray(steps.train(examples.batch(some)))
        times.append((time.perf_counter() - begun) / len(some))
    return min(times)


def likelihoods(sizes: Sizes) -> Iterator[Row]:
    """All draws side by side, of a neuron with all mechanisms."""
    truth = LIF | MECHANISMS
    t_max = 0.2 * sizes.n_samples
    current = lf.square(amplitude=420.0, onset=0.1 * t_max, duration=0.7 * t_max, t_max=t_max, dt=0.2)
    trace = trace_of(Batch.from_list([lf.simulate(lf.Parameters(**truth), current, seed=1)]))
    rng = np.random.default_rng(0)
    draws = {k: (v * np.exp(0.02 * rng.standard_normal(sizes.n_draws)))[:, None] for k, v in truth.items()}
    for dtype in ("float64", "float32"):
        p = lf.Parameters(**draws).shifted(SHIFT).map(lambda value, dtype=dtype: value.astype(dtype))
        moved = trace._replace(y=trace.y - SHIFT)
        own = Trace._make([*(np.asarray(x, dtype) for x in moved[:-1]), np.dtype(dtype).type(moved.dt)])
        for unroll in sizes.unrolls:
            compiled = jax.jit(partial(scan_log_likelihood, unroll=unroll))
            with jax.enable_x64(dtype == "float64"):
                there = jax.device_put((p, own))
                seconds = seconds_of(lambda compiled=compiled, there=there: compiled(*there).block_until_ready())
            yield {"precision": dtype, "unroll": unroll, "ms": 1e3 * seconds}


def correcting(sizes: Sizes) -> Iterator[Row]:
    """Importance weights of network's draws, and sequential Monte Carlo, with the scans here or there."""
    config, posterior = lf.load_config("lif"), lf.load_posterior("lif")
    recordings = lf.make_dataset(config, sizes.n_recordings, seed=3).recordings()
    standard = lf.load_config("standard")
    one = lf.make_dataset(standard, 1, seed=3).recordings()[0]
    ways = {"as laid out for a GPU": ON_ACCELERATOR, "all on the default platform": ON_PROCESSORS}
    for name, way in ways.items():
        with laid_out(way):
            weighed = partial(posterior.sample, n_draws=sizes.n_corrected, seed=1)
            seconds = seconds_of(lambda weighed=weighed: [weighed(recording) for recording in recordings], 1)
            yield {"what": "sampled and checked", "way": name, "ms_per_recording": 1e3 * seconds / len(recordings)}
            smc = partial(lf.reference_posterior, one, standard.simulator.prior, n_draws=sizes.n_corrected)
            yield {"what": "sequential Monte Carlo", "way": name, "seconds": seconds_of(smc, 1)}


PARTS: dict[str, Callable[[Sizes], Iterator[Row]]] = {
    "training": training,
    "likelihood": likelihoods,
    "simulating": simulating,
    "correcting": correcting,
}


def measured(sizes: Sizes, parts: list[str], out: Path) -> None:
    """These parts while there is time, written after each row."""
    begun = time.perf_counter()
    device = jax.devices()[0]
    machine = {"device": device.device_kind, "platform": device.platform, "n_cpu": len(os.sched_getaffinity(0))}
    report: dict[str, Any] = {"machine": machine | {"jax": jax.__version__}, "sizes": sizes._asdict(), "left_out": []}
    for name in parts:
        report[name] = []
        rows = PARTS[name](sizes)
        while time.perf_counter() - begun < MOST_SECONDS:
            row = next(rows, None)
            if row is None:
                break
            report[name].append(row)
            print(name, row, flush=True)
            out.write_text(json.dumps(report, indent=1) + "\n")
        else:
            report["left_out"].append(name)
    report["seconds"] = time.perf_counter() - begun
    out.write_text(json.dumps(report, indent=1) + "\n")


def main(arguments: list[str] | None = None) -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="a little of each, to see that all runs")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="which, in this order")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args(arguments)
    measured(SMALL if given.small else Sizes(), given.parts, given.out)


if __name__ == "__main__":
    main()
