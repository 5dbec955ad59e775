import numpy as np
import pytest

from leakyflow.diagnostics.held_out import diagnose
from leakyflow.simulator.dataset import make_dataset
from leakyflow.training.config import load_config


@pytest.fixture(scope="module")
def diagnosis(tiny_run, tiny_config):
    return diagnose(tiny_run.posterior, make_dataset(tiny_config, 200, seed=99), n_draws=100)


def test_even_a_tiny_network_beats_the_prior(diagnosis):
    recovery = diagnosis.recovery
    assert (recovery.rmse < 0.8 * recovery.prior_sd).all()
    assert recovery.share_better > 0.9


def test_table_has_recovery_and_calibration_of_each_parameter(diagnosis, tiny_run):
    table = diagnosis.table()
    assert tuple(table.index) == tiny_run.posterior.names
    assert {"rmse", "contraction", "coverage90", "verdict", "chi2_p", "ks_p"} <= set(table.columns)
    assert np.isfinite(table.select_dtypes("number")).to_numpy().all()


def test_simulations_under_another_prior_are_refused(tiny_run):
    with pytest.raises(ValueError, match="drawn from another"):
        diagnose(tiny_run.posterior, make_dataset(load_config("recording"), 2, seed=1))
