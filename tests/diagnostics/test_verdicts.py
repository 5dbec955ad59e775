"""Each check passes where the posterior is exact, and fails where it is wrong in the way that it looks for."""

import numpy as np
import pandas as pd
import pytest

from leakyflow.diagnostics import verdicts
from leakyflow.diagnostics.calibration import calibration_table, sbc_ranks
from leakyflow.diagnostics.conditions import Conditions
from leakyflow.diagnostics.contraction import Contraction
from leakyflow.diagnostics.convergence import Convergence
from leakyflow.diagnostics.recovery import measure_recovery
from tests.diagnostics.exact import PRIOR, conjugate, prior_as_posterior


def calibration(case, n_strata: int = 2) -> list[bool]:
    ranks = sbc_ranks(case.draws, case.truth)
    n = len(ranks.ranks)
    strata = {"all": np.ones(n, bool)} | {str(i): np.arange(n) % n_strata == i for i in range(n_strata)}
    return [check.passed for check in verdicts.calibration_checks(ranks, calibration_table(ranks, strata))]


def recovery(case) -> list[bool]:
    found = measure_recovery(case.draws, case.truth, PRIOR, case.log_q)
    return [check.passed for check in verdicts.recovery_checks(found)]


def test_an_exact_posterior_passes():
    case = conjugate(1000)
    assert calibration(case) == [True, True, True]
    assert recovery(case) == [True, True, True, True]


@pytest.mark.parametrize("wrong", [{"width": 0.7}, {"width": 1.5}, {"shift": 0.4}])
def test_overconfident_wide_and_biased_posteriors_fail_calibration(wrong):
    assert calibration(conjugate(1000, **wrong)) == [False, False, False]


@pytest.mark.parametrize(("wrong", "failing"), [({"width": 0.7}, 0), ({"width": 1.5}, 0), ({"shift": 0.4}, 1)])
def test_recovery_says_what_is_wrong(wrong, failing):
    assert not recovery(conjugate(1000, **wrong))[failing]


def test_a_posterior_that_learned_nothing_is_calibrated_and_fails():
    case = prior_as_posterior(1000)
    assert calibration(case) == [True, True, True]
    assert recovery(case) == [True, True, False, False]


def test_an_error_in_one_corner_fails_the_corners_alone():
    right, narrow = conjugate(2000), conjugate(2000, width=0.5)
    bad = np.arange(2000) % 20 == 0
    draws = type(right.draws)(right.draws.names, np.where(bad[:, None, None], narrow.draws.array, right.draws.array))
    ranks = sbc_ranks(draws, right.truth)
    table = calibration_table(ranks, {"all": np.ones(2000, bool), "corner": bad})
    found = verdicts.calibration_checks(ranks, table)
    assert found[0].passed
    assert not found[2].passed
    assert "corner" in found[2].found


def test_draws_that_ignore_the_recording_are_seen_by_the_log_likelihood():
    # The prior has uniform ranks of every parameter; how well a draw explains its recording gives it away.
    case = prior_as_posterior(1000)
    rng = np.random.default_rng(2)
    measured = case.truth.V_rest + 3.0 * rng.standard_normal(1000)

    def log_likelihood(V_rest):
        return -0.5 * ((V_rest - measured.reshape(-1, *[1] * (np.ndim(V_rest) - 1))) / 3.0) ** 2

    more = {"log_likelihood": (log_likelihood(case.draws["V_rest"]), log_likelihood(case.truth.V_rest))}
    p = sbc_ranks(case.draws, case.truth, more=more).p_values()["chi2_p"]
    assert p["V_rest"] > 0.001
    assert p["log_likelihood"] < 1e-6


@pytest.mark.parametrize(
    ("falling", "gap", "passed"), [(0.01, 0.05, [True, True]), (0.2, 0.05, [False, True]), (0.01, 0.5, [True, False])]
)
def test_training_must_rest_and_generalize(falling, gap, passed):
    at = Convergence(n_epochs=8, best_epoch=7, val_loss=1.0, gap=gap, falling=falling)
    assert [check.passed for check in verdicts.convergence_checks(at)] == passed


def test_corrections_must_not_fail_often():
    def passed(k_hat, reliable):
        rows = pd.DataFrame({"k_hat": k_hat, "reliable": pd.Series(reliable, dtype=object)})
        return [check.passed for check in verdicts.correction_checks(rows)]

    assert passed([0.1] * 20, [True] * 20) == [True, True]
    assert passed([0.1] * 18 + [0.9, np.inf], [True] * 19 + [False]) == [False, False]


@pytest.mark.parametrize(("power", "passed"), [(1.0, True), (1.3, False), (0.7, False)])
def test_false_alarms_must_be_nominal(power, passed):
    p = np.random.default_rng(1).random(2000) ** power
    assert verdicts.typicality_checks(p, 4000)[0].passed is passed


@pytest.mark.parametrize(("width", "passed"), [(1.02, True), (0.7, False), (1.4, False)])
def test_posteriors_must_be_as_narrow_as_the_exact_ones(width, passed):
    durations = np.array([100.0, 200.0, 300.0, 400.0])
    exact = np.tile((durations / 100.0)[:, None] ** -0.5, (20, 1, 2))
    found = Contraction(
        names=PRIOR.inferred,
        durations=durations,
        sd={"amortized": width * exact, "corrected": exact},
        n_spikes=np.tile([1, 2, 3, 4], (20, 1)),
        prior_sd=np.ones(2),
    )
    check, exponents = verdicts.contraction_checks(found)
    assert check.passed is passed
    assert f"{width:.2f}" in check.found
    assert exponents[1:] == ("-0.50 (V_rest), -0.50 (V_th)", "-0.5", None)


@pytest.mark.parametrize(("coverage", "passed"), [(0.88, True), (0.6, False), (0.97, True)])
def test_coverage_must_hold_under_other_stimuli(coverage, passed):
    def conditions(names):
        columns = {"condition": names, "posterior": "corrected", "parameter": "tau", "coverage90": [0.9, 0.9, coverage]}
        return Conditions(pd.DataFrame(columns), pd.DataFrame({"posterior": ["corrected"], "n": [60]}))

    stimuli, dt = conditions(["training", "ramp", "chirp"]), conditions(["dt", "0.05 ms", "0.05 ms, sampled"])
    index = pd.MultiIndex.from_product([["a", "b"], ["tau", "V_th"]], names=["recording", "parameter"])
    prior = pd.DataFrame({"diagnosis": ["none", "weak likelihood", "none", "none"]}, index=index)
    of_stimuli, of_dt, of_prior = verdicts.sensitivity_checks(stimuli, dt, prior)
    assert of_stimuli.passed is passed
    assert of_dt.found == f"{100 * coverage:.0f} % (tau)"
    assert of_prior.found == "50 % (V_th)"
    assert of_dt.passed is None
    assert verdicts.sensitivity_checks(stimuli, dt, None) == [of_stimuli, of_dt]


def test_predictive_p_values_may_be_small_twice_as_often_as_uniform_ones():
    rng = np.random.default_rng(1)
    uniform = pd.DataFrame(rng.random((500, 4)), columns=list("abcd"))
    assert verdicts.predictive_checks(uniform / 2)[0].passed
    assert not verdicts.predictive_checks(uniform.assign(c=uniform.c / 4))[0].passed
