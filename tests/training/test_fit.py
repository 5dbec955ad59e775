import json
import shutil
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from leakyflow.files import HOST
from leakyflow.revision import REVISIONS
from leakyflow.simulator.dataset import make_dataset
from leakyflow.training import batches, fit, steps
from leakyflow.training.config import load_config
from leakyflow.training.fit import Checkpoint, train
from leakyflow.training.run import CONFIG, HISTORY, LAST, NETWORK, RECORD, load_posterior
from tests.fresh import run_python
from tests.room import little_room


class Killed(BaseException):
    """As by kill -9: nothing may catch it."""


def last_state(folder):
    with np.load(folder / LAST) as last:
        return {name: last[name] for name in last.files if name != "history"}


def assert_same_weights(folder, other):
    a, b = last_state(folder), last_state(other)
    assert a.keys() == b.keys()
    different = {name: np.abs(a[name] - b[name]).max() for name in a if not np.array_equal(a[name], b[name])}
    assert not different


def killed_mid_epoch(monkeypatch):
    calls = []

    def training_batches(*arguments, epoch, **options):
        calls.append(epoch)
        return batches.training_batches(*arguments, epoch=epoch, **options)

    def validate(self, batch):
        if len(calls) == 2:  # all steps of the second epoch are done, and nothing of it is on disk
            raise Killed
        return measure(self, batch)

    measure = steps._JaxSteps.validate
    monkeypatch.setattr(fit, "training_batches", training_batches)
    monkeypatch.setattr(steps._JaxSteps, "validate", validate)


def killed_between_two_files(monkeypatch):
    write = np.savez

    def savez(path, **arrays):
        if len(arrays["history"]) == 2:
            raise Killed
        write(path, **arrays)

    monkeypatch.setattr(np, "savez", savez)


@pytest.mark.parametrize("kill", [killed_mid_epoch, killed_between_two_files])
def test_a_resumed_run_ends_with_the_weights_of_an_uninterrupted_one(
    kill, tiny_config, tiny_dataset, tiny_run, tmp_path
):
    with pytest.MonkeyPatch.context() as monkeypatch:
        kill(monkeypatch)
        with pytest.raises(Killed):
            train(tiny_config, tiny_dataset, out=tmp_path / "run")
    assert json.loads((tmp_path / "run" / RECORD).read_text())["state"] == "running"
    resumed = train(tiny_config, tiny_dataset, out=tmp_path / "run", resume=True)
    assert_same_weights(tmp_path / "run", tiny_run.folder)
    losses = [[row["loss"], row["val_loss"]] for row in resumed.history]
    assert losses == [[row["loss"], row["val_loss"]] for row in tiny_run.history]
    written, plain = ((folder / HISTORY).read_text().splitlines() for folder in (tmp_path / "run", tiny_run.folder))
    assert [line.rpartition(",")[0] for line in written] == [line.rpartition(",")[0] for line in plain]  # but seconds
    assert not list((tmp_path / "run").glob(".*"))


def test_a_run_is_not_continued_by_other_formulas(tiny_config, tiny_dataset, tiny_run, tmp_path, monkeypatch):
    folder = shutil.copytree(tiny_run.folder, tmp_path / "run")
    monkeypatch.setitem(REVISIONS, "statistics", 99)
    with pytest.raises(ValueError, match=r"other formulas.*statistics \(revision 1, here 99\)"):
        train(tiny_config, tiny_dataset, out=folder, resume=True)


CHECKPOINTS = {
    "empty": lambda content: b"",
    "torn": lambda content: content[: len(content) // 2],
    "flipped": lambda content: content[:1000] + bytes([content[1000] ^ 1]) + content[1001:],
    "no archive": lambda content: b"no archive",
}


@pytest.mark.parametrize("damage", CHECKPOINTS.values(), ids=CHECKPOINTS.keys())
def test_a_damaged_checkpoint_is_refused(tiny_config, tiny_dataset, tiny_run, tmp_path, damage):
    folder = shutil.copytree(tiny_run.folder, tmp_path / "run")
    (folder / LAST).write_bytes(damage((folder / LAST).read_bytes()))
    with pytest.raises(ValueError, match=rf"{folder / LAST}.*Train in another folder"):
        train(tiny_config, tiny_dataset, out=folder, resume=True)


def test_what_a_killed_process_left_is_swept_on_resuming(tiny_config, tiny_dataset, tiny_run, tmp_path):
    folder = shutil.copytree(tiny_run.folder, tmp_path / "run")
    dead = int(run_python("import os; print(os.getpid())").stdout)
    for name in (CONFIG, RECORD):
        (folder / f".new.{HOST}.{dead}.0.{name}").write_text("half")
    train(tiny_config, tiny_dataset, out=folder, resume=True)
    assert not list(folder.glob(".*"))


def test_a_full_disk_ends_the_run_with_an_error_and_it_resumes(tiny_config, tiny_dataset, tiny_run, tmp_path):
    with little_room(50_000), pytest.raises(OSError, match="File too large"):
        train(tiny_config, tiny_dataset, out=tmp_path / "run")
    assert {path.name for path in (tmp_path / "run").iterdir()} == {CONFIG, RECORD}
    train(tiny_config, tiny_dataset, out=tmp_path / "run", resume=True)
    assert_same_weights(tmp_path / "run", tiny_run.folder)


def test_another_seed_ends_with_other_weights(tiny_config, tiny_dataset, tiny_run, tmp_path):
    """The comparison above can fail."""
    other = replace(tiny_config, training=replace(tiny_config.training, seed=2))
    train(other, tiny_dataset, out=tmp_path / "run")
    with pytest.raises(AssertionError):
        assert_same_weights(tmp_path / "run", tiny_run.folder)


def test_training_lowers_the_loss_and_keeps_the_best_network(tiny_run, tiny_config):
    history = tiny_run.history
    assert history[-1]["loss"] < history[0]["loss"]
    record = json.loads((tiny_run.folder / RECORD).read_text())
    assert record["state"] == "finished"
    assert record["val_loss"] == min(row["val_loss"] for row in history)
    assert record["config"] == tiny_config.hash
    assert {"bayesflow", "keras", "jax"} <= record["versions"].keys()


def test_a_run_folder_holds_what_it_says(tiny_run, tiny_config):
    names = {path.name for path in tiny_run.folder.iterdir()}
    # What is typical is added by the first that asks.
    assert names - {"typicality.npz"} == {CONFIG, HISTORY, LAST, NETWORK, RECORD}
    assert load_config(tiny_run.folder / CONFIG) == tiny_config
    header, *rows = (tiny_run.folder / HISTORY).read_text().splitlines()
    assert header == "epoch,loss,val_loss,learning_rate,seconds"
    assert len(rows) == tiny_config.training.epochs


def test_a_finished_run_resumed_is_left_as_it_is(tiny_config, tiny_dataset, tiny_run):
    before = (tiny_run.folder / LAST).read_bytes()
    again = train(tiny_config, tiny_dataset, out=tiny_run.folder, resume=True)
    assert (tiny_run.folder / LAST).read_bytes() == before
    assert again.history == tiny_run.history


@pytest.mark.parametrize(
    ("losses", "patience", "expected"),
    [([3.0, 2.0, 2.5, 2.4], 2, True), ([3.0, 2.0, 2.5, 2.4], 3, False), ([3.0, 2.0], 0, False), ([], 1, False)],
)
def test_early_stopping_counts_epochs_since_the_best(losses, patience, expected):
    checkpoint = Checkpoint.__new__(Checkpoint)
    checkpoint.history = [{"val_loss": loss} for loss in losses]
    assert checkpoint.stalled(patience) is expected


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_good_epoch(tiny_config, tiny_dataset, tmp_path):
    training = replace(tiny_config.training, gradient_clip=0.0)
    object.__setattr__(training, "learning_rate", 1e30)  # which settings refuse
    wild = replace(tiny_config)
    object.__setattr__(wild, "training", training)
    with pytest.raises(ValueError, match=r"The loss must stay finite.*Lower `learning_rate`"):
        train(wild, tiny_dataset, out=tmp_path / "run")
    assert not (tmp_path / "run" / LAST).exists()


def test_each_error_says_what_to_do(tiny_config, tiny_dataset, tiny_run, tmp_path):
    longer = replace(tiny_config, training=replace(tiny_config.training, epochs=9))
    more = replace(tiny_config, training=replace(tiny_config.training, n_simulations=4000))
    coarser = replace(tiny_config, simulator=replace(tiny_config.simulator, dt=0.5))
    with pytest.raises(ValueError, match="must be drawn from the configuration's own simulator settings"):
        train(tiny_config, make_dataset(coarser, 100, seed=1), out=tmp_path / "run")
    with pytest.raises(ValueError, match="n_simulations=4000 recordings, got 2000"):
        train(more, tiny_dataset, out=tmp_path / "run")
    with pytest.raises(FileNotFoundError, match="No run to resume"):
        train(tiny_config, tiny_dataset, out=tmp_path / "run", resume=True)
    with pytest.raises(ValueError, match=r"already holds a run.*--resume"):
        train(tiny_config, tiny_dataset, out=tiny_run.folder)
    with pytest.raises(ValueError, match="has other settings"):
        train(longer, tiny_dataset, out=tiny_run.folder, resume=True)
    assert not (tmp_path / "run").exists()


def test_the_posterior_that_training_returns_is_the_one_on_disk(tiny_run, tiny_dataset):
    recordings = tiny_dataset.recordings(slice(5))
    loaded = load_posterior(tiny_run.folder)
    assert np.array_equal(
        loaded.sample(recordings, n_draws=10, correct=False).array,
        tiny_run.posterior.sample(recordings, n_draws=10, correct=False).array,
    )


def test_the_number_of_adapting_examples_does_not_exceed_the_training_set(tiny_config):
    assert tiny_config.training.n_training < fit.N_ADAPT  # so the tests above cover the short case


class Board:
    """Stands in for TensorBoard's writer; keeps what it is given."""

    def __init__(self, folder: str) -> None:
        self.folder, self.points, self.flushed = folder, [], 0
        Board.last = self

    def add_scalar(self, name, value, step):
        self.points.append((name, value, step))

    def flush(self):
        self.flushed += 1


def test_a_live_view_gets_each_epoch_as_it_ends(tiny_config, tiny_dataset, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", SimpleNamespace(SummaryWriter=Board))
    monkeypatch.setattr("leakyflow.training.fit.EVERY", 10)
    run = train(tiny_config, tiny_dataset, out=tmp_path / "run", tensorboard=True)
    board = Board.last
    assert board.folder == str(tmp_path / "run" / "tensorboard")
    assert board.flushed == len(run.history)
    for name in ("loss", "val_loss", "learning_rate"):
        given = [(step, value) for what, value, step in board.points if what == f"epoch/{name}"]
        assert given == [(row["epoch"], pytest.approx(row[name])) for row in run.history]
    steps = [step for what, _, step in board.points if what == "step/loss"]
    per_epoch = tiny_config.training.n_training // tiny_config.training.batch_size
    assert steps == [epoch * per_epoch + step for epoch in (0, 1) for step in (10, 20)]


def test_without_tensorboard_a_live_view_is_refused_before_any_work(tiny_config, tiny_dataset, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ModuleNotFoundError, match=r"leakyflow\[tensorboard\]"):
        train(tiny_config, tiny_dataset, out=tmp_path / "run", tensorboard=True)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("n_steps", "nbytes", "lengths"),
    [
        (1855, 100, [53] * 35),  # 64 steps at most
        (371, 100, [53] * 7),
        (60, 100, [60]),
        (127, 100, [64, 63]),  # a prime number of steps
        (12, 2**16, [2] * 6),  # 2^25 bytes hold two batches of 256 recordings
        (3, 2**20, [1] * 3),  # not even one
    ],
)
def test_an_epoch_is_parted_into_calls_of_equal_lengths_where_possible(n_steps, nbytes, lengths):
    order = np.arange(n_steps * 256).reshape(n_steps, 256)
    calls = fit.in_calls(order, nbytes)
    assert [len(call) for call in calls] == lengths
    np.testing.assert_array_equal(np.concatenate(calls), order)
