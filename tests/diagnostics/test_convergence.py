import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from leakyflow.diagnostics.convergence import measure_convergence, read_history
from leakyflow.errors import LeakyflowError


def history(loss, val_loss):
    epochs = pd.Index(range(1, len(loss) + 1), name="epoch")
    return pd.DataFrame({"loss": loss, "val_loss": val_loss}, index=epochs)


def test_best_epoch_is_that_of_the_least_validation_loss():
    found = measure_convergence(history([3.0, 2.0, 1.0, 0.5], [3.1, 2.2, 2.4, 2.6]))
    assert (found.n_epochs, found.best_epoch, found.val_loss) == (4, 2, 2.2)
    assert found.gap == pytest.approx(0.2)
    assert found.at_rest


def test_a_loss_that_still_falls_is_seen():
    found = measure_convergence(history([4.0, 3.0, 2.0, 1.0], [4.0, 3.0, 2.0, 1.0]))
    assert found.falling == pytest.approx(1.0)
    assert not found.at_rest


def test_one_epoch_says_nothing_of_rest_but_is_no_error():
    assert measure_convergence(history([4.0], [4.5])).best_epoch == 1


def test_a_folder_without_history_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="made by `leakyflow train`"):
        read_history(tmp_path)


HEADER = b"epoch,loss,val_loss,learning_rate,seconds\n"
TABLES = {
    "empty": b"",
    "not UTF-8": b"\xff\xfe\x00",
    "text": HEADER + b"1,low,2.0,0.1,3.0\n",
    "a column less": b"epoch,loss,val_loss,learning_rate\n1,2.0,2.0,0.1\n",
    "another column": HEADER.replace(b"val_loss", b"loss_val") + b"1,2.0,2.0,0.1,3.0\n",
    "not finite": HEADER + b"1,nan,2.0,0.1,3.0\n",
    "a gap": HEADER + b"1,2.0,2.0,0.1,3.0\n3,2.0,2.0,0.1,3.0\n",
    "half an epoch": HEADER + b"1.5,2.0,2.0,0.1,3.0\n",
    "more in a row": HEADER + b"1,2.0,2.0,0.1,3.0,4.0,5.0\n",
    "a torn row": HEADER + b"1,2.0,2.0,0.1,3.0\n2,2.0",
    "binary": bytes(range(256)),
}


@pytest.mark.parametrize("content", TABLES.values(), ids=TABLES.keys())
def test_a_damaged_history_is_refused(tmp_path, content):
    (tmp_path / "history.csv").write_bytes(content)
    with pytest.raises(LeakyflowError, match=rf"{tmp_path / 'history.csv'}.*Copy the folder again"):
        read_history(tmp_path)


def test_a_history_that_lost_or_changed_an_epoch_of_a_finished_run_is_refused(tiny_run, tmp_path):
    folder = Path(shutil.copytree(tiny_run.folder, tmp_path / "run"))
    rows = (folder / "history.csv").read_text().splitlines(keepends=True)
    for damaged in (rows[:-1], [*rows[:-1], rows[-1].replace(".", "0.", 2)], [*rows, f"{len(rows)},0.1,0.1,0.1,3.0"]):
        (folder / "history.csv").write_text("".join(damaged))
        with pytest.raises(LeakyflowError, match=r"history.csv must hold the \d+ epochs of the run"):
            read_history(folder)
    record = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(record | {"state": "running"}))
    assert len(read_history(folder)) == len(rows)  # one more, of a run that goes on


def test_a_history_as_training_writes_it_is_read(tmp_path):
    """The tables above could all be refused for another reason."""
    (tmp_path / "history.csv").write_bytes(HEADER + b"1,2.5,2.0,0.1,3.0\n2,1.5,1.8,0.1,3.0\n")
    assert measure_convergence(read_history(tmp_path)).best_epoch == 2


def test_an_empty_history_is_refused():
    with pytest.raises(ValueError, match="Train first"):
        measure_convergence(history([], []))


def test_history_of_a_run_is_read_by_epoch(tiny_run):
    found = read_history(tiny_run.folder)
    assert list(found.index) == [row["epoch"] for row in tiny_run.history]
