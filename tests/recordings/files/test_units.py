import pytest

from leakyflow.recordings.files.units import quantity, scale


@pytest.mark.parametrize(
    ("unit", "to", "factor"),
    [
        ("mV", "mV", 1.0),
        ("V", "mV", 1e3),
        ("volts", "mV", 1e3),
        ("uV", "mV", 1e-3),
        ("µV", "mV", 1e-3),
        ("nA", "pA", 1e3),
        ("A", "pA", 1e12),
        ("amperes", "pA", 1e12),
        ("s", "ms", 1e3),
        ("us", "ms", 1e-3),
        (" pA\0\0", "pA", 1.0),
        ("mv", "mV", 1.0),
        ("na", "pA", 1e3),
        ("Millivolts", "mV", 1.0),
    ],
)
def test_scale_is_the_exact_power_of_ten(unit, to, factor):
    assert scale(unit, to) == factor


@pytest.mark.parametrize(("unit", "name"), [("mV", "voltage"), ("pA", "current"), ("ms", "time"), ("?", ""), ("", "")])
def test_quantity_is_read_from_the_unit(unit, name):
    assert quantity(unit) == name


@pytest.mark.parametrize("unit", ["pA", "?", "", "MV", "PA"])
def test_a_unit_of_another_quantity_is_refused(unit):
    with pytest.raises(ValueError, match="converts to mV"):
        scale(unit, "mV")
