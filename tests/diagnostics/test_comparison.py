"""Which mechanisms a cell needs: the neuron that made it must win, and where a LIF made it no richer one may."""

import numpy as np
import pytest

from leakyflow.diagnostics.comparison import best_of, compare, keep_back, verdict
from leakyflow.errors import LeakyflowError
from leakyflow.neuron.parameters import Parameters
from leakyflow.recordings.cell import Cell
from leakyflow.simulator.simulate import simulate
from leakyflow.simulator.stimuli import square

LIF = Parameters(
    tau=20.0,
    V_rest=-70.0,
    C=100.0,
    V_th=-45.0,
    threshold_noise=1.5,
    membrane_noise=0.03,
    measurement_noise=0.05,
    current_noise=6.0,
    current_noise_tau=5.0,
    V_reset=-58.0,
    reset_noise=3.0,
    t_ref=3.0,
)
ADAPTING = LIF.replace(ahp_fast=-100.0, ahp_fast_tau=15.0, ahp_slow=-15.0, ahp_slow_tau=150.0, R_s=0.01)
RUNGS = ["lif", "after-spike currents"]
DT = 0.2


def cell_of(neuron: Parameters) -> Cell:
    steps = [square(amplitude=I, onset=100.0, duration=200.0, t_max=350.0, dt=DT) for I in (-60.0, 160.0, 220.0, 280.0)]
    return Cell([simulate(neuron, step, seed=i) for i, step in enumerate(steps)], name="cell")


@pytest.fixture(scope="module")
def adapting():
    return compare(*keep_back(cell_of(ADAPTING)), rungs=RUNGS)


@pytest.fixture(scope="module")
def leaky():
    return compare(*keep_back(cell_of(LIF)), rungs=RUNGS)


def test_the_richer_neuron_wins_where_it_made_the_cell(adapting):
    assert best_of(adapting) == "after-spike currents"
    assert adapting["gained"].iloc[1] > 20.0
    assert adapting["log_density"].iloc[1] > adapting["log_density"].iloc[0]
    assert adapting["explained"].iloc[1] > adapting["explained"].iloc[0]
    assert adapting["count_error"].iloc[1] < 1.0


def test_the_richer_neuron_does_not_win_where_a_lif_made_the_cell(leaky):
    assert best_of(leaky) == "lif"
    # Occam: five parameters that nothing needs cost more than they gain.
    assert leaky["gained"].iloc[1] < 0.0
    assert abs(leaky["explained"].iloc[1] - leaky["explained"].iloc[0]) < 0.05


def test_the_verdict_says_which_wins_and_what_it_predicts(adapting, leaky):
    assert verdict(adapting)[0].startswith("By evidence: after-spike currents (")
    assert "eps_V" in verdict(adapting)[1]
    assert "no richer neuron is worth its price" in verdict(leaky)[0]


def test_every_third_of_at_least_four_sweeps_is_kept_back():
    cell = cell_of(LIF)
    used, held_out = keep_back(cell)
    assert held_out is not None
    assert [len(used), len(held_out)] == [3, 1]
    assert held_out[0] is cell[2]
    few = Cell(cell.sweeps[:3])
    assert keep_back(few) == (few, None)


def test_without_sweeps_kept_back_nothing_is_said_of_prediction(leaky):
    table = leaky.assign(explained=np.nan)
    assert len(verdict(table)) == 1


def test_rungs_that_there_are_not_are_refused():
    with pytest.raises(LeakyflowError, match="no rung `cable`"):
        compare(cell_of(LIF), rungs=["lif", "cable"])
    with pytest.raises(LeakyflowError, match="must name at least one"):
        compare(cell_of(LIF), rungs=[])
