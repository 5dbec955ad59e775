import numpy as np
import pytest

from leakyflow.likelihood.read_off import READ_WITH_C, read_off_for, read_off_parameters, refractory_period
from leakyflow.recordings.batch import Batch
from leakyflow.recordings.recording import Recording
from leakyflow.simulator.distributions import LogNormal, Normal, Uniform
from leakyflow.simulator.prior import Prior, ReadOff
from leakyflow.simulator.simulate import simulate
from leakyflow.simulator.stimuli import square
from tests.cases import DT, NEURON, PRIORS, marked

SHOWN = Prior(
    PRIORS["standard"].root
    | {"V_reset": ReadOff(Normal(mean=-55.0, sd=8.0)), "t_ref": ReadOff(Uniform(low=2.0, high=6.0))}
)


def found(prior: Prior, *recordings: Recording) -> dict[str, list[float]]:
    return {name: list(x) for name, x in read_off_parameters(Batch.from_list(recordings), prior).items()}


def test_what_spikes_show_is_read_off_each_recording():
    both = found(SHOWN, marked([100, 300], [-52.0, -58.0], n_ref=20), marked([100], [-50.0], n_ref=10))
    assert both == {"V_reset": pytest.approx([-55.0, -50.0]), "t_ref": pytest.approx([4.0, 2.0])}


def test_where_nothing_is_to_be_read_off_nothing_is():
    assert found(PRIORS["standard"], marked([100], [-50.0], n_ref=10)) == {}


def test_the_longest_refractory_period_counts_where_the_end_cuts_one():
    assert refractory_period(marked([100, 595], [-52.0, -58.0], n_ref=20)) == pytest.approx(4.0)


def test_scatter_of_the_reset_is_read_off_where_the_prior_says_so():
    prior = Prior(SHOWN.root | {"reset_noise": ReadOff(LogNormal(median=4.0, sigma=0.5))})
    two, one = marked([100, 300], [-52.0, -58.0], n_ref=20), marked([100], [-52.0], n_ref=20)
    assert found(prior, two, one)["reset_noise"] == pytest.approx([18**0.5, 4.0])


def test_without_spikes_what_they_would_show_is_at_their_prior_median():
    silent = marked([], [], n_ref=20)
    assert found(SHOWN, silent) == {"V_reset": pytest.approx([-55.0]), "t_ref": pytest.approx([4.0])}


# 220 ms of rest, more than is looked at, and a step that says what a membrane out of reach of its threshold is.
STEP = square(amplitude=200.0, onset=220.0, duration=280.0, t_max=500.0, dt=DT)
OTHERS = {"known": 0.3, "inferred": LogNormal(median=0.3, sigma=0.1)}


@pytest.mark.parametrize("membrane_noise", OTHERS.values(), ids=OTHERS.keys())
def test_a_noise_is_read_off_beside_those_that_are_not(membrane_noise):
    wide = ReadOff(LogNormal(median=0.3, sigma=1.0))
    prior = Prior(PRIORS["standard"].root | {"membrane_noise": membrane_noise, "measurement_noise": wide})
    recording = simulate(NEURON.replace(measurement_noise=0.1, V_th=0.0), STEP, seed=1)
    # Had the membrane no noise, its movements of 0.9 mV would all be the electrode's.
    assert found(prior, recording)["measurement_noise"] == pytest.approx([0.1], rel=0.2)


def test_current_noise_is_read_off_where_its_time_constant_is_known():
    neuron = NEURON.replace(membrane_noise=0.02, current_noise=20.0, current_noise_tau=5.0, V_th=0.0)
    wide = ReadOff(LogNormal(median=10.0, sigma=1.0))
    prior = Prior(dict(neuron) | PRIORS["standard"].distributions | {"current_noise": wide})
    noises = found(prior, *(simulate(neuron, STEP, seed=seed) for seed in range(8)))["current_noise"]
    # Each 200 ms of rest is 40 time constants of the noise: its SD is known to some 20 %.
    assert np.mean(noises) == pytest.approx(20.0, rel=4 * 0.2 / np.sqrt(8))
    assert np.std(noises) < 0.3 * 20.0


def test_noise_at_rest_is_that_of_a_current_over_a_capacitance():
    read_off = {"current_noise": np.array([6.0]), "t_ref": np.array([3.0]), READ_WITH_C: np.array([80.0])}
    given = read_off_for({"C": np.array([[160.0], [40.0]])}, read_off)
    np.testing.assert_allclose(given["current_noise"], [[12.0], [3.0]])
    assert set(given) == {"current_noise", "t_ref"}
    assert read_off_for({}, {"t_ref": 3.0}) == {"t_ref": 3.0}


def test_a_recording_that_fires_at_once_shows_no_noise():
    noise = ReadOff(LogNormal(median=6.0, sigma=0.4))
    prior = Prior(PRIORS["standard"].root | {"current_noise": noise, "current_noise_tau": 5.0})
    soon, late = marked([20], [-52.0], n_ref=20), marked([300], [-52.0], n_ref=20)
    assert found(prior, soon)["current_noise"] == [6.0]
    assert found(prior, late)["current_noise"] != [6.0]
