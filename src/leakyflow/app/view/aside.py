"""What reads files does so in a thread, so that no page waits for the files of another."""

from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import panel as pn

__all__ = ["Aside"]

THREADS = ThreadPoolExecutor(4, thread_name_prefix="files")  # of all pages together

Said = Callable[[Exception], None]


class _Act(NamedTuple):
    act: Callable[[], Any]
    then: Callable[[Any], None]
    otherwise: Said


class Aside:
    """Does one thing after the other for one page, in a thread; what is not begun yet gives way to what replaces it.

    Args:
        wrong: Is told of an error, on the page.
    """

    def __init__(self, wrong: Said) -> None:
        self._wrong = wrong
        self._waiting: OrderedDict[str, _Act] = OrderedDict()
        self._busy = False
        self._document: Any = None

    def do(
        self, kind: str, act: Callable[[], Any], then: Callable[[Any], None], *, otherwise: Said | None = None
    ) -> None:
        """Do something that reads a file.

        Args:
            kind: What it is: of each kind only the newest waits.
            act: In the thread; it touches nothing of the page.
            then: On the page, with what was found.
            otherwise: On the page, with an error; `wrong` where it is None.
        """
        document = pn.state.curdoc
        if document is not None and document.session_context is not None:
            self._document = document
        self._waiting.pop(kind, None)
        self._waiting[kind] = _Act(act, then, otherwise or self._wrong)
        if not self._busy:
            self._next()

    def _next(self) -> None:
        if not self._waiting:
            return
        _, one = self._waiting.popitem(last=False)
        self._busy = True
        document = self._document
        done = THREADS.submit(one.act)
        if document is None:  # no server, as in a test: nobody else waits
            self._end(one, done)
        else:
            done.add_done_callback(lambda done: _on_page(document, lambda: self._end(one, done)))

    def _end(self, one: _Act, done: Future[Any]) -> None:
        try:
            one.then(done.result())
        except Exception as error:  # one bad file never ends the server
            one.otherwise(error)
        self._busy = False
        self._next()


def _on_page(document: Any, act: Callable[[], None]) -> None:
    """Call something from a thread where the page may be changed; a page that is gone needs nothing."""
    if not document.session_context.destroyed:
        document.add_next_tick_callback(act)
