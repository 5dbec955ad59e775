"""Simulation-based calibration: among the draws of an exact posterior, the rank of the truth is uniform."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.stats
from jaxtyping import Float64, Int64

from leakyflow.diagnostics.recovery import check_many
from leakyflow.reference.draws import Draws
from leakyflow.simulator.parameters import Parameters

__all__ = ["N_BINS", "Ranks", "sbc_ranks"]

N_BINS = 20
# Below this expected count, the chi-square approximation is poor (Cochran 1954, Biometrics 10).
LEAST_COUNT = 5


@dataclass(frozen=True, eq=False, kw_only=True)
class Ranks:
    """Ranks of true values among the draws of their posteriors.

    Attributes:
        names: Inferred parameters.
        ranks: Number of draws below the true value, from 0 to `n_draws`.
        n_draws: Draws per recording.
        seed: Of the numbers that spread each rank over its bin.
    """

    names: tuple[str, ...]
    ranks: Int64[np.ndarray, "dataset param"]
    n_draws: int
    seed: int

    @property
    def uniform(self) -> Float64[np.ndarray, "dataset param"]:
        """Ranks spread at random within their bins: exactly uniform on (0, 1) under an exact posterior."""
        jitter = np.random.default_rng(self.seed).random(self.ranks.shape)
        return (self.ranks + jitter) / (self.n_draws + 1)

    def counts(self, n_bins: int = N_BINS) -> Int64[np.ndarray, "bin param"]:
        """Histogram of the ranks of each parameter, in bins of equal probability."""
        edges = np.linspace(0.0, 1.0, n_bins + 1)
        return np.stack([np.histogram(column, edges)[0] for column in self.uniform.T], axis=-1)

    def p_values(self) -> pd.DataFrame:
        """Probability of ranks less uniform than these under an exact posterior; one row per parameter.

        Returns:
            The columns `chi2_p` (any unevenness) and `ks_p` (shifts).

        Raises:
            ValueError: If there are too few recordings for the chi-square test.
        """
        if len(self.ranks) < LEAST_COUNT * N_BINS:
            raise ValueError(
                f"Calibration needs at least {LEAST_COUNT * N_BINS} recordings, got {len(self.ranks)}. Simulate more."
            )
        chi2 = scipy.stats.chisquare(self.counts(), axis=0).pvalue
        ks = [scipy.stats.kstest(column, "uniform").pvalue for column in self.uniform.T]
        return pd.DataFrame({"chi2_p": chi2, "ks_p": ks}, index=pd.Index(self.names, name="parameter"))


def sbc_ranks(draws: Draws, truth: Parameters, *, seed: int = 0) -> Ranks:
    """Rank true values among posterior draws.

    Args:
        draws: From the posterior of each recording.
        truth: Parameters behind each recording.
        seed: Of the numbers that spread each rank over its bin.

    Raises:
        ValueError: If draws and true values are not of the same recordings.

    References:
        Talts, Betancourt, Simpson, Vehtari & Gelman (2018), Validating Bayesian inference algorithms with
        simulation-based calibration, arXiv:1804.06788.
    """
    values = check_many(draws, truth)
    true = np.stack([np.asarray(getattr(truth, name)) for name in draws.names], axis=-1)
    ranks = np.asarray(np.sum(values < true[:, None], axis=1, dtype=np.int64))
    return Ranks(names=draws.names, ranks=ranks, n_draws=draws.n_draws, seed=seed)
