"""A limit of time for a piece of work, in whatever thread it runs."""

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Late", "limited"]


class Late(Exception):
    """The time was up."""


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise `Late` in this thread when the time is up.

    It comes between two steps of Python: a single call into compiled code ends first.

    Args:
        seconds: From now on.
    """
    thread, lock, over = threading.get_ident(), threading.Lock(), [False]

    def stop() -> None:
        with lock:
            if not over[0]:
                _raise_in(thread)

    timer = threading.Timer(seconds, stop)
    timer.daemon = True
    try:
        timer.start()
        yield
    finally:
        with lock:  # from here on nothing is raised
            over[0] = True
        timer.cancel()


def _raise_in(thread: int) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(Late))
