import json

import numpy as np
import pandas as pd
import pytest

from leakyflow.errors import LeakyflowError
from leakyflow.exports.export import export
from leakyflow.exports.targets import TARGETS
from leakyflow.likelihood.draws import Draws
from leakyflow.neuron.parameters import TABLE
from tests.cases import DT, NEURON
from tests.neuron.cases import ALL, ON

NOISES = {
    "membrane_noise": {"membrane_noise": 0.3},
    "threshold_noise": {"threshold_noise": 1.0},
    "reset_noise": {"reset_noise": 2.0},
    "current_noise": {"current_noise": 8.0, "current_noise_tau": 5.0},
}
QUIET = NEURON.without(*NOISES)
PARTS = ON | NOISES


def draws(n: int = 50) -> Draws:
    """Of tau, with what else a neuron needs."""
    row = {"method": "importance", "k_hat": 0.3, "note": "", "r_hat": np.nan}
    return Draws(
        ("tau",),
        np.linspace(12.0, 20.0, n)[:, None],
        source="lif",
        diagnostics=pd.DataFrame([row], index=["cell, sweep 3"]),
        given=dict(QUIET.without("tau")),
        dt=DT,
    )


def data(exported) -> dict:
    return json.loads(exported.files[0].read_text())


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("part", PARTS)
def test_a_part_is_expressed_or_refused_with_the_reason_and_named_where_it_is_left_out(part, target, tmp_path):
    neuron, out = QUIET.replace(**PARTS[part]), tmp_path / "neuron.json"
    if part in TARGETS[target].expresses:
        found = data(export(neuron, target, out=out, dt=DT))
        assert set(PARTS[part]) <= set(found["parameters"])
        assert found["left_out"] == {}
        return
    with pytest.raises(LeakyflowError, match=rf"cannot express {part} \(.+\)\. Export to another target"):
        export(neuron, target, out=out, dt=DT)
    assert not out.exists()
    exported = export(neuron, target, out=out, dt=DT, without=(part,))
    assert set(exported.left_out) == set(PARTS[part]) == set(data(exported)["left_out"])
    assert not set(PARTS[part]) & set(data(exported)["parameters"])


def test_brian2_expresses_all_that_a_neuron_can_be_made_of_but_the_electrode():
    optional = {name for name, row in TABLE.items() if row.off is not None}
    assert TARGETS["brian2"].expresses == optional - {"measurement_noise", "R_s"}


@pytest.mark.parametrize("target", TARGETS)
def test_what_belongs_to_the_electrode_is_left_out_and_named(target, tmp_path):
    exported = export(QUIET.replace(R_s=0.01, measurement_noise=0.1), target, out=tmp_path / "neuron.json", dt=DT)
    left_out = data(exported)["left_out"]
    assert left_out["R_s"]["values"] == [0.01]
    assert "electrode" in left_out["R_s"]["why"]
    assert set(left_out) == {"R_s", "measurement_noise"}


@pytest.mark.parametrize("target", TARGETS)
def test_the_data_have_units_provenance_and_versions(target, tmp_path):
    exported = export(draws(), target, out=tmp_path / "new" / "neuron.json")
    found = data(exported)
    assert found["parameters"]["tau"] == {"unit": "ms", "meaning": "membrane time constant", "values": [16.0]}
    assert found["dt"] == {"value": DT, "unit": "ms"}
    assert found["provenance"]["network"] == "lif"
    assert found["provenance"]["recording"] == "cell, sweep 3"
    assert found["provenance"]["posterior"] == {"method": "importance", "k_hat": 0.3, "note": "", "r_hat": None}
    assert found["provenance"]["neurons"] == "mean of 50 posterior draws"
    assert found["leakyflow"]
    assert all(path.is_file() for path in exported.files)


def test_a_population_is_of_draws_each_taken_once_and_the_same_for_the_same_seed(tmp_path):
    first, again, other = (data(export(draws(), "nest", out=tmp_path / "n.json", n=20, seed=s)) for s in (1, 1, 2))
    assert first == again != other
    chosen = first["provenance"]["draws"]
    assert len(set(chosen)) == 20
    np.testing.assert_allclose(first["parameters"]["tau"]["values"], draws()["tau"][chosen])
    assert first["parameters"]["C"]["values"] == [90.0] * 20


def test_nest_has_no_refractory_period_of_zero_where_spikes_leave_something_behind(tmp_path):
    neuron = QUIET.replace(t_ref=0.0)
    export(neuron, "nest", out=tmp_path / "n.json", dt=DT)
    with pytest.raises(LeakyflowError, match=r"`t_ref` must be at least one step, 0\.2 ms"):
        export(neuron.replace(**ON["ahp_slow"]), "nest", out=tmp_path / "n.json", dt=DT)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target": "neuron"}, "`target` must be one of nest, brian2, neuroml, allen, pynn, got 'neuron'"),
        ({"out": "neuron.py"}, "`out` must be a JSON file"),
        ({"n": 51}, "between 1 and the number of draws, 50, got 51"),
        ({"n": 0}, "got 0"),
        ({"dt": -1.0}, "`dt` must be the sampling interval"),
        ({"without": ("sag",)}, r"`without` must name a part of these neurons \(they have none\), got 'sag'"),
        ({"draws": QUIET}, "`dt` must be the sampling interval"),
        ({"draws": QUIET, "dt": DT, "n": 2}, "`n` chooses among posterior draws"),
        ({"draws": QUIET, "dt": 40.0}, "`tau` must be longer than dt"),
        ({"draws": Draws(("tau",), np.ones((2, 5, 1)), ("a", "b"), dt=DT)}, "one with draws.of"),
        ({"draws": Draws(("tau",), np.ones((5, 1)), dt=DT)}, "Pass given="),
    ],
)
def test_what_cannot_be_exported_is_said(change, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LeakyflowError, match=message):
        export(**{"draws": draws(), "target": "nest", "out": "neuron.json"} | change)
    assert not list(tmp_path.iterdir())


def test_all_mechanisms_together_are_equations_that_name_each(tmp_path):
    exported = export(QUIET.replace(**ALL), "brian2", out=tmp_path / "neuron.json", dt=DT)
    script = exported.files[1].read_text()
    compile(script, "neuron_brian2.py", "exec")
    assert all(name in script for name in ALL)
    assert 'EQUATIONS = ""\n' not in script
