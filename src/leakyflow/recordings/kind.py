"""What kind of file it is: the content decides, and must agree with the name."""

import zipfile
from pathlib import Path

__all__ = ["file_kind"]

_SUFFIXES = {".abf": "ABF", ".nwb": "NWB", ".ibw": "IBW", ".csv": "CSV", ".tsv": "CSV", ".npz": "NPZ"}
_HDF5 = b"\x89HDF\r\n\x1a\n"
_IGOR_VERSIONS = (1, 2, 3, 5)
_READABLE = "ABF, NWB, Igor binary waves (IBW), CSV and NPZ can be read."


def file_kind(path: Path) -> str:
    """Tell the format of a file from its first bytes.

    Args:
        path: The file.

    Returns:
        `"ABF"`, `"NWB"`, `"IBW"`, `"CSV"` or `"NPZ"`.

    Raises:
        ValueError: If it is empty, of another kind, or of another of these than its suffix says.
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
        raise ValueError(f"{path.name} must hold a recording, but it is empty. Copy it again from its source.")
    kind, named = _kind(path, head), _SUFFIXES.get(path.suffix.lower())
    if named is not None and named != kind:
        found = f"of kind {kind}" if kind else "not"
        cure = f"Rename it to end in .{kind.lower()}" if kind else "Copy it again from its source"
        raise ValueError(f"{path.name} is {named} by its name, but its content is {found}. {cure}. {_READABLE}")
    if not kind:
        raise ValueError(f"{path.name} is of an unknown kind (it begins with {head[:8]!r}). {_READABLE}")
    return kind


def _kind(path: Path, head: bytes) -> str:
    if head[:4] in (b"ABF ", b"ABF2"):
        return "ABF"
    if head[:8] == _HDF5:
        return "NWB" if _is_nwb(path) else ""
    if head[:4] == b"PK\x03\x04":
        return "NPZ" if _is_npz(path) else ""
    if _is_igor(head):
        return "IBW"
    return "CSV" if _is_text(head) else ""


def _is_nwb(path: Path) -> bool:
    import h5py

    try:
        with h5py.File(path) as file:
            return "nwb_version" in file.attrs
    except OSError:
        return path.suffix.lower() == ".nwb"  # truncated: the reader says so


def _is_npz(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith(".npy") for name in archive.namelist())
    except zipfile.BadZipFile:
        return path.suffix.lower() == ".npz"  # truncated: the reader says so


def _is_igor(head: bytes) -> bool:
    versions = int.from_bytes(head[:2], "little"), int.from_bytes(head[:2], "big")
    return any(version in _IGOR_VERSIONS for version in versions)


def _is_text(head: bytes) -> bool:
    if b"\0" in head or head.startswith((b"ATF\t", b"%PDF")):
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start > len(head) - 4  # a character cut by the end of the sample
    return True
