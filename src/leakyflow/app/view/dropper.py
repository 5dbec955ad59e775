"""Where files are dropped: their size is checked while they come, whatever the browser says of it."""

from collections.abc import Callable
from typing import Any

import panel as pn

from leakyflow.app.limits import UPLOAD_BYTES

__all__ = ["CHUNK", "Dropper"]

BACKGROUND = ".filepond--panel-root { background-color: var(--panel-surface-color) !important; }"
CHUNK = 4_000_000  # bytes of a file in one message


class Dropper(pn.widgets.FileDropper):
    """Hands over each file once it is whole, and keeps none."""

    def __init__(self, arrived: Callable[[str, bytes], None], refused: Callable[[str], None], **settings: Any) -> None:
        most = f"{UPLOAD_BYTES // 2**20}MB"
        super().__init__(multiple=True, chunk_size=CHUNK, max_file_size=most, stylesheets=[BACKGROUND], **settings)
        self._arrived, self._refused = arrived, refused
        self._pieces: dict[str, list[bytes]] = {}

    def _process_event(self, event: Any) -> None:
        if event.event_name == "delete_event":
            return
        data = event.data
        name, piece = str(data["name"]), data["data"]
        if data["chunk"] == 1:
            self._pieces[name] = []
        if name not in self._pieces:
            return
        self._pieces[name].append(piece)
        if sum(len(part) for parts in self._pieces.values() for part in parts) > UPLOAD_BYTES:
            self._pieces.clear()  # all that is on its way, several files together
            self._refused(f"{name} has more than {UPLOAD_BYTES // 2**20} MiB. Start `leakyflow app` with its folder.")
        elif data["chunk"] == data["total_chunks"]:
            self._arrived(name, b"".join(self._pieces.pop(name)))
