"""The door for stored arrays: names, types, shapes, sizes and numbers are checked before anything is computed."""

import errno
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import TypeAdapter, ValidationError

from leakyflow.errors import LeakyflowError

__all__ = ["LARGEST", "Spec", "check_array", "check_finite", "load_arrays", "load_json", "reading"]

LARGEST = 2**31  # bytes of one array; none that is stored comes near


class Spec(NamedTuple):
    """What an array must be."""

    dtype: Any
    shape: tuple[int | None, ...]  # None is any length


@contextmanager
def reading(path: str | Path, part: str, cure: str) -> Iterator[None]:
    """Turn whatever a library raises on damaged content into one error that names the file and the part.

    Wrap the library's own calls only. Errors of the system, such as a missing file, pass as they are.

    Args:
        path: The file or folder.
        part: What is read of it.
        cure: What to do, in a sentence.

    Raises:
        ValueError: In place of anything else.

    Example:
        >>> import json
        >>> with reading("run.json", "its state", "Copy it again."):
        ...     json.loads("{")
        Traceback (most recent call last):
        leakyflow.errors.LeakyflowError: run.json: its state cannot be read (JSONDecodeError: Expecting property ...
    """
    try:
        yield
    except LeakyflowError:
        raise
    except Exception as error:  # readers raise anything on damaged content, from zlib.error to MemoryError
        # Numbers are of the system, but for that of being sent to where no file reaches; libraries put words there.
        if isinstance(error, OSError) and isinstance(error.errno, int) and error.errno != errno.EINVAL:
            raise
        said = str(error).strip().splitlines()
        found = f"{type(error).__name__}: {said[0][:120]}" if said else type(error).__name__
        raise LeakyflowError(f"{path}: {part} cannot be read ({found}). {cure}") from error


def load_json(path: Path, kind: Any, *, most: int, cure: str) -> Any:
    """Read a JSON file of a known form.

    Args:
        path: The file.
        kind: What it must hold, for pydantic.
        most: Bytes that it may have.
        cure: What to do where it holds something else, in a sentence.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is larger, no JSON, or of another form; the first difference is named.
    """
    size = path.stat().st_size
    if size > most:
        raise LeakyflowError(f"{path} must have at most {most:,} bytes, got {size:,}. {cure}")
    try:
        return TypeAdapter(kind).validate_json(path.read_bytes())
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(map(str, problem["loc"])) or "its text"
        raise LeakyflowError(f"{path}: {place} cannot be read ({problem['msg']}). {cure}") from error


def check_array(path: str | Path, name: str, spec: Spec, *, dtype: Any, shape: tuple[int, ...], cure: str) -> None:
    """Refuse an array by its type and shape alone, before it takes memory.

    Args:
        path: The file or folder.
        name: Of the array.
        spec: What it must be.
        dtype: What it is.
        shape: What it is.
        cure: What to do, in a sentence.

    Raises:
        ValueError: If they do not agree, or it is larger than 2 GiB.
    """
    agrees = len(shape) == len(spec.shape) and all(
        wanted in (None, n) for wanted, n in zip(spec.shape, shape, strict=True)
    )
    n_bytes = np.prod([int(n) for n in shape], dtype=object) * np.dtype(spec.dtype).itemsize
    if not agrees or dtype != np.dtype(spec.dtype) or n_bytes > LARGEST:
        wanted = ", ".join("any" if n is None else str(n) for n in spec.shape)
        raise LeakyflowError(
            f"{path}: `{name}` must hold {np.dtype(spec.dtype)} of shape ({wanted}) and at most {LARGEST:,} bytes, got "
            f"{dtype} of shape {tuple(shape)}. {cure}"
        )


def load_arrays(path: str | Path, specs: Mapping[str, Spec], *, cure: str) -> dict[str, np.ndarray]:
    """Read arrays from an NPZ file; nothing in it is executed.

    Args:
        path: The file.
        specs: Arrays that it must have; others are not looked at.
        cure: What to do where it is damaged, in a sentence.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If an array is missing, damaged, of another type or shape, or holds numbers that are not finite.
    """
    arrays: dict[str, np.ndarray] = {}
    with reading(path, "the archive", cure), zipfile.ZipFile(path) as archive:
        missing = [name for name in specs if f"{name}.npy" not in archive.namelist()]
        if missing:
            raise LeakyflowError(f"{path} must hold {', '.join(missing)}, and does not. {cure}")
        for name, spec in specs.items():
            with reading(path, f"`{name}`", cure):
                with archive.open(f"{name}.npy") as file:
                    shape, dtype = _header(file)
                check_array(path, name, spec, dtype=dtype, shape=shape, cure=cure)
                with archive.open(f"{name}.npy") as file:
                    arrays[name] = np.lib.format.read_array(file, allow_pickle=False)
            check_finite(path, name, arrays[name], cure=cure)
    return arrays


def check_finite(path: str | Path, name: str, values: np.ndarray, *, cure: str) -> None:
    """Refuse numbers that are not finite.

    Args:
        path: The file or folder.
        name: Of the array.
        values: Of any type.
        cure: What to do, in a sentence.
    """
    if np.issubdtype(values.dtype, np.inexact) and not (finite := np.isfinite(values)).all():
        raise LeakyflowError(
            f"{path}: `{name}` must be finite, got {np.sum(~finite)} of {values.size} numbers that are not. {cure}"
        )


def _header(file: Any) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type of an array in a file of NumPy's."""
    version = np.lib.format.read_magic(file)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
    shape, _, dtype = read(file)
    return shape, dtype
