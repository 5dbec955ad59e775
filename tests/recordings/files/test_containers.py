"""NPZ, MATLAB, HDF5 and WaveSurfer: variables found by names and units, and what they may not be."""

import io
import os
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from leakyflow.errors import LeakyflowError
from leakyflow.recordings.files import door
from leakyflow.recordings.read import read_recording
from leakyflow.recordings.sweeps import list_sweeps
from tests.recordings.synthetic import sweep, write
from tests.recordings.writers import need_filter, write_wavesurfer

V, I = sweep(0.1)
T = np.arange(len(V)) * 0.1
TWO = np.stack([V, V]), np.stack([I, 2 * I])
STRUCTURES = np.zeros(2, dtype=[("V_mV", "O"), ("I_pA", "O")])
STRUCTURES["V_mV"][:] = list(TWO[0])
STRUCTURES["I_pA"][:] = list(TWO[1])


def npz(path, **variables):
    np.savez(path.with_suffix(".npz"), **variables)
    return path.with_suffix(".npz")


def mat(path, **variables):
    savemat(path.with_suffix(".mat"), variables)
    return path.with_suffix(".mat")


def hdf5(path, **variables):
    with h5py.File(path.with_suffix(".h5"), "w") as file:
        for name, values in variables.items():
            file[name] = values
    return path.with_suffix(".h5")


WRITERS = {"npz": npz, "mat": mat, "hdf5": hdf5}
ONE = {
    "names with units": ({"t_ms": T, "V_mV": V, "I_pA": I}, {}),
    "interval": ({"dt_ms": 0.1, "V_mV": V, "I_pA": I}, {}),
    "interval in s": ({"dt_s": 1e-4, "V_V": V / 1e3, "I_nA": I / 1e3}, {}),
    "rate": ({"fs_Hz": 10_000.0, "V_mV": V, "I_pA": I}, {}),
    "rate in kHz": ({"sampling_rate_kHz": 10.0, "V_mV": V, "I_pA": I}, {}),
    "rate without a unit": ({"Fs": 10_000.0, "V_mV": V, "I_pA": I}, {}),
    "interval without a unit": ({"dt": 1e-4, "V_mV": V, "I_pA": I}, {}),
    "times without a unit": ({"time": T / 1e3, "V_mV": V, "I_pA": I}, {}),
    "units passed": ({"t": T / 1e3, "V": V, "I": I}, {"units": "mV,pA"}),
    "names that say nothing": ({"x": V, "y": I}, {"units": "mV,pA", "dt_file": 0.1}),
    "chosen": ({"x": V, "y": I, "z": 2 * V}, {"units": "mV,pA", "dt_file": 0.1, "channel": "x", "current": "y"}),
    "voltage alone": ({"t_ms": T, "V_mV": V}, {"step": "130,100,500"}),
    "whole numbers": ({"t_ms": T, "V_uV": np.round(V * 1e3).astype(np.int32), "I_pA": I.astype(np.int16)}, {}),
    "single precision": ({"dt_ms": 0.1, "V_mV": V.astype(np.float32), "I_pA": I.astype(np.float32)}, {}),
    "a matrix": ({"data": np.stack([T, V, I])}, {"columns": "t_ms,V_mV,I_pA"}),
    "a matrix of columns": ({"data": np.stack([T, V, I]).T}, {"columns": "t_ms,V_mV,I_pA"}),
    "among others": ({"t_ms": T, "V_mV": V, "I_pA": I, "id": 3.0, "xy": np.eye(3), "gains": np.ones(4)}, {}),
}


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("name", ONE)
def test_every_way_to_name_variables_gives_the_same_recording(kind, name, tmp_path):
    variables, choices = ONE[name]
    found = read_recording(WRITERS[kind](tmp_path / "a", **variables), **choices)
    reference = read_recording(write("csv", tmp_path, V, I, 0.1))
    assert found.dt == 0.2
    np.testing.assert_allclose(found.V, reference.V, atol=2e-3)
    np.testing.assert_allclose(found.I, reference.I, atol=1e-3)


MANY = {
    "rows": {"t_ms": T, "V_mV": TWO[0], "I_pA": TWO[1]},
    "columns": {"t_ms": T, "V_mV": TWO[0].T, "I_pA": TWO[1].T},
    "without times": {"dt_ms": 0.1, "V_mV": TWO[0], "I_pA": TWO[1]},
    "numbers": {"t_ms": T, "V1_mV": V, "V2_mV": V, "I1_pA": I, "I2_pA": 2 * I},
}


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("name", MANY)
def test_two_dimensions_and_numbered_variables_are_sweeps(kind, name, tmp_path):
    found = list_sweeps(WRITERS[kind](tmp_path / "a", **MANY[name]))
    assert [sweep.I_range[1] for sweep in found] == pytest.approx([130.0, 260.0])


def test_structures_of_matlab_are_looked_into(tmp_path):
    path = mat(tmp_path / "a", cell=STRUCTURES, dt_ms=0.1)
    assert [sweep.I_range[1] for sweep in list_sweeps(path)] == pytest.approx([130.0, 260.0])


def test_channels_that_spike2_exports_to_matlab_are_read(tmp_path):
    channels = {
        f"cell_Ch{n}": {"title": title, "interval": 1e-4, "units": unit, "values": x}
        for n, title, unit, x in ((1, "Vm", "mV", V), (2, "Im", "nA", I / 1e3))
    }
    (found,) = list_sweeps(mat(tmp_path / "a", **channels))
    assert (found.voltage, found.current, found.dt) == ("Vm [mV]", "Im [nA]", 0.1)
    assert found.I_range[1] == pytest.approx(130.0)


def test_a_unit_may_lie_beside_its_variable(tmp_path):
    path = mat(tmp_path / "a", V=V / 1e3, V_unit="V", I=I, I_units="pA", dt=0.1)
    assert list_sweeps(path)[0].V_range[0] == pytest.approx(-70.0)


REFUSED = {
    "bytes": ({"V_mV": np.array([b"a", b"b"])}, r"'V_mV' of a.npz must be"),
    "text": ({"V_mV": np.array("a")}, r"'V_mV' of a.npz must be"),
    "a scalar": ({"V_mV": np.float64(3)}, r"'V_mV' of a.npz must hold samples"),
    "a record": ({"V_mV": np.zeros(5, dtype=[("a", "f4")])}, r"'V_mV' of a.npz must be"),
    "a cube": ({"V_mV": np.zeros((2, 3, 4))}, r"'V_mV' of a.npz must be"),
    "dates": ({"V_mV": np.zeros(5, "M8[s]")}, r"'V_mV' of a.npz must be"),
    "complex": ({"V_mV": V + 1j}, r"'V_mV' of a.npz must be"),
    "nothing": ({"V_mV": V[:0]}, r"'V_mV' of a.npz must hold samples"),
    "objects": ({"V_mV": np.array([{}], dtype=object)}, "Object arrays cannot be loaded"),
    "another length": ({"V_mV": V[:-5]}, "must have the same samples"),
    "an interval of 0": ({"dt_ms": 0.0}, "positive interval or rate, got 0"),
    "an interval of NaN": ({"dt_ms": np.nan}, "positive interval or rate, got nan"),
    "an interval of text": ({"dt_ms": np.array("0.1")}, "'dt_ms' of a.npz must be"),
    "a square": ({"V_mV": np.zeros((7, 7))}, "one axis the time"),
    "other times": ({"t1_ms": T, "t2_ms": 2 * T, "dt_ms": np.zeros(0)}, "the same interval"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_arrays_that_are_no_signals_are_refused_by_name(name, tmp_path):
    variables, match = REFUSED[name]
    path = npz(tmp_path / "a", **{"V_mV": V, "I_pA": I, "dt_ms": 0.1, **variables})
    with pytest.raises(ValueError, match=match):
        read_recording(path)


SAVED = {"V_mV": V, "I_pA": I, "spikes": V > 1e3, "refractory": V > 1e3, "dt_ms": 0.1, "name": "x"}
BROKEN = {
    "V_mV": [np.float64(1), np.array([b"a"]), np.zeros(5, dtype=[("a", "f4")]), V[:-1], V + np.nan],
    "spikes": [np.array("a"), np.float64(1), V < 1e3],
    "dt_ms": [np.zeros(3), np.array("a"), -1.0, np.nan],
    "name": [np.zeros(3), np.array(["a", "b"])],
}


def test_a_whole_file_of_the_names_of_a_saved_one_is_read(tmp_path):
    assert read_recording(npz(tmp_path / "a", **SAVED)).name == "x"


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in BROKEN.items() for value in values])
def test_a_broken_saved_recording_is_refused_by_file_and_part(field, value, tmp_path):
    path = npz(tmp_path / "a", **(SAVED | {field: value}))
    with pytest.raises(ValueError, match=r"a\.npz"):
        read_recording(path)


def test_a_header_that_declares_more_than_the_file_holds_is_refused(tmp_path):
    path = npz(tmp_path / "a", V_mV=V, I_pA=I, dt_ms=0.1)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    header = members["V_mV.npy"]
    members["V_mV.npy"] = header.replace(b"(6000,), }" + 12 * b" ", b"(900000000000000,), }" + b" ")
    assert len(members["V_mV.npy"]) == len(header)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(ValueError, match=r"'V_mV' of a.npz declares float64 .* more than the file holds"):
        read_recording(path)


def test_arrays_larger_than_memory_allows_are_refused_before_they_are_read(tmp_path, monkeypatch):
    path = npz(tmp_path / "a", V_mV=V, I_pA=I, dt_ms=0.1)
    assert read_recording(path).spikes.sum() == 3
    monkeypatch.setattr(door, "MAX_BYTES", 1000)
    for other in (path, mat(tmp_path / "a", V_mV=V, I_pA=I), hdf5(tmp_path / "a", V_mV=V, I_pA=I)):
        with pytest.raises(ValueError, match="must be at most"):
            read_recording(other)


def test_a_dataset_of_petabytes_is_refused_at_once(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("V_mV", shape=(2**50,), chunks=(2**16,), dtype="f8")
    with pytest.raises(ValueError, match=r"V_mV .*must be at most 2 GiB"):
        read_recording(tmp_path / "a.h5")


def test_links_to_other_files_are_not_followed(tmp_path):
    hdf5(tmp_path / "other", V_mV=V)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["I_pA"], file["dt_ms"] = I, 0.1
        file["V_mV"] = h5py.ExternalLink("other.h5", "/V_mV")
    with pytest.raises(ValueError, match="must have the voltage, with its unit, got I_pA"):
        read_recording(tmp_path / "a.h5")


def plugin_folders():
    """Where HDF5 looks for filters that it does not know."""
    return [Path(os.fsdecode(h5py.h5pl.get(k))) for k in range(h5py.h5pl.size())]


@pytest.mark.parametrize("use", [read_recording, list_sweeps])
def test_a_filter_that_is_not_built_in_is_refused_with_its_cure(tmp_path, use):
    path = hdf5(tmp_path / "a", dt_ms=0.1, V_mV=V, I_pA=I)
    use(path)
    with h5py.File(path, "r+") as file:
        need_filter(file, "V_mV")
    with pytest.raises(LeakyflowError, match=r"(?s)a\.h5 .*cannot be read to its end.*packed by a filter.*h5repack"):
        use(path)
    with h5py.File(path, "r+") as file:  # damaged otherwise
        del file["V_mV"]
        file.create_dataset("V_mV", data=V, compression="gzip", chunks=V.shape)
        file["V_mV"].id.write_direct_chunk((0,), b"no gzip", filter_mask=0)
    with pytest.raises(LeakyflowError, match="copy it again from its source"):
        use(path)


def test_no_file_names_the_folder_that_plugins_are_loaded_from(tmp_path, monkeypatch):
    """A file gives the number of a filter; where its code lies is said by the environment alone."""
    before = plugin_folders()
    path = hdf5(tmp_path / "a", dt_ms=0.1, V_mV=V, I_pA=I)
    with h5py.File(path, "r+") as file:
        need_filter(file, "V_mV")
        file.attrs["HDF5_PLUGIN_PATH"] = str(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LeakyflowError):
        read_recording(path)
    assert plugin_folders() == before
    assert all(folder.is_absolute() and folder != tmp_path for folder in before)
    h5py.h5pl.append(os.fsencode(tmp_path))
    try:  # the check would see another folder
        assert plugin_folders() == [*before, tmp_path]
    finally:
        h5py.h5pl.remove(len(before))


def test_a_pickle_is_never_loaded(tmp_path):
    content = io.BytesIO()
    np.save(content, np.array([{}], dtype=object), allow_pickle=True)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("V_mV.npy", content.getvalue())
    with pytest.raises(ValueError, match="Object arrays cannot be loaded, for they can run code"):
        read_recording(tmp_path / "a.npz")


def test_wavesurfer_scales_counts_by_its_coefficients(tmp_path):
    write_wavesurfer(tmp_path / "a.h5", V, I, 0.1)
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file["header/AIScalingCoefficients"][:, 0] = [0.01 * 5.0, 0.0005 * -20.0]  # offsets of 5 mV and -20 pA
    (found,) = list_sweeps(tmp_path / "a.h5")
    assert found.V_range[0] == pytest.approx(-65.0, abs=0.01)
    assert found.I_range == pytest.approx((-20.0, 110.0), abs=0.01)


def test_wavesurfer_sweeps_are_in_order_and_read_in_older_headers(tmp_path):
    write_wavesurfer(tmp_path / "a.h5", V, I, 0.1)
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file["sweep_0010/analogScans"] = file["sweep_0001/analogScans"][()] // 2
        old = file.create_group("header/Acquisition")
        for name in ("ChannelNames", "ChannelUnits", "ChannelScales", "ScalingCoefficients"):
            file.move(f"header/AI{name}", f"{old.name}/Analog{name}")
        file.move("header/IsAIChannelActive", f"{old.name}/IsAnalogChannelActive")
        file.move("header/AcquisitionSampleRate", f"{old.name}/SampleRate")
    found = list_sweeps(tmp_path / "a.h5")
    assert [sweep.I_range[1] for sweep in found] == pytest.approx([130.0, 65.0], abs=0.01)
