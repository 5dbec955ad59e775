import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from leakyflow.batches import batch as module
from leakyflow.batches.batch import batch, begin, recordings_in, run
from leakyflow.batches.collect import collect
from leakyflow.batches.manifest import Manifest
from leakyflow.batches.one import Judge, infer_file
from leakyflow.batches.rows import read_rows
from leakyflow.batches.settings import Settings
from leakyflow.batches.shard import is_done, place
from leakyflow.cli.cells import inferred
from leakyflow.diagnostics.typicality import typicality_of
from leakyflow.errors import LeakyflowError
from leakyflow.files import HOST
from leakyflow.likelihood.read_draws import read_draws
from leakyflow.recordings.files.saved import save_recording
from leakyflow.recordings.read_cell import read_cell
from leakyflow.simulator.simulate import simulate
from leakyflow.simulator.stimuli import square
from tests.batches import faked
from tests.cases import DT, NEURON

NAMES = ("a.abf", "b_bad.abf", "c.abf", "d_odd.abf", "e.abf", "f.abf", "g.abf")


@pytest.fixture
def fake(monkeypatch):
    """Shards are made in this process, by no network."""
    faked.install(monkeypatch.setattr)

    def in_turn(make, out, missing, *, done, **settings):
        for index in missing:
            done(make(out, index))

    monkeypatch.setattr(module, "make_shards", in_turn)


@pytest.fixture
def folder(tmp_path):
    return faked.folder_of(tmp_path / "cells", *NAMES)


def of(folder, out, **changes):
    return batch(folder, out=out, **{"network": "standard", "n_draws": 100, "shard_size": 2} | changes)


@pytest.mark.usefixtures("fake")
def test_a_bad_file_is_a_row_with_its_error_and_stops_nothing(folder, tmp_path):
    table = of(folder, tmp_path / "out").set_index("file")
    assert list(table.index) == list(NAMES)
    assert (table["status"] == "ok").sum() == 5
    assert table.loc["b_bad.abf", "error"] == "b_bad.abf must be a recording."
    assert table.loc["d_odd.abf", "error"] == "ZeroDivisionError: division by zero"


@pytest.mark.usefixtures("fake")
def test_table_draws_and_pictures_agree(folder, tmp_path):
    out = tmp_path / "out"
    table = of(folder, out)
    for written in (pd.read_parquet(out / "cells.parquet"), pd.read_csv(out / "cells.csv")):
        assert written["file"].tolist() == list(NAMES)
        assert written["tau_mean"].dropna().tolist() == pytest.approx(table["tau_mean"].dropna().tolist())
    good = table[table["status"] == "ok"]
    for row in good.itertuples():
        assert read_draws(out / row.draws)["tau"].mean() == pytest.approx(row.tau_mean)
        assert row.cell in (out / row.picture).read_text()
    assert good["tau_mean"].nunique() == len(good)
    assert str(table["n_spikes"].dtype) == "Int64"


@pytest.mark.usefixtures("fake")
def test_a_cell_that_takes_too_long_is_a_row_that_says_so(tmp_path):
    folder = faked.folder_of(tmp_path / "cells", "a.abf", "b_slow.abf", "c.abf")
    table = of(folder, tmp_path / "out", timeout=0.3)
    assert table["status"].tolist() == ["ok", "late", "ok"]
    assert table["error"][1] == "Not done within 0.3 s."


@pytest.mark.usefixtures("fake")
def test_results_do_not_depend_on_the_order_of_the_shards_nor_on_making_them_twice(folder, tmp_path):
    of(folder, tmp_path / "once")
    for shard in (3, 0, 3, 2, 1, 0):
        of(folder, tmp_path / "parts", shard=shard)
    collect(tmp_path / "parts")
    assert faked.hashes(tmp_path / "once") == faked.hashes(tmp_path / "parts")


@pytest.mark.usefixtures("fake")
def test_another_seed_is_seen_in_the_hashes(folder, tmp_path):
    of(folder, tmp_path / "one")
    of(folder, tmp_path / "other", seed=1)
    assert faked.hashes(tmp_path / "one") != faked.hashes(tmp_path / "other")


@pytest.mark.usefixtures("fake")
def test_one_shard_is_made_without_looking_at_the_files_again(folder, tmp_path, monkeypatch):
    of(folder, tmp_path / "out", shard=0)
    monkeypatch.setattr(module, "recordings_in", lambda *_: pytest.fail("looked again"))
    table = of(folder, tmp_path / "out", shard=1)
    assert table["file"].tolist() == ["c.abf", "d_odd.abf"]
    assert not (tmp_path / "out" / "cells.csv").exists()


KILLED = """
import sys
from pathlib import Path
from tests.batches import faked
faked.install()
from leakyflow.batches import batch as module
out, index = Path(sys.argv[1]), int(sys.argv[2])
print(module.make_shard(out, index))
"""


def process(out, index: int) -> int:
    """Make a shard in a process of its own; its exit status."""
    return subprocess.run([sys.executable, "-c", KILLED, str(out), str(index)], check=False).returncode


@pytest.mark.usefixtures("fake")
def test_a_batch_goes_on_after_kill_9_and_gives_the_same(tmp_path):
    names = ("a.abf", "b.abf", "c_once.abf", "d.abf")
    killed, whole = (faked.folder_of(tmp_path / name, *names) for name in ("killed", "whole"))
    (whole / ".died").touch()
    out = tmp_path / "out"
    begin(killed, out, network="standard", settings=Settings(n_draws=100), shard_size=2)
    assert process(out, 1) == -9
    assert not is_done(out, 1)
    assert [path.name for path in (out / "shards").iterdir() if path.name.startswith(f".new.{HOST}")]
    of(killed, out)
    of(whole, tmp_path / "other")
    assert faked.hashes(out) == faked.hashes(tmp_path / "other")
    assert not [path for path in (out / "shards").iterdir() if path.name.startswith(".new") or path.suffix == ".at"]


@pytest.mark.usefixtures("fake")
def test_a_shard_that_gets_its_name_has_nothing_left_to_sweep(folder, tmp_path, monkeypatch):
    """Killed from then on, nobody would come back to it."""
    beside, rename = {}, Path.rename

    def seen(self, target):
        beside[target.name] = [path.name for path in target.parent.iterdir() if path.suffix == ".at"]
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", seen)
    of(folder, tmp_path / "out")
    assert beside == {f"0000{i}": [] for i in range(4)}


@pytest.mark.usefixtures("fake")
def test_a_file_that_kills_its_process_twice_is_blamed(tmp_path):
    folder, out = faked.folder_of(tmp_path / "cells", "a.abf", "b_deadly.abf", "c.abf"), tmp_path / "out"
    begin(folder, out, network="standard", settings=Settings(n_draws=100), shard_size=3)
    assert [process(out, 0) for _ in range(2)] == [-9, -9]
    run(out)
    rows = read_rows(place(out, 0))
    assert [row["status"] for row in rows] == ["ok", "died", "ok"]


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text.replace("0.9", "0.8", 1),
        lambda text: "[]",
        lambda text: "[" * 100_000,
        lambda text: text.replace('"kind"', '"king"', 1),
    ],
    ids=["half", "digit", "list", "nested", "name"],
)
def test_rows_that_were_changed_are_refused_and_made_again_once_they_are_deleted(damage, folder, tmp_path):
    out = tmp_path / "out"
    whole = of(folder, out)
    path = place(out, 0) / "rows.json"
    path.write_text(damage(path.read_text()))
    with pytest.raises(LeakyflowError, match=rf"Delete {path.parent}, and give the same command again"):
        of(folder, out)
    shutil.rmtree(path.parent)
    pd.testing.assert_frame_equal(of(folder, out), whole)


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize("marks", ["", "[]", '{"0": ', '{"a": 1}', '{"0": "often"}'])
def test_marks_that_were_damaged_are_refused(marks, folder, tmp_path):
    out = tmp_path / "out"
    begin(folder, out, network="standard", settings=Settings(n_draws=100), shard_size=3)
    path = place(out, 0).with_suffix(".at")
    path.parent.mkdir()
    path.write_text(marks)
    with pytest.raises(LeakyflowError, match="Delete it, and give the same command again"):
        run(out)


@pytest.mark.usefixtures("fake")
def test_another_batch_in_the_same_folder_is_refused(folder, tmp_path):
    out = tmp_path / "out"
    of(folder, out)
    with pytest.raises(LeakyflowError, match=r"differs in `start` \(None, here 50\.0\)"):
        of(folder, out, start=50.0)
    with pytest.raises(LeakyflowError, match=r"differs in the network \(standard, here lstm\)"):
        of(folder, out, network="lstm")
    with pytest.raises(LeakyflowError, match=r"differs in `shard_size` \(2, here 3\)"):
        of(folder, out, shard_size=3)
    (folder / "a.abf").write_text("another")
    with pytest.raises(LeakyflowError, match=r"1 of its files \(first: a\.abf\)"):
        of(folder, out)
    with pytest.raises(LeakyflowError, match="`shard` must lie between 0 and 3, got 4"):
        of(folder, out, shard=4)


@pytest.mark.usefixtures("fake")
def test_a_file_that_changed_since_the_batch_was_begun_is_no_part_of_it(folder, tmp_path):
    out = tmp_path / "out"
    begin(folder, out, network="standard", settings=Settings(n_draws=100), shard_size=7)
    (folder / "c.abf").write_text("another")
    run(out)
    assert collect(out).set_index("file").loc["c.abf", "error"].startswith("The file has changed")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_draws": 0}, "`n_draws` must be at least 1, got 0"),
        ({"seed": -1}, "`seed` must be at least 0, got -1"),
        ({"timeout": 0.0}, "`timeout` must be positive"),
        ({"shard_size": 0}, "`shard_size` must be at least 1"),
    ],
)
def test_settings_out_of_range_are_refused(change, message, folder, tmp_path):
    with pytest.raises(LeakyflowError, match=message):
        of(folder, tmp_path / "out", **change)
    assert not (tmp_path / "out").exists()


def test_only_what_may_be_a_recording_is_one(tmp_path):
    folder = faked.folder_of(tmp_path / "cells", "b.abf", "notes.md", ".hidden.abf")
    faked.folder_of(folder / "day 2", "a.nwb")
    faked.folder_of(folder / "out", "cells.csv")
    assert [path.name for path in recordings_in(folder, folder / "out")] == ["b.abf", "a.nwb"]
    with pytest.raises(LeakyflowError, match="holds no file"):
        recordings_in(faked.folder_of(tmp_path / "empty"), tmp_path / "out")
    with pytest.raises(FileNotFoundError, match="No folder"):
        recordings_in(tmp_path / "none", tmp_path / "out")


@pytest.fixture
def simulated(tmp_path):
    """Two cells, and a file that is none."""
    folder = faked.folder_of(tmp_path / "simulated", "z_bad.csv")
    for seed in range(2):
        stimulus = square(amplitude=200.0, onset=50.0, duration=200.0, t_max=300.0, dt=DT)
        save_recording(simulate(NEURON, stimulus, seed=seed), folder / f"cell{seed}.npz")
    return folder


def test_real_files_are_inferred_as_by_the_posterior(simulated, tiny_run, tmp_path, monkeypatch):
    monkeypatch.setattr("leakyflow.diagnostics.typicality.N_SIMULATIONS", 800)
    table = batch(simulated, out=tmp_path / "out", network=tiny_run.folder, n_draws=100, shard=0)
    assert table["status"].tolist() == ["ok", "ok", "failed"]
    assert (table["n_spikes"][:2] > 0).all()
    assert table["tau_sd"][:2].gt(0.0).all()
    assert table["verdict"].str.contains("Does it predict").tolist()[:2] == [True, True]
    assert table["method"][0] in ("importance", "SMC", "search")
    assert Manifest.load(tmp_path / "out").network_hash


def test_a_network_that_knows_cells_is_taken_unless_told_otherwise(tmp_path):
    simulated = faked.folder_of(tmp_path / "simulated", "z_bad.csv")
    step = square(amplitude=200.0, onset=50.0, duration=200.0, t_max=300.0, dt=0.5)
    for seed in range(2):
        save_recording(simulate(NEURON, step, seed=seed), simulated / f"cell{seed}.npz")
    table = batch(simulated, out=tmp_path / "out", n_draws=100, correct=False, shard=0)
    assert table["status"].tolist() == ["ok", "ok", "failed"]
    assert Manifest.load(tmp_path / "out").network == "cell"
    assert table["sag_tau_mean"][:2].gt(0.0).all()
    assert table["typical"][:2].isna().all()  # nothing is said of single sweeps


def test_a_file_gives_in_a_batch_what_the_command_infer_gives(real_recordings, tiny_run):
    posterior, file = tiny_run.posterior, real_recordings / "steps_171116sh_0018.abf"
    settings = Settings(sweeps=(0, 1, 3, 5), start=100.0, stop=400.0, n_draws=200)
    found = infer_file(file, settings, Judge(posterior, typicality_of(posterior)), seed=3)
    cell = read_cell(file, settings.sweeps, dt=posterior.dt, start=100.0, stop=400.0)
    verdict = inferred(posterior, cell, [2], n_draws=200, seed=3, correct="auto")
    assert found.row["verdict"] == str(verdict)
    assert (found.row["n_sweeps"], found.row["n_held_out"], found.row["predicted"]) == (4, 1, "kept back")
    assert found.row["eps_V"] == verdict.prediction.eps_V
    np.testing.assert_array_equal(found.draws.array, verdict.draws.array)
    table = verdict.summary(posterior.prior, seed=3)
    assert found.row["tau_q95"] == table.loc["tau", "q95"]
    assert "tau_between" in found.row
    other = infer_file(file, replace(settings, hold_out=(5,)), Judge(posterior, typicality_of(posterior)), seed=3)
    assert other.row["eps_V"] != verdict.prediction.eps_V


@pytest.mark.slow
def test_one_worker_and_four_give_the_same_bits(simulated, tiny_run, tmp_path):
    own = {"network": tiny_run.folder, "n_draws": 100, "shard_size": 1, "timeout": 1e5}  # late is no matter of bits
    for n in (1, 4):
        batch(simulated, out=tmp_path / str(n), workers=n, **own)
    assert faked.hashes(tmp_path / "1") == faked.hashes(tmp_path / "4")
    assert len(faked.hashes(tmp_path / "1")) == 9
