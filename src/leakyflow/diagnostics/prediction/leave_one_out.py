"""What the other sweeps of a cell say, for each of them.

A sweep that had part in the inference is predicted too well, the more so the fewer there are. To infer the cell anew
without it takes as long as before, so one step of Newton is made, from the mean of all draws, with the slope and the
curvature that the sweep itself has there; the draws move with it.
"""

import numpy as np
from jaxtyping import Float64

from leakyflow.diagnostics.spread import each_alone
from leakyflow.likelihood.draws import Draws
from leakyflow.likelihood.gauss_newton import slopes
from leakyflow.likelihood.laplace import LARGEST
from leakyflow.likelihood.scanned import Scanned
from leakyflow.recordings.cell import Cell
from leakyflow.simulator.prior import Prior

__all__ = ["without_own_sweep"]


def without_own_sweep(
    cell: Cell, draws: Draws, prior: Prior, *, alone: Scanned | None = None
) -> Float64[np.ndarray, "draw sweep param"]:
    r"""Draws for each sweep of a cell, by the other sweeps, nearly.

    .. math:: z_{-k} = z - (H - H_k)^{-1} g_k

    with g_k the slope of the log likelihood of sweep k at the posterior mean z, H_k its curvature there, and H that of
    the posterior of all sweeps.

    Args:
        cell: At least two sweeps.
        draws: From the posterior of all of them.
        prior: Of the draws.
        alone: From `each_alone`, where it was made before.

    Returns:
        Values of the inferred parameters, in their units.

    References:
        Jaeckel (1972), The infinitesimal jackknife; Beirami et al. (2017), On optimal generalizability in parametric
        learning, NeurIPS, for the step that takes the own curvature out, too.
    """
    z, _ = prior.scores(draws.array)
    slope, curvature = slopes(each_alone(cell, draws, prior) if alone is None else alone)
    others = curvature.sum(axis=0) + np.eye(z.shape[1]) - curvature
    moved = np.linalg.solve(others, -slope[..., None])[..., 0]
    return np.asarray(prior.natural(np.clip(z[:, None] + moved, -LARGEST, LARGEST)))
