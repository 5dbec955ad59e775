"""How well a posterior finds the parameters of neurons it has not seen."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.stats
from jaxtyping import Float64

from leakyflow.errors import LeakyflowError
from leakyflow.likelihood.draws import Draws
from leakyflow.neuron.parameters import UNITS, Parameters
from leakyflow.simulator.prior import Prior

__all__ = ["INTERVAL", "PROBABILITIES", "Recovery", "coverage_band", "measure_recovery", "prior_sd"]

INTERVAL = 0.9  # probability inside the intervals that are shown
PROBABILITIES = (0.5, 0.8, 0.9, 0.95)
# Probability that the coverage of an exact posterior lies inside its band.
BAND = 0.99
# A mean that errs by this share of the prior SD, or more, has learned next to nothing.
LEARNED = 0.9


@dataclass(frozen=True, eq=False, kw_only=True)
class Recovery:
    """Posteriors of simulated recordings beside the true parameters.

    Attributes:
        names: Inferred parameters.
        truth: True values, each in its parameter's unit.
        mean: Posterior means.
        sd: Posterior SDs.
        low: Lower ends of the central 90 % intervals.
        high: Upper ends.
        level: Least probability of a central interval that holds the truth; uniform where all is exact.
        prior_sd: SD of each parameter's prior.
        gain: log q(truth) - log prior(truth) of each recording, in nats.
    """

    names: tuple[str, ...]
    truth: Float64[np.ndarray, "dataset param"]
    mean: Float64[np.ndarray, "dataset param"]
    sd: Float64[np.ndarray, "dataset param"]
    low: Float64[np.ndarray, "dataset param"]
    high: Float64[np.ndarray, "dataset param"]
    level: Float64[np.ndarray, "dataset param"]
    prior_sd: Float64[np.ndarray, " param"]
    gain: Float64[np.ndarray, " dataset"]

    @property
    def n_recordings(self) -> int:
        """Number of recordings."""
        return len(self.truth)

    @property
    def bias(self) -> Float64[np.ndarray, " param"]:
        """Mean error of the posterior mean; 0 under an exact posterior, but for chance."""
        return np.mean(self.mean - self.truth, axis=0)

    @property
    def z_score(self) -> Float64[np.ndarray, "dataset param"]:
        """Error of each posterior mean in posterior SDs."""
        return (self.mean - self.truth) / self.sd

    @property
    def rmse(self) -> Float64[np.ndarray, " param"]:
        """Root mean squared error of the posterior mean."""
        return np.sqrt(np.mean((self.mean - self.truth) ** 2, axis=0))

    @property
    def contraction(self) -> Float64[np.ndarray, " param"]:
        """1 - posterior variance / prior variance: 1 where all is learned, 0 where nothing is.

        The mean over recordings; one whose posterior is wider than the prior counts as 0, for it could outweigh all.
        """
        return np.mean(np.maximum(1.0 - (self.sd / self.prior_sd) ** 2, 0.0), axis=0)

    @property
    def r2(self) -> Float64[np.ndarray, " param"]:
        """Share of the variance of the true values that the posterior mean explains."""
        return 1.0 - self.rmse**2 / self.truth.var(axis=0)

    @property
    def share_better(self) -> float:
        """Share of recordings where the posterior gives the truth more density than the prior does."""
        return float(np.mean(self.gain > 0))

    @property
    def mean_gain(self) -> float:
        """Mean gain over the prior in log score, in nats; -inf if one posterior excludes the truth."""
        return float(np.mean(self.gain))

    def coverage(self, probability: float = INTERVAL) -> Float64[np.ndarray, " param"]:
        """Share of recordings whose central interval of this probability holds the truth."""
        return np.mean(self.level <= probability, axis=0)

    @property
    def verdicts(self) -> tuple[str, ...]:
        """One for each parameter: overconfident, too wide, no better than the prior, or good."""
        low, high = coverage_band(self.n_recordings)
        rows = zip(self.coverage(), self.rmse / self.prior_sd, strict=True)
        return tuple(_verdict(coverage, error, low, high) for coverage, error in rows)

    def table(self) -> pd.DataFrame:
        """One row per parameter: unit, prior_sd, bias, rmse, contraction, r2, coverages, verdict."""
        columns = {
            "unit": [UNITS[name] for name in self.names],
            "prior_sd": self.prior_sd,
            "bias": self.bias,
            "rmse": self.rmse,
            "contraction": self.contraction,
            "r2": self.r2,
            **{f"coverage{100 * probability:.0f}": self.coverage(probability) for probability in PROBABILITIES},
            "verdict": list(self.verdicts),
        }
        return pd.DataFrame(columns, index=pd.Index(self.names, name="parameter"))


def measure_recovery(draws: Draws, truth: Parameters, prior: Prior, log_q: Float64[np.ndarray, " dataset"]) -> Recovery:
    """Compare posteriors of simulated recordings with the true parameters.

    Args:
        draws: From the posterior of each recording.
        truth: Parameters behind each recording.
        prior: What the parameters were drawn from.
        log_q: Log density of each posterior at the true values, in the parameters' units.

    Raises:
        ValueError: If draws and true values are not of the same recordings.

    Example:
        >>> import leakyflow as lf
        >>> posterior, config = lf.load_posterior("standard"), lf.load_config("standard")
        >>> dataset = lf.make_dataset(config, 20, seed=7)
        >>> recordings, truth = dataset.recordings(), dataset.parameters()
        >>> draws = posterior.sample(recordings, n_draws=50, correct=False)
        >>> log_q = posterior.log_prob(recordings, {name: truth[name][:, None] for name in draws})[:, 0]
        >>> recovery = measure_recovery(draws, truth, posterior.prior, log_q)
        >>> recovery.prior_sd.round(1)
        array([10.3,  6. , 54.4,  6. ])
    """
    values = check_many(draws, truth)
    true = np.stack([np.asarray(getattr(truth, name), np.float64) for name in draws.names], axis=-1)
    low, high = np.quantile(values, (0.5 - INTERVAL / 2, 0.5 + INTERVAL / 2), axis=1)
    # The middle of the ranks between which the truth falls, so that few draws bias neither tail.
    below = (np.sum(values < true[:, None], axis=1) + 0.5) / (draws.n_draws + 1)
    return Recovery(
        names=draws.names,
        truth=true,
        mean=values.mean(axis=1),
        sd=values.std(axis=1, ddof=1),
        low=low,
        high=high,
        level=np.abs(2.0 * below - 1.0),
        prior_sd=prior_sd(prior),
        gain=log_q - np.asarray(prior.log_prob(truth)),
    )


def check_many(draws: Draws, truth: Parameters) -> Float64[np.ndarray, "dataset draw param"]:
    """Values of draws from many recordings, refused unless there is one true neuron for each.

    Raises:
        ValueError: If the numbers differ.
    """
    n_truths = np.asarray(getattr(truth, draws.names[0])).size
    if draws.array.ndim != 3 or len(draws.array) != n_truths:
        raise LeakyflowError(
            f"Draws must have shape (dataset, draw, param) with one true neuron for each recording, got "
            f"{draws.array.shape} and {n_truths} neurons. Pass the draws of the same recordings."
        )
    return draws.array


def coverage_band(n_recordings: int, probability: float = INTERVAL, *, inside: float = BAND) -> tuple[float, float]:
    """Least and greatest coverage that an exact posterior shows in 99 of 100 such sets of recordings.

    Args:
        n_recordings: In a set.
        probability: Of the intervals.
        inside: Share of sets, if not 99 of 100.

    Example:
        >>> coverage_band(1000)
        (0.875, 0.924)
    """
    low, high = scipy.stats.binom.interval(inside, n_recordings, probability)
    return float(low) / n_recordings, float(high) / n_recordings


def prior_sd(prior: Prior) -> Float64[np.ndarray, " param"]:
    """SD of each inferred parameter under the prior, in its unit, by Gauss-Hermite quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(128)
    weights = weights / weights.sum()
    values = np.stack([np.asarray(d.from_unconstrained(nodes)) for d in prior.distributions.values()])
    return np.sqrt((values - values @ weights[:, None]) ** 2 @ weights)


def _verdict(coverage: float, error: float, low: float, high: float) -> str:
    if coverage < low:
        return "overconfident"
    if error > LEARNED:
        return "no better than the prior"
    return "too wide" if coverage > high else "good"
