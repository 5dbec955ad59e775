import pytest

from leakyflow.recordings.files.labels import parse_label

NAMES = {
    "t_ms": ("time", "ms"),
    "Time (ms)": ("time", "ms"),
    "Time[s]": ("time", "s"),
    "time s": ("time", "s"),
    "time_s": ("time", "s"),
    "x / msec": ("time", "msec"),
    "IN 0 (mV)": ("voltage", "mV"),
    "Cmd 0 (pA)": ("current", "pA"),
    "voltage [mV]": ("voltage", "mV"),
    "Vm_mV": ("voltage", "mV"),
    "V_V": ("voltage", "V"),
    "V/V": ("voltage", "V"),
    "Membrane potential/mV": ("voltage", "mV"),
    "V_mV_soma": ("voltage", "mV"),
    "V_mV.1": ("voltage", "mV"),
    "vm (mv)": ("voltage", "mv"),
    "Iinj_nA": ("current", "nA"),
    "I_A": ("current", "A"),
    "current {pA}": ("current", "pA"),
    "Injected current (picoamps)": ("current", "picoamps"),
    "mV": ("voltage", "mV"),
    "Im RIGHT (mV)": ("voltage", "mV"),  # an amplifier's names are often swapped; its units are not
}
NO_QUANTITY = [
    "",
    "V",
    "Channel A",
    "cell_A",
    "electrode s",
    "Current A",
    "fs",
    "sweep",
    "V_MV",
    "index",
    "V0mV",
    "V_pA",
    "I_mV",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_with_a_unit_says_its_quantity(name):
    label = parse_label(name)
    assert (label.kind, label.unit) == NAMES[name]


@pytest.mark.parametrize("name", NO_QUANTITY)
def test_a_name_without_a_unit_or_against_it_says_no_quantity(name):
    assert parse_label(name).kind == ""


@pytest.mark.parametrize(
    ("name", "said"),
    [("V", "voltage"), ("Iinj", "current"), ("cell.stimulus", "current"), ("a.b.t", "time"), ("x", "")],
)
def test_words_say_a_quantity_where_there_is_no_unit(name, said):
    assert parse_label(name).said == said


@pytest.mark.parametrize(("name", "numbers"), [("V12_mV", (12,)), ("IN 0 sweep 3 (mV)", (0, 3)), ("V_mV", ())])
def test_numbers_of_a_name_leave_out_its_unit(name, numbers):
    assert parse_label(name).numbers == numbers
