"""Modes of the posteriors of many cells of few parameters, by scoring: one scan gives slope and curvature."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float64, Int

from leakyflow.cpu import shared
from leakyflow.layout import double_precision
from leakyflow.likelihood.laplace import LARGEST, Modes
from leakyflow.likelihood.normal import LOG_SQRT_2PI
from leakyflow.likelihood.scan import Scored, Trace, scan_scores
from leakyflow.likelihood.scanned import Scanned, parameters_of
from leakyflow.likelihood.sweeps import cut, doubled
from leakyflow.simulator.prior import Prior

__all__ = ["scored_modes", "slopes"]

# Sweeps that are stepped side by side, at most; fewer are padded to the next smaller number, each of which is compiled.
SIZES = (64, 16, 1)
MOST_STEPS = 30
# Of log density: where a step promises less, the mode is found.
LEAST_GAIN = 1e-2
# Scores by which directions differ.
STEP = 1e-5
# Damping of the first step, in units of the curvature, what a success and a failure make of it, and where it ends.
DAMPING, SUCCESS, FAILURE, MOST_DAMPED = 0.03, 0.1, 10.0, 1e8


class _Climb(NamedTuple):
    """Where the search of each cell is."""

    z: Float64[np.ndarray, "cell param"]
    value: Float64[np.ndarray, " cell"]
    slope: Float64[np.ndarray, "cell param"]
    curvature: Float64[np.ndarray, "cell param param"]


def scored_modes(target: Scanned) -> Modes:
    """Modes of the posteriors of cells, from the target's guess, by the steps of Levenberg and Marquardt.

    Args:
        target: Of cells of one sweep or several.
    """
    n_cells = len(target.start)
    best = _scored(target, np.arange(n_cells), target.start)
    damping, active = np.full(n_cells, DAMPING), np.arange(n_cells)
    for _ in range(MOST_STEPS):
        active = active[(_to_gain(best)[active] > LEAST_GAIN) & (damping[active] < MOST_DAMPED)]
        if not len(active):
            break
        z, value, slope, curvature = (x[active] for x in best)
        scale = np.einsum("nii->ni", curvature)[..., None] * np.eye(z.shape[1])
        move = _solved(curvature + damping[active, None, None] * scale, slope)
        tried = _scored(target, active, np.clip(z + move, -LARGEST, LARGEST))
        gain = np.where(np.isfinite(tried.curvature).all((1, 2)), tried.value - value, -np.inf)
        better = gain > 0.0  # False for NaN
        for kept, new in zip(best, tried, strict=True):
            kept[active[better]] = new[better]
        damping[active] *= np.where(better, SUCCESS, FAILURE)
    return Modes(best.z, np.linalg.inv(best.curvature), best.value, _to_gain(best))


def _to_gain(at: _Climb) -> Float64[np.ndarray, " cell"]:
    """Log density that a step without damping would gain of a normal distribution."""
    return 0.5 * np.einsum("ni,ni->n", at.slope, _solved(at.curvature, at.slope))


def slopes(
    target: Scanned,
) -> tuple[Float64[np.ndarray, "cell param"], Float64[np.ndarray, "cell param param"]]:
    """Slope and curvature of the log likelihood of each cell at the target's guess, without the prior."""
    found = _scored(target, np.arange(len(target.start)), target.start)
    return found.slope + target.start, found.curvature - np.eye(target.start.shape[1])


def _solved(
    curvature: Float64[np.ndarray, "cell param param"], slope: Float64[np.ndarray, "cell param"]
) -> Float64[np.ndarray, "cell param"]:
    return np.linalg.solve(curvature, slope[..., None])[..., 0]


def _scored(target: Scanned, cells: Int[np.ndarray, " cell"], z: Float64[np.ndarray, "cell param"]) -> _Climb:
    """Log density of each cell, its slope and its curvature: sums over sweeps."""
    rows = np.flatnonzero(np.isin(target.cell, cells))
    rows = rows[np.argsort(target.lengths[rows], kind="stable")]
    place = np.searchsorted(cells, target.cell[rows])
    n = z.shape[1]
    out = _Climb(z.copy(), -0.5 * (z**2).sum(1) - n * LOG_SQRT_2PI, -z, np.tile(np.eye(n), (len(z), 1, 1)))
    blocks = list(_blocks(len(rows)))
    found = shared(lambda block: _of_sweeps(target, rows[block], z[place[block]]), blocks)
    for block, of_sweeps in zip(blocks, found, strict=True):
        for total, values in zip(out[1:], of_sweeps, strict=True):
            np.add.at(total, place[block], values)
    return out


def _blocks(n: int) -> Iterator[slice]:
    """Of n sweeps those that are stepped side by side: the rest goes in smaller blocks, of which less is padding."""
    first = 0
    while first < n:
        size = SIZES[0] if n - first > SIZES[0] - SIZES[1] else SIZES[1]
        yield slice(first, first + size)
        first += size


def _of_sweeps(
    target: Scanned, rows: Int[np.ndarray, " sweep"], z: Float64[np.ndarray, "sweep param"]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    size = next(size for size in reversed(SIZES) if size >= len(rows) or size == SIZES[0])
    places = np.minimum(np.arange(size), len(rows) - 1)
    rows, length = rows[places], int(target.lengths[rows].max())
    trace = cut(target.trace, rows, doubled(length))
    read_off = {name: value[rows] for name, value in target.read_off.items()}
    with double_precision():
        found = _derivatives(target.prior, z[places], trace, read_off, length - 1)
    value, slope, curvature = (np.moveaxis(np.asarray(x), -1, 0)[: places[-1] + 1] for x in found)
    return value, slope, curvature


@partial(jax.jit, static_argnums=0, compiler_options={"xla_cpu_multi_thread_eigen": False})
def _derivatives(prior: Prior, z: Array, trace: Trace, read_off: Mapping[str, Any], n_steps: Any) -> Scored:
    points = jnp.concatenate([z[None], z + STEP * jnp.eye(z.shape[1])[:, None]])
    return scan_scores(parameters_of(prior, prior.natural(points), read_off), STEP, trace, n_steps)
