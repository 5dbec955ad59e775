"""What holds for every format, and for the real recordings."""

import shutil
import subprocess
import sys

import numpy as np
import pytest

from leakyflow.recordings.read import list_sweeps, read_recording

from .synthetic import SPIKES, WRITERS, subthreshold, sweep, write, write_abf, write_csv, write_ibw, write_nwb


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
    if kind == "csv":  # a shorter table is a whole one, unless it ends within a row
        content = path.read_bytes()
        path.write_bytes(content[: content.rfind(b",")])
    with pytest.raises(ValueError, match=r"(copy|Copy) it again"):
        read_recording(path)


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("other", [".abf", ".nwb", ".ibw", ".csv", ".npz"])
def test_a_file_under_another_name_is_refused(kind, other, tmp_path):
    path = write(kind, tmp_path)
    if path.suffix == other:
        return
    with pytest.raises(ValueError, match=f"Rename it to end in {path.suffix}"):
        read_recording(path.rename(path.with_suffix(other)))


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


@pytest.mark.parametrize("kind", ["csv", "npz", "nwb", "ibw"])
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
        lambda f: named(f, "a.dat", b"\x89PNG\r\n\x1a\n\0\0"),
        ValueError,
        "unknown kind .* can be read",
    ),
    "not ABF": (lambda f: named(f, "a.abf", b"\x89PNG\0\0\0\0"), ValueError, "ABF by its name, but .* not"),
    "not NWB": (not_nwb, ValueError, "a.nwb is NWB by its name, but its content is not"),
    "pickled": (pickled, ValueError, "Object arrays cannot be loaded"),
    "text": (lambda f: named(f, "a.txt", b"Dear reader,\n"), ValueError, "columns t_ms, V_mV and I_pA"),
    "ATF": (lambda f: named(f, "a.atf", b"ATF\t1.0\n"), ValueError, "unknown kind"),
    "sweep 1": (lambda f: read_recording(write("csv", f), sweep=1), ValueError, "from 0 to 0, got 1"),
    "sweep -1": (lambda f: read_recording(write("csv", f), sweep=-1), ValueError, "from 0 to 0, got -1"),
    "short": (lambda f: read_recording(write("npz", f), stop=99.0), ValueError, "at least 100 ms, got 99 ms"),
    "off range": (lambda f: read_recording(write("npz", f), stop=700.0), ValueError, "stop <= 600 ms"),
    "time unit": (
        lambda f: read_recording(WRITERS["csv"][1](f / "a.csv", *sweep(0.1), 1e-4) or f / "a.csv"),
        ValueError,
        "every 0.001 to 10 ms, got 0.0001 ms",
    ),
    "bytes": (lambda f: named(f, "a.csv", b"t_ms" + 5000 * b"," + b"\xff"), ValueError, "cannot be read"),
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


def test_either_wave_of_an_igor_pair_gives_the_recording(real_recordings):
    names = ("C060109A1_IDrest_ch0_332.ibw", "C060109A1_IDrest_ch1_332.ibw")
    current, voltage = (read_recording(real_recordings / name, start=500.0, stop=1200.0) for name in names)
    np.testing.assert_array_equal(current.V, voltage.V)
    assert voltage.spikes.sum() == 5
    assert np.median(voltage.V[:500]) == pytest.approx(-71, abs=2)
    assert np.median(voltage.I[1100:]) == pytest.approx(380, abs=20)
    # Artefacts of 1.2 nA at the spikes are gone, and 80 pA of pick-up is less.
    assert np.abs(voltage.I).max() < 520
    assert np.std(voltage.I[:900]) < 40


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
        ("steps_171116sh_0018.abf", 12, 1100.0, 1800.0, 3, 6.0),
        ("steps_171116sh_0018.abf", 7, 1100.0, 2100.0, 2, 4.2),
        ("steps_DRN165.abf", 12, 2100.0, 3000.0, 2, 6.0),
        ("C060109A1_IDrest_ch1_328.ibw", None, 500.0, 1300.0, 3, 6.0),
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


def test_igor_partner_is_named_where_the_names_do_not_tell(tmp_path):
    V, I = sweep(0.1)
    write_ibw(tmp_path / "voltage.ibw", V * 1e-3, 0.1, "V")
    write_ibw(tmp_path / "current.ibw", I * 1e-12, 0.1, "A")
    with pytest.raises(ValueError, match="Pass current= with the path of the other wave"):
        read_recording(tmp_path / "voltage.ibw")
    assert read_recording(tmp_path / "voltage.ibw", current=tmp_path / "current.ibw").spikes.sum() == 3
    with pytest.raises(ValueError, match="one voltage and one current"):
        read_recording(tmp_path / "voltage.ibw", current=tmp_path / "voltage.ibw")
    write_ibw(tmp_path / "short.ibw", I[:-1] * 1e-12, 0.1, "A")
    with pytest.raises(ValueError, match="must have the same samples"):
        read_recording(tmp_path / "voltage.ibw", current=tmp_path / "short.ibw")
    with pytest.raises(FileNotFoundError, match="no file"):
        read_recording(tmp_path / "voltage.ibw", current=tmp_path / "no.ibw")


def test_table_columns_say_their_units(tmp_path):
    V, I = sweep(0.1)
    reference = read_recording(write("csv", tmp_path, V, I, 0.1))
    write_csv(tmp_path / "si.csv", V * 1e-3, I * 1e-3, 1e-4, names=("t_s", "V_V", "I_nA"))
    np.testing.assert_allclose(read_recording(tmp_path / "si.csv").V, reference.V, atol=1e-4)
    write_csv(tmp_path / "two.csv", V, I, 0.1, names=("t_ms", "V_mV", "V2_mV"))
    with pytest.raises(ValueError, match="must have a column with the current"):
        read_recording(tmp_path / "two.csv", channel="V_mV")
    with pytest.raises(ValueError, match=r"0 \(V_mV\), 1 \(V2_mV\). Pass channel="):
        read_recording(tmp_path / "two.csv")


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_tables_may_be_separated_as_spreadsheets_do(separator, tmp_path):
    path = write("csv", tmp_path)
    path.write_text("# a comment\n" + path.read_text().replace(",", separator))
    assert read_recording(path).spikes.sum() == 3


def test_table_times_must_be_evenly_spaced(tmp_path):
    path = write("csv", tmp_path)
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:500] + lines[520:]))
    with pytest.raises(ValueError, match="evenly spaced"):
        read_recording(path)


def test_table_that_holds_text_is_refused(tmp_path):
    path = write("csv", tmp_path)
    path.write_text(path.read_text().replace("\n5,", "\nfive,"))
    with pytest.raises(ValueError, match="must hold numbers"):
        read_recording(path)


def test_npz_takes_the_sampling_interval_alone(tmp_path):
    V, I = sweep(0.1)
    np.savez(tmp_path / "a.npz", V_mV=V, I_pA=I, dt_ms=0.1)
    assert read_recording(tmp_path / "a.npz").spikes.sum() == 3
