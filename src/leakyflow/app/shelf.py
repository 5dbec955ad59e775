"""The files that one browser may see: those of the folder given at the start, and those that it uploaded itself.

A browser names a file by its number on the shelf, never by a path.
"""

import re
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from leakyflow.app.limits import LISTING_SECONDS, MOST_FILES, MOST_LISTED, MOST_UPLOADED, UPLOAD_BYTES
from leakyflow.errors import LeakyflowError

__all__ = ["Entry", "Shelf"]

SUFFIXES = frozenset(
    [
        *(".abf", ".atf", ".nwb", ".ibw", ".itx", ".pxp", ".csv", ".tsv", ".txt", ".dat", ".npz", ".mat", ".h5"),
        *(".hdf5", ".wcp", ".edr", ".axgd", ".axgx", ".smr", ".smrx"),
    ]
)
PACKED = frozenset((".gz", ".gzip"))
LONGEST = 120  # characters of an uploaded name that are kept


class Entry(NamedTuple):
    """One file on the shelf."""

    name: str  # as people see it
    path: Path
    uploaded: bool


class Shelf:
    """Files of one session.

    Args:
        start: A file, or a folder, whose files `browse` lists; None for uploads alone.

    Raises:
        FileNotFoundError: If there is nothing at `start`.

    Example:
        >>> shelf = Shelf()
        >>> number = shelf.add("../../cell.csv", b"t_ms,V_mV,I_pA")
        >>> shelf.entries[number].name, shelf.path(number).name
        ('cell.csv', 'cell.csv')
        >>> shelf.close()
    """

    def __init__(self, start: Path | None = None) -> None:
        if start is not None and not start.exists():
            raise FileNotFoundError(f"There is no file or folder {start}. Pass one that exists, or none.")
        self.entries: dict[int, Entry] = {}
        self._folder = tempfile.TemporaryDirectory(prefix="leakyflow-app-")
        self._start = None if start is None else start.resolve()
        self._listed = self._start is None or not self._start.is_dir()
        self._bytes = self._uploads = 0
        if self._start is not None and not self._start.is_dir():
            self._take([self._start])

    @property
    def folder(self) -> Path:
        """Where uploads lie until the session ends."""
        return Path(self._folder.name)

    @property
    def unlisted(self) -> bool:
        """Whether there is a folder that nobody has looked into."""
        return not self._listed

    def browse(self) -> str:
        """List the files of the folder given at the start, which may take seconds.

        Returns:
            What was left out, in words; nothing where all are listed.
        """
        assert self._start is not None
        found, whole = _recordings(self._start)
        self._take(found)
        self._listed = True
        return "" if whole else f"The folder holds more: only {len(found)} files are listed. Start with a folder in it."

    def path(self, number: int) -> Path:
        """Where a file is.

        Raises:
            LeakyflowError: If there is none of this number, or it now lies outside of the folder.
        """
        entry = self.entries.get(number)
        if entry is None:
            raise LeakyflowError(f"There is no file {number!r} here. Choose one from the list.")
        root = self.folder if entry.uploaded else self._root
        if not entry.path.resolve().is_relative_to(root.resolve()):
            raise LeakyflowError(f"{entry.name} leads out of the folder that is browsed. Choose another file.")
        return entry.path

    def add(self, name: str, content: bytes) -> int:
        """Keep an uploaded file; one of the same name is replaced.

        Args:
            name: As the browser says it; only its last part is used.
            content: All of it.

        Returns:
            Its number.

        Raises:
            LeakyflowError: If it, or all of them together, are too large or too many.
        """
        plain = _plain(name)
        if len(content) > UPLOAD_BYTES:
            raise LeakyflowError(
                f"An uploaded file must have at most {UPLOAD_BYTES / 2**20:g} MiB, got {len(content) / 2**20:.0f} "
                f"MiB of {plain}. Start `leakyflow app` with its folder instead: files there have no limit."
            )
        if self._bytes + len(content) > MOST_UPLOADED or self._uploads >= MOST_FILES:
            raise LeakyflowError(
                f"All uploads must have at most {MOST_UPLOADED / 2**30:g} GiB in {MOST_FILES} files. Load the page "
                "anew, or start `leakyflow app` with their folder."
            )
        self._bytes += len(content)
        self._uploads += 1
        path = self.folder / plain
        path.write_bytes(content)
        same = [number for number, entry in self.entries.items() if entry.path == path]
        number = same[0] if same else len(self.entries)
        self.entries[number] = Entry(plain, path, True)
        return number

    def neighbour(self, number: int, name: str) -> Path:
        """The file of this name in the same place, such as the other wave of an Igor pair.

        Raises:
            LeakyflowError: If there is none.
        """
        path = self.path(number)
        beside = [n for n, entry in self.entries.items() if entry.path == path.parent / name]
        if not beside:
            raise LeakyflowError(f"There is no file {name!r} beside {path.name}. Add it first.", argument="current")
        return self.path(beside[0])

    def close(self) -> None:
        """Remove what was uploaded."""
        self.entries.clear()
        self._folder.cleanup()

    @property
    def _root(self) -> Path:
        """The folder out of which nothing leads."""
        assert self._start is not None
        return self._start if self._start.is_dir() else self._start.parent

    def _take(self, found: list[Path]) -> None:
        for path in found:
            self.entries[len(self.entries)] = Entry(str(path.relative_to(self._root)), path, False)


def _recordings(root: Path) -> tuple[list[Path], bool]:
    """Files below a folder that may be recordings, in order, and whether these are all."""
    found: list[Path] = []
    until = time.monotonic() + LISTING_SECONDS
    for path in root.rglob("*"):
        if len(found) == MOST_LISTED or time.monotonic() > until:
            return sorted(found), False
        if _is_recording(path, root):
            found.append(path)
    return sorted(found), True


def _is_recording(path: Path, root: Path) -> bool:
    """By its name; a link that leads out of the folder is none."""
    hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
    suffix = Path(path.stem).suffix if path.suffix.lower() in PACKED else path.suffix
    known = suffix.lower() in SUFFIXES and not hidden
    return known and path.is_file() and path.resolve().is_relative_to(root)


def _plain(name: str) -> str:
    """A name without folders, control characters and a leading dot."""
    last = re.split(r"[/\\]", name)[-1]
    clean = re.sub(r"[^\w .,()+=@#-]", "_", last).strip(" .")
    return clean[-LONGEST:] or "file"
