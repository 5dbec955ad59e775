import numpy as np
import pytest

from leakyflow.diagnostics.held_out import diagnose
from leakyflow.likelihood.log_likelihood import log_likelihood
from leakyflow.neuron.parameters import Parameters
from leakyflow.simulator.dataset import make_dataset
from leakyflow.training.config import load_config


@pytest.fixture(scope="module")
def diagnosis(tiny_run, tiny_config):
    return diagnose(tiny_run.posterior, make_dataset(tiny_config, 200, seed=99), n_draws=100)


def test_even_a_tiny_network_beats_the_prior(diagnosis):
    recovery = diagnosis.recovery
    assert (recovery.rmse < 0.8 * recovery.prior_sd).all()
    assert recovery.share_better > 0.9


def test_tables_have_recovery_and_calibration_of_each_parameter(diagnosis, tiny_run):
    recovery, calibration = diagnosis.recovery.table(), diagnosis.calibration()
    assert tuple(recovery.index) == tiny_run.posterior.names
    assert {"bias", "rmse", "contraction", "coverage80", "verdict"} <= set(recovery.columns)
    assert tuple(calibration.loc["all"].index) == (*tiny_run.posterior.names, "log_likelihood")
    for table in (recovery, calibration):
        assert np.isfinite(table.select_dtypes("number")).to_numpy().all()


def test_strata_share_out_the_recordings(diagnosis):
    strata = diagnosis.strata
    assert strata["all"].all()
    silent, few, many = (strata[name] for name in ("silent", "1 to 5 spikes", "more than 5 spikes"))
    assert (silent.astype(int) + few + many == 1).all()
    assert (strata["square"] ^ strata["sinusoid"]).all()


def test_the_log_likelihood_ranked_is_that_of_the_recording(diagnosis, tiny_run, tiny_config):
    recordings, draws = make_dataset(tiny_config, 200, seed=99).recordings(), diagnosis.draws
    truth = make_dataset(tiny_config, 200, seed=99).parameters()
    at_truth = log_likelihood(truth.map(lambda x: np.asarray(x)[3]), recordings[3])
    neurons = {name: np.full(100, np.asarray(getattr(truth, name))[3]) for name in truth}
    at_draws = log_likelihood(Parameters(**(neurons | dict(draws.of(3)))), recordings[3])
    assert diagnosis.ranks.ranks[3, -1] == np.sum(at_draws < at_truth)


def test_simulations_under_another_prior_are_refused(tiny_run):
    with pytest.raises(ValueError, match="drawn from another"):
        diagnose(tiny_run.posterior, make_dataset(load_config("lif"), 2, seed=1))
