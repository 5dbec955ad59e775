"""Simulation-based calibration: among the draws of an exact posterior, the rank of the truth is uniform."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import pandas as pd
import scipy.stats
from jaxtyping import Bool, Float64, Int64

from leakyflow.diagnostics.recovery import check_many
from leakyflow.errors import LeakyflowError
from leakyflow.likelihood.draws import Draws, import_arviz
from leakyflow.neuron.parameters import Parameters
from leakyflow.recordings.batch import Batch
from leakyflow.seeds import stream

__all__ = ["BAND", "GRID", "LEAST_RECORDINGS", "Quantity", "Ranks", "calibration_table", "sbc_ranks", "strata"]

# With fewer than 5 expected in a bin, the chi-square approximation is poor (Cochran 1954, Biometrics 10): few
# recordings have fewer bins, and a test needs 5.
N_BINS, EXPECTED = 20, 5
LEAST_RECORDINGS, LEAST_IN_STRATUM = EXPECTED * N_BINS, EXPECTED * 5
# Probability that all ECDFs of an exact posterior stay inside their bands everywhere, and where they are compared.
BAND = 0.99
GRID = np.arange(1, 100) / 100
# More spikes than this are many.
FEW_SPIKES = 5

# Its values at the draws, (dataset, draw), and at the truth, (dataset,).
Quantity = tuple[Float64[np.ndarray, "dataset draw"], Float64[np.ndarray, " dataset"]]


@dataclass(frozen=True, eq=False, kw_only=True)
class Ranks:
    """Ranks of true values among the draws of their posteriors.

    Attributes:
        names: Inferred parameters, then what else was ranked.
        ranks: Number of draws below the true value, from 0 to `n_draws`.
        n_draws: Draws per recording.
        seed: Of the numbers that spread each rank over its bin.
    """

    names: tuple[str, ...]
    ranks: Int64[np.ndarray, "dataset quantity"]
    n_draws: int
    seed: int

    @property
    def uniform(self) -> Float64[np.ndarray, "dataset quantity"]:
        """Ranks spread at random within their bins: exactly uniform on (0, 1) under an exact posterior."""
        jitter = np.random.default_rng(stream(self.seed, "ranks")).random(self.ranks.shape)
        return (self.ranks + jitter) / (self.n_draws + 1)

    def of(self, rows: Bool[np.ndarray, " dataset"]) -> "Ranks":
        """Those of some recordings."""
        return replace(self, ranks=self.ranks[rows])

    def counts(self, n_bins: int = N_BINS) -> Int64[np.ndarray, "bin quantity"]:
        """Histogram of the ranks of each quantity, in bins of equal probability."""
        edges = np.linspace(0.0, 1.0, n_bins + 1)
        return np.stack([np.histogram(column, edges)[0] for column in self.uniform.T], axis=-1)

    def p_values(self) -> pd.DataFrame:
        """Probability of ranks less uniform than these under an exact posterior; one row per quantity.

        Returns:
            The columns `chi2_p` (any unevenness) and `ks_p` (shifts).

        Raises:
            ValueError: If there are too few recordings for the chi-square test.
        """
        n = len(self.ranks)
        if n < LEAST_IN_STRATUM:
            raise LeakyflowError(f"Calibration needs at least {LEAST_IN_STRATUM} recordings, got {n}. Simulate more.")
        chi2 = scipy.stats.chisquare(self.counts(min(N_BINS, n // EXPECTED)), axis=0).pvalue
        ks = [scipy.stats.kstest(column, "uniform").pvalue for column in self.uniform.T]
        return pd.DataFrame({"chi2_p": chi2, "ks_p": ks}, index=pd.Index(self.names, name="quantity"))

    def ecdf_difference(self) -> Float64[np.ndarray, "grid quantity"]:
        """Share of ranks up to each hundredth, less what an exact posterior gives on average."""
        return np.stack([np.searchsorted(np.sort(u), GRID) / len(u) - GRID for u in self.uniform.T], axis=-1)

    def ecdf_band(self) -> tuple[Float64[np.ndarray, " grid"], Float64[np.ndarray, " grid"]]:
        """Ends between which all of `ecdf_difference` stays with probability 0.99 or more under an exact posterior.

        References:
            Saeilynoja, Buerkner & Vehtari (2022), Graphical test for discrete uniformity and its applications in
            goodness-of-fit evaluation and multiple sample comparison, Statistics and Computing 32.
        """
        return _ecdf_band(len(self.ranks), 1.0 - (1.0 - BAND) / len(self.names))

    def inside_band(self) -> Bool[np.ndarray, " quantity"]:
        """Whether the ECDF of each quantity stays inside its band."""
        low, high = self.ecdf_band()
        difference = self.ecdf_difference()
        # A hair wider: the band's ends are attainable shares.
        inside = (difference > low[:, None] - 1e-9) & (difference < high[:, None] + 1e-9)
        return np.asarray(inside.all(axis=0))


@lru_cache
def _ecdf_band(n: int, probability: float) -> tuple[Float64[np.ndarray, " grid"], Float64[np.ndarray, " grid"]]:
    import_arviz()
    from arviz.stats.ecdf_utils import ecdf_confidence_band

    low, high = ecdf_confidence_band(n, GRID, GRID, prob=probability, method="optimized")
    return low - GRID, high - GRID


def sbc_ranks(draws: Draws, truth: Parameters, *, seed: int = 0, more: Mapping[str, Quantity] | None = None) -> Ranks:
    """Rank true values among posterior draws.

    Args:
        draws: From the posterior of each recording.
        truth: Parameters behind each recording.
        seed: Of the numbers that spread each rank over its bin.
        more: Other quantities to rank. One that depends on the recording too, such as its log likelihood, sees
            errors that no parameter alone shows (a posterior that ignores the data, for one).

    Raises:
        ValueError: If draws and true values are not of the same recordings.

    Example:
        >>> import leakyflow as lf
        >>> posterior, config = lf.load_posterior("standard"), lf.load_config("standard")
        >>> dataset = lf.make_dataset(config, 20, seed=7)
        >>> draws = posterior.sample(dataset.recordings(), n_draws=50, correct=False)
        >>> ranks = sbc_ranks(draws, dataset.parameters())
        >>> ranks.ranks.shape, ranks.n_draws
        ((20, 4), 50)

    References:
        Talts, Betancourt, Simpson, Vehtari & Gelman (2018), Validating Bayesian inference algorithms with
        simulation-based calibration, arXiv:1804.06788. Modrak, Moon, Kim, Buerkner, Huurre, Faltejskova, Gelman &
        Vehtari (2023), Simulation-based calibration checking for Bayesian computation, Bayesian Analysis.
    """
    values = check_many(draws, truth)
    true = np.stack([np.asarray(getattr(truth, name)) for name in draws.names], axis=-1)
    columns = [np.sum(values < true[:, None], axis=1)]
    for at_draws, at_truth in (more or {}).values():
        columns.append(np.sum(at_draws < at_truth[:, None], axis=1)[:, None])
    ranks = np.concatenate(columns, axis=1).astype(np.int64)
    return Ranks(names=(*draws.names, *(more or {})), ranks=ranks, n_draws=draws.n_draws, seed=seed)


def strata(recordings: Batch, kinds: tuple[str, ...]) -> dict[str, Bool[np.ndarray, " dataset"]]:
    """Members of the corners in which calibration on average may hide an error.

    Args:
        recordings: All of them, or all sweeps of all cells.
        kinds: Waveform of the stimulus of each recording, or protocol of each cell.
    """
    n_spikes, n_samples = (
        recordings.per_cell(n.astype(np.float64)) for n in (recordings.n_spikes, recordings.n_samples)
    )
    n_sweeps = np.bincount(recordings.cell, minlength=recordings.n_cells)
    middle, few = np.median(n_samples), np.median(n_sweeps)
    found = {
        "all": np.ones(recordings.n_cells, bool),
        "silent": n_spikes == 0,
        f"1 to {FEW_SPIKES} spikes": (n_spikes > 0) & (n_spikes <= FEW_SPIKES),
        f"more than {FEW_SPIKES} spikes": n_spikes > FEW_SPIKES,
        f"shorter than {middle * recordings.dt:.0f} ms": n_samples < middle,
        f"{middle * recordings.dt:.0f} ms or longer": n_samples >= middle,
    }
    if n_sweeps.max() > 1:
        found |= {f"fewer than {few:.0f} sweeps": n_sweeps < few, f"{few:.0f} sweeps or more": n_sweeps >= few}
    of_kinds = {name: np.array([name == own for own in kinds]) for name in dict.fromkeys(kinds)}
    return found | {name.replace("_", " "): rows for name, rows in of_kinds.items()}


def calibration_table(ranks: Ranks, members: Mapping[str, Bool[np.ndarray, " dataset"]]) -> pd.DataFrame:
    """Tests of uniform ranks, in each stratum that is large enough.

    Args:
        ranks: Of all recordings.
        members: From `strata`.

    Returns:
        One row per stratum and quantity: n, chi2_p and ks_p.
    """
    tables = {}
    for stratum, rows in members.items():
        if rows.sum() >= LEAST_IN_STRATUM:
            tables[stratum] = ranks.of(rows).p_values()
            tables[stratum].insert(0, "n", int(rows.sum()))
    return pd.concat(tables, names=["stratum"])
