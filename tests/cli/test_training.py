"""Simulate, train, and the whole path: datasets, runs, and how they go on."""

import os
import re
import shutil
from functools import partial

import numpy as np
import pandas as pd
import pytest

import leakyflow.training.config
from leakyflow.cli.training import MOST_DEVICES, share_batches
from leakyflow.diagnostics.suite import Suite
from leakyflow.simulator.dataset import open_dataset
from tests.cli.terminal import is_one_screen, leakyflow_, said, stop
from tests.fresh import run_python
from tests.room import little_room

SMALL = 'base = "quick"\n[training]\nn_simulations = 1100\nepochs = 2\nbatch_size = 50\n'


def test_simulate_writes_a_dataset(tmp_path):
    result = leakyflow_("simulate", "--config", "quick", "--n", 20, "--seed", 5, "--out", "data.zarr")
    assert result.exit_code == 0, said(result)
    dataset = open_dataset(tmp_path / "data.zarr")
    assert (len(dataset), dataset.seed) == (20, 5)


def test_simulate_into_another_dataset_is_refused():
    assert leakyflow_("simulate", "-c", "quick", "--n", 20, "--seed", 5, "--out", "data.zarr").exit_code == 0
    result = leakyflow_("simulate", "-c", "quick", "--n", 20, "--seed", 6, "--out", "data.zarr")
    assert is_one_screen(result)
    assert "another seed" in said(result)


def test_simulate_interrupted_says_how_to_continue(monkeypatch):
    arguments = ("simulate", "--config", "quick", "--n", "1100", "--seed", "5", "--out", "data.zarr")
    original, calls = leakyflow.simulator.rows.simulate_traces, []

    def interrupted(*args, **kwargs):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(*args, **kwargs)

    monkeypatch.setattr("leakyflow.simulator.rows.simulate_traces", interrupted)
    result = leakyflow_(*arguments)
    assert result.exit_code == 130
    assert f"Continue with: leakyflow {' '.join(arguments)}" in said(result)
    assert leakyflow_(*arguments).exit_code == 0
    assert len(calls) == 3


def test_simulate_on_a_full_disk_ends_on_one_screen_and_continues():
    arguments = ("simulate", "--config", "quick", "--n", 300, "--seed", 5, "--out", "data.zarr")
    with little_room(100_000):
        result = leakyflow_(*arguments)
    assert is_one_screen(result)
    assert "Free some space" in said(result)
    assert leakyflow_(*arguments).exit_code == 0
    # The same bits as without the interruption.
    assert leakyflow_(*arguments[:-1], "whole.zarr").exit_code == 0
    resumed, whole = (open_dataset(name).recordings() for name in ("data.zarr", "whole.zarr"))
    np.testing.assert_array_equal(resumed.V, whole.V)


def test_train_interrupted_resumes_to_the_end(monkeypatch, tmp_path):
    (tmp_path / "small.toml").write_text(SMALL)
    original, calls = leakyflow.simulator.rows.simulate_traces, []

    def interrupted(*args, **kwargs):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr("leakyflow.simulator.rows.simulate_traces", interrupted)
        result = leakyflow_("train", "--config", "small.toml", "--out", "runs/small")
    assert result.exit_code == 130
    assert "Continue with: leakyflow train --resume --out runs/small" in said(result)

    with monkeypatch.context() as patch:
        patch.setattr("leakyflow.training.fit.prepare", stop)
        assert leakyflow_("train", "--resume", "--out", "runs/small").exit_code == 130

    result = leakyflow_("train", "--resume", "--out", "runs/small")
    assert result.exit_code == 0, said(result)
    assert "of 2" in said(result)
    assert "leakyflow infer FILE --network runs/small" in said(result)
    assert (tmp_path / "runs/small/network.weights.h5").is_file()

    again = leakyflow_("train", "--config", "small.toml", "--out", "runs/small")
    assert is_one_screen(again)
    assert "--resume" in said(again)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--config", "standrad", "--out", "run"), "Did you mean `standard`?"),
        (("--resume", "--out", "run"), "No run to resume in run"),
        (("--config", "quick", "--dataset", "nowhere.zarr", "--out", "run"), "No dataset at nowhere.zarr"),
        (("--config", "bad.toml", "--out", "run"), "Did you mean `epochs`?"),
    ],
)
def test_train_refuses_what_it_cannot_do(arguments, words, tmp_path):
    (tmp_path / "bad.toml").write_text('base = "quick"\n[training]\nepoch = 3\n')
    result = leakyflow_("train", *arguments)
    assert is_one_screen(result)
    assert words in said(result)
    assert not (tmp_path / "run" / "network.weights.h5").exists()


@pytest.mark.parametrize("arguments", [("--out", "run"), ("--out", "run", "--config", "quick", "--resume")])
def test_train_takes_a_configuration_or_resumes(arguments):
    result = leakyflow_("train", *arguments)
    assert result.exit_code == 2
    assert "either --config" in said(result)


def test_run_diagnoses_and_infers_a_held_out_recording(tiny_run, tiny_config, monkeypatch, tmp_path):
    original = leakyflow.training.config.load_config
    monkeypatch.setattr(
        "leakyflow.training.config.load_config",
        lambda source: tiny_config if source == "quick" else original(source),
    )
    monkeypatch.setattr("leakyflow.diagnostics.suite.Suite", partial(Suite, n=150))
    shutil.copytree(tiny_run.folder, tmp_path / "first")
    result = leakyflow_("run", "--out", "first")
    assert result.exit_code == 0, said(result)
    files = {path.name for path in (tmp_path / "first").iterdir()}
    files |= {path.name for path in (tmp_path / "first/diagnostics").iterdir()}
    expected = {"recovery_amortized.csv", "recovery_amortized.png", "ranks_amortized.png", "convergence.png"}
    assert expected | {"held_out.nc"} <= files
    for words in (
        "prior SD RMSE contraction",
        "check found bound verdict",
        "true mean SD 5 % 95 % unit",
        "Written to first",
    ):
        assert words in said(result)
    other = leakyflow_("run", "--out", "first", "--seed", 2)
    assert is_one_screen(other)
    assert "other settings" in said(other)


def test_training_shares_batches_among_a_few_cpus_unless_told_otherwise(monkeypatch):
    for cores, given, expected in ((3, None, "3"), (64, None, str(MOST_DEVICES)), (3, "1", "1")):
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid, n=cores: set(range(n)), raising=False)
        monkeypatch.setenv("JAX_NUM_CPU_DEVICES", given or "")
        if given is None:
            monkeypatch.delenv("JAX_NUM_CPU_DEVICES")
        share_batches()
        assert os.environ["JAX_NUM_CPU_DEVICES"] == expected


@pytest.mark.slow
def test_run_learns_and_says_nothing_else(tmp_path):
    code = f"import sys; sys.argv = ['leakyflow', 'run', '--out', {str(tmp_path / 'quick')!r}]\n"
    result = run_python(code + "from leakyflow.cli import main; main()", COLUMNS="80")
    assert result.stderr == ""
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", result.stdout)
    table = pd.read_csv(tmp_path / "quick/diagnostics/recovery_amortized.csv")
    assert (table.rmse < 0.7 * table.prior_sd).all()
    assert (table.contraction > 0.5).all()
