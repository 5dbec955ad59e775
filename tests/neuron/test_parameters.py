import pickle

import jax
import numpy as np
import pytest

from leakyflow.errors import LeakyflowError
from leakyflow.neuron.mechanisms import MECHANISMS
from leakyflow.neuron.parameters import REQUIRED, TABLE, Parameters, check_ranges, needed
from tests.cases import NEURON

SAG = NEURON.replace(sag=0.4, sag_tau=50.0)


def test_every_row_says_what_it_is():
    for name, row in TABLE.items():
        assert row.name == name
        assert row.symbol
        assert row.unit
        assert row.meaning
        assert row.off is None or row.support.low <= row.off < row.support.high
        assert (row.unit == "mV") >= row.absolute


def test_what_is_off_is_left_out_and_reads_as_off():
    neuron = NEURON.replace(sag=0.0, threshold_noise=0.0)
    assert "sag" not in neuron
    assert neuron.sag == 0.0 == neuron["threshold_noise"]
    assert list(neuron) == [name for name in TABLE if name in neuron]
    assert SAG.without("sag", "sag_tau") == NEURON != SAG
    assert NEURON.replace(sag=np.zeros(3)).pruned() == NEURON
    with pytest.raises(AttributeError, match="No value of `sag_tau` among"):
        _ = NEURON.sag_tau


def test_mechanisms_are_those_of_the_parameters_given():
    assert NEURON.mechanisms == ()
    assert [mechanism.name for mechanism in SAG.replace(ahp_slow=-10.0, ahp_slow_tau=100.0).mechanisms] == [
        "ahp_slow",
        "sag",
    ]
    for mechanism in MECHANISMS:
        on = {mechanism.name: 1.0}
        assert set(needed(on)) == {*REQUIRED, *(row.name for row in mechanism.parameters[1:])}


def test_parameters_cross_jax_and_pickle():
    assert pickle.loads(pickle.dumps(SAG)) == SAG
    leaves, structure = jax.tree.flatten(SAG)
    assert len(leaves) == len(SAG)
    assert jax.tree.unflatten(structure, leaves) == SAG
    doubled = jax.jit(lambda p: p.map(lambda value: 2 * value))(SAG)
    assert doubled.sag_tau == 100.0
    assert list(doubled) == list(SAG)


def test_shifting_moves_absolute_voltages_alone():
    moved = SAG.shifted(-65.0)
    assert {name for name in SAG if moved[name] != SAG[name]} == {"V_rest", "V_th", "V_reset"}
    assert moved.V_th - moved.V_rest == SAG.V_th - SAG.V_rest


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(LeakyflowError, match=r"no parameter `tua`\. Did you mean `tau`"):
        Parameters(tua=3.0)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"tau": 0.0}, r"`tau` must be finite and > 0 ms, got 0 \(1 of 1"),
        (
            {"dendrite_share": np.array([0.2, 1.0])},
            r"`dendrite_share` must be finite and >= 0 1 and < 1 1, got 1 \(1 of 2",
        ),
        ({"V_th": np.inf}, "`V_th` must be finite, got inf"),
    ],
)
def test_values_out_of_range_are_refused(change, match):
    with pytest.raises(LeakyflowError, match=match):
        check_ranges(NEURON.replace(**change))
