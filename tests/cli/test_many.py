import pytest

from leakyflow.batches import batch as module
from tests.batches import faked
from tests.cli.terminal import is_one_screen, leakyflow_, said


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Three files, and a network that answers at once."""
    faked.install(monkeypatch.setattr)

    def in_turn(make, out, missing, *, done, **settings):
        for index in missing:
            done(make(out, index))

    monkeypatch.setattr(module, "make_shards", in_turn)
    return faked.folder_of(tmp_path / "cells", "a.abf", "b_bad.abf", "c.abf")


def test_a_folder_becomes_a_table_and_a_page(folder, tmp_path):
    result = leakyflow_("batch", folder, "--out", "out", "--network", "standard", "--shard-size", 2)
    assert result.exit_code == 0, result.stdout + result.stderr
    assert "2 ok" in said(result)
    assert "1 failed" in said(result)
    assert {"index.html", "cells.csv", "cells.parquet"} <= {path.name for path in (tmp_path / "out").iterdir()}


def test_a_plan_says_how_many_shards_there_are_and_a_task_makes_one(folder, tmp_path):
    same = ("batch", folder, "--out", "out", "--network", "standard", "--shard-size", 2)
    assert "3 files in 2 shards: 0 to 1." in said(leakyflow_(*same, "--plan"))
    assert leakyflow_(*same, "--shard", 1).exit_code == 0
    assert [path.name for path in (tmp_path / "out" / "shards").iterdir()] == ["00001"]


@pytest.mark.parametrize(
    ("options", "message"),
    [(("--timeout", 0), "set `timeout` by --timeout."), (("--shard", 5), "set `shard` by --shard.")],
)
def test_what_cannot_be_is_one_screen_that_names_the_option(options, message, folder):
    result = leakyflow_("batch", folder, "--out", "out", "--network", "standard", *options)
    assert is_one_screen(result)
    assert message in said(result)
