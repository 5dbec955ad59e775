"""How far the sweeps of a cell differ in what they say of its parameters, beyond what each leaves open.

The exact posterior of a cell takes one neuron to have given all its sweeps, and is as narrow as all their samples
together make it. Sweeps of a real cell differ by more: it drifts, and what a model lacks shows in each stimulus
otherwise. So each sweep is asked by itself, and the spread of the answers is told from their uncertainty as in a
meta-analysis: theta_k ~ Normal(theta, between^2 + own^2).
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import scipy.optimize
import scipy.stats
from jaxtyping import Float64, Int

from leakyflow.likelihood.draws import Draws
from leakyflow.likelihood.gauss_newton import scored_modes
from leakyflow.likelihood.scanned import Scanned
from leakyflow.recordings.batch import Batch
from leakyflow.recordings.cell import Cell
from leakyflow.seeds import stream
from leakyflow.simulator.prior import Prior

__all__ = ["Spread", "between", "between_sweeps", "each_alone", "spread_of"]

# Sweeps that must tell of a parameter, and the share of the prior's variance that one may leave to tell of it.
LEAST_SWEEPS, MOST_LEFT = 3, 0.5
# p-value from which on sweeps are said to agree; many parameters are asked, and modes are not quite normal.
AGREE = 0.01


@dataclass(frozen=True, eq=False, kw_only=True)
class Spread:
    """What the sweeps of a cell say of each parameter, in prior scores.

    Attributes:
        names: Inferred parameters.
        between: SD between sweeps; 0 where they agree, NaN where too few tell.
        n_sweeps: Sweeps that tell of each.
    """

    names: tuple[str, ...]
    between: Float64[np.ndarray, " param"]
    n_sweeps: Int[np.ndarray, " param"]

    def widened(self, draws: Draws, prior: Prior, *, seed: int = 0) -> Draws:
        """Draws of what another sweep of the cell would say: those given, with the spread between sweeps added.

        Args:
            draws: From the exact posterior of the cell.
            prior: Of the draws.
            seed: Of what is added.
        """
        z, _ = prior.scores(draws.array)
        noise = np.random.default_rng(stream(seed, "between sweeps")).standard_normal(z.shape)
        return replace(draws, array=np.asarray(prior.natural(z + np.nan_to_num(self.between) * noise)))

    def summary(self, draws: Draws, prior: Prior, *, seed: int = 0) -> pd.DataFrame:
        """The table of a cell: the exact posterior, the spread between sweeps, and the interval of both.

        The interval holds what another sweep of the same cell would say, 9 times of 10, if it were like those used; for
        the exact one is about the model, not the cell.

        Args:
            draws: From the exact posterior of the cell.
            prior: Of the draws.
            seed: Of what is added.

        Returns:
            One row per parameter, with unit, mean, exact sd, between (in the parameter's unit), q05 and q95.
        """
        z, _ = prior.scores(draws.array)
        centre, step = z.mean(0), np.nan_to_num(self.between)
        low, high = (np.asarray(prior.natural(centre + sign * step)) for sign in (-1.0, 1.0))
        table = draws.summary()
        wide = self.widened(draws, prior, seed=seed).summary()
        between = np.where(np.isnan(self.between), np.nan, np.abs(high - low) / 2.0)
        return table.assign(between=between, q05=wide["q05"], q95=wide["q95"])[
            ["unit", "mean", "sd", "between", "q05", "q95"]
        ]


def between_sweeps(cell: Cell, draws: Draws, prior: Prior) -> Spread:
    """Ask each sweep of a cell by itself, from the mean of the posterior of all on.

    Args:
        cell: With at least three sweeps, or nothing is told.
        draws: From the posterior of all its sweeps.
        prior: Of the draws.

    References:
        DerSimonian & Laird (1986), Controlled Clinical Trials 7; Paule & Mandel (1982), Journal of Research of the NBS
        87, for the estimate; Cochran (1954), Biometrics 10, for the test.

    Example:
        >>> import leakyflow as lf
        >>> from leakyflow.recordings.cell import Cell
        >>> neuron = lf.Parameters(tau=17.0, V_rest=-72.0, C=90.0, V_th=-45.0, membrane_noise=0.3, V_reset=-60.0,
        ...     reset_noise=5.0, t_ref=3.0)
        >>> step = lf.square(amplitude=60.0, onset=20.0, duration=60.0, t_max=100.0, dt=0.2)
        >>> cell = Cell([lf.simulate(neuron, step, seed=i) for i in range(3)])
        >>> prior = lf.load_config("standard").simulator.prior
        >>> draws = lf.reference_posterior(cell, prior, n_draws=200, seed=0)
        >>> between_sweeps(cell, draws, prior).n_sweeps[:3]
        array([3, 3, 3])
    """
    return spread_of(prior, each_alone(cell, draws, prior) if len(cell) >= LEAST_SWEEPS else None)


def spread_of(prior: Prior, alone: Scanned | None) -> Spread:
    """What sweeps say that were made ready before.

    Args:
        prior: What is inferred.
        alone: From `each_alone`; None for a cell of fewer.
    """
    n = prior.n_inferred
    if alone is None or len(alone.cell) < LEAST_SWEEPS:
        return Spread(names=prior.inferred, between=np.full(n, np.nan), n_sweeps=np.zeros(n, int))
    modes = scored_modes(alone)
    variance = np.einsum("nii->ni", modes.covariance)
    sds, counts = zip(*(_of_one(modes.centre[:, i], variance[:, i]) for i in range(n)), strict=True)
    return Spread(names=prior.inferred, between=np.array(sds), n_sweeps=np.array(counts))


def each_alone(cell: Cell, draws: Draws, prior: Prior) -> Scanned:
    """The target of each sweep of a cell by itself, with the noises of the cell, and a start at the mean of the draws.

    Args:
        cell: With its sweeps.
        draws: From the posterior of all of them.
        prior: Of the draws.
    """
    together, z = Scanned.of(Batch.of(cell), prior), prior.scores(draws.array)[0].mean(0)
    return replace(together, cell=np.arange(len(cell)), start=np.tile(z, (len(cell), 1)))


def _of_one(centre: Float64[np.ndarray, " sweep"], variance: Float64[np.ndarray, " sweep"]) -> tuple[float, int]:
    """SD between sweeps in one parameter, and how many of them tell of it; the prior, N(0, 1), is taken out of each."""
    tells = (variance < MOST_LEFT) & (variance > 0) & np.isfinite(centre)
    if tells.sum() < LEAST_SWEEPS:
        return float("nan"), int(tells.sum())
    own = 1.0 / (1.0 / variance[tells] - 1.0)
    return between(centre[tells] * own / variance[tells], own), int(tells.sum())


def between(estimate: Float64[np.ndarray, " sweep"], variance: Float64[np.ndarray, " sweep"]) -> float:
    """SD of true values, of which there are estimates with known variances; 0 where these explain the scatter.

    Args:
        estimate: Of each value.
        variance: Of each estimate.

    Example:
        >>> rng = np.random.default_rng(1)
        >>> round(between(rng.normal(0.0, 2.0, 1000) + rng.normal(0.0, 1.0, 1000), np.ones(1000)), 1)
        2.0
    """
    n = len(estimate)

    def excess(more: float) -> float:
        weight = 1.0 / (variance + more)
        mean = (weight * estimate).sum() / weight.sum()
        return float((weight * (estimate - mean) ** 2).sum()) - (n - 1)

    if scipy.stats.chi2.sf(excess(0.0) + n - 1, n - 1) > AGREE:
        return 0.0
    most = float(np.sum((estimate - estimate.mean()) ** 2)) + 1.0  # where the excess is below 0
    return float(np.sqrt(scipy.optimize.brentq(excess, 0.0, most)))
