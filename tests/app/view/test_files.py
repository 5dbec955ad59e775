"""The list of files opens what is chosen from it, and nothing else."""

import pytest

pytest.importorskip("panel")

from leakyflow.app.view.files import FilesPane

# Panel and the pandas that it calls announce what later versions will not have.
pytestmark = pytest.mark.filterwarnings("ignore:.* is deprecated")


def ignore(*_):
    """Take what the page would be told."""


@pytest.fixture
def listed(session):
    """The pane that lists the folder, what a browser sees of it, and the files that it opened."""
    opened = []
    pane = FilesPane(session, opened=opened.append, arrived=ignore, chosen=ignore, notice=ignore)
    seen = pane.files.get_root()
    pane.list_files()
    return pane, seen, opened


def test_nothing_is_chosen_before_somebody_chooses(listed):
    pane, _, opened = listed
    assert pane.files.value is None
    assert opened == []


@pytest.mark.parametrize("place", [0, 1, 2])
def test_every_file_of_the_list_can_be_chosen(listed, place):
    pane, seen, opened = listed
    asked = [value for value, label in seen.options if label in {"broken.abf", "quiet.csv", "spiking.npz"}]
    assert seen.value != asked[place]  # where they are the same, a browser says nothing
    pane.files._process_events({"value": asked[place]})
    assert opened == [place]


def test_what_was_dropped_is_opened(listed, session):
    pane, seen, opened = listed
    pane.list_files(2)
    assert opened == [2]
    assert len(seen.options) == 3  # the line that stands for none is gone
