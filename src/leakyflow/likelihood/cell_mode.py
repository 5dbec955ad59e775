"""The mode of the posterior of one cell of many samples and parameters, by scoring.

What the log likelihood is made of is kept sample by sample for neurons that differ in one parameter each; slope and
curvature are then products of matrices, at the cost of memory, and dampings are tried side by side. `scored_modes` is
made for many short cells: on one sweep of 60 s, with nothing beside it to step, it takes four times as long (82 and
21 s for 18 parameters of training_DRN157 at 0.5 ms), and with four beginnings of 17 sweeps of 2 s twelve times (73 and
6 s).
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import zip_longest
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float64
from scipy import special

from leakyflow.layout import double_precision
from leakyflow.likelihood.gauss_newton import STEP
from leakyflow.likelihood.laplace import LARGEST, Laplace
from leakyflow.likelihood.normal import LOG_SQRT_2PI
from leakyflow.likelihood.scan import Residuals, Trace, scan_residuals
from leakyflow.likelihood.scanned import Scanned, parameters_of
from leakyflow.likelihood.sweeps import cut
from leakyflow.recordings.batch import room
from leakyflow.simulator.prior import Prior

__all__ = ["Found", "cell_mode", "find_mode", "is_elsewhere"]

# Damping of a step, all tried side by side; of log density, less is no step forward; and the most steps.
DAMPING = np.append(0.0, np.geomspace(1e-3, 1e4, 7))
LEAST_GAIN, MOST_STEPS = 0.1, 60
# Samples x points x sweeps that are held in memory together.
MOST_HELD = 10_000_000
# Draws among which the search looks for places to begin, how many of those it takes at most, and how many at a time.
N_DRAWN, MOST_BEGUN, TOGETHER = 256, 6, 2
# Of log density: climbs that end nearer than this are of one mode, and what lies deeper than that has no weight.
SAME_MODE, NEGLIGIBLE = 2.0, 15.0


class Found(NamedTuple):
    """What several climbs found."""

    modes: tuple[Laplace, ...]  # the best, and others where they end that are not much less probable
    agreed: bool  # whether a second climb, from another place, arrived at the best, too


def find_mode(
    target: Scanned, rng: np.random.Generator, near: Float64[np.ndarray, "start param"] | None = None
) -> Found | None:
    """Search the mode of one cell's posterior until two climbs agree: what one alone found may not be the best.

    They begin at the target's guess, at the best of the scores given, and at the best of draws around the guess and
    from the prior.

    Args:
        target: Of one cell.
        rng: Of the draws.
        near: Prior scores where it may be, too.

    Returns:
        None where the density is 0 at all beginnings.
    """
    found: list[Laplace] = []
    agreed, starts = False, _starts(target, rng, near)
    with ThreadPoolExecutor(TOGETHER) as pool:
        for first in range(0, len(starts), TOGETHER):
            found += pool.map(partial(cell_mode, target), starts[first : first + TOGETHER])
            found.sort(key=lambda one: -one.log_density)
            agreed = len(found) > 1 and found[0].log_density - found[1].log_density < SAME_MODE
            if agreed:
                break
    if not found:
        return None
    best, *others = found
    counted = (one for one in others if best.log_density - one.log_density < NEGLIGIBLE and _apart(one, best))
    return Found((best, *counted), agreed)


def is_elsewhere(target: Scanned, found: Laplace) -> bool:
    """Whether a climb from the target's guess ends far from what was found of a cell, where its posterior has weight.

    Args:
        target: Of one cell.
        found: Where draws lie, and the highest log density among them.
    """
    begun = _best(target, target.guess(), 1)
    if not len(begun):
        return False
    mode = cell_mode(target, begun[0])
    return found.log_density - mode.log_density < NEGLIGIBLE and _apart(mode, found)


def _apart(one: Laplace, other: Laplace) -> bool:
    """Whether one mode lies where the normal distribution around the other has next to nothing."""
    away = one.centre - other.centre
    return bool(away @ np.linalg.solve(other.covariance, away) > 2.0 * NEGLIGIBLE + len(away))


def _starts(
    target: Scanned, rng: np.random.Generator, near: Float64[np.ndarray, "start param"] | None
) -> Float64[np.ndarray, "some param"]:
    guess = target.guess()[0]
    drawn = rng.standard_normal((N_DRAWN, len(guess)))
    places = np.concatenate([0.3 * drawn[: N_DRAWN // 2] + guess, drawn[N_DRAWN // 2 :]])
    sources = [np.concatenate([_best(target, guess[None], 1), _best(target, places, MOST_BEGUN)])]
    if near is not None and len(near):
        sources.append(_best(target, near[:N_DRAWN], MOST_BEGUN // 2))
    in_turn = [start for pair in zip_longest(*sources) for start in pair if start is not None]
    return np.reshape(in_turn, (-1, len(guess)))[:MOST_BEGUN]


def _best(target: Scanned, z: Float64[np.ndarray, "start param"], n: int) -> Float64[np.ndarray, "some param"]:
    """Those of the highest density, as far as it is not 0."""
    values = target.log_joint(z[None])[0]
    order = np.argsort(-values)
    return z[order[np.isfinite(values[order])][:n]]


def cell_mode(target: Scanned, start: Float64[np.ndarray, " param"]) -> Laplace:
    """Climb to the mode of one cell's posterior, by the steps of Levenberg and Marquardt.

    Args:
        target: Of one cell.
        start: Prior scores where its density is not 0.
    """
    z, value = start, float(target.log_joint(start[None, None])[0, 0])
    slope, curvature = _scores(target, z)
    for _ in range(MOST_STEPS):
        scale = np.diag(np.diag(curvature))
        moves = np.stack([np.linalg.solve(curvature + damping * scale, slope) for damping in DAMPING])
        tried = np.clip(z + moves, -LARGEST, LARGEST)
        values = target.log_joint(tried[None])[0]
        best = int(values.argmax())
        gain = values[best] - value
        if gain > 0.0:
            z, value = tried[best], float(values[best])
            slope, curvature = _scores(target, z)
        if gain < LEAST_GAIN:
            break
    return Laplace(z, np.linalg.inv(curvature), value)


def _scores(
    target: Scanned, z: Float64[np.ndarray, " param"]
) -> tuple[Float64[np.ndarray, " param"], Float64[np.ndarray, "param param"]]:
    """Slope of the log density, and its curvature (the equation stands at `scan_scores`)."""
    n = len(z)
    points = z + np.concatenate([np.zeros((1, n)), STEP * np.eye(n)])
    slope, curvature = -z, np.eye(n)
    for trace, read_off in _parts(target, n + 1):
        with double_precision():
            found = _residuals(target.prior, jnp.asarray(points), trace, read_off)
        own = Residuals(*(np.moveaxis(np.asarray(value), 1, 0).reshape(n + 1, -1) for value in found))
        u, _, m = (value[0] for value in own)
        du, ds, dm = ((value[1:] - value[0]) / STEP for value in own)
        ratio = np.exp(-0.5 * m * m - LOG_SQRT_2PI - special.log_ndtr(m))
        weight = ratio * np.clip(ratio + m, 0.0, None)
        slope = slope + dm @ ratio - du @ u - 0.5 * ds.sum(1)
        alone = du + 0.5 * u * ds
        curvature = curvature + alone @ alone.T + 0.5 * ds @ ds.T + (dm * weight) @ dm.T
    return slope, curvature


def _parts(target: Scanned, n_points: int) -> Iterator[tuple[Trace, dict[str, Float64[np.ndarray, " sweep"]]]]:
    """As many sweeps at a time as memory takes."""
    length, n_sweeps = room(int(target.lengths.max())), len(target.cell)
    size = max(1, MOST_HELD // (length * n_points))
    for first in range(0, n_sweeps, size):
        rows = np.arange(first, min(first + size, n_sweeps))
        yield cut(target.trace, rows, length), {name: value[rows] for name, value in target.read_off.items()}


@partial(jax.jit, static_argnums=0, compiler_options={"xla_cpu_multi_thread_eigen": False})
def _residuals(prior: Prior, z: Array, trace: Trace, read_off: Mapping[str, Array]) -> Residuals:
    return scan_residuals(parameters_of(prior, prior.natural(z)[:, None], read_off), trace)
