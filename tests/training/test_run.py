import json
import shutil

import pytest

from leakyflow.training.run import CONFIG, NETWORK, RECORD, load_posterior, replacing


def damaged(tiny_run, tmp_path):
    return shutil.copytree(tiny_run.folder, tmp_path / "run")


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")

    def write_half() -> None:
        with replacing(path) as scratch:
            scratch.write_text("half of the new")
            raise OSError("disk full")

    with pytest.raises(OSError, match="full"):
        write_half()
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.txt"]
    with replacing(path) as scratch:
        scratch.write_text("new")
    assert path.read_text() == "new"


def test_no_folder_is_a_clear_error():
    with pytest.raises(FileNotFoundError, match="leakyflow train"):
        load_posterior("no-such-run")


def test_a_folder_without_a_network_says_what_is_missing(tmp_path):
    with pytest.raises(ValueError, match=r"config\.toml and network\.weights\.h5 missing"):
        load_posterior(tmp_path)


def test_weights_that_are_not_hdf5_are_refused(tiny_run, tmp_path):
    folder = damaged(tiny_run, tmp_path)
    (folder / NETWORK).write_bytes(b"not a network")
    with pytest.raises(ValueError, match="do not fit"):
        load_posterior(folder)


def test_weights_of_another_architecture_are_refused(tiny_run, tmp_path):
    folder = damaged(tiny_run, tmp_path)
    text = (folder / CONFIG).read_text()
    (folder / CONFIG).write_text(text.replace("depth = 4", "depth = 5"))
    with pytest.raises(ValueError, match="do not fit"):
        load_posterior(folder)


def test_a_pickle_in_the_place_of_weights_is_not_executed(tiny_run, tmp_path):
    import pickle

    class Bomb:
        def __reduce__(self):
            return (exec, ("raise SystemExit('executed')",))

    folder = damaged(tiny_run, tmp_path)
    (folder / NETWORK).write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ValueError, match="do not fit"):
        load_posterior(folder)


def test_a_run_tells_its_versions(tiny_run):
    record = json.loads((tiny_run.folder / RECORD).read_text())
    assert record["backend"] == "jax"
    assert record["versions"]["bayesflow"].startswith("2.0.")
