"""What format of file it is: the content decides, and must agree with the name."""

import zipfile
from pathlib import Path

import numpy as np

from leakyflow.errors import LeakyflowError
from leakyflow.recordings.files.igor_files import is_packed
from leakyflow.recordings.files.unreadable import what_it_is
from leakyflow.recordings.files.wavesurfer import is_wavesurfer

__all__ = ["file_format"]

_SUFFIXES: dict[str, tuple[str, ...]] = {
    ".abf": ("ABF",),
    ".atf": ("ATF",),
    ".nwb": ("NWB",),
    ".ibw": ("IBW",),
    ".itx": ("ITX",),
    ".pxp": ("PXP",),
    ".csv": ("CSV",),
    ".tsv": ("CSV",),
    ".npz": ("NPZ",),
    ".mat": ("MAT", "HDF5"),
    ".wcp": ("WinWCP",),
    ".edr": ("WinEDR",),
    ".axgd": ("AxoGraph",),
    ".axgx": ("AxoGraph",),
    ".smr": ("Spike2",),
    ".smrx": ("CED",),
}
_USUAL = {"CSV": ".csv", "HDF5": ".h5", "WaveSurfer": ".h5"}
_HDF5 = b"\x89HDF\r\n\x1a\n"
_IGOR_HEADERS = {1: 8 + 110, 2: 16 + 110, 3: 20 + 110, 5: 64 + 320}  # bytes, by version, under the checksum
_READABLE = (
    "ABF, ATF, NWB, Igor (.ibw, .itx, .pxp), CSV and other text tables, NPZ, MATLAB, HDF5 (WaveSurfer), and by neo "
    "WinWCP, WinEDR, AxoGraph and Spike2 can be read, each also as .gz."
)
_CONTROL = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1a"))


def file_format(path: Path) -> str:
    """Tell the format of a file from its first bytes.

    Args:
        path: The file.

    Returns:
        `"ABF"`, `"ATF"`, `"NWB"`, `"IBW"`, `"ITX"`, `"PXP"`, `"CSV"` (any text table), `"NPZ"`, `"MAT"`, `"HDF5"`,
        `"WaveSurfer"`, `"WinWCP"`, `"WinEDR"`, `"AxoGraph"`, `"Spike2"` or `"CED"`.

    Raises:
        LeakyflowError: If it is empty, of another format, or of another of these than its suffix says.
        FileNotFoundError: If there is no such file.
        IsADirectoryError: If it is a folder.
    """
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder. Pass the path of one recording in it.")
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}. Check the path; it is relative to {Path.cwd()}.")
    with path.open("rb") as file:
        head = file.read(4096)
    if not head:
        raise LeakyflowError(f"{path.name} must hold a recording, but it is empty. Copy it again from its source.")
    format, named = _kind(path, head), _SUFFIXES.get(path.suffix.lower(), ())
    known = "" if format in _FIRM else what_it_is(head, _members(path, head))
    if known:
        raise LeakyflowError(f"{path.name} {known}.\n{_READABLE}")
    if named and format not in named:
        found = f"of format {format}" if format else "not"
        cure = f"Rename it to end in {_suffix(format)}" if format else "Copy it again from its source"
        raise LeakyflowError(f"{path.name} is {named[0]} by its name, but its content is {found}. {cure}. {_READABLE}")
    if not format:
        raise LeakyflowError(f"{path.name} is of an unknown format (it begins with {head[:8]!r}). {_READABLE}")
    return format


_FIRM = {
    "ABF",
    "NWB",
    "HDF5",
    "WaveSurfer",
    "NPZ",
    "MAT",
    "WinWCP",
    "WinEDR",
    "AxoGraph",
    "Spike2",
    "CED",
    "ATF",
    "ITX",
}


def _suffix(format: str) -> str:
    return _USUAL.get(format) or next(suffix for suffix, formats in _SUFFIXES.items() if format in formats)


def _kind(path: Path, head: bytes) -> str:
    if head[:4] in (b"ABF ", b"ABF2"):
        return "ABF"
    if head[:8] == _HDF5:
        return _kind_of_hdf5(path)
    if head[:4] == b"PK\x03\x04":
        return "NPZ" if _is_npz(path) else ""
    if head.startswith((b"MATLAB 5.0 MAT-file", b"MATLAB 7.3 MAT-file")):
        return "MAT"
    return _kind_of_amplifier(head) or _kind_of_text(path, head) or _kind_of_igor(path, head)


def _kind_of_amplifier(head: bytes) -> str:
    """Formats of acquisition programs that neo reads."""
    if head[:4] in (b"AxGr", b"axgx"):
        return "AxoGraph"
    if head.startswith(b"VER="):
        return "WinWCP" if b"NBD=" in head[:1024] else "WinEDR"
    if b"(C) CED" in head[:16]:
        return "Spike2"
    return "CED" if head[:3] == b"S64" else ""


def _kind_of_text(path: Path, head: bytes) -> str:
    if not _is_text(head):
        return ""
    if head.split(None, 1)[:1] == [b"ATF"]:
        return "ATF"
    return "ITX" if head.split(None, 1)[:1] == [b"IGOR"] else "CSV"


def _kind_of_igor(path: Path, head: bytes) -> str:
    """A wave begins with its version; a packed experiment, a chain of records, may begin with the same numbers."""
    versions = [(int.from_bytes(head[:2], order), f"{mark}i2") for order, mark in (("little", "<"), ("big", ">"))]  # type: ignore[arg-type]
    waves = [(version, kind) for version, kind in versions if version in _IGOR_HEADERS]
    if any(_checksum(head[: _IGOR_HEADERS[version]], kind) == 0 for version, kind in waves):
        return "IBW"
    if is_packed(path) or (path.suffix.lower() in (".pxp", ".pxt") and b"\0" in head):  # truncated: the reader says so
        return "PXP"
    return "IBW" if waves else ""


def _checksum(header: bytes, kind: str) -> int:
    return int(np.frombuffer(header[: len(header) // 2 * 2], kind).astype(np.int64).sum()) & 0xFFFF


def _kind_of_hdf5(path: Path) -> str:
    import h5py

    try:
        with h5py.File(path) as file:
            if "nwb_version" in file.attrs or "nwb_version" in file:  # an attribute since version 2
                return "NWB"
            return "WaveSurfer" if is_wavesurfer(file) else "HDF5"
    except (OSError, RuntimeError, KeyError):
        return "NWB" if path.suffix.lower() == ".nwb" else "HDF5"  # damaged: the reader says so


def _members(path: Path, head: bytes) -> list[str]:
    if head[:4] != b"PK\x03\x04":
        return []
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except zipfile.BadZipFile:
        return []


def _is_npz(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith(".npy") for name in archive.namelist())
    except zipfile.BadZipFile:
        return path.suffix.lower() == ".npz"  # truncated: the reader says so


def _is_text(head: bytes) -> bool:
    """Text has no control characters; two bytes a letter are announced by a mark."""
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return True
    return not any(byte in _CONTROL for byte in head) and not head.startswith((b"%PDF", b"BZh", b"Rar!"))
