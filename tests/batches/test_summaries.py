import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from leakyflow.batches import summaries as module
from leakyflow.batches.shard import place
from leakyflow.batches.summaries import make_summaries, open_summaries
from leakyflow.errors import LeakyflowError
from leakyflow.files import HOST
from leakyflow.likelihood.sufficient import compress
from leakyflow.models.statistics import STATISTICS, summary_statistics
from leakyflow.neuron.parameters import TABLE, Parameters
from leakyflow.recordings.batch import Batch
from leakyflow.recordings.cell import Cell
from leakyflow.simulator.simulate import simulate_traces
from leakyflow.training.config import load_config
from tests.batches.faked import hashes

SIMULATOR = replace(load_config("quick").simulator, duration=(100.0, 160.0))
CONFIG = SimpleNamespace(simulator=SIMULATOR)
N, SIZE = 23, 6


def made(out, **changes):
    settings = {"seed": 1, "out": out, "shard_size": SIZE} | changes
    shards = [settings.pop("shard")] if "shard" in settings else range(-(-N // settings["shard_size"]))
    for shard in shards:
        found = make_summaries(CONFIG, N, shard=shard, **settings)
    return found


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return made(tmp_path_factory.mktemp("kept"))


def test_every_recording_has_one_row(kept):
    table = pd.concat(kept.tables())
    assert table["number"].tolist() == list(range(N))
    assert [len(part) for part in kept.tables()] == [6, 6, 6, 5]
    assert len(kept) == N
    assert table["tau"].nunique() == N  # no two shards draw the same neurons


@pytest.mark.parametrize("i", [0, 8, 22])
def test_traces_simulated_again_have_the_statistics_that_were_kept(kept, i):
    recording, table = kept[i], kept.table(i // SIZE)
    row = table[table.number == i].iloc[0]
    batch = Batch.of(recording)
    again = summary_statistics(batch, compress(batch))[0].astype(np.float32)
    np.testing.assert_allclose(row[list(STATISTICS)].to_numpy(float), again, rtol=1e-5, atol=1e-5)
    assert recording.n_samples == row.n_samples
    assert recording.name == f"simulation {i}"
    other = summary_statistics(batch := Batch.of(kept[(i + 1) % N]), compress(batch))[0]
    assert not np.allclose(row[list(STATISTICS)].to_numpy(float), other, rtol=1e-5, atol=1e-5)


def test_traces_are_of_the_parameters_that_were_kept(kept):
    row, recording = kept.table(1).iloc[2], kept[8]
    header = kept.plan.header(1)
    neuron = Parameters(**{name: np.array([row[name]]) for name in header.parameters})
    found = simulate_traces(neuron, recording.I[None], recording.dt, seed=header.seed, index=np.array([2]))
    np.testing.assert_array_equal(found.V[0], recording.V)


def test_no_parameter_is_called_as_a_statistic():
    assert not set(TABLE) & set(STATISTICS)


def test_shards_do_not_depend_on_order_and_a_killed_one_is_made_again_to_the_same_bits(kept, tmp_path):
    script = """
import os, signal, sys
from pathlib import Path
from leakyflow.batches import summaries
rows = summaries._rows
def kill(header, parameters, span, first):
    os.kill(os.getpid(), signal.SIGKILL)
summaries._rows = kill
summaries.make_shard(Path(sys.argv[1]), 2)
"""
    made(tmp_path / "out", shard=3)
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path / "out")], check=False)
    assert done.returncode == -signal.SIGKILL
    assert not module.is_made(tmp_path / "out", 2)
    assert [path for path in (tmp_path / "out" / "shards").iterdir() if path.name.startswith(f".new.{HOST}")]
    for shard in (2, 0, 2, 1):
        made(tmp_path / "out", shard=shard)
    assert hashes(tmp_path / "out") == hashes(kept.folder)
    assert sorted(path.name for path in (tmp_path / "out" / "shards").iterdir()) == [f"0000{i}" for i in range(4)]


def test_another_seed_is_seen_in_the_hashes(kept, tmp_path):
    assert hashes(made(tmp_path / "other", seed=2).folder) != hashes(kept.folder)


def test_sweeps_of_cells_are_rows_of_their_cell(tmp_path):
    cells = SimpleNamespace(simulator=load_config("cell").simulator)
    kept = make_summaries(cells, 5, seed=1, out=tmp_path / "cells", shard_size=3, shard=1)
    table, cell = kept.table(1), kept[4]
    own = table[table.number == 4]
    assert isinstance(cell, Cell)
    assert len(cell) == len(own)
    assert own["spike_count"].to_numpy() == pytest.approx([np.log1p(sweep.spikes.sum()) for sweep in cell], rel=1e-6)
    assert cell.name == "simulation 4"


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"seed": 2}, "differ in seed"),
        ({"shard_size": 7}, "differ in shard_size"),
        ({"shard": 4}, "`shard` must lie between 0 and 3, got 4"),
        ({"shard_size": 0, "shard": 0}, "`shard_size` must be at least 1, got 0"),
    ],
)
def test_each_error_says_what_to_do(kept, change, match):
    with pytest.raises(LeakyflowError, match=match):
        made(kept.folder, **change)


def test_a_shard_that_is_not_there_is_not_read(tmp_path):
    kept = made(tmp_path / "out", shard=0)
    with pytest.raises(FileNotFoundError):
        kept.table(1)
    with pytest.raises(IndexError, match="from 0 to 22, got 23"):
        open_summaries(tmp_path / "out")[23]


@pytest.mark.slow
def test_one_worker_and_two_give_the_same_bits(tmp_path):
    for n in (1, 2):
        make_summaries(CONFIG, N, seed=1, out=tmp_path / str(n), shard_size=SIZE, workers=n)
    assert hashes(tmp_path / "1") == hashes(tmp_path / "2")
    assert place(tmp_path / "2", 3).is_dir()


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: b"", lambda data: b"PAR1" * 9])
def test_a_table_that_was_damaged_is_refused_and_says_which_shard_to_make_again(damage, kept, tmp_path):
    found = open_summaries(shutil.copytree(kept.folder, tmp_path / "kept"))
    path = place(found.folder, 1) / module.SUMMARIES
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(LeakyflowError, match=rf"Delete {path.parent}, and make the shard again"):
        found.table(1)
    assert len(found.table(0)) == SIZE


def test_the_table_of_another_shard_or_of_other_columns_is_refused(kept, tmp_path):
    found = open_summaries(shutil.copytree(kept.folder, tmp_path / "kept"))
    first, second = (place(found.folder, shard) / module.SUMMARIES for shard in (0, 1))
    shutil.copyfile(first, second)
    with pytest.raises(LeakyflowError, match="must hold summaries of recordings 6 to 11"):
        found.table(1)
    found.table(0).drop(columns="tau").to_parquet(first)
    with pytest.raises(LeakyflowError, match="must hold summaries of recordings 0 to 5"):
        found.table(0)


def test_each_number_that_changed_on_the_disk_is_seen(kept, tmp_path):
    """By the checksum of its page; a copy without one is read as if nothing had happened."""
    found = open_summaries(shutil.copytree(kept.folder, tmp_path / "kept"))
    path = place(found.folder, 0) / module.SUMMARIES
    table = found.table(0)
    middle = int(table["tau"].argsort()[SIZE // 2])  # the least and the greatest stand in the header, too
    table.to_parquet(path, index=False, write_page_checksum=True, compression=None, use_dictionary=False)
    data = path.read_bytes()
    at = data.index(table["tau"].to_numpy()[middle].tobytes())
    path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    assert pd.read_parquet(path)["tau"][middle] != table["tau"][middle]
    with pytest.raises(LeakyflowError, match="its table cannot be read"):
        found.table(0)
