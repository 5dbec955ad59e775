import numpy as np
import pytest

from leakyflow.diagnostics.prediction.predict import predict
from leakyflow.errors import LeakyflowError
from leakyflow.likelihood.draws import Draws
from leakyflow.simulator.simulate import simulate
from leakyflow.simulator.stimuli import Stimulus, square
from tests.cases import NEURON

STEP = square(amplitude=250.0, onset=20.0, duration=100.0, t_max=140.0, dt=0.2)
GIVEN = {name: value for name, value in NEURON.items() if name != "tau"}


def draws(*taus: float) -> Draws:
    return Draws(("tau",), np.array(taus)[:, None], given=GIVEN)


def test_each_neuron_that_was_drawn_gives_its_recording():
    predicted = predict(draws(10.0, 17.0, 30.0), STEP, seed=4)
    expected = simulate(NEURON.replace(tau=np.array([10.0, 17.0, 30.0])), STEP, seed=4)
    np.testing.assert_array_equal(predicted.V, expected.V)
    np.testing.assert_array_equal(predicted.spikes, expected.spikes)


def test_a_stimulus_an_array_and_a_recording_are_the_same_current():
    recording = simulate(NEURON, STEP, seed=1)
    found = [predict(draws(17.0, 20.0), given, dt=dt) for given, dt in ((STEP, None), (STEP.I, 0.2), (recording, None))]
    for other in found[1:]:
        np.testing.assert_array_equal(other.V, found[0].V)


def test_another_seed_is_other_noise():
    assert (predict(draws(17.0), STEP, seed=1).V != predict(draws(17.0), STEP, seed=2).V).any()


def test_fewer_neurons_are_the_first_of_them():
    np.testing.assert_array_equal(predict(draws(10.0, 17.0), STEP, n_draws=1).V, predict(draws(10.0), STEP).V)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: predict(Draws(("tau",), np.ones((2, 5, 1)), ("a", "b"), given=GIVEN), STEP), "those of 2. Pass"),
        (lambda: predict(Draws(("tau",), np.ones((5, 1))), STEP), "do not say what else is known"),
        (lambda: predict(draws(17.0), STEP.I), "`dt` must say how far"),
        (lambda: predict(draws(17.0), STEP, dt=0.1), "`dt` must be that of the stimulus, 0.2 ms, got 0.1"),
        (lambda: predict(draws(17.0), STEP, n_draws=0), "`n_draws` must be positive"),
        (lambda: predict(draws(17.0), Stimulus(I=STEP.I, dt=20.0)), "`tau` must be longer than dt"),
    ],
)
def test_each_error_says_what_to_do(call, match):
    with pytest.raises(LeakyflowError, match=match):
        call()
