import json

import numpy as np
import pytest

from leakyflow.errors import LeakyflowError
from leakyflow.exports.allen import read_glif
from leakyflow.exports.export import export
from tests.cases import DT
from tests.exports.glif import glif
from tests.exports.stepped import stepped
from tests.exports.test_round_trip import QUIET, current
from tests.neuron.cases import ON

HAS = {
    "GLIF 1": {},
    "GLIF 3": ON["ahp_fast"] | ON["ahp_slow"],
    "one current": ON["ahp_slow"],
    "all it has": ON["ahp_fast"] | ON["ahp_slow"] | ON["threshold_jump"],
}


@pytest.mark.parametrize("parts", HAS.values(), ids=HAS)
def test_the_rules_of_the_allen_sdk_give_the_same_voltage_and_the_same_spikes(parts, tmp_path):
    neuron, I = QUIET.replace(**parts), np.where(np.arange(1500) < 100, 0.0, current())
    _, path = export(neuron, "allen", out=tmp_path / "neuron.json", dt=DT).files
    model = json.loads(path.read_text())
    V, spikes = glif(model, I * 1e-12)
    expected = stepped(neuron, I, DT)
    assert [k + 1 for k in spikes if k + 1 < len(I)] == expected.spikes[0].tolist()
    assert len(spikes) > 5
    kept, ahead = ~np.isnan(V[:-1]), (V + model["El_reference"]) * 1e3
    np.testing.assert_allclose(ahead[:-1][kept], expected.V[0, 1:][kept], rtol=0, atol=1e-9)


@pytest.mark.parametrize("parts", HAS.values(), ids=HAS)
def test_what_is_written_is_read_back(parts, tmp_path):
    neuron = QUIET.replace(**parts)
    _, path = export(neuron, "allen", out=tmp_path / "neuron.json", dt=0.05).files
    found = read_glif(path)
    assert sorted(found) == sorted(neuron)
    for name, value in neuron.items():
        assert found[name] == pytest.approx(value, rel=1e-12)


def test_many_neurons_are_as_many_files(tmp_path):
    neurons = QUIET.replace(tau=np.array([12.0, 17.0]))
    files = export(neurons, "allen", out=tmp_path / "neuron.json", dt=DT).files
    assert [path.name for path in files] == ["neuron.json", "neuron_glif_0.json", "neuron_glif_1.json"]
    assert [read_glif(path).tau for path in files[1:]] == pytest.approx([12.0, 17.0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"voltage_reset_method": {"name": "v_before", "params": {"a": 0.4, "b": 0.01}}}, "depends on the voltage"),
        ({"voltage_reset_method": {"name": "other", "params": {}}}, "voltage_reset_method"),
        ({"AScurrent_reset_method": {"name": "sum", "params": {"r": [0.5]}}}, "changes the currents"),
        (
            {
                "threshold_dynamics_method": {
                    "name": "three_components_exact",
                    "params": {"a_voltage": 1.0, "b_spike": 1},
                }
            },
            "threshold follows the voltage",
        ),
        ({"C": "much"}, "C cannot be read"),
        ({"C": -1e-12}, "C cannot be read"),
        ({"R_input": 0.0}, "R_input cannot be read"),
        ({"El": float("nan")}, "El cannot be read"),
        ({"coeffs": {"C": "much"}}, "coeffs.C cannot be read"),
        ({"voltage_reset_method": {"name": "v_before", "params": {"a": 0.0}}}, "must say its `b`"),
        ({"voltage_reset_method": {"name": "v_before", "params": {"a": 0.0, "b": []}}}, "params.b cannot be read"),
        ({"threshold_dynamics_method": {"name": "spike_component", "params": {"a_spike": 1e-3}}}, "say its `b_spike`"),
        (
            {"threshold_dynamics_method": {"name": "spike_component", "params": {"b_spike": 0}}},
            "b_spike cannot be read",
        ),
        ({"asc_tau_array": [0.1, 0.2]}, "must be of one length, got 1, 1 and 2"),
        ({"asc_tau_array": [0.0]}, "asc_tau_array.0 cannot be read"),
    ],
)
def test_a_rule_that_leakyflow_has_not_is_refused(change, message, tmp_path):
    _, path = export(QUIET.replace(**ON["ahp_slow"]), "allen", out=tmp_path / "neuron.json", dt=DT).files
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(LeakyflowError, match=message):
        read_glif(path)


def test_a_neuron_whose_list_of_currents_is_empty_has_none(tmp_path):
    _, path = export(QUIET.replace(**ON["ahp_slow"]), "allen", out=tmp_path / "neuron.json", dt=DT).files
    none = {"asc_amp_array": [], "asc_tau_array": []}
    path.write_text(json.dumps(json.loads(path.read_text()) | none))
    assert sorted(read_glif(path)) == sorted(QUIET)


def test_a_reset_to_rest_is_read(tmp_path):
    _, path = export(QUIET, "allen", out=tmp_path / "neuron.json", dt=DT).files
    zero = {"voltage_reset_method": {"name": "zero", "params": {}}}
    path.write_text(json.dumps(json.loads(path.read_text()) | zero))
    assert read_glif(path).V_reset == pytest.approx(QUIET.V_rest)
