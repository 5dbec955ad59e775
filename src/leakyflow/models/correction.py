"""Correction of amortized draws by the exact likelihood: importance weights, and what to do where they fail."""

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Float64, Int
from scipy import special

from leakyflow.cores import n_cores
from leakyflow.models.frame import score_above
from leakyflow.recordings.recording import Recordings
from leakyflow.reference.draws import import_arviz
from leakyflow.reference.target import Target, target_of
from leakyflow.simulator.prior import Prior

if TYPE_CHECKING:
    from leakyflow.reference.sampler import Populations

__all__ = [
    "Weights",
    "corrected",
    "defensive",
    "efficiency",
    "importance_weights",
    "n_amortized",
    "resample",
    "uncorrected",
]

# Amortized draws for each corrected one, so that hardly any is drawn twice, and at least so many in all.
OVERSAMPLING, FEWEST = 4, 1000
# A share of the latent draws is spread by this factor, so that no region that the network thinks unlikely is left
# without draws (Hesterberg 1995).
DEFENSIVE_SHARE, DEFENSIVE_SPREAD = 0.2, 1.75
# Above it the weights' variance is too heavy-tailed for their mean to be trusted (Vehtari et al. 2024).
LARGEST_K_HAT = 0.7
# With a smaller share of possible draws there are too few weights to judge.
LEAST_POSSIBLE = 0.05
# The sampler starts from the amortized draws, spread by this factor, and from the prior, half of each.
SPREAD, SHARE = 2.0, 0.5
# Of amortized scores that say where the posterior may be, for the prior has nothing beyond.
FARTHEST_SCORE = 10.0
# Samplers at a time, each of which has particles of its own in memory.
MOST_THREADS = 8


def n_amortized(n_draws: int) -> int:
    """Amortized draws that a correction needs."""
    return max(OVERSAMPLING * n_draws, FEWEST)


def defensive(
    noise: Float64[np.ndarray, "dataset draw param"],
) -> tuple[Float64[np.ndarray, "dataset draw param"], Float64[np.ndarray, "dataset draw"]]:
    """Spread the last of the latent draws wider.

    Args:
        noise: Standard normal.

    Returns:
        The latent draws, and the log of their density over that of the standard normal.
    """
    n = _n_spread(noise.shape[1])
    latent = np.concatenate([noise[:, :-n], DEFENSIVE_SPREAD * noise[:, -n:]], axis=1)
    excess = 0.5 * (latent**2).sum(-1) * (1.0 - DEFENSIVE_SPREAD**-2) - noise.shape[-1] * np.log(DEFENSIVE_SPREAD)
    return latent, np.logaddexp(np.log1p(-DEFENSIVE_SHARE), np.log(DEFENSIVE_SHARE) + excess)


def _n_spread(n: int) -> int:
    return round(DEFENSIVE_SHARE * n)


def efficiency(log_ratio: Float64[np.ndarray, " draw"]) -> float:
    """Effective sample size of draws with these log weights, over their number (Kong 1992)."""
    if not np.isfinite(log_ratio).any():
        return 0.0
    return float(np.exp(2 * special.logsumexp(log_ratio) - special.logsumexp(2 * log_ratio)) / log_ratio.size)


def uncorrected(note: str) -> dict[str, Any]:
    """Diagnostics of amortized draws that were left as they are."""
    blank = dict.fromkeys(("k_hat", "efficiency", "ess", "r_hat", "acceptance", "log_evidence"), np.nan)
    return {"method": "uncorrected", "reliable": None} | blank | {"note": note}


def corrected(
    recordings: Recordings,
    prior: Prior,
    z: Float64[np.ndarray, "dataset draw param"],
    log_q: Float64[np.ndarray, "dataset draw"],
    log_spread: Float64[np.ndarray, "dataset draw"],
    *,
    n_draws: int,
    seeds: list[np.random.SeedSequence],
) -> tuple[Float64[np.ndarray, "dataset corrected param"], list[dict[str, Any]]]:
    """Draws from the exact posteriors, made of amortized ones.

    Args:
        recordings: As many as there are rows.
        prior: With a likelihood in closed form.
        z: Prior scores of amortized draws, `n_amortized(n_draws)` of them, of any quality.
        log_q: Their log densities by the network.
        log_spread: Log of the density that they were drawn from over that, from `defensive`.
        n_draws: Corrected draws.
        seeds: One per recording.

    Returns:
        Prior scores, and a row of diagnostics for each recording.
    """
    target = target_of(recordings, prior)
    finite = np.isfinite(z).all(-1) & np.isfinite(log_q)
    z = np.where(finite[..., None], z, 0.0)
    log_ratio = np.where(finite, target.log_joint(z) - np.where(finite, log_q, 0.0), -np.inf)
    n_own = z.shape[1] - _n_spread(z.shape[1])
    out, rows, missed = z[:, :n_draws].copy(), [], []
    for i, (weights, seed) in enumerate(zip(importance_weights(log_ratio - log_spread), seeds, strict=True)):
        row = uncorrected("") | {"k_hat": weights.k_hat, "efficiency": efficiency(log_ratio[i, :n_own])}
        if weights.reliable:
            index = resample(weights.weight, n_draws, np.random.default_rng(seed))
            out[i] = z[i][index]
            ess = min(weights.ess, n_draws)
            row |= {"method": "importance", "reliable": True, "ess": ess, "log_evidence": weights.log_evidence}
        else:
            missed.append(i)
        rows.append(row)

    def finish(i: int) -> "Populations | None":
        return _finish(target.one(i), z[i][finite[i]], n_draws=n_draws, seed=seeds[i])

    # The sampler works on one thread, and leaves Python to others meanwhile.
    with ThreadPoolExecutor(min(n_cores(), MOST_THREADS)) as pool:
        for i, populations in zip(missed, pool.map(finish, missed), strict=True):
            rows[i] |= _of_populations(populations)
            if populations is not None:
                out[i] = populations.combined(n_draws)
    return out, rows


def _of_populations(populations: "Populations | None") -> dict[str, Any]:
    if populations is None:
        note = "no neuron within the prior could have produced this recording: its likelihood is 0 everywhere"
        return {"reliable": False, "note": note}
    note = "the network missed the posterior, sequential Monte Carlo found it"
    if not populations.reliable:
        note = "the network missed the posterior, and sequential Monte Carlo did not settle"
    return populations.diagnostics() | {"method": "SMC", "note": note}


class Weights(NamedTuple):
    """Pareto-smoothed importance weights of one recording's draws."""

    weight: Float64[np.ndarray, " draw"]  # sums to 1
    k_hat: float  # shape of the generalized Pareto distribution of the largest; infinite without any
    log_evidence: float

    @property
    def ess(self) -> float:
        """Effective sample size (Kong 1992)."""
        return float(1.0 / np.sum(self.weight**2)) if self.weight.any() else 0.0

    @property
    def reliable(self) -> bool:
        """Whether the weights may be used."""
        return self.k_hat <= LARGEST_K_HAT


def importance_weights(log_ratio: Float64[np.ndarray, "dataset draw"]) -> list[Weights]:
    """Weigh draws by likelihood x prior / amortized density.

    Args:
        log_ratio: Log of it; -inf where a draw is impossible.

    References:
        Vehtari, Simpson, Gelman, Yao & Gabry (2024), Pareto smoothed importance sampling, JMLR 25.
    """
    psislw = import_arviz().psislw
    weights = []
    for row in log_ratio:
        possible = np.isfinite(row)
        weight = possible / max(possible.sum(), 1)
        k_hat, log_evidence = np.inf, -np.inf
        if possible.mean() > LEAST_POSSIBLE:
            log_evidence = special.logsumexp(row[possible]) - np.log(row.size)
            k_hat = 0.0
            # Draws that all weigh the same have no tail to fit.
            if np.ptp(row[possible]) > 1e-9:
                smoothed, k_hat = psislw(row[possible])
                weight[possible] = np.exp(smoothed)
        weights.append(Weights(weight, float(k_hat), float(log_evidence)))
    return weights


def resample(weight: Float64[np.ndarray, " draw"], n: int, rng: np.random.Generator) -> Int[np.ndarray, " n"]:
    """Systematic resampling: draw i is taken n weight[i] times, rounded up or down at random; in random order."""
    steps = (np.arange(n) + rng.random()) / n
    index = np.searchsorted(np.cumsum(weight), steps * np.nextafter(weight.sum(), 0.0))
    return rng.permutation(np.minimum(index, len(weight) - 1))


def _finish(
    target: Target, z: Float64[np.ndarray, "draw param"], *, n_draws: int, seed: np.random.SeedSequence
) -> "Populations | None":
    """Sequential Monte Carlo from the amortized draws to the exact posterior of one recording.

    Args:
        target: Of the recording.
        z: Prior scores of the amortized draws, finite, of any quality.
        n_draws: Least number of particles.
        seed: Of everything random.

    Returns:
        None where no neuron within the prior could have produced the recording.
    """
    # Its sampler takes a second to import, and is rarely needed.
    from leakyflow.reference.sampler import Start, tempered_populations

    bound = target.bound[0]
    z = z[(z > bound).all(1)]
    n = target.prior.n_inferred
    start = Start(0.0, np.zeros(n), np.eye(n))
    if len(z) > 10 * n:
        # Scores under the prior truncated at the bound, as the sampler has them.
        u = np.where(np.isfinite(bound), score_above(z, bound), z).clip(-FARTHEST_SCORE, FARTHEST_SCORE)
        covariance = SPREAD**2 * np.cov(u.T).reshape(n, n) + 1e-8 * np.eye(n)
        start = Start(SHARE, u.mean(0), np.linalg.cholesky(covariance))
    return tempered_populations(target, start, n_draws=n_draws, seed=seed)
