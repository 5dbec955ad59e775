"""Text tables as people write them; the numbers are the same in all."""

import numpy as np
import pytest

from leakyflow.recordings.files.text import read_table
from leakyflow.recordings.read import read_recording
from leakyflow.recordings.read_cell import read_cell
from leakyflow.recordings.sweeps import list_sweeps
from tests.recordings.synthetic import sweep, write, write_csv

V, I = sweep(0.1)
T = np.arange(len(V)) * 0.1


def rows(*columns, separator=",", fmt="%.9g"):
    return "".join(separator.join(fmt % x for x in row) + "\n" for row in np.column_stack(columns))


TVI = rows(T, V, I)
SPACED = rows(T, V, I, separator=" ")
TABBED = rows(T, V, I, separator="\t")
TABLES = {
    "plain": ("t_ms,V_mV,I_pA\n" + TVI, {}),
    "quoted": ('"Time (ms)","IN 0 (mV)","Cmd 0 (pA)"\n' + TVI, {}),
    "semicolons": ("t_ms;V_mV;I_pA\n" + TVI.replace(",", ";"), {}),
    "spaces": ("t_ms V_mV I_pA\n" + SPACED, {}),
    "many spaces": ("  t_ms    V_mV  I_pA\n" + SPACED.replace(" ", "    "), {}),
    "tabs": ("t_ms\tV_mV\tI_pA\n" + TABBED, {}),
    "names with spaces among spaces": ("Time (ms) IN 0 (mV) Cmd 0 (pA)\n" + SPACED, {}),
    "names by commas, numbers by spaces": ("Time (ms), IN 0 (mV), Cmd 0 (pA)\n" + SPACED, {}),
    "header in a comment": ("# t_ms V_mV I_pA\n" + SPACED, {}),
    "header of MATLAB": ("% t_ms V_mV I_pA\n" + SPACED, {}),
    "units in a line": ("Time,Voltage,Current\nms,mV,pA\n" + TVI, {}),
    "units in brackets": ("Time\tVoltage\tCurrent\n(ms)\t(mV)\t(pA)\n" + TABBED, {}),
    "text above": ("Cell 3, 2020-01-02\nRate, 10000\n\nTime [ms],Vm [mV],Iinj [pA]\n" + TVI, {}),
    "decimal commas, semicolons": ("t_ms;V_mV;I_pA\n" + TVI.replace(",", ";").replace(".", ","), {}),
    "decimal commas, tabs": ("t_ms\tV_mV\tI_pA\n" + TABBED.replace(".", ","), {}),
    "decimal commas, spaces": ("t_ms V_mV I_pA\n" + SPACED.replace(".", ","), {}),
    "whole numbers first": (
        "t_ms;V_mV;I_pA\n0;-70;0\n" + TVI.replace(",", ";").replace(".", ",")[len("0;-70;0\n") :],
        {},
    ),
    "no header": (TVI, {"columns": "t_ms,V_mV,I_pA"}),
    "another header": ("a,b,c\n" + TVI, {"columns": "t_ms,V_mV,I_pA"}),
    "a column too many": ("t_ms,x,V_mV,I_pA\n" + rows(T, T, V, I), {"columns": "t_ms,-,V_mV,I_pA"}),
    "no times": (rows(V, I), {"columns": "V_mV,I_pA", "dt_file": 0.1}),
    "names without units": ("time,voltage,current\n" + TVI, {"units": "mV,pA"}),
    "voltage alone": ("t_s,V_V\n" + rows(T / 1e3, V / 1e3), {"step": "130,100,500"}),
    "voltage and another": (
        "t_ms,V_mV,I_pA\n" + rows(T, V, 0 * I),
        {"columns": "t_ms,V_mV,-", "step": (130, 100, 500)},
    ),
    "index": (",t_ms,V_mV,I_pA\n" + rows(np.arange(len(T)), T, V, I), {}),
    "index without a name": ("t_ms V_mV I_pA\n" + rows(np.arange(len(T)), T, V, I, separator=" "), {}),
    "comment at the end": ("t_ms,V_mV,I_pA\n" + TVI + "# end of the sweep\n\n", {}),
    "comment in a row": ("t_ms,V_mV,I_pA\n" + TVI.replace("\n", " # first\n", 1), {}),
    "comma at the end of rows": ("t_ms,V_mV,I_pA\n" + TVI.replace("\n", ",\n"), {}),
    "comma at the end of all": (("t_ms,V_mV,I_pA\n" + TVI).replace("\n", ",\n"), {}),
    "Windows": (("t_ms,V_mV,I_pA\n" + TVI).replace("\n", "\r\n"), {}),
    "exponents": ("t_ms,V_mV,I_pA\n" + rows(T, V, I, fmt="%.9e"), {}),
    "other units": ("t_s,V_V,I_nA\n" + rows(T / 1e3, V / 1e3, I / 1e3), {}),
}


@pytest.mark.parametrize("name", TABLES)
def test_every_way_to_write_a_table_gives_the_same_recording(name, tmp_path):
    text, choices = TABLES[name]
    path = tmp_path / "cell.txt"
    path.write_bytes(text.encode())
    found = read_recording(path, **choices)
    reference = read_recording(write("csv", tmp_path, V, I, 0.1))
    assert found.dt == 0.2
    np.testing.assert_allclose(found.V, reference.V, atol=1e-4)
    np.testing.assert_allclose(found.I, reference.I, atol=1e-3)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_every_encoding_is_read(encoding, tmp_path):
    (tmp_path / "a.csv").write_text("t_µs\tV_µV\tI_pA\n" + rows(T * 1e3, V * 1e3, I, separator="\t"), encoding=encoding)
    assert read_recording(tmp_path / "a.csv").spikes.sum() == 3


def test_a_table_at_the_interval_of_the_network_is_not_resampled(tmp_path):
    below, step = sweep(0.2, duration=800.0, spikes=())
    write_csv(tmp_path / "a.csv", below, step, 0.2)
    found = read_recording(tmp_path / "a.csv")
    np.testing.assert_array_equal(found.V, np.array([float(f"{v:.9g}") for v in below], np.float32))


SWEEPS = {
    "numbers": ("t_ms,V0_mV,V1_mV,I0_pA,I1_pA", (T, V, V, I, 2 * I)),
    "numbers out of order": ("t_ms,V10_mV,V2_mV,I2_pA,I10_pA", (T, V, V, I, 2 * I)),
    "traces": ("Time (ms),Trace #1 (mV),Trace #1 (pA),Trace #2 (mV),Trace #2 (pA)", (T, V, I, V, 2 * I)),
    "channels and sweeps": (
        "t_ms,IN 0 sweep 1 (mV),IN 1 sweep 1 (pA),IN 0 sweep 2 (mV),IN 1 sweep 2 (pA)",
        (T, V, I, V, 2 * I),
    ),
    "words": ("t_ms,control V (mV),drug V (mV),control I (pA),drug I (pA)", (T, V, V, I, 2 * I)),
    "alike": ("t_ms,V_mV,I_pA,V_mV,I_pA", (T, V, I, V, 2 * I)),
    "pandas": ("t_ms,V_mV,I_pA,V_mV.1,I_pA.1", (T, V, I, V, 2 * I)),
    "own times": ("t1_ms,V1_mV,I1_pA,t2_ms,V2_mV,I2_pA", (T, V, I, T, V, 2 * I)),
}


@pytest.mark.parametrize("name", SWEEPS)
def test_sweeps_side_by_side_are_told_apart_by_their_names(name, tmp_path):
    header, columns = SWEEPS[name]
    (tmp_path / "a.csv").write_text(header + "\n" + rows(*columns))
    found = list_sweeps(tmp_path / "a.csv")
    assert [sweep.I_range[1] for sweep in found] == pytest.approx([130.0, 260.0])
    assert len({sweep.voltage for sweep in found}) == (1 if name == "alike" else 2)


def test_sweeps_one_below_the_other_begin_where_the_time_does(tmp_path):
    (tmp_path / "a.csv").write_text("sweep,t_ms,V_mV,I_pA\n" + rows(0 * T, T, V, I) + rows(1 + 0 * T, T, V, I))
    cell = read_cell(tmp_path / "a.csv")
    assert [len(found.V) for found in cell] == [3000, 3000]
    assert len(list_sweeps(tmp_path / "a.csv", dt_file=0.1)) == 2


def test_sweeps_side_by_side_may_differ_in_length(tmp_path):
    lines = [f"{t:g},{v:g},{i:g}," + (f"{v:g},{i:g}" if t < 400 else ",") for t, v, i in zip(T, V, I, strict=True)]
    (tmp_path / "a.csv").write_text("t_ms,V0_mV,I0_pA,V1_mV,I1_pA\n" + "\n".join(lines))
    assert [sweep.duration for sweep in list_sweeps(tmp_path / "a.csv")] == pytest.approx([600.0, 400.0])


def test_several_voltages_of_one_current_are_asked_for(tmp_path):
    (tmp_path / "a.csv").write_text("t_ms,V1_mV,V2_mV,I_pA\n" + rows(T, V, V, I))
    with pytest.raises(ValueError, match=r"0 \(V1_mV\), 1 \(V2_mV\). Pass channel="):
        read_recording(tmp_path / "a.csv")
    assert read_recording(tmp_path / "a.csv", channel="V2_mV").spikes.sum() == 3


def test_the_current_of_a_chosen_voltage_is_that_of_its_name(tmp_path):
    (tmp_path / "a.csv").write_text("t_ms,V0_mV,V1_mV,I0_pA,I1_pA\n" + rows(T, V, V, I, 2 * I))
    assert read_recording(tmp_path / "a.csv", channel="V1_mV").I.max() == pytest.approx(260.0)


def test_several_voltages_without_a_current_are_sweeps_of_one_step(tmp_path):
    (tmp_path / "a.csv").write_text("t_ms,V1_mV,V2_mV\n" + rows(T, V, V))
    assert len(read_cell(tmp_path / "a.csv", step="130,100,500")) == 2


HEADER = "t_ms,V_mV,I_pA\n"
REFUSED = {
    "no header": (TVI, {}, "3 columns of numbers without names(.|\n)*columns=t_ms,V_mV,I_pA"),
    "names without units": ("time,voltage,current\n" + TVI, {}, "voltage, current have no unit: pass units=mV,pA"),
    "no current": ("t_ms,V_mV\n" + rows(T, V), {}, "must have the current(.|\n)*pass step="),
    "no voltage": ("t_ms,I_pA\n" + rows(T, I), {}, "must have the voltage"),
    "no time": ("V_mV,I_pA\n" + rows(V, I), {}, "has no time or interval. Pass dt_file="),
    "two currents": ("t_ms,V_mV,Cmd_pA,Im_pA\n" + rows(T, V, I, I), {}, r"0 \(Cmd_pA\), 1 \(Im_pA\). Pass current="),
    "swapped": ("t_ms,V_pA,I_mV\n" + TVI, {}, "name and the unit of V_pA contradict"),
    "gap": (HEADER + rows(*(np.delete(x, np.s_[500:520]) for x in (T, V, I))), {}, "cut the file at the gap"),
    "rounded": ("t_s,V_mV,I_pA\n" + rows(np.round(T / 1e3, 3), V, I), {}, "rounded to 1 ms(.|\n)*Pass dt_file=0.1,"),
    "decimal commas among commas": (HEADER + rows(T, V, I, fmt="%.3f").replace(".", ","), {}, "commas both separate"),
    "thousands": (
        "t_ms;V_mV;I_pA\n" + "".join(f"{t:,.1f};{v:.4f};{i:.1f}\n" for t, v, i in zip(10 * T, V, I, strict=True)),
        {},
        r"got '1,000.0' in row 1001 .* without marks of thousands",
    ),
    "text": (HEADER + TVI.replace("\n5,", "\nfive,"), {}, "Column 1 .* must hold numbers, got 'five' in row 51"),
    "400 digits of time": (HEADER + TVI.replace("\n5,", "\n" + "5" * 400 + ","), {}, "Times must be finite"),
    "400 digits of voltage": (HEADER + TVI.replace("\n5,-70", "\n5," + "7" * 400), {}, "NaN or infinite"),
    "a row too long": (HEADER + TVI.replace("\n5,", "\n5,5,"), {}, "same 3 columns .*line 52, saw 4"),
    "cut within a row": ((HEADER + TVI)[:50_000].rsplit(",", 1)[0], {}, "ends within a row"),
    "no rows": (HEADER, {}, "must be a table of numbers"),
    "one row": (HEADER + "0,-70,0\n", {}, "at least 2 samples"),
    "columns too few": (TVI, {"columns": "t_ms,V_mV"}, "each of the 3 columns .* got 2"),
    "columns without units": (TVI, {"columns": "t,V,I"}, "t, V, I has no unit"),
    "units twice": (TVI, {"units": "mV,V"}, "unit of the voltage and that of the current"),
    "units unknown": (TVI, {"units": "mV,MA"}, "unit of the voltage and that of the current"),
    "interval": (HEADER + TVI, {"dt_file": -0.1}, "`dt_file` must be the sampling interval"),
    "interval out of range": (HEADER + TVI, {"dt_file": 50.0}, "every 0.001 to 10 ms, got 50 ms"),
    "step beside a current": (HEADER + TVI, {"step": "130,100,500"}, "but a.csv has I_pA(.|\n)*columns="),
    "step too late": ("t_ms,V_mV\n" + rows(T, V), {"step": "130,200,500"}, "within the sweep of 600 ms"),
    "step of nothing": ("t_ms,V_mV\n" + rows(T, V), {"step": "0,100,100"}, "amplitude .pA, not 0"),
    "step of two": ("t_ms,V_mV\n" + rows(T, V), {"step": "130,100"}, "`step` must be amplitude"),
    "step of words": ("t_ms,V_mV\n" + rows(T, V), {"step": "a,b,c"}, "`step` must be amplitude"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_table_leaves_open_is_refused_with_the_cause(name, tmp_path):
    text, choices, match = REFUSED[name]
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(ValueError, match=match):
        read_recording(tmp_path / "a.csv", **choices)


def test_the_cure_for_rounded_times_works(tmp_path):
    (tmp_path / "a.csv").write_text("t_s,V_mV,I_pA\n" + rows(np.round(T / 1e3, 3), V, I))
    assert read_recording(tmp_path / "a.csv", dt_file=0.1).spikes.sum() == 3


def test_a_step_keeps_its_charge_where_it_begins_between_samples(tmp_path):
    (tmp_path / "a.csv").write_text("t_ms,V_mV\n" + rows(T, V))
    found = read_recording(tmp_path / "a.csv", step=(130.0, 100.03, 250.04))
    assert found.I.sum() * found.dt == pytest.approx(130.0 * 250.04, rel=1e-6)


def test_the_columns_of_a_header_are_read_by_their_position(tmp_path):
    (tmp_path / "a.csv").write_text("I_pA,t_ms,V_mV\n" + rows(I, T, V))
    table = read_table(tmp_path / "a.csv", columns=None)
    assert table.names == ("I_pA", "t_ms", "V_mV")
    np.testing.assert_allclose(table.columns[2], V, atol=1e-6)
