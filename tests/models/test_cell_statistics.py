import dataclasses

import numpy as np
import pytest

from leakyflow.models.cell_statistics import CELL_STATISTICS, cell_statistics
from leakyflow.neuron.parameters import Parameters
from leakyflow.recordings.batch import Batch
from leakyflow.recordings.cell import Cell
from leakyflow.simulator.simulate import simulate
from leakyflow.simulator.stimuli import square

NEURON = Parameters(tau=20.0, V_rest=-70.0, C=100.0, V_th=-50.0, V_reset=-60.0, t_ref=3.0, membrane_noise=0.1)


def cell(amplitudes=(-80.0, 60.0, 150.0), neuron=NEURON, t_max=(500.0, 400.0, 600.0)) -> Cell:
    steps = [
        square(amplitude=amplitude, onset=100.0, duration=250.0, t_max=own, dt=0.5)
        for amplitude, own in zip(amplitudes, t_max, strict=False)
    ]
    return Cell([simulate(neuron, step, seed=number) for number, step in enumerate(steps)], name="cell")


def statistics(*cells: Cell) -> np.ndarray:
    return cell_statistics(Batch.of(list(cells)))


def test_order_of_sweeps_has_no_influence():
    one = cell()
    np.testing.assert_allclose(statistics(one), statistics(Cell(one.sweeps[::-1], name="cell")), rtol=1e-7, atol=1e-7)


def test_padding_and_other_cells_have_no_influence():
    one, other = cell(), cell(amplitudes=(200.0,), t_max=(2000.0,))
    together = Batch.of([one, other]).padded_to(6000)
    garbage = dataclasses.replace(
        together, V=np.where(together.valid, together.V, 1e3), spikes=together.spikes | ~together.valid
    )
    np.testing.assert_array_equal(cell_statistics(garbage)[:1], statistics(one))


def test_sweeps_have_an_influence():
    """Negative control: what is pooled is not lost."""
    one = cell()
    assert not np.allclose(statistics(one), statistics(Cell(one.sweeps[:2], name="cell")))


def test_cells_of_one_to_many_sweeps_have_finite_statistics():
    neurons = [cell(amplitudes=(0.0,)), cell(amplitudes=(-50.0,) * 24, t_max=(360.0,) * 24), cell()]
    found = statistics(*neurons)
    assert found.shape == (3, len(CELL_STATISTICS))
    assert np.isfinite(found).all()


def test_a_silent_cell_and_one_of_a_single_spike_are_finite():
    found = statistics(cell(amplitudes=(105.0,), t_max=(360.0,)), cell(neuron=NEURON.replace(V_th=100.0)))
    assert np.isfinite(found).all()


@pytest.mark.parametrize(("name", "change"), [("V", {"tau": 10.0}), ("I", {"C": 50.0, "tau": 10.0})])
def test_regression_sees_the_membrane(name, change):
    """The sum of the coefficients of V and of its filtered copies is minus the leak; that of I the gain."""

    def drive(neuron: Parameters) -> float:
        row = statistics(cell(neuron=neuron))[0]
        of_V = [c for c in CELL_STATISTICS if c.startswith("drive_V")]
        names = of_V if name == "V" else ["drive_I"]
        return sum(row[CELL_STATISTICS.index(own)] for own in names)

    expected = {"V": lambda p: -10.0 / p.tau, "I": lambda p: 100.0 / p.C}[name]
    for neuron in (NEURON, NEURON.replace(**change)):
        assert drive(neuron) == pytest.approx(expected(neuron), rel=0.15)


def test_after_spike_current_is_seen_in_its_filter():
    steps = (250.0, 300.0, 350.0)
    with_it = statistics(cell(steps, NEURON.replace(ahp_slow=-30.0, ahp_slow_tau=80.0)))[0]
    without = statistics(cell(steps))[0]
    place = CELL_STATISTICS.index("drive_spikes_80")
    # -30 pA / 100 pF for each spike.
    assert with_it[place] == pytest.approx(-0.3, abs=0.1)
    assert abs(without[place]) < 0.1
