"""Scores by what is left of a spike: a change of variables, in which a posterior of two arms has one."""

import numpy as np
import pytest

from leakyflow.likelihood.importance import Effort, adaptive_importance
from leakyflow.likelihood.laplace import Laplace
from leakyflow.likelihood.remaining import Remaining
from leakyflow.likelihood.target import Target
from leakyflow.simulator.distributions import LogNormal, normal_log_prob
from leakyflow.simulator.ladder import ladder_prior
from leakyflow.simulator.prior import Prior

PRIOR, HELD = ladder_prior("after-spike currents"), 15.0
AMPLITUDE, TAU = (PRIOR.inferred.index(name) for name in ("ahp_fast", "ahp_fast_tau"))
LEFT_SD = 1.0  # pA, of what data say is left: nothing
LARGE = 30.0  # pA


def left(amplitude, tau):
    """What is left of scores, in pA."""
    pA, ms = (
        np.asarray(PRIOR.distributions[name].from_unconstrained(score))
        for name, score in (("ahp_fast", amplitude), ("ahp_fast_tau", tau))
    )
    return pA * np.exp(-HELD / ms), pA


class NothingLeft(Target):
    """What data say where nothing of a fast current is left when V is free."""

    def __init__(self, remaining):
        self.remaining, n = remaining, PRIOR.n_inferred
        self.bound, self.possible, self.read_off = np.full((1, n), -np.inf), np.ones(1, bool), {}

    def one(self, index):
        return self

    def density(self):
        raise NotImplementedError

    def guess(self):
        raise NotImplementedError

    def _evaluate(self, z):
        pA, _ = left(z[..., AMPLITUDE], z[..., TAU])
        return np.asarray(normal_log_prob(pA / LEFT_SD))


def exact_share() -> float:
    """Of neurons with a large current, by quadrature."""
    amplitude, tau = np.meshgrid(np.linspace(-6.0, 6.0, 12_001), np.linspace(-6.0, 6.0, 601), indexing="ij")
    remains, pA = left(amplitude, tau)
    density = np.exp(sum(np.asarray(normal_log_prob(x)) for x in (remains / LEFT_SD, amplitude, tau)))
    return float(density[np.abs(pA) > LARGE].sum() / density.sum())


def found_share(remaining: Remaining | None) -> tuple[float, float]:
    """The same by importance sampling that begins at the arm without a current, and the effective draws."""
    n = PRIOR.n_inferred
    centre, variance = np.zeros(n), np.ones(n)
    centre[AMPLITUDE], variance[AMPLITUDE] = 1.0, 0.02**2  # no current
    begin = [Laplace(centre, np.diag(variance), np.inf)]
    sampled = adaptive_importance(
        NothingLeft(remaining), begin, effort=Effort(2000.0, 500.0, 0.0), rng=np.random.default_rng(1)
    )
    assert sampled.weights.reliable  # what the weights cannot know
    _, pA = left(sampled.z[:, AMPLITUDE], sampled.z[:, TAU])
    return float(sampled.weights.weight @ (np.abs(pA) > LARGE)), sampled.weights.ess


def test_of_two_arms_both_are_found_and_without_these_coordinates_one_is_not():
    exact = exact_share()
    assert exact > 0.2
    share, ess = found_share(Remaining.of(PRIOR, HELD))
    assert share == pytest.approx(exact, abs=4.0 * np.sqrt(exact * (1.0 - exact) / ess))
    missed, ess = found_share(None)
    assert missed < exact - 8.0 * np.sqrt(exact * (1.0 - exact) / ess)


def test_the_volume_is_that_of_the_change():
    remaining, rng = Remaining.of(PRIOR, HELD), np.random.default_rng(1)
    (z,), step = rng.standard_normal((1, 1, PRIOR.n_inferred)), 1e-6
    moved = z + step * np.concatenate([np.eye(z.shape[1]), -np.eye(z.shape[1])])
    y, _ = remaining.coordinates(moved)
    slopes = (y[: z.shape[1]] - y[z.shape[1] :]) / (2.0 * step)
    _, (log_volume,) = remaining.coordinates(z)
    assert np.linalg.slogdet(slopes)[1] == pytest.approx(log_volume, abs=1e-5)


def test_there_and_back_however_short_a_time_constant():
    remaining, z = Remaining.of(PRIOR, HELD), np.random.default_rng(2).standard_normal((50, PRIOR.n_inferred))
    z[:, TAU] = np.linspace(-9.0, 9.0, 50)
    np.testing.assert_allclose(remaining.scores(remaining.coordinates(z)[0]), z, atol=1e-6)


@pytest.mark.parametrize(
    ("prior", "held"),
    [
        (PRIOR, 0.0),  # no spike
        (ladder_prior("electrode"), HELD),  # nothing that decays
        (
            Prior(
                ladder_prior("electrode").root | {"ahp_fast": -50.0, "ahp_fast_tau": LogNormal(median=15.0, sigma=0.7)}
            ),
            HELD,
        ),
    ],
)
def test_there_are_none_without_spikes_or_what_decays(prior, held):
    assert Remaining.of(prior, held) is None


def test_an_amplitude_that_cannot_be_none_keeps_its_score():
    never = PRIOR.root | {"ahp_slow": LogNormal(median=20.0, sigma=0.5)}
    assert [pair[:2] for pair in Remaining.of(Prior(never), HELD).pairs] == [(AMPLITUDE, TAU)]
