"""The scan compiled, and many sweeps at a few points each, side by side."""

import jax
import numpy as np
from jaxtyping import Float64, Int

from leakyflow.cpu import n_cpu, shared
from leakyflow.layout import double_precision
from leakyflow.likelihood.scan import Trace, scan_log_likelihood
from leakyflow.neuron.parameters import Parameters

__all__ = ["SIDE_BY_SIDE", "cut", "doubled", "lengths_of", "log_likelihood_of", "of_rows"]

# Points x sweeps that are stepped side by side: few enough to stay in cache (benchmarks/likelihood.py).
SIDE_BY_SIDE = 256
# Rows of a block: one of few numbers.
SIZES = (64, 16, 4, 1)


def of_rows(
    p: Parameters, trace: Trace, which: Int[np.ndarray, " row"] | None = None, *, silent: bool = False
) -> Float64[np.ndarray, "point row"]:
    """Log likelihood of each sweep at its own points.

    Args:
        p: Of shape (point, row), (row,) or ().
        trace: The longest of each block says how far it is stepped.
        which: Its rows, as many as p has; all by default.
        silent: As in `scan_log_likelihood`.
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
        own, longest = p.map(lambda value: value[..., rows] if np.ndim(value) else value), int(length[rows].max())
        part = cut(trace, which[rows], doubled(longest))
        with double_precision():
            return rows, np.asarray(log_likelihood_of(own, part, n_steps=longest - 1, silent=silent))

    out = np.empty((n_points, n_rows))
    for rows, values in shared(block, range(0, n_rows, size)):
        out[:, rows] = values
    return out


def lengths_of(trace: Trace) -> Int[np.ndarray, " sweep"]:
    """Samples of each sweep up to the last that says something."""
    said = (trace.free > 0) | (trace.spikes > 0)
    return len(said) - np.argmax(said[::-1], axis=0)


def cut(trace: Trace, rows: Int[np.ndarray, " row"], n: int) -> Trace:
    """The first n samples of some sweeps as the scan takes them, and after their ends what says nothing."""
    kept = [value[:n, rows] for value in trace[:-1]]
    return Trace._make([*(np.pad(value, ((0, n - len(value)), (0, 0))) for value in kept), trace.dt])


def doubled(n: int) -> int:
    """The power of two that is not smaller than a length, and at least 128: room for steps of any number."""
    return 1 << max(7, (n - 1).bit_length())


# On one thread: XLA would share each small operation between all, and they would mostly wait for each other.
log_likelihood_of = jax.jit(
    scan_log_likelihood, static_argnames=("unroll", "silent"), compiler_options={"xla_cpu_multi_thread_eigen": False}
)
