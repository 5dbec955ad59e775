from dataclasses import replace

import numpy as np
import pytest

from leakyflow.diagnostics.prediction.measured import _simulated, measure_prediction
from leakyflow.likelihood.draws import Draws
from leakyflow.recordings.cell import Cell
from leakyflow.simulator.simulate import simulate, simulate_traces
from leakyflow.simulator.stimuli import square
from tests.cases import NEURON, PRIORS

PRIOR = PRIORS["standard"]
AMPLITUDES = (-100.0, 50.0, 170.0, 200.0, 260.0, 320.0)
HELD = (1, 4)


def sweeps(neuron=NEURON, amplitudes=AMPLITUDES):
    return [
        simulate(neuron, square(amplitude=I, onset=20.0, duration=150.0, t_max=200.0, dt=0.2), seed=i)
        for i, I in enumerate(amplitudes)
    ]


def knowing(n_draws: int = 60, **changed: float) -> Draws:
    """A posterior with hardly any doubt."""
    rng = np.random.default_rng(1)
    z = PRIOR.to_unconstrained(NEURON.replace(**changed)) + 0.01 * rng.standard_normal((n_draws, 4))
    given = {name: value for name, value in NEURON.items() if name not in PRIOR.inferred}
    return Draws(PRIOR.inferred, np.asarray(PRIOR.natural(z)), given=given)


def measured(draws: Draws, found=None):
    return measure_prediction(draws, PRIOR, Cell(sweeps() if found is None else found, name="cell"), HELD)


@pytest.fixture(scope="module")
def right():
    return measured(knowing())


def test_the_neuron_itself_predicts_what_it_did(right):
    assert right.how == "kept back"
    assert right.scored == [1, 4]
    # Of the variance of a step of 9 mV, noise of the membrane and of the reset is the rest.
    assert right.eps_V > 0.8
    assert 0.75 < right.coverage <= 1.0
    assert right.spikes_missed < 0.25
    assert right.latency_error < 10.0
    assert right.table.index[0] == "simulation 0"


@pytest.mark.parametrize(
    ("silent", "firing", "missed"),
    [
        ((0,), (0, 0), 0.0),
        # Half of the simulations have one spike less: no jump of the median, whichever half is the larger.
        ((0,), (0, 0, 0, -1, -1), 0.4),
        ((0,), (0, 0, -1, -1, -1), 0.6),
        ((0, 0, 0, 1), (0,), 0.25),
    ],
)
def test_missed_spikes_are_those_of_the_mean_of_the_simulations(right, silent, firing, missed):
    recorded = [int(right.cell[k].spikes.sum()) for k in right.scored]
    assert recorded[0] == 0
    assert recorded[1] > 2
    trains = list(right.trains)
    trains[1] = tuple(np.arange(1.0 * n) for n in silent)
    trains[4] = tuple(np.arange(1.0 * recorded[1] + n) for n in firing)
    most = max(recorded[1], recorded[1] + sum(silent) / len(silent) + sum(firing) / len(firing))
    assert replace(right, trains=tuple(trains)).spikes_missed == pytest.approx(missed / most)


def test_half_a_spike_of_a_silent_cell_is_a_quarter(right):
    silent = measure_prediction(knowing(), PRIOR, Cell(sweeps(amplitudes=AMPLITUDES[:2])))
    assert silent.spikes_missed == 0.0
    trains = (silent.trains[0], (np.zeros(0), np.zeros(1)))
    assert replace(silent, trains=trains).spikes_missed == 0.25


@pytest.mark.parametrize(
    ("changed", "fails"),
    [
        ({"V_rest": -60.0}, lambda p, q: p.eps_V < q.eps_V - 0.3),
        ({"C": 200.0}, lambda p, q: p.eps_V < q.eps_V - 0.1),
        ({"V_th": -30.0}, lambda p, q: p.spikes_missed > 0.5),
    ],
    ids=["rest", "capacitance", "threshold"],
)
def test_another_neuron_does_not(right, changed, fails):
    assert fails(measured(knowing(**changed)), right)


def test_what_the_model_lacks_widens_the_band_and_not_its_coverage(right):
    adapting = sweeps(NEURON.replace(sag=1.0, sag_tau=30.0))
    lacking = measured(knowing(), adapting)
    assert lacking.band.half_width > 2.0 * right.band.half_width
    assert lacking.coverage > 0.7


def test_a_sweep_alone_is_predicted_as_seen_and_its_pieces_say_how_much_the_band_holds():
    one = measure_prediction(knowing(), PRIOR, Cell(sweeps()[:1]))
    assert one.how == "seen"
    assert one.scored == [0]
    assert 0.6 < one.coverage <= 1.0


def test_sweeps_that_were_all_used_are_left_out_in_turn():
    found = measure_prediction(knowing(), PRIOR, Cell(sweeps()[:3]))
    assert found.how == "left out in turn"
    assert found.scored == [0, 1, 2]


def test_firing_rates_are_by_current(right):
    curve = right.f_I
    np.testing.assert_allclose(curve.current, AMPLITUDES)
    np.testing.assert_array_equal(curve.unseen, [i in HELD for i in range(6)])
    by_hand = [s.spikes[100:850].sum() / 0.15 for s in sweeps()]
    np.testing.assert_allclose(curve.recorded, by_hand)
    assert (curve.predicted[0] <= curve.predicted[2]).all()
    assert measured(knowing(), [sweeps()[0]] * 6).f_I is None


def test_scores_are_of_the_scored_sweeps_alone(right):
    spoiled = replace(right, V=tuple(V if k in right.scored else V + 50.0 for k, V in enumerate(right.V)))
    assert spoiled.eps_V == right.eps_V


def test_a_sweep_is_simulated_as_at_its_own_length_whatever_room_it_is_given():
    neurons = knowing().parameters()
    for duration in (150.0, 163.4, 199.8):
        step = square(amplitude=260.0, onset=20.0, duration=100.0, t_max=duration, dt=0.2)
        (trains,) = _simulated(neurons, Cell([simulate(NEURON, step, seed=1)], name="cell"), seed=3)
        arrays = neurons.map(lambda value: np.broadcast_to(np.asarray(value, float), (60,)))
        I = np.broadcast_to(step.I, (60, len(step.I)))
        alone = simulate_traces(arrays, I, 0.2, seed=3, index=np.arange(60)).spikes
        for train, row in zip(trains, alone, strict=True):
            np.testing.assert_array_equal(train, np.flatnonzero(row) * 0.2)
        assert sum(map(len, trains)) > 60
