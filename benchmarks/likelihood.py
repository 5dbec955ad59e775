"""How fast the scan likelihood is, and how far single precision would be off.

    python benchmarks/likelihood.py

A neuron with all mechanisms and noises, and one with none of the mechanisms: 4,096 draws x 5,000 samples, by precision,
steps compiled into one (`unroll`) and draws stepped side by side; the least of three runs on all processors. The share
of the floating-point bound is that of the operations that XLA counts in the compiled program over what a matrix product
of the same precision reaches. Results go to benchmarks/results/likelihood.json.
"""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import leakyflow as lf
from leakyflow.cpu import n_cpu
from leakyflow.likelihood import scan
from leakyflow.recordings.batch import Batch

RESULTS = Path(__file__).parent / "results" / "likelihood.json"
LIF = {
    "tau": 18.0, "V_rest": -70.0, "C": 120.0, "V_th": -48.0, "V_reset": -58.0, "reset_noise": 2.0, "t_ref": 3.0,
    "threshold_noise": 1.0, "current_noise": 8.0, "current_noise_tau": 5.0, "measurement_noise": 0.05, "R_s": 0.008,
}  # fmt: skip
MECHANISMS = {
    "ahp_fast": -150.0, "ahp_fast_tau": 8.0, "ahp_slow": -15.0, "ahp_slow_tau": 120.0, "threshold_jump": 3.0,
    "threshold_jump_tau": 20.0, "threshold_coupling": 0.4, "threshold_coupling_tau": 8.0, "sag": 0.4, "sag_tau": 60.0,
    "dendrite_share": 0.3, "dendrite_tau": 2.0,
}  # fmt: skip
NEURONS = {"lif": LIF, "all mechanisms": LIF | MECHANISMS}
N_DRAWS, SHIFT = 4096, -65.0
# Precision, unroll and draws side by side; the first of each neuron is what the package does.
WAYS = [("float64", 1, 1024), ("float64", 1, 4096), ("float64", 1, 256), ("float64", 4, 1024), ("float32", 1, 1024)]


def measured(name: str, dtype: str, unroll: int, side_by_side: int) -> tuple[dict, np.ndarray]:
    """Seconds of all draws, and their values."""
    truth = NEURONS[name]
    current = lf.square(amplitude=420.0, onset=100.0, duration=700.0, t_max=1000.0, dt=0.2)
    trace = scan.trace_of(Batch.from_list([lf.simulate(lf.Parameters(**truth), current, seed=1)]))
    trace = trace._replace(y=trace.y - SHIFT)
    rng = np.random.default_rng(0)
    draws = {key: (value * np.exp(0.02 * rng.standard_normal(N_DRAWS)))[:, None] for key, value in truth.items()}
    p = lf.Parameters(**draws).shifted(SHIFT).map(lambda value: value.astype(dtype))
    trace = scan.Trace._make([*(np.asarray(value, dtype) for value in trace[:-1]), np.dtype(dtype).type(trace.dt)])
    unrolled = partial(jax.lax.scan, unroll=unroll)

    def log_likelihood(p: lf.Parameters, trace: scan.Trace) -> jax.Array:
        original, jax.lax.scan = jax.lax.scan, unrolled
        try:
            return scan.scan_log_likelihood(p, trace).sum(-1)
        finally:
            jax.lax.scan = original

    compiled = jax.jit(log_likelihood, compiler_options={"xla_cpu_multi_thread_eigen": False})

    def block(first: int) -> np.ndarray:
        with jax.enable_x64(dtype == "float64"):
            return np.asarray(compiled(p.map(lambda value: value[first : first + side_by_side]), trace))

    block(0)
    with jax.enable_x64(dtype == "float64"):
        own = p.map(lambda value: value[:side_by_side])
        cost = compiled.lower(own, trace).compile().cost_analysis() or {}
    seconds = []
    for _ in range(3):
        begun = time.perf_counter()
        with ThreadPoolExecutor(n_cpu()) as pool:
            values = np.concatenate(list(pool.map(block, range(0, N_DRAWS, side_by_side))))
        seconds.append(time.perf_counter() - begun)
    row = {"neuron": name, "precision": dtype, "unroll": unroll, "side_by_side": side_by_side, "seconds": min(seconds)}
    # XLA counts a loop's body once.
    row["operations_per_step_and_draw"] = float(cost.get("flops", np.nan)) / side_by_side / unroll
    return row, values


def bound(dtype: str) -> float:
    """Operations per second of a matrix product, on all processors."""
    with jax.enable_x64(dtype == "float64"):
        x = jnp.ones((2048, 2048), dtype)
        product = jax.jit(jnp.matmul)
        product(x, x).block_until_ready()
        begun = time.perf_counter()
        for _ in range(3):
            product(x, x).block_until_ready()
        return 3 * 2 * 2048**3 / (time.perf_counter() - begun)


def main() -> None:
    """Measure, and write the table."""
    rows = []
    bounds = {dtype: bound(dtype) for dtype in ("float64", "float32")}
    for name in NEURONS:
        exact = None
        for way in WAYS:
            row, values = measured(name, *way)
            exact = values if exact is None else exact
            row["largest_error"] = float(np.max(np.abs(values - exact)))
            least = row["operations_per_step_and_draw"] * N_DRAWS * 5000 / bounds[row["precision"]]
            row["times_bound"] = row["seconds"] / least
            rows.append(row)
            print(
                {key: round(value, 4) if isinstance(value, float) else value for key, value in row.items()}, flush=True
            )
    RESULTS.write_text(json.dumps({"cpus": n_cpu(), "bounds": bounds, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
