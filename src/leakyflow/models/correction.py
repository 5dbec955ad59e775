"""Correction of amortized draws by the exact likelihood: importance weights, and what to do where they fail."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64

from leakyflow.cpu import n_cpu
from leakyflow.likelihood.cell_mode import is_elsewhere
from leakyflow.likelihood.importance import (
    LEAST_ESS,
    Effort,
    Weights,
    efficiency,
    importance_weights,
    learnt,
    resample,
)
from leakyflow.likelihood.laplace import Laplace
from leakyflow.likelihood.populations import Populations, Start
from leakyflow.likelihood.reference import ENOUGH, around_draws, around_the_mode
from leakyflow.likelihood.scanned import Scanned
from leakyflow.likelihood.target import Target
from leakyflow.models.local import score_above

__all__ = ["as_amortized", "checked", "corrected", "defensive", "n_amortized"]

# Amortized draws for each corrected one, so that hardly any is drawn twice, and at least so many in all.
OVERSAMPLING, FEWEST = 4, 1000
# A share of the latent draws is spread by this factor, so that no region that the network thinks unlikely is left
# without draws (Hesterberg 1995).
DEFENSIVE_SHARE, DEFENSIVE_SPREAD = 0.2, 1.75
# The sampler starts from the amortized draws, spread by this factor, and from the prior, half of each.
SPREAD, SHARE = 2.0, 0.5
# k-hat of the network's draws up to which a proposal can learn from them.
NEAR = 1.0
# Of amortized scores that say where the posterior may be, for the prior has nothing beyond.
FARTHEST_SCORE = 10.0
# Effective share of draws that are only checked, below which the network missed the posterior: they are wider than
# what they are held against, and that alone costs most of it.
LEAST_EFFICIENCY = 0.005
# Draws that are checked at first, and the effective share from which on they tell that the network found the posterior.
FEWEST_CHECKED, CLEAR = 250, 0.05
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


def as_amortized(note: str) -> dict[str, Any]:
    """Diagnostics of amortized draws that were left as they are."""
    blank = dict.fromkeys(("k_hat", "efficiency", "ess", "r_hat", "acceptance", "log_evidence"), np.nan)
    return {"method": "amortized", "reliable": None} | blank | {"note": note}


def corrected(
    target: Target,
    z: Float64[np.ndarray, "dataset draw param"],
    log_q: Float64[np.ndarray, "dataset draw"],
    log_spread: Float64[np.ndarray, "dataset draw"],
    *,
    n_draws: int,
    seeds: list[np.random.SeedSequence],
) -> tuple[Float64[np.ndarray, "dataset corrected param"], list[dict[str, Any]]]:
    """Draws from the exact posteriors, made of amortized ones.

    Args:
        target: Of as many recordings as there are rows.
        z: Prior scores of amortized draws, `n_amortized(n_draws)` of them, of any quality, finite or not.
        log_q: Their log densities by the network.
        log_spread: Log of the density that they were drawn from over that, from `defensive`.
        n_draws: Corrected draws.
        seeds: One per recording.

    Returns:
        Prior scores, and a row of diagnostics for each recording. Where neither weights nor the sampler give draws,
        the scores are amortized ones, NaN if none of these is finite, and the row says that they are not reliable.
    """
    finite, log_ratio = _weighed(target, z, log_q)
    own = np.stack([_finite_draws(*one, n_draws) for one in zip(z, finite, strict=True)])
    z = np.where(finite[..., None], z, 0.0)
    n_own = z.shape[1] - _n_spread(z.shape[1])
    out, rows, missed, elsewhere = own, [], [], {}
    for i, (weights, seed) in enumerate(zip(importance_weights(log_ratio - log_spread), seeds, strict=True)):
        row = as_amortized("") | {"k_hat": weights.k_hat, "efficiency": efficiency(log_ratio[i, :n_own])}
        elsewhere[i] = weights.k_hat <= NEAR and _is_elsewhere(target, i, z[i], log_ratio[i], log_q[i])
        if elsewhere[i] or not _settled(target, i, weights, n_draws, z.shape[1]):
            missed.append(i)
        if weights.reliable:
            index = resample(weights.weight, n_draws, np.random.default_rng(seed))
            out[i] = z[i][index]
            ess = min(weights.ess, n_draws)
            row |= {"method": "importance", "reliable": True, "ess": ess, "log_evidence": weights.log_evidence}
        rows.append(row)

    def finish(i: int) -> Populations | None:
        return _finish(target.one(i), z[i][finite[i]], n_draws=n_draws, seed=seeds[i])

    if isinstance(target, Scanned):
        for i in missed:
            near = z[i][finite[i]], (log_ratio - log_spread)[i][finite[i]]
            more, row = _adapted(target.one(i), *near, rows[i], n_draws, seeds[i], elsewhere=elsewhere[i])
            rows[i] |= row
            out[i] = out[i] if more is None else more
        return out, rows
    # The sampler works on one thread, and leaves Python to others meanwhile.
    with ThreadPoolExecutor(min(n_cpu(), MOST_THREADS)) as pool:
        for i, populations in zip(missed, pool.map(finish, missed), strict=True):
            rows[i] |= _of_populations(populations, n_bad=int(np.sum(~finite[i])))
            if populations is not None:
                out[i] = populations.combined(n_draws)
    return out, rows


def _is_elsewhere(
    target: Target,
    index: int,
    z: Float64[np.ndarray, "amortized param"],
    log_ratio: Float64[np.ndarray, " amortized"],
    log_q: Float64[np.ndarray, " amortized"],
) -> bool:
    """Whether the posterior of one cell has weight in a mode that the network's draws do not know."""
    if not isinstance(target, Scanned):
        return False
    possible = np.isfinite(log_ratio)
    highest = float((log_ratio[possible] + log_q[possible]).max())
    n = z.shape[1]
    return is_elsewhere(target.one(index), learnt(z, log_ratio, Laplace(np.zeros(n), np.eye(n), highest)))


def _settled(target: Target, index: int, weights: Weights, n_draws: int, n_amortized: int) -> bool:
    """Whether weights of the network's draws of one cell give corrected draws that need no more."""
    if not isinstance(target, Scanned):
        return weights.reliable
    return Effort.of(target.n_samples(index), n_draws, ENOUGH).met(weights, n_amortized)


def checked(
    target: Scanned,
    z: Float64[np.ndarray, "dataset draw param"],
    log_q: Float64[np.ndarray, "dataset draw"],
    *,
    seeds: list[np.random.SeedSequence],
) -> tuple[Float64[np.ndarray, "dataset draw param"], list[dict[str, Any]]]:
    """Amortized draws as they are, but of recordings whose posterior the network missed.

    Noises that are read off are off by some error, for which the network allows and the likelihood does not: weighed by
    it, draws would be too narrow. So the weights only tell whether the network found the posterior.

    Args:
        target: Of as many recordings as there are rows.
        z: Prior scores of amortized draws, finite or not.
        log_q: Their log densities by the network.
        seeds: One per recording.

    Returns:
        Prior scores, and a row of diagnostics for each recording, as `corrected` gives them.
    """
    few = slice(None, None, max(1, z.shape[1] // FEWEST_CHECKED))
    _, some = _weighed(target, z[:, few], log_q[:, few])
    out, rows = z.copy(), []
    for i, log_ratio in enumerate(some):
        own, finite = slice(i, i + 1), np.isfinite(z[i]).all(-1) & np.isfinite(log_q[i])
        if efficiency(log_ratio) < CLEAR:
            _, (log_ratio,) = _weighed(target.one(i), z[own], log_q[own])
        (weights,) = importance_weights(log_ratio[None])
        found = {"k_hat": weights.k_hat, "efficiency": efficiency(log_ratio), "log_evidence": weights.log_evidence}
        row = as_amortized("checked, and left as they are: the noises are read off") | found
        if found["efficiency"] >= LEAST_EFFICIENCY and finite.all():
            row |= {"reliable": True, "ess": float(z.shape[1])}
        else:
            more, searched = _searched(target.one(i), z[i][finite], z.shape[1], seeds[i])
            row |= searched
            out[i] = _finite_draws(z[i], finite, z.shape[1]) if more is None else more
        rows.append(row)
    return out, rows


def _weighed(
    target: Target, z: Float64[np.ndarray, "dataset draw param"], log_q: Float64[np.ndarray, "dataset draw"]
) -> tuple[Bool[np.ndarray, "dataset draw"], Float64[np.ndarray, "dataset draw"]]:
    """Which amortized draws are finite, and their log joint densities less those by the network, or -inf."""
    finite = np.isfinite(z).all(-1) & np.isfinite(log_q)
    log_joint = target.log_joint(np.where(finite[..., None], z, 0.0))
    return finite, np.where(finite, log_joint - np.where(finite, log_q, 0.0), -np.inf)


def _adapted(
    target: Scanned,
    z: Float64[np.ndarray, "amortized param"],
    log_ratio: Float64[np.ndarray, " amortized"],
    row: dict[str, Any],
    n_draws: int,
    seed: np.random.SeedSequence,
    *,
    elsewhere: bool,
) -> tuple[Float64[np.ndarray, "draw param"] | None, dict[str, Any]]:
    """Draws by a proposal that learns from the network's; where these are too far off, by a search.

    Args:
        target: Of one cell.
        z: The network's draws, those that are finite.
        log_ratio: Log joint density less that of the draws.
        row: What is known: their k-hat, and whether weights gave draws already.
        n_draws: Corrected draws.
        seed: Of everything random.
        elsewhere: Whether there is a mode that these draws do not know.

    Returns:
        None where the draws stay as they are; and what is to be said of them.
    """
    near = row["k_hat"] <= NEAR and not elsewhere
    found = around_draws(target, z, log_ratio, n_draws, seed) if near else None
    if found is not None:
        more = {name: found[1][name] for name in ("reliable", "r_hat", "log_evidence")}
        return found[0], more | {"method": "importance", "ess": min(found[1]["ess"], n_draws)}
    return (None, {}) if row["reliable"] and not elsewhere else _searched(target, z, n_draws, seed)


def _searched(
    target: Scanned, z: Float64[np.ndarray, "amortized param"], n_draws: int, seed: np.random.SeedSequence
) -> tuple[Float64[np.ndarray, "draw param"] | None, dict[str, Any]]:
    """Draws around the mode, searched from the network's draws, too: a scan is too dear for many particles."""
    found = around_the_mode(target, n_draws, seed, z)
    if found is None:
        note = "no neuron within the prior could have produced this recording: its likelihood is 0 everywhere"
        return None, {"reliable": False, "note": note}
    note = "the network missed the posterior, a search found it"
    if not found[1]["reliable"]:
        note = "the network missed the posterior, and the search for it did not settle"
    # k-hat stays that of the network's draws.
    row = {name: found[1][name] for name in ("reliable", "ess", "r_hat", "log_evidence")}
    return found[0], row | {"method": "search", "note": note, "acceptance": found[1].get("acceptance", np.nan)}


def _finite_draws(
    z: Float64[np.ndarray, "draw param"], finite: Bool[np.ndarray, " draw"], n_draws: int
) -> Float64[np.ndarray, "n param"]:
    """The first of the draws that are finite, again and again if they are few; NaN where there is none."""
    return np.resize(z[finite], (n_draws, z.shape[1])) if finite.any() else np.full((n_draws, z.shape[1]), np.nan)


def _of_populations(populations: Populations | None, n_bad: int) -> dict[str, Any]:
    if populations is None:
        note = "no neuron within the prior could have produced this recording: its likelihood is 0 everywhere"
        return {"reliable": False, "note": note + (f"; {n_bad} draws of the network are not finite" if n_bad else "")}
    reliable = populations.reliable and populations.ess >= LEAST_ESS
    note = "the network missed the posterior, sequential Monte Carlo found it"
    if not reliable:
        note = "the network missed the posterior, and sequential Monte Carlo did not settle"
    return populations.diagnostics() | {"method": "SMC", "reliable": reliable, "note": note}


def _finish(
    target: Target, z: Float64[np.ndarray, "draw param"], *, n_draws: int, seed: np.random.SeedSequence
) -> Populations | None:
    """Sequential Monte Carlo from the amortized draws to the exact posterior of one recording.

    Args:
        target: Of the recording.
        z: Prior scores of the amortized draws, finite, of any quality.
        n_draws: Least number of particles.
        seed: Of everything random.

    Returns:
        None where no neuron within the prior could have produced the recording.
    """
    # Its sampler is slow to import, and rarely needed.
    from leakyflow.likelihood.particles import tempered_populations

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
