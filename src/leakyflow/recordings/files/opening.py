"""Open any file that can be read, packed by gzip or not."""

import gzip
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

from leakyflow.errors import LeakyflowError
from leakyflow.recordings.files.abf.open import open_abf
from leakyflow.recordings.files.choices import Choices
from leakyflow.recordings.files.door import check_size
from leakyflow.recordings.files.format import file_format
from leakyflow.recordings.files.hdf5 import open_hdf5
from leakyflow.recordings.files.igor import open_igor
from leakyflow.recordings.files.igor_files import open_itx, open_pxp
from leakyflow.recordings.files.matlab import open_mat
from leakyflow.recordings.files.npz import open_npz
from leakyflow.recordings.files.nwb.open import open_nwb
from leakyflow.recordings.files.raw import Source
from leakyflow.recordings.files.saved import load_exported
from leakyflow.recordings.files.table import open_atf, open_csv
from leakyflow.recordings.files.wavesurfer import open_wavesurfer
from leakyflow.recordings.files.with_neo import NEO_FORMATS
from leakyflow.recordings.recording import Recording

__all__ = ["open_file"]

Opener = Callable[[Path, Choices], AbstractContextManager[Source]]
_GZIP = b"\x1f\x8b"
_PIECE = 2**24  # bytes
_TABLES = ("CSV", "ATF", "NPZ", "MAT", "HDF5")


@contextmanager
def open_file(path: Path, choices: Choices) -> Iterator[Source | Recording]:
    """Open a file of any format, and close it in the end.

    Args:
        path: The file.
        choices: What the caller said of it.

    Yields:
        Its sweeps; or the recording itself, where `save_recording` wrote the file.

    Raises:
        LeakyflowError: If it cannot be read, or `choices` has what does not go with it.
        FileNotFoundError: If there is no such file.
        IsADirectoryError: If it is a folder.
    """
    with _unpacked(path) as file:
        format = file_format(file)
        saved = load_exported(file, format)
        if saved is not None:
            _refuse(choices.given, f"{path.name} is a saved recording, with one voltage and one current.")
            yield saved
            return
        if format not in _TABLES:
            _refuse([n for n in choices.given if n == "columns"], f"{path.name} is no table.")
        with _OPEN[format](file, choices) as source:
            yield source


def _refuse(names: list[str], reason: str) -> None:
    if names:
        given = ", ".join(f"{name}=" for name in names)
        raise LeakyflowError(f"{reason} Leave {given} out.", argument=names[0])


def _with_own_units(opener: Callable[..., AbstractContextManager[Source]], format: str) -> Opener:
    """A format that says units, interval and stimulus itself takes the choice of channels only."""

    def open_with_choices(path: Path, choices: Choices) -> AbstractContextManager[Source]:
        others = [name for name in choices.given if name not in ("channel", "current")]
        _refuse(others, f"{path.name} is {format}, which has its own units, sampling interval and stimulus.")
        return opener(path, channel=choices.channel, current=choices.current)

    return open_with_choices


_OPEN: dict[str, Opener] = {
    "ABF": _with_own_units(open_abf, "ABF"),
    "NWB": _with_own_units(open_nwb, "NWB"),
    "ATF": open_atf,
    "CSV": open_csv,
    "NPZ": open_npz,
    "IBW": open_igor,
    "ITX": open_itx,
    "PXP": open_pxp,
    "MAT": open_mat,
    "HDF5": open_hdf5,
    "WaveSurfer": open_wavesurfer,
    **NEO_FORMATS,
}


@contextmanager
def _unpacked(path: Path) -> Iterator[Path]:
    """The file itself; or, of one that gzip packed, its content under its own name in a folder of its own."""
    if not path.is_file() or not _is_packed(path):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        name = path.stem if path.suffix.lower() in (".gz", ".gzip") else path.name
        file = Path(folder) / name
        _unpack(path, file)
        for other in path.parent.iterdir():  # the partner of a wave, the stimulus of an ABF file
            _place(other, Path(folder), skip=path)
        yield file


def _is_packed(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == _GZIP


def _place(other: Path, folder: Path, *, skip: Path) -> None:
    """Put a neighbour beside the unpacked file: by a link, or unpacked where it is of the same kind."""
    if other == skip or not other.is_file():
        return
    if other.suffixes[-2:] == skip.suffixes[-2:] and len(skip.suffixes) > 1 and skip.suffixes[-2].lower() == ".ibw":
        _unpack(other, folder / other.stem)
    elif not (folder / other.name).exists():
        with suppress(OSError):  # where links are not allowed, neighbours are not found, and the error says so
            (folder / other.name).symlink_to(other.resolve())


def _unpack(path: Path, to: Path) -> None:
    try:
        with gzip.open(path, "rb") as packed, to.open("wb") as file:
            _copy(packed, file, path)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise LeakyflowError(
            f"{path.name} is packed by gzip but cannot be unpacked to its end ({error}). It is truncated or damaged: "
            "copy it again from its source."
        ) from error


def _copy(packed: Any, file: Any, path: Path) -> None:
    size = 0
    while piece := packed.read(_PIECE):
        size += len(piece)
        check_size(size, what="The unpacked content", where=path.name)
        file.write(piece)
