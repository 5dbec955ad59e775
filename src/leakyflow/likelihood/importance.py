"""Importance weights, smoothed and judged; and proposals that learn from them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64, Int
from scipy import special

from leakyflow.likelihood.draws import import_arviz
from leakyflow.likelihood.laplace import Laplace
from leakyflow.likelihood.remaining import Remaining
from leakyflow.likelihood.target import Target

__all__ = ["Effort", "Weights", "adaptive_importance", "efficiency", "importance_weights", "learnt", "resample"]

# Above it the weights' variance is too heavy-tailed for their mean to be trusted (Vehtari et al. 2024).
LARGEST_K_HAT = 0.7
# With fewer effective draws the tails of an interval, 5 % each, rest on less than five of them.
LEAST_ESS = 100.0
# With a smaller share of possible draws there are too few weights to judge.
LEAST_POSSIBLE = 0.05
# Proposals: Student's t of so many degrees of freedom, wider than the normal approximation by this factor.
DEGREES, WIDER = 5.0, 1.2
# Draws of a round.
N_ROUND = 2000
# Effective draws, and the k-hat, with which intervals of 95 % hold 94.3 %; with 500 and 0.7 they hold 93.8
# (benchmarks/tails.py).
PLENTY, LIGHT = 2000.0, 0.5
# Samples x draws (some ten seconds on two cores) from which on fewer effective draws will do, of which no more are
# wanted than draws are, so many times.
AFFORDABLE, OVERSAMPLED = 2.5e8, 4.0
# Rounds after which the weights are taken if they may be used, and after which a proposal that has not learnt will not,
# both where no more draws are affordable; and the most.
MANY_ROUNDS, LAST_ROUND, MOST_ROUNDS = 8, 16, 24
# Of log density: by so much a draw may lie above a mode that a search came near enough to.
ABOVE = 2.0
# Scores beyond have no prior; where little is left of a spike, much may have been added.
FARTHEST = 1e3


class Weights(NamedTuple):
    """Pareto-smoothed importance weights of one cell's draws."""

    weight: Float64[np.ndarray, " draw"]  # sums to 1
    k_hat: float  # shape of the generalized Pareto distribution of the largest; infinite without any
    log_evidence: float

    @property
    def ess(self) -> float:
        """Effective sample size (Kong 1992)."""
        return float(1.0 / np.sum(self.weight**2)) if self.weight.any() else 0.0

    @property
    def reliable(self) -> bool:
        """Whether the weights may be used: light tails, and enough effective draws."""
        return self.k_hat <= LARGEST_K_HAT and self.ess >= LEAST_ESS


def efficiency(log_ratio: Float64[np.ndarray, " draw"]) -> float:
    """Effective sample size of draws with these log weights, over their number (Kong 1992)."""
    if not np.isfinite(log_ratio).any():
        return 0.0
    return float(np.exp(2 * special.logsumexp(log_ratio) - special.logsumexp(2 * log_ratio)) / log_ratio.size)


def importance_weights(log_ratio: Float64[np.ndarray, "dataset draw"]) -> list[Weights]:
    """Weigh draws by likelihood x prior / density of the proposal.

    Args:
        log_ratio: Log of it; -inf where a draw is impossible.

    References:
        Vehtari, Simpson, Gelman, Yao & Gabry (2024), Pareto smoothed importance sampling, JMLR 25.

    Example:
        >>> import numpy as np
        >>> (weights,) = importance_weights(np.zeros((1, 200)))
        >>> weights.reliable, round(weights.ess)
        (True, 200)
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


class Effort(NamedTuple):
    """How many effective draws are wanted, and how many draws are made for them."""

    wanted: float
    enough: float  # of effective draws, where as many as are affordable were made
    affordable: float

    @classmethod
    def of(cls, n_samples: int, n_draws: int, enough: float) -> "Effort":
        """That for a cell.

        Args:
            n_samples: Of all its sweeps.
            n_draws: Draws that are asked for.
            enough: Effective draws that will do if need be.
        """
        return cls(min(OVERSAMPLED * n_draws, PLENTY), min(n_draws, enough), AFFORDABLE / n_samples)

    def met(self, weights: Weights, n_drawn: int) -> bool:
        """Whether weights of so many draws will do."""
        if weights.ess >= self.wanted and weights.k_hat <= LIGHT:
            return weights.reliable
        made = n_drawn >= self.affordable and (weights.ess >= self.enough or n_drawn >= MANY_ROUNDS * N_ROUND)
        return weights.reliable and made

    def exhausted(self, n_drawn: int) -> bool:
        """Whether more draws would not help."""
        n_rounds = n_drawn / N_ROUND
        return n_rounds >= MOST_ROUNDS or (n_rounds >= LAST_ROUND and n_drawn >= self.affordable)


class Sampled(NamedTuple):
    """Draws of all rounds, in streams that differ in their random numbers alone."""

    z: Float64[np.ndarray, "draw param"]
    log_joint: Float64[np.ndarray, " draw"]
    weights: Weights
    proposal: Laplace  # as it was learnt last


class Proposal(NamedTuple):
    """Student's t, of scores or of what is left of a spike."""

    around: Laplace
    n: int  # draws that are made of it
    remaining: Remaining | None

    def draw(self, rng: np.random.Generator) -> Float64[np.ndarray, "draw param"]:
        """Scores."""
        drawn = _student(self.around, self.n, rng)
        return drawn if self.remaining is None else np.clip(self.remaining.scores(drawn), -FARTHEST, FARTHEST)

    def log_weight(self, z: Float64[np.ndarray, "draw param"]) -> Float64[np.ndarray, " draw"]:
        """Log density of scores, and of the number of draws."""
        y, log_volume = (z, 0.0) if self.remaining is None else self.remaining.coordinates(z)
        return _log_student(self.around, y) + log_volume + np.log(self.n)


def adaptive_importance(
    target: Target,
    begin: Sequence[Laplace],
    *,
    effort: Effort,
    rng: np.random.Generator,
) -> Sampled:
    """Draw from Student's t around approximations of one cell's posterior, and then of what the draws so far say of it.

    All rounds are weighted together, by the mixture of their proposals. Half of the later draws are made in
    the target's coordinates of what is left of a spike, where it has these. Rounds end, too, where a draw is more
    probable than where they began: then there is a better mode.

    Args:
        target: Of one cell.
        begin: Where the posterior is, roughly; of several modes each gets a round.
        effort: When no more rounds are made.
        rng: Of everything random.

    References:
        Cornuet, Marin, Mira & Robert (2012), Adaptive multiple importance sampling, Scandinavian Journal of
        Statistics 39.
    """
    highest = max(one.log_density for one in begin)
    proposals: list[Proposal] = []
    z, log_joint, log_sum = np.zeros((0, len(begin[0].centre))), np.zeros(0), np.zeros(0)
    last, following = begin[-1], [Proposal(one, N_ROUND, None) for one in begin]
    while True:
        own = np.concatenate([one.draw(rng) for one in following])
        # Sums over the proposals: of the new ones at the draws so far, of all at the new draws.
        log_sum = np.logaddexp.reduce([log_sum, *(one.log_weight(z) for one in following)])
        proposals += following
        log_sum = np.concatenate([log_sum, special.logsumexp([one.log_weight(own) for one in proposals], axis=0)])
        z, log_joint = np.concatenate([z, own]), np.concatenate([log_joint, target.log_joint(own[None])[0]])
        log_ratio = log_joint - log_sum + np.log(len(z))
        (weights,) = importance_weights(log_ratio[None])
        if log_joint.max() > highest + ABOVE or effort.met(weights, len(z)) or effort.exhausted(len(z)):
            return Sampled(z, log_joint, weights, last)
        last = learnt(z, log_ratio, last)
        following = [Proposal(last, N_ROUND, None)]
        if target.remaining is not None:
            y, _ = target.remaining.coordinates(z)
            left = learnt(y, log_ratio, last)
            following = [Proposal(last, N_ROUND // 2, None), Proposal(left, N_ROUND // 2, target.remaining)]


def _student(proposal: Laplace, n: int, rng: np.random.Generator) -> Float64[np.ndarray, "draw param"]:
    normal = rng.standard_normal((n, len(proposal.centre))) @ np.linalg.cholesky(WIDER**2 * proposal.covariance).T
    return proposal.centre + normal * np.sqrt(DEGREES / rng.chisquare(DEGREES, (n, 1)))


def _log_student(proposal: Laplace, z: Float64[np.ndarray, "draw param"]) -> Float64[np.ndarray, " draw"]:
    n, root = z.shape[1], np.linalg.cholesky(WIDER**2 * proposal.covariance)
    squared = (np.linalg.solve(root, (z - proposal.centre).T) ** 2).sum(0)
    constant = special.gammaln((DEGREES + n) / 2.0) - special.gammaln(DEGREES / 2.0) - n / 2.0 * np.log(DEGREES * np.pi)
    return constant - np.log(np.diag(root)).sum() - (DEGREES + n) / 2.0 * np.log1p(squared / DEGREES)


def learnt(z: Float64[np.ndarray, "draw param"], log_ratio: Float64[np.ndarray, " draw"], old: Laplace) -> Laplace:
    """Mean and covariance under weights that are flattened until enough draws have a say.

    Args:
        z: Draws.
        log_ratio: Log joint density less that of the proposal; -inf where a draw is impossible.
        old: What is kept where too few are possible.
    """
    finite = np.isfinite(log_ratio)
    if finite.sum() < 10 * z.shape[1]:
        return old
    z, log_ratio = z[finite], log_ratio[finite]
    power, wanted = 1.0, 10.0 * z.shape[1]
    while efficiency(power * log_ratio) * len(z) < wanted and power > 1e-3:
        power *= 0.8
    weight: Any = np.exp(power * (log_ratio - special.logsumexp(power * log_ratio) / power))
    weight /= weight.sum()
    centre = weight @ z
    covariance = (z - centre).T @ (weight[:, None] * (z - centre))
    return Laplace(centre, covariance + 1e-10 * np.eye(len(centre)), old.log_density)
