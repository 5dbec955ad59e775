"""Which sweeps belong together, whatever is taken of them."""

from dataclasses import replace

import numpy as np
import pytest

from leakyflow.recordings.batch import Batch
from leakyflow.recordings.cell import Cell
from tests.cases import recorded

SWEEPS = [recorded(np.full(3, float(V))) for V in range(-70, -64)]


def first_voltages(batch: Batch) -> dict[str, list[float]]:
    """Of the sweeps of each cell."""
    return {cell.name: [float(sweep.V[0]) for sweep in cell] for cell in batch.cells()}


def test_the_current_of_the_electrode_goes_with_its_recording():
    now = np.array([5.0, 6.0, 7.0], np.float32)
    some = [SWEEPS[0], replace(SWEEPS[1], I_electrode=now)]
    batch = Batch.of(some).take(np.array([1, 0])).padded_to(5)
    np.testing.assert_array_equal(batch[0].I_electrode, now)
    np.testing.assert_array_equal(batch[1].I_electrode, SWEEPS[0].I)  # it was the current of the step
    assert Batch.of(SWEEPS)[2].I_electrode is None
    on_grid = batch.on_grid(np.array([0.01, 0.01]))[0]
    np.testing.assert_allclose(on_grid.V, some[1].V + 0.01 * (some[1].I - now), rtol=1e-6)
    assert on_grid.I_electrode is None


def test_while_the_voltage_stands_still_it_was_measured_at_the_end():
    spikes, refractory = (np.array([[k in places for k in range(7)]]) for places in ((2,), (3, 4)))
    trace = np.arange(7, dtype=np.float32)[None]
    batch = Batch(
        V=np.zeros((1, 7), np.float32), I=trace, spikes=spikes, refractory=refractory,
        n_samples=np.array([7], np.int32), dt=0.2, names=("a",),
    )  # fmt: skip
    assert batch.when_measured(trace).tolist() == [[0.0, 1.0, 4.0, 4.0, 4.0, 5.0, 6.0]]


def test_recordings_are_cells_of_their_own_in_the_order_in_which_they_are_taken():
    batch = Batch.of(SWEEPS)
    assert batch[::-1].cell.tolist() == [0, 1, 2, 3, 4, 5]
    taken = batch.take(np.array([4, 1, 4]))
    assert taken.n_cells == 3
    assert [cell[0].V[0] for cell in map(list, taken.cells())] == [-66.0, -69.0, -66.0]


def test_sweeps_stay_with_their_cell_and_cells_come_as_their_first_sweeps_do():
    batch = Batch.of([Cell(SWEEPS[:2], name="a"), Cell(SWEEPS[2:3], name="b"), Cell(SWEEPS[3:], name="c")])
    assert first_voltages(batch) == {"a": [-70.0, -69.0], "b": [-68.0], "c": [-67.0, -66.0, -65.0]}
    taken = batch.take(np.array([5, 1, 3]))
    assert taken.cell.tolist() == [0, 1, 0]
    assert first_voltages(taken) == {"c": [-65.0, -67.0], "a": [-69.0]}
    np.testing.assert_array_equal(taken.per_cell(np.array([1.0, 2.0, 4.0])), [5.0, 2.0])
    assert first_voltages(batch.of_cells(slice(1, 3))) == {"b": [-68.0], "c": [-67.0, -66.0, -65.0]}


NOW = np.array([5.0, 6.0, 7.0], np.float32)


def test_the_current_of_the_electrode_is_cut_with_its_recording():
    batch = Batch.of([replace(SWEEPS[0], I_electrode=NOW)]).cut(np.array([2], np.int32))
    assert {trace.shape for trace in (batch.V, batch.I, batch.spikes, batch.refractory, batch.I_electrode)} == {(1, 2)}
    np.testing.assert_array_equal(batch[0].I_electrode, NOW[:2])


@pytest.mark.parametrize("first", [True, False])
def test_the_current_of_the_electrode_is_joined_with_its_recording(first):
    """Where others have none, theirs was the current of the step."""
    with_one, without = Batch.of([replace(SWEEPS[0], I_electrode=NOW)]), Batch.of(SWEEPS[1:2])
    both = with_one.joined(without) if first else without.joined(with_one)
    own = 0 if first else 1
    np.testing.assert_array_equal(both[own].I_electrode, NOW)
    np.testing.assert_array_equal(both[1 - own].I_electrode, SWEEPS[1].I)
    assert without.joined(without).I_electrode is None


def test_joined_batches_are_as_long_as_the_longest_and_keep_their_cells_apart():
    two = Batch.of([Cell(SWEEPS[:2], name="a")])
    longer = Batch.of([Cell([recorded(np.full(5, -50.0))], name="b"), SWEEPS[3]])
    both = two.joined(longer)
    assert first_voltages(both) == {"a": [-70.0, -69.0], "b": [-50.0], SWEEPS[3].name: [-67.0]}
    assert both.n_samples.tolist() == [3, 3, 5, 3]
    assert both.V.shape == (4, 5)


def test_recordings_of_other_intervals_are_not_joined():
    with pytest.raises(ValueError, match="must have the same dt"):
        Batch.of(SWEEPS[0]).joined(Batch.of(replace(SWEEPS[0], dt=0.5)))
