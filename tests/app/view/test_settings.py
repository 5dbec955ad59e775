"""What an error asks for is said where a person can say it."""

import pytest

pytest.importorskip("panel")

from leakyflow.app.view.settings import SettingsPane
from leakyflow.errors import LeakyflowError

# Panel and the pandas that it calls announce what later versions will not have.
pytestmark = pytest.mark.filterwarnings("ignore:.* is deprecated")


@pytest.fixture
def pane(session):
    return SettingsPane(session, print, print, print)


def test_a_file_that_leaves_its_channel_open_names_the_field_and_opens_its_place(pane):
    said = pane.where(LeakyflowError("Pass channel=.", argument=("channel", "current")))
    assert "as 'Voltage: channel or column' or 'Current" in said
    assert 1 in pane.object.active


@pytest.mark.parametrize("error", [LeakyflowError("It is damaged."), LeakyflowError("No.", argument="seed"), OSError()])
def test_other_errors_name_no_field(pane, error):
    assert pane.where(error) == ""
    assert pane.object.active == [0]
