import inspect
import re

from leakyflow.simulator.parameters import MEANINGS, UNITS, Parameters


def test_units_and_meanings_are_those_beside_the_fields():
    found = re.findall(r"    (\w+): Scalars  # ([^,]+), (.+)", inspect.getsource(Parameters))
    assert [name for name, _, _ in found] == list(UNITS) == list(MEANINGS)
    assert {name: unit.replace(" ", "") for name, unit, _ in found} == UNITS
    assert {name: meaning for name, _, meaning in found} == MEANINGS
