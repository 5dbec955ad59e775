import gzip
import shutil

import numpy as np
import pytest

from leakyflow.recordings.files import igor, igor_partner
from leakyflow.recordings.files.igor_wave import to_signal
from leakyflow.recordings.read import read_recording
from leakyflow.recordings.sweeps import list_sweeps
from tests.recordings.synthetic import sweep, write_ibw
from tests.recordings.writers import write_itx

V, I = sweep(0.1)
PAIRS = [
    ("cell_ch1_3.ibw", "cell_ch0_3.ibw"),
    ("B_Ch0_IDRest_1.ibw", "B_Ch3_IDRest_1.ibw"),
    ("Cell3_ch2_1.ibw", "Cell3_ch3_1.ibw"),
    ("RecordA12.ibw", "RecordB12.ibw"),
    ("x_V_1.ibw", "x_I_1.ibw"),
    ("voltage.ibw", "current.ibw"),
    ("a_ADC0.ibw", "a_DAC0.ibw"),
    ("Vm_ch2_1.ibw", "Im_ch3_1.ibw"),
]


def pair(folder, names=PAIRS[0], units=("V", "A"), scales=(1e-3, 1e-12), **settings):
    for name, x, unit, scale in zip(names, (V, I), units, scales, strict=True):
        write_ibw(folder / name, x * scale, settings.get("dt", 0.1), unit, x_unit=settings.get("x_unit", "s"))
    return [folder / name for name in names]


@pytest.mark.parametrize("names", PAIRS)
def test_the_partner_is_found_by_a_name_that_differs_in_one_place(names, tmp_path):
    found = [read_recording(path) for path in pair(tmp_path, names)]
    assert [recording.spikes.sum() for recording in found] == [3, 3]
    np.testing.assert_array_equal(found[0].V, found[1].V)


def test_waves_of_other_sweeps_lengths_and_quantities_are_no_partners(tmp_path):
    voltage, _ = pair(tmp_path, ("c_ch2_1.ibw", "c_ch3_1.ibw"))
    write_ibw(tmp_path / "c_ch2_2.ibw", V * 1e-3, 0.1, "V")  # the next sweep, both
    write_ibw(tmp_path / "c_ch3_2.ibw", I * 2e-12, 0.1, "A")
    write_ibw(tmp_path / "c_ch4_1.ibw", I[:-1] * 1e-12, 0.1, "A")  # another length
    write_ibw(tmp_path / "c_ch5_1.ibw", I, 0.1, "N")  # a force
    (tmp_path / "c_ch6_1.ibw").write_text("no wave")
    assert read_recording(voltage).I.max() == pytest.approx(130.0, rel=1e-5)
    assert read_recording(tmp_path / "c_ch2_2.ibw").I.max() == pytest.approx(260.0, rel=1e-5)


def test_several_partners_are_asked_for_by_name(tmp_path):
    voltage, _ = pair(tmp_path, ("w1.ibw", "w2.ibw"))
    write_ibw(tmp_path / "w4.ibw", I * 2e-12, 0.1, "A")
    with pytest.raises(ValueError, match=r"w2.ibw, w4.ibw all fit(.|\n)*Pass current="):
        read_recording(voltage)
    assert read_recording(voltage, current=tmp_path / "w4.ibw").I.max() == pytest.approx(260.0, rel=1e-5)
    assert read_recording(voltage, current="w2.ibw").I.max() == pytest.approx(130.0, rel=1e-5)


def test_a_current_that_belongs_to_another_voltage_as_well_is_asked_for(tmp_path):
    voltage, _ = pair(tmp_path, ("w1.ibw", "w2.ibw"))
    write_ibw(tmp_path / "w3.ibw", V * 1e-3, 0.1, "V")
    for path in (voltage, tmp_path / "w3.ibw"):
        with pytest.raises(ValueError, match=r"w2.ibw fits w[13].ibw as well(.|\n)*Pass current="):
            read_recording(path)


def test_the_current_of_another_sweep_is_no_partner(tmp_path):
    pair(tmp_path, ("Vm_1.ibw", "Im_1.ibw"))
    write_ibw(tmp_path / "Vm_2.ibw", V * 1e-3, 0.1, "V")
    with pytest.raises(ValueError, match=r"Beside it: Im_1\.ibw, Vm_1\.ibw"):
        read_recording(tmp_path / "Vm_2.ibw")


def test_a_partner_that_is_not_there_is_named_by_those_that_are(tmp_path):
    voltage, current = pair(tmp_path, ("soma_1.ibw", "stimulus_of_the_day.ibw"))
    with pytest.raises(ValueError, match="Pass current= with the path of the other wave"):
        read_recording(voltage)
    assert read_recording(voltage, current=current).spikes.sum() == 3
    with pytest.raises(ValueError, match="one voltage and one current"):
        read_recording(voltage, current=voltage)
    write_ibw(tmp_path / "short.ibw", I[:-1] * 1e-12, 0.1, "A")
    with pytest.raises(ValueError, match="must have the same samples"):
        read_recording(voltage, current=tmp_path / "short.ibw")
    with pytest.raises(FileNotFoundError, match="no file"):
        read_recording(voltage, current=tmp_path / "no.ibw")


def test_a_constant_current_is_accepted_where_its_file_is_named(tmp_path):
    voltage = tmp_path / "v.ibw"
    write_ibw(voltage, V * 1e-3, 0.1, "V")
    write_ibw(tmp_path / "i.ibw", 0 * I, 0.1, "A")
    with pytest.raises(ValueError, match="pA throughout"):
        read_recording(voltage)
    assert (read_recording(voltage, current=tmp_path / "i.ibw").I == 0).all()


@pytest.mark.parametrize("first", [0, 1])
def test_waves_without_units_take_those_that_are_passed(first, tmp_path):
    paths = pair(tmp_path, units=("", ""), scales=(1, 1))
    with pytest.raises(ValueError, match=r"no unit of data. Pass units=V,A or units=mV,pA"):
        read_recording(paths[first])
    found = read_recording(paths[first], units="mV,pA")
    assert (found.spikes.sum(), found.I.max()) == (3, pytest.approx(130.0))


def test_one_unit_is_enough_where_the_other_wave_has_one(tmp_path):
    voltage, _ = pair(tmp_path, units=("mV", ""), scales=(1, 1))
    assert read_recording(voltage, units="mV,pA").I.max() == pytest.approx(130.0)


def test_units_that_put_no_wave_where_membranes_lie_are_refused(tmp_path):
    voltage, current = pair(tmp_path, units=("", ""), scales=(1, 1))
    with pytest.raises(ValueError, match="holds the other quantity in units=V,A"):
        read_recording(voltage, units="V,A")
    with pytest.raises(ValueError, match="median of 130 mV"):  # named the wrong way round
        read_recording(current, current=voltage, units="mV,pA")


def test_two_waves_that_both_look_like_membranes_are_not_guessed(tmp_path):
    for name, x in (("a_ch0.ibw", V), ("a_ch1.ibw", I / 10 - 60)):
        write_ibw(tmp_path / name, x, 0.1, "")
    with pytest.raises(ValueError, match="the other one of the pair is needed"):
        read_recording(tmp_path / "a_ch0.ibw", units="mV,pA")
    assert read_recording(tmp_path / "a_ch0.ibw", current=tmp_path / "a_ch1.ibw", units="mV,pA").V.min() < -60


def test_x_without_a_unit_is_in_seconds_as_in_igor(tmp_path):
    voltage, _ = pair(tmp_path, x_unit="")
    assert list_sweeps(voltage)[0].dt == 0.1


def test_x_that_cannot_be_seconds_asks_for_the_interval(tmp_path):
    voltage, _ = pair(tmp_path, x_unit="", dt=100.0)  # 0.1, meant as ms
    with pytest.raises(ValueError, match=r"got 100 ms(.|\n)*dt_file="):
        read_recording(voltage)
    assert read_recording(voltage, dt_file=0.1).spikes.sum() == 3


def test_x_that_is_no_time_is_refused(tmp_path):
    with pytest.raises(ValueError, match="must be a time, got 'V'"):
        read_recording(pair(tmp_path, x_unit="V")[0])


def test_a_wave_alone_takes_the_step_that_is_said(tmp_path):
    write_ibw(tmp_path / "v.ibw", V * 1e-3, 0.1, "V")
    assert read_recording(tmp_path / "v.ibw", step="130,100,500").I.max() == pytest.approx(130.0)


def test_packed_pairs_find_each_other(tmp_path):
    for path in pair(tmp_path):
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    found = [read_recording(tmp_path / (name + ".gz")) for name in PAIRS[0]]
    assert [recording.spikes.sum() for recording in found] == [3, 3]
    assert read_recording(tmp_path / (PAIRS[0][0] + ".gz"), current=PAIRS[0][1] + ".gz").spikes.sum() == 3


def test_two_dimensions_are_time_and_sweep(tmp_path, monkeypatch):
    """Only igor2 reads them here; the writer has one dimension."""
    voltage, current = pair(tmp_path)
    load = igor.load_wave

    def two_sweeps(path, choices):
        signal = load(path, choices)
        both = np.stack([signal.sweeps[0], 0.5 * signal.sweeps[0]], axis=1)
        header = {"hsA": 1e-4, "xUnits": b"s", "dataUnits": signal.unit.encode()}
        return to_signal({"wData": both, "wave_header": header}, signal.name)

    for module in (igor, igor_partner):
        monkeypatch.setattr(module, "load_wave", two_sweeps)
    assert [s.I_range[1] for s in list_sweeps(voltage, current=current)] == pytest.approx([130.0, 65.0], rel=1e-5)


def test_three_dimensions_are_refused():
    header = {"hsA": 1e-4, "xUnits": b"s", "dataUnits": b"V"}
    with pytest.raises(ValueError, match="time and sweep, got"):
        to_signal({"wData": np.zeros((4, 3, 2)), "wave_header": header}, "a")


def test_either_wave_of_a_real_pair_gives_the_recording(real_recordings):
    names = ("C060109A1_IDrest_ch0_332.ibw", "C060109A1_IDrest_ch1_332.ibw")
    current, voltage = (read_recording(real_recordings / name, start=500.0, stop=1200.0) for name in names)
    np.testing.assert_array_equal(current.V, voltage.V)
    assert voltage.spikes.sum() == 5
    assert np.median(voltage.V[:500]) == pytest.approx(-71, abs=2)
    assert np.median(voltage.I[1100:]) == pytest.approx(380, abs=20)
    # Artefacts of 1.2 nA at the spikes are gone, and 80 pA of pick-up is less.
    assert np.abs(voltage.I).max() < 520
    assert np.std(voltage.I[:900]) < 40


def test_a_real_wave_without_its_partner_says_so(real_recordings, tmp_path):
    shutil.copy(real_recordings / "C060109A1_IDrest_ch1_332.ibw", tmp_path)
    with pytest.raises(ValueError, match="Beside it: no wave"):
        read_recording(tmp_path / "C060109A1_IDrest_ch1_332.ibw")


def edited(path, old, new):
    write_itx(path, V, I, 0.1)
    path.write_text(path.read_text().replace(old, new))
    return path


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("WAVES/D\tVm_1\tIm_1", "WAVES/D 'Vm_1', 'Im_1'"),
        ("WAVES/D", f"WAVES/D/N=({len(V)})"),
        ("SetScale/P x 0,0.0001", f"SetScale/I x 0,{len(V) * 1e-4:g}"),
        ("\n", "\r\n"),
        ('SetScale y 0,0,"V", Vm_1\nX SetScale d', 'SetScale y 0,0,"V", Vm_1; SetScale d'),
    ],
)
def test_igor_text_is_read_as_igor_writes_it(old, new, tmp_path):
    found = list_sweeps(edited(tmp_path / "a.itx", old, new))
    assert (found[0].dt, found[0].n_spikes, found[0].I_range[1]) == (0.1, 3, pytest.approx(130.0))


def test_igor_text_of_two_dimensions_holds_sweeps(tmp_path):
    both = [np.column_stack([x, 0.5 * x]) for x in (V, I)]
    blocks = [
        f"WAVES/D/N=({len(V)},2)\t{name}\nBEGIN\n" + "\n".join(f"\t{a:.9g}\t{b:.9g}" for a, b in x) + "\nEND\n"
        for name, x in zip(("v", "i"), both, strict=True)
    ]
    scales = 'X SetScale/P x 0,0.1,"ms", v, i\nX SetScale y 0,0,"mV", v\nX SetScale y 0,0,"pA", i\n'
    (tmp_path / "a.itx").write_text("IGOR\n" + "".join(blocks) + scales)
    assert [s.I_range[1] for s in list_sweeps(tmp_path / "a.itx")] == pytest.approx([130.0, 65.0])


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ('"V", Vm_1', '"", Vm_1', "Vm_1 has no unit: pass units="),
        ("END", "", "cannot be read"),
        ("\t-0.07\t0\n", "\t-0.07\n", "cannot be read"),
        ('0.0001,"s"', '0.0001,"V"', "must be a time, got 'V'"),
    ],
)
def test_igor_text_that_leaves_something_open_is_refused(old, new, match, tmp_path):
    with pytest.raises(ValueError, match=match):
        read_recording(edited(tmp_path / "a.itx", old, new))
