"""Modes of posteriors and their curvature there, by differences: all evaluations of a step side by side."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64, Int

__all__ = ["Laplace", "Modes", "climb"]

# Log densities of points of some rows, whose numbers come with them.
LogDensity = Callable[
    [Float64[np.ndarray, "row point param"], Int[np.ndarray, " row"]], Float64[np.ndarray, "row point"]
]

# Damping of a step of Levenberg and Marquardt, all tried at once.
DAMPING = np.geomspace(1e-3, 1e6, 16)
MOST_STEPS = 60
# Of log density: less is no step forward, after so many of which the mode is found.
LEAST_GAIN, N_IDLE = 1e-2, 2
# Differences are taken over this share of an SD, at most over FARTHEST; scores beyond LARGEST have no prior.
SHARE, FARTHEST, LARGEST = 0.2, 0.05, 7.0
# A density that is not concave can leave a direction flat or worse; half the prior's own precision is the least.
LEAST_PRECISION = 0.5


class Laplace(NamedTuple):
    """A normal approximation of a posterior of scores."""

    centre: Float64[np.ndarray, " param"]
    covariance: Float64[np.ndarray, "param param"]
    log_density: float  # at the centre


class Modes(NamedTuple):
    """Normal approximations of many."""

    centre: Float64[np.ndarray, "row param"]
    covariance: Float64[np.ndarray, "row param param"]
    log_density: Float64[np.ndarray, " row"]
    to_gain: Float64[np.ndarray, " row"] | float = 0.0  # of log density, that a step more would promise


def climb(
    log_density: LogDensity,
    start: Float64[np.ndarray, "row param"],
    *,
    most_steps: int = MOST_STEPS,
    every: int = 1,
    damping: Float64[np.ndarray, " point"] = DAMPING,
) -> Modes:
    """Levenberg and Marquardt: Newton's steps with as much damping as gains most, for all rows together.

    Args:
        log_density: Including a standard normal prior.
        start: Where its value should be finite.
        most_steps: Fewer are made where no row gains any more.
        every: Steps from one look at the curvature to the next; it is the dearest part.
        damping: Tried in each step, in units of the curvature.
    """
    rows, n = np.arange(len(start)), start.shape[1]
    z, value, idle = start.copy(), log_density(start[:, None], rows)[:, 0], np.zeros(len(start), int)
    step, curvature = np.full(z.shape, FARTHEST), np.tile(np.eye(n), (len(z), 1, 1))
    for i in range(most_steps):
        own = rows[idle < N_IDLE]
        if not len(own):
            break
        slope, found = _differences(partial(_of, log_density, own), z[own], value[own], step[own], i % every == 0)
        if found is not None:
            curvature[own] = found
            step[own] = np.clip(SHARE * np.sqrt(np.einsum("nii->ni", _inverse(found))), 1e-4, FARTHEST)
        tried = np.clip(z[own, None] + _moves(slope, curvature[own], damping), -LARGEST, LARGEST)
        values = log_density(tried, own)
        values = np.where(np.isfinite(values), values, -np.inf)
        best = values.argmax(1)
        gain = values[np.arange(len(own)), best] - value[own]
        idle[own] = np.where(gain < LEAST_GAIN, idle[own] + 1, 0)
        better = gain > 0
        z[own[better]] = tried[better, best[better]]
        value[own[better]] = values[better, best[better]]
    _, found = _differences(partial(_of, log_density, rows), z, value, step, True)
    return Modes(z, _inverse(found), value)


def _of(log_density: LogDensity, rows: Int[np.ndarray, " row"], z: Float64[np.ndarray, "row point param"]) -> Any:
    return log_density(z, rows)


def _moves(
    slope: Float64[np.ndarray, "row param"],
    curvature: Float64[np.ndarray, "row param param"],
    damping: Float64[np.ndarray, " point"],
) -> Float64[np.ndarray, "row point param"]:
    n = slope.shape[1]
    scale = np.maximum(np.abs(np.einsum("nii->ni", curvature)), 1.0)
    damped = curvature[:, None] + (damping[:, None] * scale[:, None])[..., None] * np.eye(n)
    # Away from a direction that is not concave, whichever the damping.
    precision, axes = np.linalg.eigh(damped)
    along = np.einsum("npji,nj->npi", axes, slope) / np.maximum(np.abs(precision), 1e-6)
    return np.einsum("npij,npj->npi", axes, along)


def _differences(
    log_density: Callable[[Float64[np.ndarray, "row point param"]], Float64[np.ndarray, "row point"]],
    z: Float64[np.ndarray, "row param"],
    value: Float64[np.ndarray, " row"],
    step: Float64[np.ndarray, "row param"],
    second_too: bool,
) -> tuple[Float64[np.ndarray, "row param"], Any]:
    """Slopes and, where wanted, the negative of the second derivatives."""
    n = z.shape[1]
    i, j = np.triu_indices(n, k=1)
    h = step[:, None] * np.eye(n)
    centre, value = z[:, None], value[:, None]
    points = [centre + h, centre - h]
    if second_too:
        points += [centre + h[:, i] + h[:, j], centre - h[:, i] - h[:, j]]
    values = log_density(np.concatenate(points, axis=1))
    # Where a wall is near, what lies beyond it counts as far down.
    values = np.where(np.isfinite(values), values, value - 1e3)
    up, down, both, neither = np.split(values, [n, 2 * n, 2 * n + len(i)], axis=1)
    slope = (up - down) / (2.0 * step)
    if not second_too:
        return slope, None
    second = np.einsum("ni,ij->nij", (up + down - 2.0 * value) / step**2, np.eye(n))
    mixed = both + neither - up[:, i] - down[:, i] - up[:, j] - down[:, j] + 2.0 * value
    second[:, i, j] = second[:, j, i] = mixed / (2.0 * step[:, i] * step[:, j])
    return slope, -second


def _inverse(curvature: Float64[np.ndarray, "row param param"]) -> Float64[np.ndarray, "row param param"]:
    precision, axes = np.linalg.eigh(curvature)
    return np.einsum("nij,nj,nkj->nik", axes, 1.0 / np.maximum(precision, LEAST_PRECISION), axes)
