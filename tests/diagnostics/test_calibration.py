import numpy as np
import pytest

from leakyflow.diagnostics.calibration import calibration_table, sbc_ranks
from tests.diagnostics.exact import conjugate, prior_as_posterior

# Two parameters, two tests: an exact posterior passes all four with probability 0.996.
SIGNIFICANT = 0.001


def p_values(case):
    return sbc_ranks(case.draws, case.truth).p_values()


@pytest.mark.parametrize("case", [conjugate(2000), prior_as_posterior(2000)], ids=["conjugate", "prior"])
def test_exact_posterior_gives_uniform_ranks(case):
    # The prior is a calibrated posterior, too: it says nothing, but nothing wrong.
    assert (p_values(case) > SIGNIFICANT).to_numpy().all()


@pytest.mark.parametrize("wrong", [{"width": 0.7}, {"width": 1.5}, {"shift": 0.3}])
def test_a_wrong_posterior_is_seen(wrong):
    assert (p_values(conjugate(2000, **wrong))["chi2_p"] < SIGNIFICANT).all()


def test_a_shift_is_seen_by_the_kolmogorov_smirnov_test():
    assert (p_values(conjugate(2000, shift=0.2))["ks_p"] < SIGNIFICANT).all()


def test_p_values_of_an_exact_posterior_are_uniform_themselves():
    found = [p_values(conjugate(200, n_draws=7, seed=seed))["chi2_p"].to_numpy() for seed in range(2, 102)]
    # 200 p-values, nearly independent: the share below 0.1 has an SD of 0.021. 8 ranks do not fill 20 bins.
    assert np.mean(np.concatenate(found) < 0.1) == pytest.approx(0.1, abs=4 * 0.021)


def test_ranks_count_the_draws_below_the_truth():
    case = conjugate(200, n_draws=50)
    ranks = sbc_ranks(case.draws, case.truth)
    assert ranks.ranks[7, 1] == np.sum(case.draws["V_th"][7] < case.truth.V_th[7])
    assert ranks.counts().sum(axis=0).tolist() == [200, 200]


def test_the_band_holds_all_ecdfs_of_an_exact_posterior_together():
    inside = [sbc_ranks(*conjugate(150, seed=seed)[:2]).inside_band().all() for seed in range(60)]
    # 1 % or less leave it; five of 60 would happen once in 3,000 times.
    assert np.sum(np.logical_not(inside)) < 5


@pytest.mark.parametrize("wrong", [{"width": 0.7}, {"width": 1.5}, {"shift": 0.3}])
def test_ecdfs_of_a_wrong_posterior_leave_the_band(wrong):
    case = conjugate(1000, **wrong)
    assert not sbc_ranks(case.draws, case.truth).inside_band().any()


def test_few_recordings_have_fewer_bins_and_still_show_what_is_wrong():
    found = [p_values(conjugate(30, n_draws=59, seed=seed))["chi2_p"].to_numpy() for seed in range(100)]
    # As above: 200 p-values; six bins of five expected.
    assert np.mean(np.concatenate(found) < 0.1) == pytest.approx(0.1, abs=4 * 0.021)
    assert (p_values(conjugate(30, width=0.15))["chi2_p"] < SIGNIFICANT).all()


def test_a_stratum_is_tested_from_25_recordings_on():
    case = conjugate(100)
    members = {"all": np.ones(100, bool), "few": np.arange(100) < 24, "enough": np.arange(100) < 25}
    table = calibration_table(sbc_ranks(case.draws, case.truth), members)
    assert table.groupby("stratum")["n"].first().to_dict() == {"all": 100, "enough": 25}


def test_too_few_recordings_are_refused():
    with pytest.raises(ValueError, match="at least 25 recordings, got 24"):
        p_values(conjugate(24))
