import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from leakyflow.diagnostics.suite import CHECKS, Suite

LATER = ["corrected", "predictive", "typicality", "contraction", "sensitivity"]


def done(suite: Suite) -> Suite:
    for _, work in suite.remaining():
        work()
    return suite


@pytest.fixture(scope="module")
def suite(tiny_run, tmp_path_factory):
    return done(Suite(tiny_run.folder, tmp_path_factory.mktemp("diagnostics"), n=100, only=("convergence", "raw")))


def test_every_part_leaves_numbers_figures_and_verdicts(suite):
    assert list(suite.finished()) == ["convergence", "raw"]
    assert all(suite.finished().values())
    names = {path.name for path in suite.out.iterdir()}
    for stem in ("convergence", "recovery_raw"):
        assert {f"{stem}.csv", f"{stem}.png", f"{stem}.svg"} <= names
    assert not [name for name in names if name.startswith(".")]


def test_numbers_are_finite_and_of_all_quantities(suite):
    table = pd.read_csv(suite.out / "calibration_raw.csv")
    assert set(table.quantity) == {*suite.posterior.names, "log_likelihood"}
    assert np.isfinite(table[["chi2_p", "ks_p"]]).to_numpy().all()


@pytest.mark.slow  # the tiny network misses many posteriors, which the sampler then has to find
def test_corrected_draws_and_predictions_are_checked_too(tiny_run, tmp_path):
    suite = done(Suite(tiny_run.folder, tmp_path, n=100))
    assert list(suite.finished()) == ["convergence", "raw", *LATER]
    p_values = pd.read_csv(tmp_path / "predictive.csv", index_col=0)
    assert ((p_values > 0) & (p_values <= 1)).to_numpy().all()
    verdicts = {check.what: check.passed for check in suite.finished()["corrected"]}
    assert verdicts["recordings with reliable draws"]
    assert not verdicts["recordings with k-hat > 0.7"]


def test_finished_parts_are_not_done_again_for_the_same_network(suite):
    assert list(replace(suite).remaining()) == []
    assert [part.name for part, _ in replace(suite, n=101).remaining()] == ["convergence", "raw"]
    assert [part.name for part, _ in replace(suite, only=()).remaining()] == LATER


def test_verdicts_of_another_network_are_not_kept(suite, tmp_path):
    kept = json.loads((suite.out / CHECKS).read_text())
    (tmp_path / CHECKS).write_text(json.dumps(kept | {"fingerprint": "another"}))
    assert replace(suite, out=tmp_path).finished() == {}


def test_held_out_simulations_are_others_than_those_of_training(suite, tiny_dataset):
    theirs, ours = (np.asarray(x.parameters().tau) for x in (tiny_dataset, suite.held_out))
    assert not np.isin(ours, theirs).any()


def test_too_few_simulations_are_refused(suite):
    with pytest.raises(ValueError, match="at least 100 held-out recordings, got 99"):
        replace(suite, n=99)
