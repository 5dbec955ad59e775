"""NWB, versions 1 and 2: which stimulus belongs to a response, and when it began."""

from contextlib import suppress
from datetime import UTC, datetime

import h5py
import numpy as np
import pytest

from leakyflow.errors import LeakyflowError
from leakyflow.recordings.files.nwb.alignment import Trace, align
from leakyflow.recordings.files.nwb.open import open_nwb
from leakyflow.recordings.read import read_recording
from leakyflow.recordings.sweeps import list_sweeps
from tests.recordings.synthetic import sweep
from tests.recordings.writers import need_filter

DT = 0.1
V, I = sweep(DT)  # a step of 130 pA from 100 ms of 600
N = len(V)
T = N * DT / 1000  # s


class Lab:
    """A file in the making."""

    def __init__(self):
        from pynwb import NWBFile

        start = datetime(2020, 1, 1, tzinfo=UTC)
        self.file = NWBFile(session_description="x", identifier="x", session_start_time=start)
        self.device = self.file.create_device(name="amplifier")
        self.electrodes = {}

    def electrode(self, name="e0"):
        if name not in self.electrodes:
            self.electrodes[name] = self.file.create_icephys_electrode(name=name, description="x", device=self.device)
        return self.electrodes[name]

    def clamp(self, kind, name, data, *, electrode="e0", **settings):
        from pynwb import icephys

        settings = {"rate": 1000 / DT, "starting_time": 0.0, "gain": 1.0} | settings
        if "timestamps" in settings:
            del settings["rate"], settings["starting_time"]
        made = getattr(icephys, kind)(name=name, data=data, electrode=self.electrode(electrode), **settings)
        (self.file.add_stimulus if "Stimulus" in kind else self.file.add_acquisition)(made)
        return made

    def response(self, name="response", data=V * 1e-3, **settings):
        return self.clamp("CurrentClampSeries", name, data, **settings)

    def stimulus(self, name="stimulus", data=I * 1e-12, **settings):
        return self.clamp("CurrentClampStimulusSeries", name, data, **settings)

    def plain(self, name, data, unit, *, stimulus=True, **settings):
        from pynwb import TimeSeries

        settings = {"rate": 1000 / DT, "starting_time": 0.0} | settings
        made = TimeSeries(name=name, data=data, unit=unit, **settings)
        (self.file.add_stimulus if stimulus else self.file.add_acquisition)(made)
        return made

    def row(self, response, stimulus, **parts):
        self.file.add_intracellular_recording(
            electrode=response.electrode, response=response, stimulus=stimulus, **parts
        )

    def save(self, path):
        from pynwb import NWBHDF5IO

        with NWBHDF5IO(str(path), "w") as io:
            io.write(self.file)
        return path


@pytest.fixture
def lab():
    return Lab()


def read(path, **choice):
    choice = {"channel": None, "current": None} | choice
    with open_nwb(path, **choice) as source:
        return [source.read(k) for k in range(source.n_sweeps)]


def onset(raw):
    """When the current first changes, in ms."""
    return np.flatnonzero(np.diff(raw.I))[0] * raw.dt + raw.dt


# Which stimulus.


def test_the_table_says_which_part_of_a_stimulus_belongs_to_which_part_of_a_response(lab, tmp_path):
    amplitudes = (-60.0, 0.0, 120.0)
    parts = [k * np.ones(N) for k in amplitudes]
    responses = [V + k for k in range(3)]
    response = lab.response(data=np.concatenate(responses) * 1e-3)
    stimulus = lab.stimulus(data=np.concatenate([[0.0] * 500, *parts]) * 1e-12)
    for k in (2, 0, 1):  # as the table goes, not as the samples lie
        lab.row(response, stimulus, response_start_index=k * N, response_index_count=N,
                stimulus_start_index=500 + k * N, stimulus_index_count=N)  # fmt: skip
    found = read(lab.save(tmp_path / "a.nwb"))
    assert [raw.I[0] for raw in found] == pytest.approx(amplitudes)
    assert [raw.V[0] for raw in found] == pytest.approx([-70.0, -69.0, -68.0])
    assert [len(raw.V) for raw in found] == [N] * 3
    assert [raw.name for raw in found] == [f"response {k * N}-{(k + 1) * N}" for k in range(3)]


def test_a_response_outside_the_table_is_read_too(lab, tmp_path):
    first = lab.response("a")
    lab.row(first, lab.stimulus("sa"))
    lab.response("b", starting_time=5.0)
    lab.stimulus("sb", data=2e-12 * I, starting_time=5.0)
    assert [raw.I.max() for raw in read(lab.save(tmp_path / "a.nwb"))] == pytest.approx([130.0, 260.0])


def test_sweep_numbers_tell_whose_stimulus_it_is(lab, tmp_path):
    for number in (7, 3):
        lab.response(f"r{number}", sweep_number=np.uint32(number))
        lab.stimulus(f"s{10 - number}", data=number * 1e-12 * np.ones(N), sweep_number=np.uint32(number))
    found = read(lab.save(tmp_path / "a.nwb"))
    assert [raw.I[0] for raw in found] == pytest.approx([3.0, 7.0])
    assert [raw.name for raw in found] == ["3 (r3)", "7 (r7)"]


def test_names_of_the_same_number_belong_together_where_times_do_not_tell(lab, tmp_path):
    for k in range(12):
        lab.response(f"sweep_{k}")
        lab.stimulus(f"stim_{k}", data=k * 1e-12 * np.ones(N))
    found = read(lab.save(tmp_path / "a.nwb"))
    assert [raw.name for raw in found] == [f"sweep_{k}" for k in range(12)]
    assert [raw.I[0] for raw in found] == pytest.approx(range(12))


def test_two_electrodes_get_each_its_own_stimulus(lab, tmp_path):
    for k, name in enumerate(("e0", "e1")):
        lab.response(f"r{name}", electrode=name, stimulus_description=f"protocol {k}")
        lab.stimulus(f"s{name}", data=(k + 1) * 1e-12 * I, electrode=name)
    path = lab.save(tmp_path / "a.nwb")
    found = list_sweeps(path)
    assert [(s.electrode, s.protocol, s.I_range[1]) for s in found] == [
        ("e0", "protocol 0", pytest.approx(130.0)),
        ("e1", "protocol 1", pytest.approx(260.0)),
    ]
    assert [raw.electrode for raw in read(path, channel="e1")] == ["e1"]
    with pytest.raises(LeakyflowError, match=r"there is 0 \(e0\), 1 \(e1\)"):
        read(path, channel="e2")


def test_a_plain_series_may_be_the_stimulus(lab, tmp_path):
    lab.response()
    lab.plain("injected", I / 1000, "nA")
    path = lab.save(tmp_path / "a.nwb")
    for current in (None, "injected"):
        (raw,) = read(path, current=current)
        np.testing.assert_allclose(raw.I, I, atol=1e-9)
        assert not raw.measured


def test_a_plain_stimulus_is_not_guessed_between_two_electrodes(lab, tmp_path):
    lab.response("a", electrode="e0")
    lab.response("b", electrode="e1")
    lab.plain("injected", I, "pA")
    path = lab.save(tmp_path / "a.nwb")
    with pytest.raises(LeakyflowError, match=r"which current was injected in 'a'.*the file has 'injected'"):
        read(path)
    assert len(read(path, current="injected")) == 2


def test_two_possible_stimuli_are_asked_about(lab, tmp_path):
    lab.response()
    lab.stimulus("one")
    lab.stimulus("other", data=0.5e-12 * I)
    path = lab.save(tmp_path / "a.nwb")
    with pytest.raises(LeakyflowError, match=r"Pass current= .*'one', 'other'") as error:
        read(path)
    assert error.value.argument == "current"
    assert read(path, current="other")[0].I.max() == pytest.approx(65.0)


def test_a_recorded_current_has_the_stimulus_beside_it(lab, tmp_path):
    lab.response(bias_current=-20e-12)
    lab.stimulus()
    monitor = I - 20 + np.random.default_rng(0).normal(size=N)
    lab.plain("monitor", monitor, "pA", stimulus=False)
    (raw,) = read(lab.save(tmp_path / "a.nwb"), current="monitor")
    np.testing.assert_allclose(raw.I, monitor)
    np.testing.assert_allclose(raw.command, I - 20)
    assert raw.measured


def test_a_recorded_current_is_taken_where_there_is_no_stimulus(lab, tmp_path):
    lab.response()
    lab.plain("monitor", I, "pA", stimulus=False)
    (raw,) = read(lab.save(tmp_path / "a.nwb"))
    assert (raw.measured, raw.command) == (True, None)


def test_a_bias_current_is_added(lab, tmp_path):
    lab.response(bias_current=-50e-12)
    lab.stimulus()
    (raw,) = read(lab.save(tmp_path / "a.nwb"))
    np.testing.assert_allclose(raw.I, I - 50)
    assert "bias current -50 pA" in raw.current


# Times, rates, units.


@pytest.mark.parametrize("tied", [True, False], ids=["by the table", "by time"])
def test_a_stimulus_that_begins_later_is_moved_by_their_times(tied, lab, tmp_path):
    response = lab.response(starting_time=10.0)
    stimulus = lab.stimulus(data=130e-12 * np.ones(N), starting_time=10.1)
    if tied:
        lab.row(response, stimulus)
    (raw,) = read(lab.save(tmp_path / "a.nwb"))
    assert onset(raw) == pytest.approx(100.0)
    assert (raw.I[0], raw.I[-1]) == pytest.approx((0.0, 130.0))


def test_a_stimulus_that_begins_earlier_is_moved_by_their_times(lab, tmp_path):
    lab.row(
        lab.response(starting_time=3.0), lab.stimulus(data=np.concatenate([0 * I, I]) * 1e-12, starting_time=3.0 - T)
    )
    (raw,) = read(lab.save(tmp_path / "a.nwb"))
    np.testing.assert_allclose(raw.I, I)


def test_times_that_never_meet_mean_nothing_where_the_table_ties_them(lab, tmp_path):
    """Many converters leave every stimulus at time 0."""
    lab.row(lab.response(starting_time=50.0), lab.stimulus())
    (raw,) = read(lab.save(tmp_path / "a.nwb"))
    np.testing.assert_allclose(raw.I, I)


@pytest.mark.parametrize(("n_stimulus", "expected"), [(N - 1, N - 1), (N, N), (N + 1, N)])
def test_one_sample_more_or_less_is_cut(n_stimulus, expected, lab, tmp_path):
    lab.response()
    lab.stimulus(data=np.append(I, I[-1])[:n_stimulus] * 1e-12)
    (raw,) = read(lab.save(tmp_path / "a.nwb"))
    assert len(raw.V) == len(raw.I) == expected


def test_a_stimulus_that_ends_early_is_refused(lab, tmp_path):
    lab.response()
    lab.stimulus(data=I[: N - 2] * 1e-12)
    with pytest.raises(LeakyflowError, match=r"got 5998 samples .* in 'stimulus' and 6000 .* in 'response' of a.nwb"):
        read(lab.save(tmp_path / "a.nwb"))


@pytest.mark.parametrize("every", [0.05, 0.2, 0.25])
def test_another_rate_is_resampled_without_moving_the_step(every, lab, tmp_path):
    t = np.arange(round(T * 1000 / every)) * every
    lab.response()
    lab.stimulus(data=np.where(t >= 100.0 - 1e-9, 130e-12, 0.0), rate=1000 / every)
    (raw,) = read(lab.save(tmp_path / "a.nwb"))
    assert len(raw.I) == N
    assert raw.I.sum() * DT == pytest.approx(130.0 * 500.0, rel=1e-9)  # the charge
    assert onset(raw) == pytest.approx(100.0, abs=DT)


def test_alignment_keeps_the_charge_of_any_pulse_inside():
    response = Trace(name="V", samples=np.zeros(1000), dt=0.1, begin=0.0)
    for begin, dt in ((0.0, 0.1), (20.0, 0.1), (13.7, 0.025), (5.0, 0.3)):
        n = round((100.0 - begin) / dt) + 5
        pulse = Trace(name="I", samples=np.where(np.arange(n) * dt < 30.0, 50.0, 0.0), dt=dt, begin=begin)
        I = align(pulse, response, by_time=True, where="")
        assert I.sum() * 0.1 == pytest.approx(50.0 * dt * np.ceil(30.0 / dt - 1e-9), rel=1e-6)
        assert np.flatnonzero(I)[0] == pytest.approx(begin / 0.1, abs=1.0)


def test_data_are_converted_and_offset(lab, tmp_path):
    counts = np.round((V + 100.0) / 0.01).astype(np.uint16)
    lab.response(data=counts, conversion=1e-5, offset=-0.1)
    lab.stimulus(data=(I * 10).astype(np.int16), conversion=1e-13)
    (raw,) = read(lab.save(tmp_path / "a.nwb"))
    np.testing.assert_allclose(raw.V, V, atol=0.0051)
    np.testing.assert_allclose(raw.I, I, atol=1e-9)


def test_timestamps_must_be_evenly_spaced(lab, tmp_path):
    t = np.arange(N) * DT / 1000
    even, gap = t + 1e-6 * np.sin(np.arange(N)), t.copy()
    gap[3000:] += 0.3
    for name, times in (("even", even), ("gap", gap)):
        made = Lab()
        made.response(timestamps=times)
        made.stimulus()
        path = made.save(tmp_path / f"{name}.nwb")
        if name == "even":
            assert read(path)[0].dt == pytest.approx(DT, rel=1e-3)
        else:
            with pytest.raises(LeakyflowError, match=r"got steps of 0.1 to 300.1 ms"):
                read(path)


# Clamp, and the order of sweeps.


def test_voltage_clamp_is_listed_as_such_and_not_read(lab, tmp_path):
    lab.clamp("VoltageClampSeries", "held", I * 1e-12, stimulus_description="IV")
    lab.clamp("VoltageClampStimulusSeries", "command", V * 1e-3)
    lab.clamp("IZeroClampSeries", "resting", V * 1e-3, starting_time=9.0)
    lab.response("free", starting_time=5.0)
    lab.stimulus("injected", starting_time=5.0)
    path = lab.save(tmp_path / "a.nwb")
    assert [s.name for s in list_sweeps(path)] == ["free"]
    found = list_sweeps(path, every=True)
    assert [(s.index, s.name, s.clamp) for s in found] == [
        (0, "free", "current clamp"),
        (None, "held", "voltage clamp"),
        (None, "resting", "no clamp (I = 0)"),
    ]
    assert (found[1].protocol, found[1].duration, found[1].dt) == ("IV", pytest.approx(600.0), pytest.approx(DT))
    assert read_recording(path).duration == pytest.approx(600.0)


def test_a_file_of_voltage_clamp_alone_is_refused(lab, tmp_path):
    lab.clamp("VoltageClampSeries", "held", I * 1e-12)
    with pytest.raises(LeakyflowError, match="This is a voltage-clamp file"):
        list_sweeps(lab.save(tmp_path / "a.nwb"))


def test_sweeps_go_by_time_before_they_go_by_name(lab, tmp_path):
    for name, begin in (("sweep_2", 9.0), ("sweep_10", 1.0), ("sweep_1", 5.0)):
        lab.response(name, starting_time=begin)
        lab.stimulus(f"of {name}", starting_time=begin)
    assert [s.name for s in list_sweeps(lab.save(tmp_path / "a.nwb"))] == ["sweep_10", "sweep_1", "sweep_2"]


# Version 1, as the Allen Cell Types Database serves it.


def write_version_1(path, sweeps, *, version="NWB-1.0.5", generated_by=None, ancestry=b"CurrentClampSeries"):
    """Sweeps are number: (V in volts, I in amperes, further settings)."""
    import h5py

    with h5py.File(path, "w") as file:
        file["nwb_version"] = np.bytes_(version)
        if generated_by is not None:
            file["general/generated_by"] = [["provenance", "x"], ["version", generated_by]]
        for number, (volts, amperes, settings) in sweeps.items():
            for where, data, unit, kind in (
                (f"acquisition/timeseries/Sweep_{number}", volts, b"Volts", settings.get("ancestry", ancestry)),
                (f"stimulus/presentation/Sweep_{number}", amperes, b"Amps", b"CurrentClampStimulusSeries"),
            ):
                series = file.create_group(where)
                series["data"] = np.asarray(data, np.float32)
                series["data"].attrs["conversion"] = settings.get("conversion", 1.0)
                series["data"].attrs["unit"] = np.bytes_(unit)
                series["starting_time"] = settings.get("begin", 0.0)
                series["starting_time"].attrs["rate"] = 1000 / DT
                series.attrs["ancestry"] = [b"TimeSeries", b"PatchClampSeries", kind]
                series["aibs_stimulus_name"] = np.bytes_("Long Square")
                series["electrode_name"] = np.bytes_("Electrode 1")
            for part, where in (("response", "acquisition/timeseries"), ("stimulus", "stimulus/presentation")):
                epoch = file.create_group(f"epochs/Sweep_{number}/{part}")
                epoch["timeseries"] = file[f"{where}/Sweep_{number}"]
                if "part" in settings:
                    epoch["idx_start"], epoch["count"] = settings["part"]
    return path


def allen(**settings):
    return (V * 1e-3, I * 1e-12, settings)


def test_version_1_is_read_in_the_order_of_its_sweep_numbers(tmp_path):
    path = write_version_1(tmp_path / "a.nwb", {10: allen(), 9: (V * 1e-3, 0.5e-12 * I, {})})
    found = list_sweeps(path)
    assert [(s.index, s.name, s.electrode, s.protocol, s.clamp) for s in found] == [
        (0, "Sweep_9", "Electrode 1", "Long Square", "current clamp"),
        (1, "Sweep_10", "Electrode 1", "Long Square", "current clamp"),
    ]
    np.testing.assert_allclose(read(path)[1].I, I, rtol=1e-6)
    np.testing.assert_allclose(read(path)[1].V, V, atol=1e-4)
    assert read_recording(path, sweep=1).spikes.sum() == 3


def test_voltage_clamp_of_version_1_is_listed_as_such(tmp_path):
    path = write_version_1(tmp_path / "a.nwb", {1: allen(ancestry=b"VoltageClampSeries"), 2: allen()})
    assert [(s.name, s.clamp) for s in list_sweeps(path, every=True)] == [
        ("Sweep_2", "current clamp"),
        ("Sweep_1", "voltage clamp"),
    ]
    alone = write_version_1(tmp_path / "b.nwb", {1: allen(ancestry=b"VoltageClampSeries")})
    with pytest.raises(LeakyflowError, match="This is a voltage-clamp file"):
        list_sweeps(alone)


def test_epochs_of_version_1_may_be_parts_of_a_series(tmp_path):
    path = write_version_1(tmp_path / "a.nwb", {1: allen(part=(1000, 4000))})
    (raw,) = read(path)
    np.testing.assert_allclose(raw.I, I[1000:5000], atol=1e-4)
    np.testing.assert_allclose(raw.V, V[1000:5000], atol=1e-4)


@pytest.mark.parametrize(("made_by", "applied"), [(None, True), ("1.1", True), ("2.0", True), ("1.0", False)])
def test_conversion_of_version_1_counts_since_1_1(made_by, applied, tmp_path):
    factor = 1e-3 if applied else 1.0
    data = (V * 1e-3 / factor, I * 1e-12 / factor, {"conversion": 1e-3})
    (raw,) = read(write_version_1(tmp_path / "a.nwb", {1: data}, generated_by=made_by))
    np.testing.assert_allclose(raw.V, V, atol=1e-4)
    np.testing.assert_allclose(raw.I, I, atol=1e-3)


# Damage.


def test_a_file_without_the_namespaces_of_its_time_is_read(tmp_path):
    assert len(list_sweeps(changed(tmp_path, without("specifications")))) == 1


def changed(folder, change, version=2):
    import h5py

    path = folder / "a.nwb"
    if version == 1:
        write_version_1(path, {1: allen()})
    else:
        lab = Lab()
        lab.row(lab.response(), lab.stimulus())
        lab.save(path)
    with h5py.File(path, "r+") as file:
        change(file)
    return path


def replaced(name, data, **attributes):
    def change(file):
        kept = dict(file[name].attrs)
        del file[name]
        file[name] = data
        file[name].attrs.update(kept | attributes)

    return change


def attribute(name, key, value):
    return lambda file: file[name].attrs.__setitem__(key, value)


def without(name):
    return lambda file: file.__delitem__(name)


def vast(file):
    del file["acquisition/response/data"]
    data = file["acquisition/response"].create_dataset("data", shape=(2**40,), chunks=(2**16,), dtype="f8")
    data.attrs.update({"unit": "volts", "conversion": 1.0, "offset": 0.0, "resolution": -1.0})


RESPONSE, STIMULUS = "acquisition/response", "stimulus/presentation/stimulus"
TABLE = "general/intracellular_ephys/intracellular_recordings"
DAMAGE = {
    "rate 0": attribute(f"{RESPONSE}/starting_time", "rate", 0.0),
    "rate -1": attribute(f"{RESPONSE}/starting_time", "rate", -1.0),
    "rate NaN": attribute(f"{STIMULUS}/starting_time", "rate", np.nan),
    "rate text": attribute(f"{RESPONSE}/starting_time", "rate", "fast"),
    "conversion NaN": attribute(f"{RESPONSE}/data", "conversion", np.nan),
    "offset infinite": attribute(f"{STIMULUS}/data", "offset", np.inf),
    "no samples": replaced(f"{RESPONSE}/data", np.zeros(0)),
    "no stimulus samples": replaced(f"{STIMULUS}/data", np.zeros(0)),
    "text for samples": replaced(f"{RESPONSE}/data", np.array([b"x"] * 10)),
    "compound samples": replaced(f"{RESPONSE}/data", np.zeros(10, dtype=[("a", "f8"), ("b", "i4")])),
    "bool samples": replaced(f"{RESPONSE}/data", np.zeros(10, dtype=bool)),
    "a scalar": replaced(f"{RESPONSE}/data", 1.0),
    "two dimensions": replaced(f"{RESPONSE}/data", np.zeros((10, 2))),
    "2^40 samples": vast,
    "no data": without(f"{RESPONSE}/data"),
    "no time": without(f"{RESPONSE}/starting_time"),
    "no electrode": without(f"{RESPONSE}/electrode"),
    "table of int8": replaced(f"{TABLE}/responses/response", np.zeros(1, dtype="i1")),
    "table of bool": replaced(f"{TABLE}/stimuli/stimulus", np.zeros(1, dtype=bool)),
    "no table of stimuli": without(f"{TABLE}/stimuli"),
    "table without rows": replaced(f"{TABLE}/id", np.zeros(0, dtype="i4")),
    "no session time": without("session_start_time"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_file_is_refused_by_name(name, tmp_path):
    path = changed(tmp_path, DAMAGE[name])
    with pytest.raises(LeakyflowError, match=r"a\.nwb"):
        list_sweeps(path)


DAMAGE_1 = {
    "rate 0": attribute("acquisition/timeseries/Sweep_1/starting_time", "rate", 0.0),
    "rate text": attribute("stimulus/presentation/Sweep_1/starting_time", "rate", "fast"),
    "no samples": replaced("acquisition/timeseries/Sweep_1/data", np.zeros(0)),
    "text": replaced("stimulus/presentation/Sweep_1/data", np.array([b"x"])),
    "no sweeps": lambda file: [without(name)(file) for name in ("epochs", "stimulus")],
    "epochs a number": replaced("epochs", 3.0),
    "no time": without("acquisition/timeseries/Sweep_1/starting_time"),
    "odd provenance": lambda file: file.__setitem__("general/generated_by", 5.0),
}


@pytest.mark.parametrize("name", DAMAGE_1)
def test_a_damaged_file_of_version_1_is_refused_by_name(name, tmp_path):
    path = changed(tmp_path, DAMAGE_1[name], version=1)
    with pytest.raises(LeakyflowError, match=r"a\.nwb"):
        list_sweeps(path)


@pytest.mark.parametrize("version", [1, 2])
def test_a_file_with_any_bytes_changed_is_read_or_refused(version, tmp_path):
    content = changed(tmp_path, lambda file: None, version=version).read_bytes()
    rng = np.random.default_rng(version)
    for _ in range(25):
        altered = bytearray(content)
        for place in rng.integers(8, len(content), size=rng.integers(1, 200)):
            altered[place] = rng.integers(256)
        (tmp_path / "b.nwb").write_bytes(altered)
        with suppress(LeakyflowError):
            list_sweeps(tmp_path / "b.nwb")


def test_a_filter_that_is_not_built_in_is_refused_in_words(lab, tmp_path):
    lab.row(lab.response(), lab.stimulus())
    path = lab.save(tmp_path / "a.nwb")
    read_recording(path)
    with h5py.File(path, "r+") as file:
        need_filter(file["acquisition/response"], "data")
    with pytest.raises(LeakyflowError, match=r"(?s)a\.nwb .*packed by a filter"):
        read_recording(path)
