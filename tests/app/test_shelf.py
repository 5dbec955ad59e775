import pytest

from leakyflow.app import shelf as module
from leakyflow.app.shelf import Shelf
from leakyflow.errors import LeakyflowError


@pytest.mark.parametrize(
    "name", ["../../evil.csv", "/etc/evil.csv", "..\\..\\evil.csv", "C:\\evil.csv", "a\x00/evil.csv"]
)
def test_an_upload_lands_in_the_folder_of_its_session_whatever_its_name(name):
    shelf = Shelf()
    path = shelf.path(shelf.add(name, b"1"))
    assert path == shelf.folder / "evil.csv"
    assert path.read_bytes() == b"1"
    shelf.close()


@pytest.mark.parametrize("name", ["", "..", "/", ".bashrc"])
def test_an_upload_always_has_a_name(name):
    shelf = Shelf()
    entry = shelf.entries[shelf.add(name, b"1")]
    assert entry.name
    assert not entry.name.startswith(".")
    shelf.close()


def test_uploads_go_with_their_session():
    shelf = Shelf()
    shelf.add("cell.csv", b"1")
    folder = shelf.folder
    assert folder.is_dir()
    shelf.close()
    assert not folder.exists()


def test_the_folder_given_at_the_start_stays(folder):
    shelf = Shelf(folder)
    shelf.close()
    assert (folder / "quiet.csv").is_file()


def test_two_sessions_do_not_see_each_others_uploads(folder):
    one, other = Shelf(folder), Shelf(folder)
    one.browse(), other.browse()
    number = one.add("mine.csv", b"1")
    with pytest.raises(LeakyflowError, match="Choose one from the list"):
        other.path(number)
    one.close()
    other.close()


@pytest.mark.parametrize("number", [-1, 99])
def test_what_is_not_on_the_shelf_is_not_opened(number, folder):
    shelf = Shelf(folder)
    with pytest.raises(LeakyflowError, match="no file"):
        shelf.path(number)
    shelf.close()


def test_a_link_out_of_the_folder_is_neither_listed_nor_opened(tmp_path):
    outside, inside = tmp_path / "outside.csv", tmp_path / "folder"
    outside.write_text("secret")
    inside.mkdir()
    (inside / "link.csv").symlink_to(outside)
    (inside / "own.csv").write_text("mine")
    shelf = Shelf(inside)
    shelf.browse()
    assert [entry.name for entry in shelf.entries.values()] == ["own.csv"]
    (inside / "own.csv").unlink()
    (inside / "own.csv").symlink_to(outside)  # exchanged while the page is open
    with pytest.raises(LeakyflowError, match="leads out of the folder"):
        shelf.path(0)
    shelf.close()


def test_what_is_too_large_is_refused_and_not_kept(monkeypatch):
    monkeypatch.setattr(module, "UPLOAD_BYTES", 10)
    monkeypatch.setattr(module, "MOST_UPLOADED", 15)
    shelf = Shelf()
    with pytest.raises(LeakyflowError, match="at most"):
        shelf.add("large.csv", b"x" * 11)
    shelf.add("first.csv", b"x" * 8)
    with pytest.raises(LeakyflowError, match="All uploads"):
        shelf.add("second.csv", b"x" * 8)
    assert [path.name for path in shelf.folder.iterdir()] == ["first.csv"]
    shelf.close()


def test_a_folder_is_looked_into_on_demand_and_what_is_left_out_is_said(folder, monkeypatch):
    shelf = Shelf(folder)
    assert (shelf.unlisted, len(shelf.entries)) == (True, 0)
    assert (shelf.browse(), shelf.unlisted, len(shelf.entries)) == ("", False, 3)
    monkeypatch.setattr(module, "MOST_LISTED", 2)
    short = Shelf(folder)
    assert "only 2 files" in short.browse()
    monkeypatch.setattr(module, "LISTING_SECONDS", 0.0)
    late = Shelf(folder)
    assert "only 0 files" in late.browse()
    for one in (shelf, short, late):
        one.close()


def test_another_upload_of_a_name_replaces_the_first():
    shelf = Shelf()
    assert shelf.add("cell.csv", b"1") == shelf.add("cell.csv", b"2")
    assert shelf.path(0).read_bytes() == b"2"
    shelf.close()


def test_a_start_that_is_not_there_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file or folder"):
        Shelf(tmp_path / "missing")
