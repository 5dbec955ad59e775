"""Serve the explorer on this machine, and on nothing else."""

import socket
import webbrowser
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from leakyflow.app.session import Session, Workers, shipped_networks
from leakyflow.app.sessions import Sessions
from leakyflow.app.shelf import Shelf
from leakyflow.errors import LeakyflowError

__all__ = ["ADDRESS", "free_port", "serve"]

ADDRESS = "127.0.0.1"
FIRST_PORT, N_PORTS = 5007, 50  # tried where none is given
LARGEST_MESSAGE = 16 * 2**20  # bytes: a piece of a file, and what is around it


def free_port(wanted: int | None) -> int:
    """A port that nobody listens to.

    Raises:
        LeakyflowError: If it is taken, or all that are tried.

    Example:
        >>> free_port(None) >= 5007
        True
    """
    ports = range(FIRST_PORT, FIRST_PORT + N_PORTS) if wanted is None else [wanted]
    for port in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((ADDRESS, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    taken = f"{ports[0]} to {ports[-1]} are" if len(ports) > 1 else f"{ports[0]} is"
    raise LeakyflowError(f"`port` must be free, but {taken} taken. Pass another.", argument="port")


def serve(
    start: Path | None,
    *,
    port: int | None = None,
    show: bool = True,
    networks: Mapping[str, str] | None = None,
    listening: Callable[[str], None] = print,
) -> None:
    """Serve the explorer until it is interrupted.

    Args:
        start: A file to open, or a folder to browse; None for files that are dropped.
        port: To listen on; a free one when None.
        show: Whether to open the browser.
        networks: Folders of runs to choose from, by name, besides those that ship.
        listening: Is told the address.

    Raises:
        LeakyflowError: If Panel is not installed, or the port is taken.
        FileNotFoundError: If there is nothing at `start`.
    """
    Shelf(start).close()  # whether it is there is said first, whatever is installed
    try:
        import panel as pn
    except ImportError as error:
        raise LeakyflowError("The explorer needs Panel. Run pip install 'leakyflow[app]'.") from error
    port = free_port(port)
    workers, sessions = Workers.begin(), Sessions()
    known = {**(networks or {}), **shipped_networks()}
    pn.extension("tabulator", "filedropper")
    server = pn.io.server.get_server(
        {"/": lambda: _page(sessions, lambda: Session(Shelf(start), workers, known))},
        port=port,
        address=ADDRESS,
        websocket_origin=[f"{ADDRESS}:{port}", f"localhost:{port}"],
        websocket_max_message_size=LARGEST_MESSAGE,
        title={"/": "leakyflow"},
    )
    address = f"http://localhost:{port}/"
    listening(address)
    if show:
        server.io_loop.call_later(0.1, webbrowser.open, address)
    try:
        server.run_until_shutdown()
    finally:
        workers.close()


def _page(sessions: Sessions, fresh: Callable[[], Session]) -> Any:
    """A page for one browser, whose files go when it does, unless it goes on in another theme."""
    import panel as pn

    from leakyflow.app.view.page import Explorer

    asked = {name: values[0].decode("utf-8", "replace") for name, values in pn.state.session_args.items()}
    session = sessions.taken(asked.get("go_on", "")) or fresh()
    key = sessions.key(session)
    pn.state.on_session_destroyed(lambda _: sessions.end(key))
    explorer = Explorer(session, dark=asked.get("theme") == "dark", key=key)
    pn.state.onload(explorer.begin)
    return explorer.page()
