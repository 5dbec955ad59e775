"""Damage to files: of their bytes, and of the structure that a format gives them. Used by `benchmarks/fuzz.py`."""

import gzip
import io
import re
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["mutate"]

Rng = np.random.Generator
INTEGERS = (0, 1, -1, 2, 255, 2**15, 2**31 - 1, -(2**31), 2**32 - 1, 2**40, 2**63 - 1, -(2**63))
FLOATS = (0.0, -0.0, 1.0, -1.0, 1e-300, 1e300, -1e300, np.nan, np.inf, -np.inf, 1e-3, 1e3, 1e12)
WORDS = (
    "", "0", "-1", "1e300", "-1e300", "1e-300", "nan", "inf", "null", "true", "[]", "{}", "2024-01-01", '"a"', "'",
    "\x00", "9" * 30, "9" * 5000, "1.5", "-0.0", "1_000", "0x" + "f" * 2000, "[" * 10_000, "{a=" * 3000,
    "a." * 3000 + "a", "é",
)  # fmt: skip
HEAD = 4096  # bytes in which most formats have their fields


def pick(rng: Rng, choices: Any) -> Any:
    """One of them."""
    return choices[int(rng.integers(len(choices)))]


# --- bytes


def _place(rng: Rng, size: int) -> int:
    """Somewhere, half the time near the beginning."""
    return int(rng.integers(max(1, min(size, HEAD) if rng.random() < 0.5 else size)))


def flip(rng: Rng, data: bytearray) -> bytearray:
    for _ in range(int(rng.integers(1, 9))):
        data[_place(rng, len(data))] ^= 1 << int(rng.integers(8))
    return data


def overwrite(rng: Rng, data: bytearray) -> bytearray:
    """A number that fields of headers are afraid of."""
    if rng.random() < 0.5:
        form = pick(rng, ["<b", "<h", "<i", "<q", ">h", ">i", ">q"])
        bits = 8 * struct.calcsize(form)
        value = pick(rng, INTEGERS) % 2**bits
        number = struct.pack(form, value - 2**bits if value >= 2 ** (bits - 1) else value)
    else:
        with np.errstate(all="ignore"):
            number = np.array(pick(rng, FLOATS), pick(rng, ["<f4", "<f8", ">f4", ">f8"])).tobytes()
    at = _place(rng, len(data)) // 2 * 2
    data[at : at + len(number)] = number[: max(0, len(data) - at)]
    return data


def truncate(rng: Rng, data: bytearray) -> bytearray:
    return data[: _place(rng, len(data))]


def block(rng: Rng, data: bytearray) -> bytearray:
    """A stretch that is left out, doubled, or filled."""
    start = _place(rng, len(data))
    stop = min(len(data), start + int(2 ** rng.uniform(0, 12)))
    kind, part = int(rng.integers(5)), data[start:stop]
    filled = [b"", part + part, bytes(len(part)), b"\xff" * len(part), rng.bytes(len(part))][kind]
    return data[:start] + filled + data[stop:]


BYTES = (flip, overwrite, truncate, block)


def bytes_of(rng: Rng, path: Path) -> None:
    data = bytearray(path.read_bytes())
    if data:
        path.write_bytes(pick(rng, BYTES)(rng, data))


# --- text


def text_of(rng: Rng, path: Path) -> None:
    """A number, word or line replaced, left out or doubled."""
    text = path.read_bytes().decode("latin-1")
    lines = text.split("\n")
    kind = int(rng.integers(6))
    if kind == 0 and (numbers := list(re.finditer(r"-?\d[\d._]*(?:e[+-]?\d+)?", text))):
        found = pick(rng, numbers)
        text = text[: found.start()] + pick(rng, WORDS) + text[found.end() :]
    elif kind == 1 and (words := list(re.finditer(r"[A-Za-z_]\w*", text))):
        found = pick(rng, words)
        text = text[: found.start()] + pick(rng, (*WORDS, pick(rng, words)[0])) + text[found.end() :]
    else:
        at = int(rng.integers(min(len(lines), 60) if rng.random() < 0.7 else len(lines)))
        changed = [[], [lines[at]] * 2, [pick(rng, WORDS)], [lines[at], pick(rng, lines)]][kind % 4]
        text = "\n".join(lines[:at] + changed + lines[at + 1 :])
    path.write_bytes(text.encode("latin-1", errors="replace"))


# --- archives of NumPy


ARRAYS: tuple[Callable[[np.ndarray], Any], ...] = (
    lambda x: x[..., None],
    lambda x: x.ravel()[:1].reshape(()) if x.size else x,
    lambda x: x[..., :0] if x.ndim else x,
    lambda x: np.array(b"bytes"),
    lambda x: np.full(x.shape, np.nan),
    lambda x: np.full(x.shape, 1e300),
    lambda x: x.astype(complex),
    lambda x: x.astype(np.int8),
    lambda x: x > 0,
    lambda x: np.zeros(3, [("a", "f4"), ("b", "S3")]),
    lambda x: np.full(max(1, x.size), "text"),
    lambda x: x[::-1] if x.ndim else -x,
    lambda x: np.zeros(x.shape, x.dtype),
    lambda x: np.concatenate([x, x]) if x.ndim else x,
    lambda x: np.zeros(1, "datetime64[s]"),
)


def npz_of(rng: Rng, path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = pick(rng, sorted(members))
    kind = int(rng.integers(8))
    if kind == 0:
        del members[name]
    elif kind == 1:
        members[pick(rng, ("a.npy", "../a.npy", "V_mV.npy", "x" * 300))] = members.pop(name)
    elif kind == 2:
        members[name] = _declared(rng, members[name])
    elif kind == 3:
        members[name] = _saved(np.array([{}, print], dtype=object))
    elif kind == 4:
        members[name] = bytes(pick(rng, BYTES)(rng, bytearray(members[name])))
    elif kind == 5:
        members[name] = _header_of(2**33) + bytes(2**25)
    else:
        array = np.load(io.BytesIO(members[name]), allow_pickle=False)
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            array = pick(rng, ARRAYS)(array) if array.dtype.kind in "fiub" else np.zeros(3)
        members[name] = _saved(array)
    with zipfile.ZipFile(path, "w", pick(rng, (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        for member, content in members.items():
            archive.writestr(member, content)


def _saved(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def _header_of(n: int) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f8", "fortran_order": False, "shape": (n,)})
    return buffer.getvalue()


def _declared(rng: Rng, content: bytes) -> bytes:
    """Another shape or type in the header than the content has."""
    shapes = (b"(2199023255552,)", b"(-1,)", b"(0,)", b"(1,1,1,1)", b"((3,),)", b"(True,)", b"(1e3,)")
    types = (b"'|O'", b"'<f16'", b"'<U9'", b"'|V8'", b"[('a','<f4')]", b"'<m8[s]'", b"'zz'")
    head, mark = content[:128], int(rng.integers(2))
    head = (
        re.sub(rb"\([^)]*\)", lambda _: pick(rng, shapes), head, count=1)
        if mark
        else re.sub(rb"'descr': '[^']*'", lambda _: b"'descr': " + pick(rng, types), head, count=1)
    )
    return head[:128].ljust(128) + content[128:]


# --- HDF5


def hdf5_of(rng: Rng, path: Path) -> None:
    import h5py

    with h5py.File(path, "r+") as file:
        names: list[str] = []
        file.visit(names.append)
        name = pick(rng, names)
        if rng.random() < 0.35:
            owner = file[name]
            _attribute(rng, owner if len(owner.attrs) else file)
            return
        old = file[name]
        shape = old.shape if isinstance(old, h5py.Dataset) else (4,)
        attributes = {key: old.attrs[key] for key in old.attrs} if rng.random() < 0.8 else {}
        del file[name]
        try:
            made = _object(rng, file, name, shape or ())
            if made is not None:
                made.attrs.update(attributes)
        except (TypeError, ValueError, OSError, RuntimeError):
            return  # what cannot be written; missing now, which is damage too


def _object(rng: Rng, file: Any, name: str, shape: tuple[int, ...]) -> Any:
    import h5py

    n = int(np.prod(shape, dtype=float)) if shape else 1
    shape = shape if n < 2**22 else (4,)
    match int(rng.integers(14)):
        case 0:
            return None
        case 1:
            file[name] = h5py.SoftLink(f"/{name}")
        case 2:
            file[name] = h5py.ExternalLink("/etc/passwd", "/")
        case 3:
            return file.create_group(name)
        case 4:
            return file.create_dataset(name, shape=(2**20, 2**20), chunks=(64, 64), dtype="f4")
        case 5:
            return file.create_dataset(name, shape=None, dtype="f4")
        case 6:
            return file.create_dataset(name, data=np.zeros(3, [("a", "f4"), ("b", "S3")]))
        case 7:
            return file.create_dataset(name, data=pick(rng, FLOATS))
        case 8:
            return file.create_dataset(name, data=np.full(shape, pick(rng, FLOATS)))
        case 9:
            return file.create_dataset(name, data="text")
        case 10:
            return file.create_dataset(name, data=np.zeros(shape, bool))
        case 11:
            return file.create_dataset(name, data=np.array([file.ref] * 3, h5py.ref_dtype))
        case 12:
            return file.create_dataset(name, data=np.zeros((*shape, 2), "i1"))
        case _:
            return file.create_dataset(name, shape=shape, dtype="f4", external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)])
    return None


def _attribute(rng: Rng, owner: Any) -> None:
    if not len(owner.attrs):
        return
    key = pick(rng, sorted(owner.attrs))
    if rng.random() < 0.2:
        del owner.attrs[key]
        return
    value = pick(rng, (*FLOATS, *INTEGERS, "", "text", b"\xff\xfe", np.zeros(3), np.zeros((2, 2)), np.zeros(0), True))
    owner.attrs[key] = np.int64(value) if isinstance(value, int) and not isinstance(value, bool) else value


# --- folders, and what is packed


def folder_of(rng: Rng, folder: Path) -> None:
    """A file of a folder missing, empty, doubled, in another's place, a folder or a link."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if not files:
        return
    path, other = pick(rng, files), pick(rng, files)
    kind = int(rng.integers(6))
    content = other.read_bytes()
    if kind == 5:
        path.with_name(path.name + ".123.partial").write_bytes(content)
        return
    path.unlink()
    if kind == 1:
        path.touch()
    elif kind == 2:
        path.write_bytes(content)
    elif kind == 3:
        path.mkdir()
    elif kind == 4:
        path.symlink_to(path.name)


def packed(rng: Rng, path: Path, inner: Callable[[Rng, Path], None]) -> None:
    plain = path.with_name("plain" + path.suffixes[0])
    plain.write_bytes(gzip.decompress(path.read_bytes()))
    inner(rng, plain)
    path.write_bytes(gzip.compress(plain.read_bytes(), 1))
    plain.unlink()


INNER = {".csv": text_of, ".nwb": hdf5_of}


def structure_of(path: Path) -> Callable[[Rng, Path], None]:
    """How the structure of such a file is damaged; that of others only by their bytes."""
    with path.open("rb") as file:
        head = file.read(600)
    if head[:2] == b"PK":
        return npz_of
    if b"\x89HDF" in head:
        return hdf5_of
    if path.suffix in (".csv", ".txt", ".atf", ".itx", ".toml", ".json"):
        return text_of
    return bytes_of


def mutate(rng: Rng, folder: Path, names: tuple[str, ...]) -> str:
    """Damage one of the files of a folder, once to three times; say which and how.

    Args:
        rng: Says what.
        folder: Of the files; one of its folders may be mutated as a whole.
        names: Of those that may be damaged.
    """
    done = []
    for _ in range(pick(rng, (1, 1, 1, 2, 3))):
        path = folder / pick(rng, names)
        if path.is_dir():
            if rng.random() < 0.3:
                folder_of(rng, path)
                done.append(f"folder {path.name}")
                continue
            files = sorted(one for one in path.rglob("*") if one.is_file())
            path = pick(rng, files) if files else path
        if not path.is_file():
            continue
        how, inside = bytes_of if rng.random() < 0.4 else structure_of(path), ""
        try:
            if path.suffix == ".gz" and rng.random() < 0.8:
                inside = "content, as "
                packed(rng, path, how if how is bytes_of else INNER.get(path.suffixes[0], bytes_of))
            else:
                how(rng, path)
        except Exception:  # what an earlier mutation broke: the bytes are all that is left of it
            how = bytes_of
            bytes_of(rng, path)
        done.append(f"{inside}{how.__name__.removesuffix('_of')} of {path.name}")
    return ", ".join(done) or "nothing"
