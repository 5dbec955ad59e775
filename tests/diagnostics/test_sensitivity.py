import numpy as np
import pytest

from leakyflow.diagnostics.sensitivity import OTHER_STIMULI, dt_sensitivity, stimulus_sensitivity
from tests.diagnostics.distorted import Distorted


@pytest.fixture(scope="module")
def tried(tiny_run):
    return stimulus_sensitivity(tiny_run.posterior, {"ramp": OTHER_STIMULI["ramp"]}, n=24, n_draws=200, seed=3)


@pytest.mark.slow
def test_an_honest_network_is_honest_under_another_stimulus(tried):
    assert list(tried.recordings.condition.unique()) == ["training", "ramp"]
    corrected = tried.parameters.query("posterior == 'corrected'")
    assert (corrected.verdict == "good").all()
    # A mean standardized error of 24 recordings.
    assert (corrected.bias.abs() < 4 / np.sqrt(24)).all()
    gains = tried.recordings.set_index("posterior").gain
    gains = tried.recordings.set_index("posterior").gain
    own, exact = gains["amortized"].to_numpy(), gains["corrected"].to_numpy()
    # Mean log densities of the truth: no network beats the exact posterior but by chance.
    assert (own < exact + 0.3).all()
    assert (own > exact - 1.0).all()


@pytest.mark.slow
def test_an_overconfident_network_is_seen_under_every_stimulus(tiny_run):
    narrow = Distorted(tiny_run.posterior, width=0.3)
    found = stimulus_sensitivity(narrow, {"ramp": OTHER_STIMULI["ramp"]}, n=24, n_draws=200, seed=3)
    assert (found.parameters.query("posterior == 'amortized'").verdict == "overconfident").all()


@pytest.mark.slow
def test_the_same_neurons_meet_each_stimulus(tried):
    sd = tried.parameters.groupby("parameter").prior_sd.nunique()
    assert (sd == 1).all()
    assert (tried.recordings.n == 24).all()


@pytest.mark.slow
def test_a_finer_dt_is_tried_beside_the_networks_own(tiny_run):
    found = dt_sensitivity(tiny_run.posterior, n=24, n_draws=200, seed=4)
    names = ["dt = 0.2 ms", "0.05 ms, sampled"]
    assert list(found.recordings.condition.unique()) == names
    corrected = found.parameters.query("posterior == 'corrected'").set_index(["condition", "parameter"])
    assert (corrected.verdict[names[0]] == "good").all()
    gain = found.recordings.query("posterior == 'corrected'").gain.to_numpy()
    assert gain[1] > gain[0] - 1.0


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda posterior: stimulus_sensitivity(posterior, {}), "at least one stimulus prior.*got none"),
        (lambda posterior: stimulus_sensitivity(posterior, {"training": OTHER_STIMULI["ramp"]}), "got training"),
        (lambda posterior: dt_sensitivity(posterior, finer=1), "2 or more steps.*got 1"),
    ],
)
def test_each_error_says_what_to_do(call, match, tiny_run):
    with pytest.raises(ValueError, match=match):
        call(tiny_run.posterior)
