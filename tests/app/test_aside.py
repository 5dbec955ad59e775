import queue
import threading
from types import SimpleNamespace

import pytest

pytest.importorskip("panel")

from panel.io.state import set_curdoc

from leakyflow.app.view.aside import Aside
from leakyflow.errors import LeakyflowError


class Page:
    """A page whose turn comes where the test says so."""

    def __init__(self) -> None:
        self.session_context = SimpleNamespace(destroyed=False)
        self.found: list[object] = []
        self._turns: queue.Queue = queue.Queue()
        self.add_next_tick_callback = self._turns.put
        self.aside = Aside(lambda error: self.found.append(str(error)))

    def do(self, kind, act) -> None:
        with set_curdoc(self):
            self.aside.do(kind, act, self.found.append)

    def turn(self) -> None:
        self._turns.get(timeout=30.0)()


@pytest.fixture
def stuck():
    """A file that takes as long as the test."""
    gate = threading.Event()
    yield lambda: gate.wait(30.0)
    gate.set()


def test_a_slow_file_holds_its_own_page_alone(stuck):
    slow, other = Page(), Page()
    slow.do("open", stuck)
    other.do("open", lambda: "read")
    other.turn()
    assert (slow.found, other.found) == ([], ["read"])


def test_of_what_waits_only_the_newest_of_its_kind_is_done():
    page, gate = Page(), threading.Event()
    page.do("draw", lambda: gate.wait(30.0))
    for number in range(5):
        page.do("draw", lambda number=number: number)
    page.do("open", lambda: "opened")
    gate.set()
    for _ in range(3):
        page.turn()
    assert page.found == [True, 4, "opened"]


def test_what_goes_wrong_is_said_and_the_next_is_done():
    page = Page()

    def refuse() -> None:
        raise LeakyflowError("`sweep` must be 0.")

    page.do("open", refuse)
    page.do("draw", lambda: "drawn")
    page.turn()
    page.turn()
    assert page.found == ["`sweep` must be 0.", "drawn"]


def test_a_page_that_is_gone_is_left_alone():
    page = Page()
    page.session_context.destroyed = True
    done = threading.Event()
    page.do("open", done.set)
    assert done.wait(30.0)
    assert page.found == []
