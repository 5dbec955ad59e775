import json
import shutil

import h5py
import numpy as np
import pytest

from leakyflow.errors import LeakyflowError
from leakyflow.revision import REVISIONS, revisions
from leakyflow.training.run import CONFIG, NETWORK, RECORD, load_posterior, read_record, settings_digest
from tests.recordings.writers import need_filter


def damaged(tiny_run, tmp_path):
    return shutil.copytree(tiny_run.folder, tmp_path / "run")


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


def changed(folder, old, new, *, sealed):
    """Other settings in a run's folder; sealed, its record says that they are its own."""
    text = (folder / CONFIG).read_text()
    assert old in text
    (folder / CONFIG).write_text(text.replace(old, new))
    if sealed:
        record = read_record(folder) | {"settings": settings_digest(folder)}
        (folder / RECORD).write_text(json.dumps(record))


def test_weights_of_another_architecture_are_refused(tiny_run, tmp_path):
    folder = damaged(tiny_run, tmp_path)
    changed(folder, "depth = 4", "depth = 5", sealed=True)
    with pytest.raises(ValueError, match="do not fit"):
        load_posterior(folder)


@pytest.mark.parametrize(("old", "new"), [("median = 17.0", "median = 27.0"), ("dt = 0.2", "dt = 0.1"), ("\n", "\n\n")])
def test_settings_changed_after_training_are_refused(tiny_run, tmp_path, old, new):
    """Version 0.1.0 answered by another prior than the network's own, without a word."""
    folder = damaged(tiny_run, tmp_path)
    changed(folder, old, new, sealed=False)
    with pytest.raises(LeakyflowError, match=r"is not as it was when the network[^$]*leakyflow train --config"):
        load_posterior(folder)


def test_settings_that_are_as_they_were_are_read(tiny_run, tmp_path):
    folder = damaged(tiny_run, tmp_path)
    changed(folder, "\n", "\n\n", sealed=True)
    assert load_posterior(folder).name == "quick"


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


# --- formulas


def test_a_run_tells_the_revisions_of_its_formulas(tiny_run):
    assert read_record(tiny_run.folder)["revisions"] == revisions("network")


@pytest.mark.parametrize("formula", ["neuron", "statistics", "coordinates"])
def test_a_network_trained_by_other_formulas_is_refused(tiny_run, formula, monkeypatch):
    monkeypatch.setitem(REVISIONS, formula, 99)
    with pytest.raises(LeakyflowError, match=rf"{formula} \(revision 1, here 99\)[^$]*leakyflow train --config"):
        load_posterior(tiny_run.folder)


def test_formulas_that_a_network_does_not_depend_on_may_change(tiny_run, monkeypatch):
    monkeypatch.setitem(REVISIONS, "diagnostics", 99)
    assert load_posterior(tiny_run.folder).name == "quick"


@pytest.mark.parametrize("revisions", [None, {}, {"neuron": 1}])
def test_a_network_that_does_not_say_its_formulas_is_refused(tiny_run, tmp_path, revisions):
    folder = damaged(tiny_run, tmp_path)
    record = {name: value for name, value in read_record(folder).items() if name != "revisions"}
    record |= {} if revisions is None else {"revisions": revisions}
    (folder / RECORD).write_text(json.dumps(record))
    with pytest.raises(LeakyflowError, match=r"other formulas.*revision unknown, here 1"):
        load_posterior(folder)


# --- the door


RECORDS = {
    "empty": b"",
    "a list": b"[]",
    "not UTF-8": b'{"name": "\xff"}',
    "nested": b"[" * 100_000,
    "torn": b'{"state": "finis',
    "a number for a name": b'{"name": 3}',
    "another state": b'{"state": "eaten"}',
    "versions in a list": b'{"versions": ["1.0"]}',
    "revisions of text": b'{"revisions": {"neuron": "one"}}',
    "a seed of text": b'{"seed": "one"}',
    "2 MiB": b" " * 2**21 + b"{}",
}


@pytest.mark.parametrize("content", RECORDS.values(), ids=RECORDS.keys())
def test_a_damaged_record_is_refused(tiny_run, tmp_path, content):
    folder = damaged(tiny_run, tmp_path)
    (folder / RECORD).write_bytes(content)
    with pytest.raises(LeakyflowError, match=f"{folder / RECORD}.*Copy the folder again"):
        load_posterior(folder)


def linked_in_a_circle(file: h5py.File, name: str) -> None:
    del file[name]
    file[name] = h5py.SoftLink(f"/{name}")


def linked_to_another_file(file: h5py.File, name: str) -> None:
    del file[name]
    file[name] = h5py.ExternalLink("/etc/passwd", "/")


def replaced(file: h5py.File, name: str, **settings) -> None:
    shape = file[name].shape
    del file[name]
    file.create_dataset(name, **{"shape": shape, "dtype": "float32"} | settings)


WEIGHTS = {
    "a circle of links": linked_in_a_circle,
    "a link out of the file": linked_to_another_file,
    "a group": lambda file, name: (file.move(name, "kept"), file.create_group(name), file.__delitem__("kept")),
    "missing": lambda file, name: file.__delitem__(name),
    "one more": lambda file, name: file.create_dataset("9999", data=1.0),
    "compound": lambda file, name: replaced(file, name, dtype=[("a", "f4"), ("b", "S3")]),
    "text": lambda file, name: replaced(file, name, dtype=h5py.string_dtype()),
    "double": lambda file, name: replaced(file, name, dtype="float64"),
    "4 TiB": lambda file, name: replaced(file, name, shape=(2**20, 2**20), chunks=(64, 64)),
    "nothing": lambda file, name: replaced(file, name, shape=None),
    "packed": lambda file, name: replaced(file, name, compression="gzip"),
    "packed by an unknown filter": need_filter,
    "elsewhere": lambda file, name: replaced(file, name, external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)]),
    "not finite": lambda file, name: file[name].__setitem__(..., np.nan),
    "another number": lambda file, name: file[name].__setitem__(0, np.nextafter(file[name][0], np.inf)),
    "no digest": lambda file, name: file.attrs.__delitem__("sha256"),
    "a digest of bytes": lambda file, name: file.attrs.__setitem__("sha256", b"\xff"),
}


@pytest.mark.parametrize("damage", WEIGHTS.values(), ids=WEIGHTS.keys())
def test_damaged_weights_are_refused(tiny_run, tmp_path, damage):
    folder = damaged(tiny_run, tmp_path)
    with h5py.File(folder / NETWORK, "r+") as file:
        name = max(file, key=lambda name: len(file[name].shape))
        damage(file, name)
    with pytest.raises(LeakyflowError, match=f"The weights in {folder / NETWORK} do not fit"):
        load_posterior(folder)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
def test_truncated_weights_are_refused(tiny_run, tmp_path, share):
    folder = damaged(tiny_run, tmp_path)
    content = (folder / NETWORK).read_bytes()
    (folder / NETWORK).write_bytes(content[: int(share * len(content))])
    with pytest.raises(LeakyflowError, match="do not fit"):
        load_posterior(folder)
