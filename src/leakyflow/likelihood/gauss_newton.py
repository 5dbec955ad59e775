"""Modes of the posteriors of many cells of few parameters, by scoring: one scan gives slope and curvature."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float64, Int

from leakyflow.cpu import n_cpu
from leakyflow.likelihood.laplace import LARGEST, Modes
from leakyflow.likelihood.scan import Trace, scan_scores
from leakyflow.likelihood.scanned import Scanned, parameters_of
from leakyflow.likelihood.sweeps import cut
from leakyflow.simulator.prior import Prior

__all__ = ["scored_modes"]

# Sweeps that are stepped side by side, at most; fewer are padded to the next smaller number, each of which is compiled.
SIZES = (64, 16, 1)
MOST_STEPS = 20
# Of log density, below which neither a step nor what it promised counts.
LEAST_GAIN = 1e-2
# Scores by which directions differ.
STEP = 1e-5
# Damping of the first step, in units of the curvature, and what a success and a failure make of it.
DAMPING, SUCCESS, FAILURE = 0.03, 0.1, 10.0


class _Climb(NamedTuple):
    """Where the search of each cell is."""

    z: Float64[np.ndarray, "cell param"]
    value: Float64[np.ndarray, " cell"]
    slope: Float64[np.ndarray, "cell param"]
    curvature: Float64[np.ndarray, "cell param param"]


def scored_modes(target: Scanned) -> Modes:
    """Modes of the posteriors of cells, from the target's guess.

    Args:
        target: Of cells of one sweep or several; those of several are taken sweep by sweep in each step.
    """
    n_sweeps = np.bincount(target.cell, minlength=len(target.start))
    length = np.zeros(len(n_sweeps), int)
    np.maximum.at(length, target.cell, target.lengths)
    order = np.lexsort((length, n_sweeps))
    parts = [own for n in np.unique(n_sweeps) for own in _blocks(order[n_sweeps[order] == n], max(1, SIZES[0] // n))]
    with ThreadPoolExecutor(n_cpu()) as pool:
        found = list(pool.map(partial(_climb, target), parts))
    n = target.start.shape[1]
    modes = Modes(np.empty(target.start.shape), np.empty((len(target.start), n, n)), np.empty(len(target.start)))
    for cells, own in zip(parts, found, strict=True):
        modes.centre[cells], modes.log_density[cells] = own.z, own.value
        modes.covariance[cells] = np.linalg.inv(own.curvature)
    return modes


def _blocks(cells: np.ndarray, size: int) -> list[np.ndarray]:
    return [cells[first : first + size] for first in range(0, len(cells), size)]


def _climb(target: Scanned, cells: Int[np.ndarray, " cell"]) -> _Climb:
    """Levenberg and Marquardt, all cells of a block together, until none gains any more."""
    best = _scored(target, cells, target.start[cells])
    damping, active = np.full(len(cells), DAMPING), np.arange(len(cells))
    for _ in range(MOST_STEPS):
        z, value, slope, curvature = (x[active] for x in best)
        scale = np.einsum("nii->ni", curvature)[..., None] * np.eye(z.shape[1])
        move = np.linalg.solve(curvature + damping[active, None, None] * scale, slope[..., None])[..., 0]
        promised = np.einsum("ni,ni->n", move, slope) / 2.0
        tried = _scored(target, cells[active], np.clip(z + move, -LARGEST, LARGEST))
        gain = np.where(np.isfinite(tried.curvature).all((1, 2)), tried.value - value, -np.inf)
        better = gain > 0.0  # False for NaN
        for kept, new in zip(best, tried, strict=True):
            kept[active[better]] = new[better]
        damping[active] *= np.where(better, SUCCESS, FAILURE)
        active = active[np.where(better, gain, promised) > LEAST_GAIN]
        if not len(active):
            break
    return best


def _scored(target: Scanned, cells: Int[np.ndarray, " cell"], z: Float64[np.ndarray, "cell param"]) -> _Climb:
    """Log density of each cell, its slope and its curvature."""
    n_sweeps = int((target.cell == cells[0]).sum())
    size = next(size for size in reversed(SIZES) if size >= len(cells) * n_sweeps or size == SIZES[0]) // n_sweeps
    places = np.minimum(np.arange(max(size, 1)), len(cells) - 1)
    rows = np.concatenate([np.flatnonzero(target.cell == cell) for cell in cells[places]])
    length = int(target.lengths[rows].max())
    trace = cut(target.trace, rows, 1 << (length - 1).bit_length())
    read_off = {name: value[rows] for name, value in target.read_off.items()}
    with jax.enable_x64(True):
        found = _derivatives(target.prior, z[places], trace, read_off, n_sweeps, length - 1)
    return _Climb(z, *(np.array(x)[: len(cells)] for x in found))


@partial(jax.jit, static_argnums=(0, 4), compiler_options={"xla_cpu_multi_thread_eigen": False})
def _derivatives(
    prior: Prior, z: Array, trace: Trace, read_off: Mapping[str, Any], n_sweeps: int, n_steps: Array
) -> tuple[Array, Array, Array]:
    n_cells, n = z.shape
    points = jnp.concatenate([z[None], z + STEP * jnp.eye(n)[:, None]])
    # All sweeps of a cell are of one neuron.
    theta = jnp.repeat(prior.natural(points), n_sweeps, axis=-2)
    scored = scan_scores(parameters_of(prior, theta, read_off), STEP, trace, n_steps)
    value, slope, curvature = (x.reshape(*x.shape[:-1], n_cells, n_sweeps).sum(-1) for x in scored)
    return value - 0.5 * (z**2).sum(-1), slope.T - z, jnp.moveaxis(curvature, -1, 0) + jnp.eye(n)
