import numpy as np
import pytest

from leakyflow.neuron.parameters import Parameters
from leakyflow.recordings.batch import Batch
from leakyflow.recordings.cell import Cell
from leakyflow.simulator.cell_activity import CELL_FEATURES, cell_activity, like_cells
from leakyflow.simulator.simulate import simulate
from leakyflow.simulator.stimuli import square

NEURON = Parameters(tau=20.0, V_rest=-70.0, C=100.0, V_th=-50.0, V_reset=-60.0, t_ref=3.0)


def activity(neuron: Parameters, *amplitudes: float) -> dict[str, float]:
    steps = [square(amplitude=A, onset=100.0, duration=500.0, t_max=600.0, dt=0.5) for A in amplitudes]
    found = cell_activity(Batch.of(Cell([simulate(neuron, step, seed=1) for step in steps], name="cell")))
    return {name: float(values[0]) for name, values in found.items()}


def test_a_passive_cell_has_its_resistance_and_no_sag():
    found = activity(NEURON, -50.0, -100.0, 150.0)
    assert found["resistance"] == pytest.approx(200.0, rel=1e-3)
    assert found["sag"] == pytest.approx(0.0, abs=1e-3)
    assert found["rheobase"] == 150.0
    assert found["adaptation"] == pytest.approx(0.0, abs=0.02)
    assert found["lowest"] == pytest.approx(-90.0, abs=0.1)


def test_sag_and_adaptation_are_seen():
    """In the steady state the sag current of ratio 1 halves the resistance."""
    found = activity(NEURON.replace(sag=1.0, sag_tau=60.0), -50.0, -100.0)
    assert found["resistance"] == pytest.approx(100.0, rel=0.02)
    assert found["sag"] > 0.2
    assert activity(NEURON.replace(ahp_slow=-20.0, ahp_slow_tau=150.0), 250.0)["adaptation"] > 0.02


def test_what_a_cell_does_not_show_is_nan_and_does_not_count():
    found = activity(NEURON, 0.0)
    shown = {name for name, value in found.items() if np.isfinite(value)}
    assert shown == {"V_rest", "lowest", "highest"}
    shares = like_cells({name: np.array([found[name]]) for name in CELL_FEATURES})
    assert np.isnan(shares["rate"])


def test_a_cell_out_of_range_is_seen():
    """Negative control."""
    good, bad = activity(NEURON, -50.0, 150.0), activity(NEURON, -500.0, 150.0)
    shares = like_cells({name: np.array([good[name], bad[name]]) for name in CELL_FEATURES})
    assert shares["lowest"] == shares["all"] == 0.5
