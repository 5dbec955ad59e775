from dataclasses import replace

import numpy as np
import pytest
import scipy.stats

from leakyflow.diagnostics.recovery import coverage_band, measure_recovery, prior_sd
from leakyflow.simulator.distributions import LogNormal, TruncatedNormal, Uniform
from leakyflow.simulator.prior import Prior
from tests.diagnostics.exact import EXACT_SD, NOISE, PRIOR, SD, Case, conjugate, prior_as_posterior


def recovery_of(case: Case):
    return measure_recovery(case.draws, case.truth, PRIOR, case.log_q)


def test_exact_posterior_has_the_error_of_the_conjugate_model():
    recovery = recovery_of(conjugate(4000))
    # The relative error of an RMSE of n normal errors is 1 / sqrt(2 n): 0.011; that of the means adds 0.0025.
    np.testing.assert_allclose(recovery.rmse, EXACT_SD, rtol=4 * 0.012)
    np.testing.assert_allclose(recovery.contraction, SD**2 / (SD**2 + NOISE**2), atol=0.01)
    np.testing.assert_allclose(recovery.r2, SD**2 / (SD**2 + NOISE**2), atol=0.03)


def test_exact_posterior_covers_as_often_as_it_says():
    recovery = recovery_of(conjugate())
    for probability in (0.5, 0.9):
        low, high = coverage_band(1000, probability)
        assert ((low <= recovery.coverage(probability)) & (recovery.coverage(probability) <= high)).all()
    assert recovery.verdicts == ("good", "good")


def test_coverage_counts_the_truths_between_the_ends_that_are_shown():
    recovery = recovery_of(conjugate())
    inside = (recovery.low <= recovery.truth) & (recovery.truth <= recovery.high)
    # They differ only where the truth lies in the same gap between two of the 200 draws as the end.
    np.testing.assert_allclose(recovery.coverage(0.9), inside.mean(axis=0), atol=0.015)


def test_gain_of_an_exact_posterior_is_its_mutual_information():
    recovery = recovery_of(conjugate(4000))
    information = np.log(SD / EXACT_SD).sum()
    # The gain of one recording has an SD of order 1 nat.
    assert recovery.mean_gain == pytest.approx(information, abs=4 / np.sqrt(4000))
    assert recovery.share_better > 0.7


@pytest.mark.parametrize(
    ("case", "verdict"),
    [
        (conjugate(width=0.7), "overconfident"),
        (conjugate(shift=1.0), "overconfident"),
        (conjugate(width=1.5), "too wide"),
        (prior_as_posterior(), "no better than the prior"),
    ],
)
def test_a_wrong_posterior_is_seen(case, verdict):
    assert recovery_of(case).verdicts == (verdict, verdict)


def test_the_prior_gains_nothing_on_itself():
    recovery = recovery_of(prior_as_posterior())
    assert (recovery.mean_gain, recovery.share_better) == (0.0, 0.0)
    # Variances of 200 draws err by 0.1; those below the prior's lower the mean by 0.4 of that.
    np.testing.assert_allclose(recovery.contraction, 0.04, atol=0.01)


def test_one_posterior_wider_than_the_prior_does_not_outweigh_the_others():
    recovery = recovery_of(conjugate())
    wide = replace(recovery, sd=np.where(np.arange(len(recovery.sd))[:, None] == 0, 1e3, recovery.sd))
    np.testing.assert_allclose(wide.contraction, recovery.contraction, atol=2.0 / len(recovery.sd))


def test_a_posterior_that_excludes_one_truth_has_no_mean_gain():
    case = conjugate()
    case.log_q[3] = -np.inf
    assert recovery_of(case).mean_gain == -np.inf


def test_coverage_band_is_missed_once_in_a_hundred_at_most():
    low, high = coverage_band(1000)
    inside = scipy.stats.binom.cdf(high * 1000, 1000, 0.9) - scipy.stats.binom.cdf(low * 1000 - 1, 1000, 0.9)
    assert 0.99 <= inside < 0.995


def test_prior_sd_is_that_of_the_distribution():
    entries = PRIOR.root | {
        "tau": LogNormal(median=17.0, sigma=0.5),
        "C": Uniform(low=50.0, high=150.0),
        "V_th": TruncatedNormal(mean=-45.0, sd=6.0, low=-50.0, high=-30.0),
    }
    expected = [
        scipy.stats.lognorm(s=0.5, scale=17.0).std(),
        6.0,
        100.0 / np.sqrt(12.0),
        scipy.stats.truncnorm(-5 / 6, 15 / 6, loc=-45.0, scale=6.0).std(),
    ]
    np.testing.assert_allclose(prior_sd(Prior(entries)), expected, rtol=1e-4)


def test_table_has_a_row_for_each_parameter():
    table = recovery_of(conjugate()).table()
    assert list(table.index) == ["V_rest", "V_th"]
    assert list(table["unit"]) == ["mV", "mV"]


def test_draws_of_other_recordings_are_refused():
    case = conjugate(100)
    with pytest.raises(ValueError, match="one true neuron for each recording"):
        measure_recovery(case.draws, PRIOR.sample(99, 1), PRIOR, case.log_q)
