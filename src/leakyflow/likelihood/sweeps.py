"""The scan compiled, and many sweeps at a few points each, side by side."""

from concurrent.futures import ThreadPoolExecutor

import jax
import numpy as np
from jaxtyping import Float64, Int

from leakyflow.cpu import n_cpu
from leakyflow.layout import double_precision
from leakyflow.likelihood.scan import Trace, scan_log_likelihood
from leakyflow.neuron.parameters import Parameters
from leakyflow.recordings.batch import room

__all__ = ["SIDE_BY_SIDE", "cut", "lengths_of", "log_likelihood_of", "of_rows"]

# Points x sweeps that are stepped side by side: few enough to stay in cache (benchmarks/likelihood.py).
SIDE_BY_SIDE = 1024
# Rows of a block: one of few numbers.
SIZES = (64, 16, 4, 1)


def of_rows(
    p: Parameters, trace: Trace, which: Int[np.ndarray, " row"] | None = None
) -> Float64[np.ndarray, "point row"]:
    """Log likelihood of each sweep at its own points.

    Args:
        p: Of shape (point, row), (row,) or ().
        trace: The longest of each block says how far it is stepped.
        which: Its rows, as many as p has; all by default.
    """
    n_points = max(np.shape(value)[0] if np.ndim(value) == 2 else 1 for value in p.values())
    which = np.arange(trace.y.shape[1]) if which is None else which
    n_rows = len(which)
    most = next(size for size in SIZES if size <= max(1, SIDE_BY_SIDE // n_points))
    size = min(size for size in SIZES if size == most or size * n_cpu() >= n_rows)
    length = lengths_of(trace)[which]
    order = np.argsort(length)

    def block(first: int) -> tuple[Int[np.ndarray, " row"], Float64[np.ndarray, "point row"]]:
        rows = order[np.minimum(np.arange(first, first + size), n_rows - 1)]
        own = p.map(lambda value: value[..., rows] if np.ndim(value) else value)
        part = cut(trace, which[rows], room(int(length[rows].max())))
        with double_precision():
            return rows, np.asarray(log_likelihood_of(own, part))

    out = np.empty((n_points, n_rows))
    with ThreadPoolExecutor(n_cpu()) as pool:
        for rows, values in pool.map(block, range(0, n_rows, size)):
            out[:, rows] = values
    return out


def lengths_of(trace: Trace) -> Int[np.ndarray, " sweep"]:
    """Samples of each sweep up to the last that says something."""
    said = (trace.free > 0) | (trace.spikes > 0)
    return len(said) - np.argmax(said[::-1], axis=0)


def cut(trace: Trace, rows: Int[np.ndarray, " row"], n: int) -> Trace:
    """The first n samples of some sweeps, or all that there are."""
    return Trace._make([*(value[:n, rows] for value in trace[:-1]), trace.dt])


# On one thread: XLA would share each small operation between all, and they would mostly wait for each other.
log_likelihood_of = jax.jit(
    scan_log_likelihood, static_argnames="unroll", compiler_options={"xla_cpu_multi_thread_eigen": False}
)
