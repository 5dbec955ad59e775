"""What holds for every format, and for the real recordings."""

import shutil
import subprocess
import sys

import numpy as np
import pytest

from leakyflow.recordings.read import read_recording
from leakyflow.recordings.sweeps import list_sweeps

from .synthetic import SPIKES, WRITERS, subthreshold, sweep, write, write_abf, write_nwb
from .writers import INTEGERS


@pytest.mark.parametrize("kind", WRITERS)
def test_every_format_gives_the_same_recording(kind, tmp_path):
    found = read_recording(write(kind, tmp_path), t_ref=4.6)
    assert found.dt == 0.2
    assert found.n_samples == 3000
    np.testing.assert_allclose(found.t[found.spikes], np.array(SPIKES) + 0.2, atol=0.21)
    # ABF keeps 16 bits: 10 V at a scale of 0.01 V per unit, 0.03 mV.
    np.testing.assert_allclose(found.V[found.free], subthreshold(found.t)[found.free], atol=0.1)
    np.testing.assert_allclose(found.I[600:], 130.0, atol=0.05)
    assert "cell" in found.name


@pytest.mark.parametrize("kind", WRITERS)
def test_every_format_lists_its_sweeps(kind, tmp_path):
    (found,) = list_sweeps(write(kind, tmp_path))
    assert (found.index, found.n_spikes) == (0, 3)
    assert found.duration == pytest.approx(600.0)
    assert found.dt == pytest.approx(0.05)
    assert found.I_range == pytest.approx((0.0, 130.0), abs=0.05)
    assert found.V_range[0] == pytest.approx(-70.0, abs=0.05)


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7])
def test_a_truncated_file_is_refused(kind, share, tmp_path):
    path = write(kind, tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    if kind in ("csv", "txt", "atf"):  # a shorter table is a whole one, unless it ends within a row
        content = path.read_bytes()
        path.write_bytes(content[: max(content.rfind(mark) for mark in b", \t")])
    with pytest.raises(ValueError, match=r"(copy|Copy) it again"):
        read_recording(path)


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("other", [".abf", ".csv"])
def test_a_file_under_another_name_is_refused(kind, other, tmp_path):
    path = write(kind, tmp_path)
    suffixes = [s for s in path.suffixes if s != ".gz"]
    other = ".npz" if other in suffixes else other
    if kind == "txt":  # a table of any writing is a CSV
        other = ".npz" if other == ".csv" else other
    usual = {"txt": ".csv", "hdf5": ".h5"}.get(kind, suffixes[0])
    renamed = path.with_name("cell" + other + (".gz" if path.suffix == ".gz" else ""))
    with pytest.raises(ValueError, match=f"Rename it to end in {usual}"):
        read_recording(path.rename(renamed))


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize(
    ("factor_V", "factor_I", "match"),
    [
        (1e-3, 1.0, "volts labelled mV"),
        (1e3, 1.0, "mV labelled volts"),
        (1.0, 1e-3, "nA labelled pA"),
        (1.0, 1e3, "pA labelled nA"),
        (1.0, 1e-12, "nA labelled pA|is 0 pA throughout|pA throughout"),
    ],
)
def test_units_wrong_by_1000_are_refused(kind, factor_V, factor_I, match, tmp_path):
    V, I = sweep(0.1)
    path = write(kind, tmp_path, V * factor_V, I * factor_I, 0.1)
    with pytest.raises(ValueError, match=match):
        read_recording(path)


@pytest.mark.parametrize("kind", [kind for kind in WRITERS if kind != "abf" and kind not in INTEGERS])
def test_samples_that_are_not_finite_are_refused(kind, tmp_path):
    V, I = sweep(0.1)
    V[3000:3010] = np.nan
    path = write(kind, tmp_path, V, I, 0.1)
    with pytest.raises(ValueError, match="10 NaN or infinite of 6000 samples"):
        read_recording(path)
    assert read_recording(path, stop=290.0).duration == pytest.approx(290.0)


@pytest.mark.parametrize("kind", WRITERS)
def test_a_current_that_is_not_in_the_file_is_refused(kind, tmp_path):
    V, I = sweep(0.1)
    with pytest.raises(ValueError, match="pA throughout"):
        read_recording(write(kind, tmp_path, V, 0 * I, 0.1))


def test_a_constant_current_is_accepted_by_name(tmp_path):
    V, I = sweep(0.1)
    path = write("csv", tmp_path, V, 0 * I, 0.1)
    assert (read_recording(path, current="I_pA").I == 0).all()


def empty(folder):
    (folder / "a.abf").touch()
    return read_recording(folder / "a.abf")


def named(folder, name, content):
    (folder / name).write_bytes(content)
    return read_recording(folder / name)


def not_nwb(folder):
    import h5py

    with h5py.File(folder / "a.nwb", "w") as file:
        file["x"] = 1
    return read_recording(folder / "a.nwb")


def pickled(folder):
    np.savez(folder / "a.npz", V_mV=np.array([{}], dtype=object), I_pA=np.zeros(3), t_ms=np.arange(3))
    return read_recording(folder / "a.npz")


ERRORS = {
    "missing": (lambda f: read_recording(f / "no.abf"), FileNotFoundError, "There is no file .*no.abf"),
    "folder": (read_recording, IsADirectoryError, "is a folder. Pass the path of one recording"),
    "empty": (empty, ValueError, "a.abf must hold a recording, but it is empty"),
    "unknown": (
        lambda f: named(f, "a.dat", b"\x89ABC\r\n\x1a\n\0\0"),
        ValueError,
        "unknown format .* can be read",
    ),
    "not ABF": (lambda f: named(f, "a.abf", b"\x89ABC\0\0\0\0"), ValueError, "ABF by its name, but .* not"),
    "not NWB": (
        not_nwb,
        ValueError,
        "a.nwb is NWB by its name, but its content is of format HDF5. Rename it to end in .h5",
    ),
    "pickled": (pickled, ValueError, "Object arrays cannot be loaded"),
    "text": (lambda f: named(f, "a.txt", b"Dear reader,\n"), ValueError, "columns t_ms, V_mV and I_pA"),
    "ATF": (lambda f: named(f, "a.atf", b"ATF\t1.0\n"), ValueError, "does not say how long its header is"),
    "sweep 1": (lambda f: read_recording(write("csv", f), sweep=1), ValueError, "from 0 to 0, got 1"),
    "sweep -1": (lambda f: read_recording(write("csv", f), sweep=-1), ValueError, "from 0 to 0, got -1"),
    "short": (lambda f: read_recording(write("npz", f), stop=99.0), ValueError, "at least 100 ms, got 99 ms"),
    "off range": (lambda f: read_recording(write("npz", f), stop=700.0), ValueError, "stop <= 600 ms"),
    "time unit": (
        lambda f: read_recording(WRITERS["csv"][1](f / "a.csv", *sweep(0.1), 1e-4) or f / "a.csv"),
        ValueError,
        "every 0.001 to 10 ms, got 0.0001 ms",
    ),
    "bytes": (
        lambda f: named(f, "a.csv", b"t_ms" + 5000 * b"," + b"\xff"),
        ValueError,
        "table of numbers with a header",
    ),
    "channel": (lambda f: read_recording(write("abf", f), channel=1), ValueError, r"there is 0 \(Im\)"),
    "current": (lambda f: read_recording(write("abf", f), current=7), ValueError, r"there is 1 \(Vm\)"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_each_error_says_what_to_do(name, tmp_path):
    call, error, match = ERRORS[name]
    with pytest.raises(error, match=match):
        call(tmp_path)


def test_importing_the_reader_loads_no_format_library():
    code = (
        "import sys, leakyflow.recordings.read\n"
        "heavy = {'pyabf', 'pynwb', 'h5py', 'igor2', 'pandas', 'scipy', 'jax', 'keras'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# Real recordings: each trap of SOURCES.md.


def test_measured_current_is_preferred_and_holds_the_holding_current(real_recordings):
    found = read_recording(real_recordings / "steps_DRN165.abf", sweep=12)
    assert np.median(found.I[:500]) == pytest.approx(-11.6, abs=1.0)  # the command says 0
    assert np.median(found.I[11500:15000]) == pytest.approx(90.0, abs=3.0)
    assert np.median(found.V) == pytest.approx(-70.0, abs=2.0)


def test_the_command_can_be_chosen_instead(real_recordings):
    found = read_recording(real_recordings / "steps_DRN165.abf", sweep=12, current="command")
    assert found.I[12000] == pytest.approx(100.0)  # of the one output in pA; the idle one beside V is in mV
    assert found.I[0] == 0.0


def test_epochs_begin_after_a_64th_of_the_sweep(real_recordings):
    found = read_recording(real_recordings / "steps_171116sh_0018.abf", sweep=0)
    # 3 s / 64 = 46.85 ms and 100 ms later the current steps; the jump at the access resistance shows when.
    jump = found.t[np.argmin(np.diff(found.V[:2000]))]
    step = found.t[np.flatnonzero(np.diff(found.I))[0]]
    assert step == pytest.approx(jump, abs=0.3)  # one step of the grid
    assert found.I[round((46.8 + 100.0) / 0.2) + 1] == pytest.approx(-100.0)


def test_external_waveform_is_read_beside_the_recording(real_recordings, tmp_path, monkeypatch):
    path = real_recordings / "chirp_171116sh_0017.abf"
    found = read_recording(path, sweep=1, stop=1000.0)
    assert np.ptp(found.I) > 10
    # A copy without its waveform must not find one in the working directory.
    shutil.copy(path, tmp_path)
    monkeypatch.chdir(real_recordings)
    with pytest.raises(ValueError, match=r"'sine sweep magnitude 20.abf', which is missing"):
        read_recording(tmp_path / path.name, sweep=1)


def test_a_file_with_several_sweeps_asks_which(real_recordings):
    with pytest.raises(ValueError, match=r"has 17 sweeps, 0 to 16. Pass sweep="):
        read_recording(real_recordings / "steps_171116sh_0018.abf")
    with pytest.raises(ValueError, match="from 0 to 16, got 17"):
        read_recording(real_recordings / "steps_171116sh_0018.abf", sweep=17)


def test_a_file_without_a_voltage_is_refused(real_recordings):
    with pytest.raises(ValueError, match="must have a recorded voltage"):
        read_recording(real_recordings / "sine sweep magnitude 20.abf")


@pytest.mark.parametrize(
    ("file", "sweep", "start", "stop", "n_spikes", "t_ref"),
    [
        ("steps_171116sh_0018.abf", 12, 1100.0, 1800.0, 3, 6.8),
        ("steps_171116sh_0018.abf", 7, 1100.0, 2100.0, 2, 4.6),
        ("steps_DRN165.abf", 12, 2100.0, 3000.0, 2, 6.8),
        ("C060109A1_IDrest_ch1_328.ibw", None, 500.0, 1300.0, 3, 8.6),
    ],
)
def test_real_windows_give_their_spikes_and_period(real_recordings, file, sweep, start, stop, n_spikes, t_ref):
    found = read_recording(real_recordings / file, sweep=sweep, start=start, stop=stop)
    assert found.spikes.sum() == n_spikes
    assert found.refractory.sum() * 0.2 == pytest.approx(n_spikes * t_ref)
    assert found.V.max() < -15  # no upstroke is left


# Voltage clamp, and choices that a format leaves open.


def test_voltage_clamp_is_refused(tmp_path):
    V, I = sweep(0.1)
    write_abf(tmp_path / "clamp.abf", I, I, 0.1, units=("pA", "pA"))
    write_nwb(tmp_path / "clamp.nwb", V, I, 0.1, clamp="voltage")
    for name in ("clamp.abf", "clamp.nwb"):
        with pytest.raises(ValueError, match="voltage-clamp file"):
            read_recording(tmp_path / name)


def test_a_command_in_volts_that_changes_is_voltage_clamp(real_recordings, tmp_path):
    content = (real_recordings / "steps_171116sh_0018.abf").read_bytes()
    assert content.count(b"Cmd 0\0pA\0") == 1
    (tmp_path / "clamp.abf").write_bytes(content.replace(b"Cmd 0\0pA\0", b"Cmd 0\0mV\0"))
    with pytest.raises(ValueError, match="voltage-clamp file"):
        read_recording(tmp_path / "clamp.abf", sweep=3)


def test_nwb_adds_the_bias_current(tmp_path):
    V, I = sweep(0.1)
    write_nwb(tmp_path / "a.nwb", V, I, 0.1, bias=-50e-12)
    assert read_recording(tmp_path / "a.nwb").I[0] == pytest.approx(-50.0)


def test_nwb_without_the_link_asks_for_the_stimulus(tmp_path):
    V, I = sweep(0.1)
    write_nwb(tmp_path / "a.nwb", V, I, 0.1, shift=5.0)
    with pytest.raises(ValueError, match=r"Pass current= .* the file has 'injected'"):
        read_recording(tmp_path / "a.nwb")
    assert read_recording(tmp_path / "a.nwb", current="injected").spikes.sum() == 3
    write_nwb(tmp_path / "b.nwb", V, I, 0.1, stimulus=False)
    with pytest.raises(ValueError, match="the file has none"):
        read_recording(tmp_path / "b.nwb")
