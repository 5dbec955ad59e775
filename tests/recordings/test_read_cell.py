import numpy as np
import pytest

import leakyflow as lf
from leakyflow.recordings.files.saved import save_recording
from leakyflow.recordings.read import read_recording

from .synthetic import sweep

V, I = sweep(0.1)


def table(path, *pairs):
    """Sweeps side by side."""
    names = ",".join(f"V{n}_mV,I{n}_pA" for n in range(len(pairs)))
    columns = np.column_stack([np.arange(len(V)) * 0.1, *(x for pair in pairs for x in pair)])
    np.savetxt(path, columns, delimiter=",", header="t_ms," + names, comments="", fmt="%.9g")
    return path


def test_a_cell_has_all_sweeps_of_its_file(tmp_path):
    path = table(tmp_path / "a.csv", (V, I), (V, 2 * I), (V, 3 * I))
    cell = lf.read_cell(path)
    assert [found.I.max() for found in cell] == pytest.approx([130.0, 260.0, 390.0])
    assert (cell.name, cell.left_out) == ("a.csv", {})
    np.testing.assert_array_equal(cell[1].V, read_recording(path, sweep=1).V)
    assert cell[1].name == read_recording(path, sweep=1).name


def test_named_sweeps_come_in_their_order_and_once(tmp_path):
    path = table(tmp_path / "a.csv", (V, I), (V, 2 * I), (V, 3 * I))
    assert [found.I.max() for found in lf.read_cell(path, sweeps=[2, 0, 2])] == pytest.approx([390.0, 130.0])
    assert lf.read_cell(path, [1], start=50.0, stop=350.0, dt=0.1)[0].n_samples == 3000


def test_sweeps_that_cannot_be_used_are_left_out_with_the_reason(tmp_path):
    path = table(tmp_path / "a.csv", (V, I), (V, 0 * I), (np.where(V > 0, np.nan, V), I))
    cell = lf.read_cell(path)
    assert len(cell) == 1
    assert set(cell.left_out) == {1, 2}
    assert "0 pA throughout" in cell.left_out[1]
    assert "NaN or infinite" in cell.left_out[2]


def test_where_no_sweep_remains_one_error_says_why_of_each(tmp_path):
    path = table(tmp_path / "a.csv", (V, 0 * I), (V, I), (V, 0 * I))
    with pytest.raises(ValueError, match=r"none of 2 can.\nsweep 0, 2: The injected current must be in the file"):
        lf.read_cell(path, sweeps=[0, 2])
    assert len(lf.read_cell(path)) == 1


@pytest.mark.parametrize(
    ("sweeps", "match"), [([2], "from 0 to 1, got 2"), ([], "at least one sweep"), ([True], "whole")]
)
def test_sweeps_that_do_not_exist_are_refused(sweeps, match, tmp_path):
    path = table(tmp_path / "a.csv", (V, I), (V, I))
    with pytest.raises(ValueError, match=match):
        lf.read_cell(path, sweeps=sweeps)


@pytest.mark.parametrize("suffix", [".npz", ".nwb"])
def test_a_saved_recording_is_a_cell_of_one_sweep(suffix, tmp_path):
    saved = lf.read_arrays(V, I, dt=0.1, name="saved")
    path = save_recording(saved, tmp_path / f"a{suffix}")
    cell = lf.read_cell(path)
    np.testing.assert_array_equal(cell[0].V, saved.V)
    assert cell.name == "saved"
    assert lf.read_cell(path, stop=200.0).duration == pytest.approx(200.0)
    with pytest.raises(ValueError, match="from 0 to 0, got 1"):
        lf.read_cell(path, sweeps=[1])


@pytest.mark.parametrize(
    "choice", [{"channel": 1}, {"current": "I_pA"}, {"columns": "t_ms,V_mV,I_pA"}, {"step": "1,2,3"}]
)
@pytest.mark.parametrize("read", [lf.read_cell, lf.read_recording, lf.list_sweeps])
def test_choices_of_a_saved_recording_are_refused(choice, read, tmp_path):
    path = save_recording(lf.read_arrays(V, I, dt=0.1), tmp_path / "a.npz")
    with pytest.raises(ValueError, match=f"is a saved recording, .* Leave {next(iter(choice))}= out"):
        read(path, **choice)


def test_a_real_file_gives_all_its_steps(real_recordings):
    cell = lf.read_cell(real_recordings / "steps_171116sh_0018.abf", sweeps=range(0, 17, 4), start=1000.0, stop=2000.0)
    assert len(cell) == 5
    assert cell.duration == pytest.approx(5000.0)


def test_a_drift_between_sweeps_is_said(tmp_path):
    assert lf.read_cell(table(tmp_path / "a.csv", (V, I), (V, 2 * I))).findings == ()
    (finding,) = lf.read_cell(table(tmp_path / "b.csv", (V, I), (V + 8.0, I))).findings
    assert "should begin at one voltage" in finding.what
