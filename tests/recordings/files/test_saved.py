import warnings
from dataclasses import replace

import numpy as np
import pytest

from leakyflow.errors import LeakyflowError
from leakyflow.recordings.files.saved import save_recording
from leakyflow.recordings.read import read_recording
from leakyflow.recordings.recording import TRACES, Recording
from leakyflow.recordings.sweeps import list_sweeps
from tests.recordings.synthetic import write
from tests.room import little_room

SUFFIXES = [".npz", ".nwb"]


def recording(dt=0.2, n_time=1500, seed=0, name="cell 7, sweep 3", I_electrode=None):
    rng = np.random.default_rng(seed)
    spikes, refractory = np.zeros(n_time, dtype=bool), np.zeros(n_time, dtype=bool)
    V = rng.normal(-60, 5, n_time).astype(np.float32)
    for k in (400, 900, n_time - 3):
        spikes[k] = True
        refractory[k + 1 : k + 16] = True
        V[k : k + 16] = V[k]
    return Recording(
        V=V,
        I=rng.normal(0, 100, n_time).astype(np.float32),
        spikes=spikes,
        refractory=refractory,
        dt=dt,
        name=name,
        I_electrode=I_electrode,
    )


def same(a, b):
    fields = tuple(field for field in TRACES if getattr(b, field) is not None)
    return (
        all(getattr(a, f).tobytes() == getattr(b, f).tobytes() for f in fields)
        and all(getattr(a, f).dtype == getattr(b, f).dtype for f in fields)
        and (a.I_electrode is None) == (b.I_electrode is None)
        and (a.dt, a.name) == (b.dt, b.name)
    )


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("dt", [0.2, 0.1, 0.07, 1 / 3])
@pytest.mark.parametrize("name", ["cell 7, sweep 3", "", "µ"])
def test_a_saved_recording_reads_back_bit_for_bit(suffix, dt, name, tmp_path):
    saved = recording(dt, name=name)
    path = save_recording(saved, tmp_path / f"a{suffix}")
    assert same(read_recording(path), saved)
    assert list_sweeps(path)[0].n_spikes == 3


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_current_of_the_electrode_is_saved_where_it_is_another(suffix, tmp_path):
    saved = recording(I_electrode=np.linspace(-50.0, 90.0, 1500, dtype=np.float32))
    assert same(read_recording(save_recording(saved, tmp_path / f"a{suffix}")), saved)
    window = read_recording(save_recording(saved, tmp_path / f"b{suffix}"), start=20.0, stop=220.0)
    np.testing.assert_array_equal(window.I_electrode, saved.I_electrode[100:1100])


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_window_of_a_saved_recording_is_cut_on_its_samples(suffix, tmp_path):
    saved = recording()
    found = read_recording(save_recording(saved, tmp_path / f"a{suffix}"), start=20.0, stop=220.0)
    np.testing.assert_array_equal(found.V, saved.V[100:1100])
    np.testing.assert_array_equal(found.spikes, saved.spikes[100:1100])


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"dt": 0.1}, "Take a network of 0.2 ms"),
        ({"t_ref": 3.0}, "Leave it out"),
        ({"sweep": 1}, "from 0 to 0"),
        ({"start": 81.0}, "Pass start=83.2"),
        ({"stop": 90.0}, "at least 100 ms"),
        ({"stop": 9000.0}, "stop <= 300 ms"),
    ],
)
def test_each_error_says_what_to_do(settings, match, tmp_path):
    path = save_recording(recording(), tmp_path / "a.npz")
    with pytest.raises(ValueError, match=match):
        read_recording(path, **settings)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(("field", "value"), [("V", -1.29e21), ("I", 2e6), ("I_electrode", -2e6)])
def test_what_goes_through_no_membrane_is_refused(suffix, field, value, tmp_path):
    whole = recording(I_electrode=np.zeros(1500, np.float32))
    damaged = replace(whole, **{field: np.where(np.arange(1500) == 7, value, getattr(whole, field)).astype(np.float32)})
    with pytest.raises(LeakyflowError, match=rf"no recording as it was saved: {field} must stay within"):
        read_recording(save_recording(damaged, tmp_path / f"a{suffix}"))


def test_other_suffixes_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"saved to \.npz or \.nwb"):
        save_recording(recording(), tmp_path / "a.abf")


def test_a_real_sweep_read_and_saved_is_the_same(tmp_path):
    found = read_recording(write("abf", tmp_path))
    for suffix in SUFFIXES:
        assert same(read_recording(save_recording(found, tmp_path / f"b{suffix}")), found)


def test_saved_nwb_is_valid_and_is_read_by_pynwb(tmp_path):
    from pynwb import NWBHDF5IO, validate

    saved = recording()
    path = save_recording(saved, tmp_path / "a.nwb")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert not validate(path=str(path))
        with NWBHDF5IO(str(path), "r") as io:
            file = io.read()
            series, stimulus = file.acquisition["voltage"], file.stimulus["current"]
            np.testing.assert_allclose(series.data[:] * series.conversion * 1e3, saved.V, rtol=1e-6)
            np.testing.assert_allclose(stimulus.data[:] * stimulus.conversion * 1e12, saved.I, rtol=1e-6)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_full_disk_leaves_what_was_there(suffix, tmp_path):
    path = tmp_path / f"a{suffix}"
    path.write_text("before")
    with little_room(4096), pytest.raises(OSError, match="could not be written"):
        save_recording(recording(n_time=20000), path)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(OSError, match="could not be written"):
        save_recording(recording(), tmp_path / "no" / "a.npz")
