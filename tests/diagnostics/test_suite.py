import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from leakyflow.diagnostics import contraction as contraction_module
from leakyflow.diagnostics import sensitivity as sensitivity_module
from leakyflow.diagnostics import subject as subject_module
from leakyflow.diagnostics.suite import CHECKS, Suite
from leakyflow.errors import LeakyflowError
from leakyflow.revision import REVISIONS
from leakyflow.simulator.dataset import make_dataset
from leakyflow.simulator.simulate import simulate_traces

LATER = ["corrected", "predictive", "typicality", "contraction", "sensitivity"]


def done(suite: Suite) -> Suite:
    for _, work in suite.remaining():
        work()
    return suite


@pytest.fixture(scope="module")
def suite(tiny_run, tmp_path_factory):
    out = tmp_path_factory.mktemp("diagnostics")
    return done(Suite(tiny_run.folder, out, n=100, only=("convergence", "amortized")))


def test_every_part_leaves_numbers_figures_and_verdicts(suite):
    assert list(suite.finished()) == ["convergence", "amortized"]
    assert all(suite.finished().values())
    names = {path.name for path in suite.out.iterdir()}
    for stem in ("convergence", "recovery_amortized"):
        assert {f"{stem}.csv", f"{stem}.png", f"{stem}.svg"} <= names
    assert not [name for name in names if name.startswith(".")]


def test_numbers_are_finite_and_of_all_quantities(suite):
    table = pd.read_csv(suite.out / "calibration_amortized.csv")
    assert set(table.quantity) == {*suite.posterior.names, "log_likelihood"}
    assert np.isfinite(table[["chi2_p", "ks_p"]]).to_numpy().all()


@pytest.mark.slow  # the tiny network misses posteriors, which the sampler then has to find
def test_corrected_draws_and_predictions_are_checked_too(tiny_run, tmp_path):
    suite = done(Suite(tiny_run.folder, tmp_path, n=100))
    assert list(suite.finished()) == ["convergence", "amortized", *LATER]
    p_values = pd.read_csv(tmp_path / "predictive.csv", index_col=0)
    assert ((p_values > 0) & (p_values <= 1)).to_numpy().all()
    verdicts = {check.what: check.passed for check in suite.finished()["corrected"]}
    assert verdicts["recordings with reliable draws"]
    assert "recordings with k-hat > 0.7" in verdicts  # which depends on how good the tiny network is


def test_finished_parts_are_not_done_again_for_the_same_network(suite):
    assert list(replace(suite).remaining()) == []
    assert [part.name for part, _ in replace(suite, n=101).remaining()] == ["convergence", "amortized"]
    assert [part.name for part, _ in replace(suite, only=()).remaining()] == LATER


def test_verdicts_of_another_network_are_not_kept(suite, tmp_path):
    kept = json.loads((suite.out / CHECKS).read_text())
    (tmp_path / CHECKS).write_text(json.dumps(kept | {"fingerprint": "another"}))
    assert replace(suite, out=tmp_path).finished() == {}


def test_verdicts_by_other_formulas_are_not_kept(suite, monkeypatch):
    assert replace(suite).finished()
    monkeypatch.setitem(REVISIONS, "diagnostics", 99)
    assert replace(suite).finished() == {}


VERDICTS = {
    "empty": "",
    "a list": "[]",
    "torn": '{"fingerprint": "a", "n": 1',
    "nested": "[" * 100_000,
    "without parts": '{"fingerprint": "a", "n": 100, "seed": 0}',
    "a row too short": '{"fingerprint": "a", "n": 100, "seed": 0, "parts": {"amortized": [["ranks"]]}}',
    "text for a count": '{"fingerprint": "a", "n": "many", "seed": 0, "parts": {}}',
}


@pytest.mark.parametrize("content", VERDICTS.values(), ids=VERDICTS.keys())
def test_damaged_verdicts_are_refused(suite, tmp_path, content):
    (tmp_path / CHECKS).write_text(content)
    with pytest.raises(LeakyflowError, match=rf"{tmp_path / CHECKS}.*Delete it, and run `leakyflow diagnose` again"):
        replace(suite, out=tmp_path).finished()


@pytest.mark.parametrize("seed", [0, 1, 1_000_001])
def test_whatever_the_seed_no_training_neuron_is_tested(seed, tiny_run, tiny_dataset, tmp_path, monkeypatch):
    """Version 0.1.0 measured contraction and sensitivities on the seed as given; presets train with 1."""
    tested: list[np.ndarray] = []

    def spy(config, n, *, seed):
        dataset = make_dataset(config, n, seed=seed)
        tested.append(np.asarray(dataset.parameters().tau))
        return dataset

    def spy_traces(parameters, *arguments, **settings):
        tested.append(np.asarray(parameters.tau))
        return simulate_traces(parameters, *arguments, **settings)

    for module in (subject_module, sensitivity_module):
        monkeypatch.setattr(module, "make_dataset", spy)
    monkeypatch.setattr(contraction_module, "simulate_traces", spy_traces)
    suite = Suite(tiny_run.folder, tmp_path, n=100, seed=seed)
    assert len(suite.held_out) == 100
    few = {"n": 3, "n_draws": 20, "seed": seed}
    sensitivity_module.stimulus_sensitivity(suite.posterior, **few)
    sensitivity_module.dt_sensitivity(suite.posterior, **few)
    contraction_module.measure_contraction(suite.posterior, n_exact=0, **few)
    assert len(tested) > 4
    trained = np.asarray(tiny_dataset.parameters().tau)
    for tau in tested:
        assert not np.isin(tau, trained).any()


def test_the_seed_of_training_would_be_seen(tiny_config, tiny_dataset):
    tau = make_dataset(tiny_config, 3, seed=tiny_config.training.seed).parameters().tau
    assert np.isin(tau, tiny_dataset.parameters().tau).all()


def test_held_out_simulations_are_others_than_those_of_training(suite, tiny_dataset):
    theirs, ours = (np.asarray(x.parameters().tau) for x in (tiny_dataset, suite.held_out))
    assert not np.isin(ours, theirs).any()


def test_too_few_simulations_are_refused(suite):
    with pytest.raises(ValueError, match="at least 100 held-out recordings, got 99"):
        replace(suite, n=99)
