import numpy as np
import pytest

from leakyflow.diagnostics.prediction.free_running import free_running
from leakyflow.recordings.cell import Cell
from leakyflow.simulator.simulate import simulate
from leakyflow.simulator.stimuli import square
from tests.cases import NEURON
from tests.neuron.cases import ALL, ON

QUIET = NEURON.without("membrane_noise", "reset_noise")
NEURONS = {"plain": QUIET, "electrode": QUIET.replace(R_s=0.02), "all": QUIET.replace(**ALL, R_s=0.02)} | {
    name: QUIET.replace(**values) for name, values in ON.items()
}


def step(amplitude: float = 350.0, t_max: float = 160.0):
    return square(amplitude=amplitude, onset=20.0, duration=t_max - 40.0, t_max=t_max, dt=0.2, holding=-20.0)


@pytest.mark.parametrize("name", NEURONS)
def test_a_neuron_without_noise_is_predicted_exactly(name):
    recording = simulate(NEURONS[name], step(), seed=1)
    assert recording.spikes.sum() >= 2
    # Recordings are in single precision.
    np.testing.assert_allclose(free_running(NEURONS[name], recording)[0], recording.V, atol=1e-3)


@pytest.mark.parametrize("name", ["electrode", "ahp_fast", "ahp_slow", "sag", "dendrite_share"])
def test_what_a_neuron_lacks_is_seen_in_its_prediction(name):
    recording = simulate(NEURONS[name], step(), seed=1)
    assert np.abs(free_running(QUIET, recording)[0] - recording.V)[recording.free].max() > 0.5


def test_noise_has_no_part_in_it_and_recorded_voltages_neither():
    quiet = simulate(QUIET, step(50.0), seed=1)
    noisy = simulate(NEURON.replace(membrane_noise=0.5), step(50.0), seed=1)
    assert not noisy.spikes.any()
    np.testing.assert_array_equal(free_running(NEURON, noisy), free_running(QUIET, quiet))


def test_each_draw_and_each_sweep_is_predicted_by_itself():
    sweeps = [simulate(QUIET, step(amplitude, t_max), seed=1) for amplitude, t_max in ((50.0, 160.0), (350.0, 100.0))]
    taus = np.array([10.0, 17.0, 30.0])
    V = free_running(QUIET.replace(tau=taus), Cell(sweeps))
    assert V.shape == (3, 2, 800)
    for i, tau in enumerate(taus):
        for j, sweep in enumerate(sweeps):
            alone = free_running(QUIET.replace(tau=tau), sweep)
            np.testing.assert_allclose(V[i, j, : sweep.n_samples], alone[0], atol=1e-5)


def test_sweeps_may_have_neurons_of_their_own():
    cell = Cell([simulate(QUIET, step(amplitude), seed=1) for amplitude in (50.0, 350.0)])
    V = free_running(QUIET.replace(tau=np.array([[10.0, 17.0], [30.0, 20.0]])), cell)
    for tau, i, j in ((10.0, 0, 0), (17.0, 0, 1), (20.0, 1, 1)):
        np.testing.assert_allclose(V[i, j], free_running(QUIET.replace(tau=tau), cell[j])[0], atol=1e-5)


def test_more_draws_than_are_stepped_together_are_predicted(monkeypatch):
    recording = simulate(QUIET, step(), seed=1)
    neurons = QUIET.replace(tau=np.linspace(10.0, 30.0, 7))
    whole = free_running(neurons, recording)
    monkeypatch.setattr("leakyflow.diagnostics.prediction.free_running.SIDE_BY_SIDE", 3)
    np.testing.assert_allclose(free_running(neurons, recording), whole, atol=1e-5)
