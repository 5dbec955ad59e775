"""How a page that is loaded anew, in another theme, goes on where it was."""

import secrets
from threading import Lock

from leakyflow.app.session import Session

__all__ = ["Sessions"]


class Sessions:
    """Sessions of the pages that are open, each under a key that only its page knows, and that is used once.

    Example:
        >>> from leakyflow.app.session import Workers
        >>> from leakyflow.app.shelf import Shelf
        >>> workers, sessions = Workers.begin(), Sessions()
        >>> session = Session(Shelf(), workers)
        >>> key = sessions.key(session)
        >>> sessions.taken(key) is session, sessions.taken(key)
        (True, None)
        >>> session.close()
        >>> workers.close()
    """

    def __init__(self) -> None:
        self._open: dict[str, Session] = {}
        self._lock = Lock()

    def key(self, session: Session) -> str:
        """By which the next page of a session takes it over.

        Args:
            session: Of a page that is being made.
        """
        key = secrets.token_urlsafe(16)
        self._open[key] = session
        return key

    def taken(self, key: str) -> Session | None:
        """The session of a key that was not used before; None where there is none."""
        with self._lock:
            return self._open.pop(key, None)

    def end(self, key: str) -> None:
        """Close a session, unless another page has taken it over."""
        session = self.taken(key)
        if session is not None:
            session.close()
