"""Importance sampling around modes: each that it begins at has its share of the draws."""

import numpy as np
import pytest

from leakyflow.likelihood import importance
from leakyflow.likelihood.importance import (
    LAST_ROUND,
    MANY_ROUNDS,
    MOST_ROUNDS,
    N_ROUND,
    Effort,
    Weights,
    adaptive_importance,
)
from leakyflow.likelihood.laplace import Laplace
from leakyflow.likelihood.target import Target
from leakyflow.simulator.distributions import normal_log_prob

SD, SHARE, APART = 0.2, 0.3, np.array([2.0, -1.0, 0.0])
HEIGHT = -3.0 * np.log(SD * np.sqrt(2.0 * np.pi))  # of log density, about


class TwoModes(Target):
    """A posterior of three scores that is a mixture of two normal distributions."""

    def __init__(self):
        self.bound, self.possible, self.read_off = np.full((1, 3), -np.inf), np.ones(1, bool), {}

    def one(self, index):
        return self

    def density(self):
        raise NotImplementedError

    def guess(self):
        return np.zeros((1, 3))

    def _evaluate(self, z):
        one, other = (np.asarray(normal_log_prob((z - sign * APART) / SD)).sum(-1) for sign in (1.0, -1.0))
        posterior = np.logaddexp(np.log(SHARE) + one, np.log1p(-SHARE) + other) - 3 * np.log(SD)
        return posterior - np.asarray(normal_log_prob(z)).sum(-1)


def sampled(begin):
    modes = [Laplace(sign * APART, SD**2 * np.eye(3), HEIGHT) for sign in begin]
    return adaptive_importance(TwoModes(), modes, effort=Effort(1000.0, 500.0, 1e5), rng=np.random.default_rng(1))


def test_from_both_modes_each_has_its_share():
    z, _, weights, _ = sampled([1.0, -1.0])
    share = weights.weight @ (z @ APART > 0.0)
    assert weights.reliable
    assert weights.log_evidence == pytest.approx(0.0, abs=4.0 / np.sqrt(weights.ess))
    assert share == pytest.approx(SHARE, abs=4.0 * np.sqrt(SHARE * (1.0 - SHARE) / weights.ess))


def test_from_one_mode_the_other_is_missed_and_with_it_its_evidence():
    weights = sampled([-1.0]).weights
    assert weights.reliable  # what the weights cannot know
    assert weights.log_evidence == pytest.approx(np.log1p(-SHARE), abs=4.0 / np.sqrt(weights.ess))


@pytest.mark.parametrize(
    ("k_hat", "affordable", "rounds"),
    [
        (0.6, 0.0, MANY_ROUNDS),
        (2.0, 0.0, LAST_ROUND),
        (0.6, 20.0 * N_ROUND, 20),
        (0.6, 1e9, MOST_ROUNDS),
        (2.0, 1e9, MOST_ROUNDS),
    ],
)
def test_where_weights_may_not_be_used_yet_there_are_more_rounds(k_hat, affordable, rounds, monkeypatch):
    def judged(log_ratio):
        return [Weights(np.full(log_ratio.shape[1], 1.0 / log_ratio.shape[1]), k_hat, 0.0)]

    monkeypatch.setattr(importance, "importance_weights", judged)
    mode = Laplace(np.zeros(3), np.eye(3), np.inf)
    effort = Effort(wanted=1e9, enough=1e9, affordable=affordable)
    found = adaptive_importance(TwoModes(), [mode], effort=effort, rng=np.random.default_rng(1))
    assert len(found.z) == rounds * N_ROUND


@pytest.mark.parametrize(
    ("ess", "k_hat", "n_samples", "n_drawn", "met"),
    [
        (2001.0, 0.5, 1000, 2000, True),
        (1990.0, 0.5, 1000, 2000, False),
        (5000.0, 0.6, 1000, 2000, False),  # a heavier tail, and more draws are affordable
        (600.0, 0.6, 100_000, 4000, True),  # of a long cell
        (400.0, 0.6, 100_000, 4000, False),
        (400.0, 0.6, 100_000, MANY_ROUNDS * N_ROUND, True),
        (5000.0, 0.8, 100_000, MANY_ROUNDS * N_ROUND, False),
    ],
)
def test_fewer_effective_draws_of_a_long_cell_will_do(ess, k_hat, n_samples, n_drawn, met):
    n = round(ess)
    weights = Weights(np.full(n, 1.0 / n), k_hat, 0.0)
    assert Effort.of(n_samples, 1000, 500.0).met(weights, n_drawn) == met
