"""Modes of the posteriors of many cells of few parameters, by scoring: one scan gives slope and curvature."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from leakyflow.cpu import n_cpu
from leakyflow.likelihood.laplace import LARGEST, Modes
from leakyflow.likelihood.scan import Trace, scan_log_likelihood, scan_scores
from leakyflow.likelihood.scanned import Scanned, parameters_of
from leakyflow.likelihood.sweeps import cut, room
from leakyflow.neuron.parameters import Parameters
from leakyflow.simulator.prior import Prior

__all__ = ["scored_modes"]

# Sweeps that are stepped side by side, one for each cell of a block.
BLOCK = 256
MOST_STEPS = 10
# Of log density; less is no step forward.
LEAST_GAIN = 1e-2
DAMPING = np.array([0.0, 0.3, 3.0, 30.0, 1000.0])


def scored_modes(target: Scanned) -> Modes:
    """Modes of the posteriors of cells, from the target's guess.

    Args:
        target: Of cells of one sweep or several; those of several are taken sweep by sweep in each step.
    """
    n_sweeps = np.bincount(target.cell, minlength=len(target.start))
    length = np.zeros(len(n_sweeps), int)
    np.maximum.at(length, target.cell, target.lengths)
    order = np.lexsort((length, n_sweeps))
    parts = [own for n in np.unique(n_sweeps) for own in _blocks(order[n_sweeps[order] == n], max(1, BLOCK // n))]
    with ThreadPoolExecutor(n_cpu()) as pool:
        found = list(pool.map(partial(_climb, target), parts))
    n = target.start.shape[1]
    modes = Modes(np.empty(target.start.shape), np.empty((len(target.start), n, n)), np.empty(len(target.start)))
    for cells, part in zip(parts, found, strict=True):
        for out, values in zip(modes, part, strict=True):
            out[cells] = values
    return modes


def _blocks(cells: np.ndarray, size: int) -> list[np.ndarray]:
    return [cells[first : first + size] for first in range(0, len(cells), size)]


def _climb(target: Scanned, cells: np.ndarray) -> Modes:
    """Levenberg and Marquardt, all cells of a block together."""
    n_sweeps = int((target.cell == cells[0]).sum())
    size = next(size for size in (1, 8, 32, BLOCK) if size >= len(cells))
    padded = np.pad(cells, (0, size - len(cells)), mode="edge")
    rows = np.concatenate([np.flatnonzero(target.cell == cell) for cell in padded])
    trace = cut(target.trace, rows, room(int(target.lengths[rows].max())))
    read_off = {name: value[rows] for name, value in target.read_off.items()}
    z = target.start[padded]
    given = (trace, read_off, n_sweeps)
    with jax.enable_x64(True):
        value = np.full(size, -np.inf)
        tried = z[None]
        for _ in range(MOST_STEPS):
            values = np.asarray(_values(target.prior, tried, *given))
            best = np.where(np.isfinite(values), values, -np.inf).argmax(0)
            reached = np.take_along_axis(values, best[None], 0)[0]
            better = reached > value
            gain = np.where(better, reached - value, 0.0)
            z = np.where(better[:, None], tried[best, np.arange(size)], z)
            value = np.where(better, reached, value)
            if (gain < LEAST_GAIN).all():
                break
            slope, curvature = (np.asarray(x) for x in _derivatives(target.prior, z, *given))
            scale = np.einsum("nii->ni", curvature)[..., None] * np.eye(z.shape[1])
            moves = np.linalg.solve(curvature + DAMPING[:, None, None, None] * scale, slope[..., None])[..., 0]
            tried = np.clip(z + moves, -LARGEST, LARGEST)
        _, curvature = (np.asarray(x) for x in _derivatives(target.prior, z, *given))
    keep = slice(len(cells))
    return Modes(z[keep], np.linalg.inv(curvature)[keep], value[keep])


def _expanded(prior: Prior, z: Array, read_off: Mapping[str, Any], n_sweeps: int) -> Any:
    """Parameters of all sweeps of cells with these scores."""
    return parameters_of(prior, jnp.repeat(prior.natural(z), n_sweeps, axis=-2), read_off)


@partial(jax.jit, static_argnums=(0, 4), compiler_options={"xla_cpu_multi_thread_eigen": False})
def _values(prior: Prior, z: Array, trace: Trace, read_off: Mapping[str, Array], n_sweeps: int) -> Array:
    """Log density of each cell at each of some points; z of shape (point, cell, param)."""
    values = scan_log_likelihood(_expanded(prior, z, read_off, n_sweeps), trace)
    return values.reshape(*z.shape[:2], n_sweeps).sum(-1) - 0.5 * (z**2).sum(-1)


@partial(jax.jit, static_argnums=(0, 4), compiler_options={"xla_cpu_multi_thread_eigen": False})
def _derivatives(
    prior: Prior, z: Array, trace: Trace, read_off: Mapping[str, Array], n_sweeps: int
) -> tuple[Array, Array]:
    """Slope of the log density of each cell, and its curvature."""
    n_cells, n = z.shape

    def expanded(z: Array) -> Parameters:
        return _expanded(prior, z, read_off, n_sweeps).map(lambda x: jnp.broadcast_to(x, (n_cells * n_sweeps,)))

    directions = jnp.broadcast_to(jnp.eye(n)[:, None], (n, n_cells, n))
    tangents = jax.vmap(lambda own: jax.jvp(expanded, (z,), (own,))[1])(directions)
    slope, curvature = scan_scores(expanded(z), tangents, trace)
    slope = slope.reshape(n, n_cells, n_sweeps).sum(-1).T - z
    return slope, jnp.moveaxis(curvature.reshape(n, n, n_cells, n_sweeps).sum(-1), -1, 0) + jnp.eye(n)
