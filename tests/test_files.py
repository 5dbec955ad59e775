import os
from pathlib import Path

import pytest

from leakyflow import files
from leakyflow.files import claiming, creating, filling, replacing, sweep
from tests.fresh import run_python
from tests.room import little_room


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def scratch_of(name: str, *, host: str = files.HOST, process: int = 0) -> str:
    return f".new.{host}.{process or dead()}.0.{name}"


def dead() -> int:
    """Number of a process that has ended."""
    return int(run_python("import os; print(os.getpid())").stdout)


# --- one file


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
    assert names(tmp_path) == ["file.txt"]
    with replacing(path) as scratch:
        scratch.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert names(tmp_path) == ["file.txt"]


def test_scratch_names_the_process_and_keeps_the_suffix(tmp_path):
    with replacing(tmp_path / "figure.svg") as one, replacing(tmp_path / "figure.SVG") as other:
        assert one != other
        assert one.suffix == other.suffix == ".svg"
        assert f".{os.getpid()}." in one.name
        one.touch(), other.touch()


def test_the_longest_name_that_a_file_can_have_is_written(tmp_path):
    name = "ä" * 125 + ".txt"
    with replacing(tmp_path / name) as scratch:
        scratch.write_text("-70 mV")
    assert names(tmp_path) == [name]


def test_a_file_is_on_the_disk_before_it_gets_its_name_and_its_folder_after(tmp_path, monkeypatch):
    done = []
    monkeypatch.setattr(os, "fsync", lambda file: done.append(str(Path(f"/proc/self/fd/{file}").readlink())))
    move = Path.replace
    monkeypatch.setattr(Path, "replace", lambda path, to: done.append("moved") or move(path, to))
    with replacing(tmp_path / "file.txt") as scratch:
        scratch.write_text("-70 mV")
    assert done == [str(scratch), "moved", str(tmp_path)]


# --- leftovers


def test_scratch_of_dead_processes_is_swept_by_the_next_write_to_the_same_target(tmp_path):
    (tmp_path / scratch_of("file.txt")).write_text("half")
    (tmp_path / scratch_of("file.txt", process=os.getpid())).write_text("of an earlier process with this number")
    with replacing(tmp_path / "file.txt") as scratch:
        scratch.write_text("-70 mV")
    assert names(tmp_path) == ["file.txt"]


OTHERS = {
    "of a living process": lambda: scratch_of("file.txt", process=os.getppid()),
    "of another machine": lambda: scratch_of("file.txt", host="00000000"),
    "of another target": lambda: scratch_of("another.txt"),
    "without a process": lambda: ".new.file.txt",
    "with the suffix new": lambda: "file.txt.new",
    "with words for numbers": lambda: ".new.x.y.z.file.txt",
}


@pytest.mark.parametrize("name", OTHERS.values(), ids=OTHERS.keys())
def test_what_others_may_still_need_is_left_alone(tmp_path, name):
    (tmp_path / name()).write_text("thesis")
    before = names(tmp_path)
    sweep(tmp_path / "file.txt")
    with replacing(tmp_path / "file.txt") as scratch:
        scratch.write_text("-70 mV")
    assert names(tmp_path) == sorted([*before, "file.txt"])


# --- folders


def test_a_folder_gets_its_name_once_it_is_whole(tmp_path):
    with creating(tmp_path / "runs" / "one") as scratch:
        (scratch / "part").mkdir()
        (scratch / "part" / "a.txt").write_text("a")
        assert not (tmp_path / "runs" / "one").exists()
    assert names(tmp_path / "runs") == ["one"]
    assert (tmp_path / "runs" / "one" / "part" / "a.txt").read_text() == "a"


@pytest.mark.parametrize("context", [creating, filling])
def test_nothing_is_left_of_a_folder_that_failed(tmp_path, context):
    def write() -> None:
        with context(tmp_path / "runs" / "one") as scratch:
            (scratch / "a.txt").write_text("a")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert names(tmp_path) == []


def test_files_move_over_together_and_leave_the_others_alone(tmp_path):
    (tmp_path / "old.txt").write_text("old")
    with filling(tmp_path) as scratch:
        (scratch / "a.txt").write_text("a")
        (scratch / "b.txt").write_text("b")
        assert not (tmp_path / "a.txt").exists()
    assert names(tmp_path) == ["a.txt", "b.txt", "old.txt"]


def test_after_a_failed_move_the_first_error_is_the_one_to_see(tmp_path):
    """Version 0.1.0 ended with "Directory not empty", of its own clearing up."""
    (tmp_path / "found" / "b.txt").mkdir(parents=True)

    def write(folder: Path) -> None:
        with filling(folder) as scratch:
            for name in ("a.txt", "b.txt"):
                (scratch / name).write_text(name)
            if folder.name == "new":
                (folder / "b.txt").mkdir()

    for folder in (tmp_path / "found", tmp_path / "new"):
        with pytest.raises(IsADirectoryError):
            write(folder)
        assert names(folder) == ["a.txt", "b.txt"]


def test_a_full_disk_leaves_nothing(tmp_path):
    def write() -> None:
        with little_room(10), filling(tmp_path / "found") as scratch:
            (scratch / "a.txt").write_text("-70 mV, and more than there is room for")

    with pytest.raises(OSError, match="File too large"):
        write()
    assert names(tmp_path) == []


# --- two processes at one folder


def test_a_folder_is_claimed_by_one_process_at_a_time(tmp_path):
    with claiming(tmp_path / "data") as alone:
        assert alone
        with claiming(tmp_path / "data") as second:
            assert second  # the same process
    (tmp_path / scratch_of("data")).touch()
    with claiming(tmp_path / "data") as alone:
        assert alone  # the other one is dead
    (tmp_path / scratch_of("data", process=os.getppid())).touch()
    with claiming(tmp_path / "data") as alone:
        assert not alone
    assert names(tmp_path) == [scratch_of("data", process=os.getppid())]
