"""Files that are whole or not there: written beside their place, and moved into it once they are done.

What is being written has a name that begins with a dot and names the machine and the process, so that processes do not
disturb each other, and what a killed one left behind is told from what a living one still writes.
"""

import os
import platform
import re
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from itertools import count
from pathlib import Path

__all__ = ["claiming", "creating", "filling", "replacing", "sweep"]

HOST = f"{zlib.crc32(platform.node().encode()):08x}"  # another machine's processes cannot be asked whether they live
LONGEST = 50  # characters of a name that are kept, its suffix among them: some writers choose a format by it
RESULTS = "results"  # stands for all files of a folder that is filled
_number, _own = count(), set[Path]()


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A path to write a file to; it takes the real one's place once it is whole.

    Args:
        path: Of the file; one that is there stays as it is until the new one is on the disk.

    Raises:
        OSError: If it cannot be written or moved; then nothing is left of it.

    Example:
        >>> import tempfile
        >>> place = Path(tempfile.mkdtemp()) / "cell.txt"
        >>> with replacing(place) as scratch:
        ...     _ = scratch.write_text("-70 mV")
        >>> place.read_text(), [entry.name for entry in place.parent.iterdir()]
        ('-70 mV', ['cell.txt'])
    """
    path = Path(path)
    with _scratch(path) as scratch:
        yield scratch
        _to_disk(scratch)
        scratch.replace(path)
        _to_disk(path.parent)


@contextmanager
def creating(folder: str | Path) -> Iterator[Path]:
    """A new folder to fill; it gets its name once it is whole.

    Args:
        folder: That is not there; missing parents are made.

    Raises:
        OSError: If it cannot be written or moved, or another process made one of this name meanwhile.
    """
    folder = Path(folder)
    with _parents(folder.parent), _scratch(folder) as scratch:
        scratch.mkdir()
        yield scratch
        for path in sorted(scratch.rglob("*"), reverse=True):
            _to_disk(path)
        scratch.rename(folder)
        _to_disk(folder.parent)


@contextmanager
def filling(folder: str | Path) -> Iterator[Path]:
    """A folder to write files to, which move over to the real one once all of them are whole.

    Args:
        folder: Made where it is missing, and taken away again where nothing comes of it. Files in it that are not
            written anew stay.

    Raises:
        OSError: If a file cannot be written or moved; those that were moved before it stay.
    """
    folder = Path(folder)
    with _parents(folder), _scratch(folder / RESULTS) as scratch:
        scratch.mkdir()
        yield scratch
        paths = sorted(scratch.iterdir())
        for path in paths:
            _to_disk(path)
        for path in paths:
            path.replace(folder / path.name)
        _to_disk(folder)


@contextmanager
def claiming(path: str | Path) -> Iterator[bool]:
    """Mark a folder as being written to by this process; gives whether no other one is at it."""
    path = Path(path)
    with _scratch(path) as mark:
        mark.touch()
        yield not any(alive for other, alive in _beside(path).items() if other not in _own)


def sweep(path: str | Path) -> None:
    """Remove what processes that are dead left behind on their way to this file or folder.

    Args:
        path: Of the file or folder itself, which is left alone.
    """
    for leftover, alive in _beside(Path(path)).items():
        if not alive:
            _remove(leftover)


@contextmanager
def _scratch(path: Path) -> Iterator[Path]:
    """A path beside this one that is nobody else's; nothing is left of it."""
    sweep(path)
    scratch = path.with_name(f".new.{HOST}.{os.getpid()}.{next(_number)}.{_kept(path)}")
    _own.add(scratch)
    try:
        yield scratch
    finally:
        _remove(scratch)
        _own.discard(scratch)


@contextmanager
def _parents(folder: Path) -> Iterator[None]:
    """Make a folder and those above it; what was made, and is still empty, goes again where the work fails."""
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        with suppress(OSError):  # the first error is the one to see
            for path in made:
                path.rmdir()
        raise


def _kept(path: Path) -> str:
    """The end of a name, its suffix in lower case, as formats are known by."""
    return (path.stem + path.suffix.lower())[-LONGEST:]


def _beside(path: Path) -> dict[Path, bool]:
    """What is on its way to this path, and whether the process that writes it may still live."""
    pattern = re.compile(rf"\.new\.(\w+)\.(\d+)\.\d+\.{re.escape(_kept(path))}")
    with suppress(OSError):
        entries = [(entry, pattern.fullmatch(entry.name)) for entry in path.parent.iterdir()]
        return {entry: _alive(entry, match[1], int(match[2])) for entry, match in entries if match}
    return {}


def _alive(scratch: Path, host: str, process: int) -> bool:
    if host != HOST or scratch in _own or os.name != "posix":
        return True
    if process == os.getpid():  # of another one of this number, before
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _to_disk(path: Path) -> None:
    """Have the system write a file out, or a folder's list of names, which not every file system can."""
    with suppress(OSError) if path.is_dir() else nullcontext():
        file = os.open(path, os.O_RDONLY)
        try:
            os.fsync(file)
        finally:
            os.close(file)


def _remove(path: Path) -> None:
    """Remove a scratch file or folder; where that fails, what failed before it is the error to see."""
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
