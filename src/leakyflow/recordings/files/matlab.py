"""MATLAB files of versions 5 to 7, by SciPy; version 7.3 is HDF5."""

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from leakyflow.errors import LeakyflowError
from leakyflow.recordings.files.arrays import variables_to_source
from leakyflow.recordings.files.choices import Choices
from leakyflow.recordings.files.door import check_size
from leakyflow.recordings.files.hdf5 import open_hdf5
from leakyflow.recordings.files.raw import Source, parsing
from leakyflow.recordings.files.structures import with_neighbours

__all__ = ["open_mat"]

_DEPTH = 4  # structures within structures


@contextmanager
def open_mat(path: Path, choices: Choices) -> Iterator[Source]:
    """Open a MATLAB file: variables or fields of structures such as V_mV, I_pA and t_ms, or channels of Spike2.

    Args:
        path: The file.
        choices: `channel` and `current` are names of variables, with the structures, separated by points.

    Raises:
        LeakyflowError: If a variable is missing, or times are not evenly spaced.
    """
    import h5py

    if h5py.is_hdf5(path):
        with open_hdf5(path, choices) as source:
            yield source
        return
    variables = with_neighbours(*_read(path))
    if not variables:
        raise LeakyflowError(f"{path.name} must hold variables of numbers, but has none. Use another file.")
    yield variables_to_source(variables, path, choices)


def _read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    from scipy.io import loadmat, whosmat

    with parsing(path, "MAT"):
        listed = whosmat(str(path))
    for name, shape, _ in listed:
        check_size(prod(shape) * 8, what=name, where=path.name)
    with parsing(path, "MAT"):
        content = loadmat(str(path), squeeze_me=True)
    numbers: dict[str, np.ndarray] = {}
    texts: dict[str, str] = {}
    for name, value in content.items():
        if not name.startswith("__"):
            _flatten(name, value, numbers, texts, _DEPTH)
    return numbers, texts


def _flatten(name: str, value: Any, numbers: dict[str, np.ndarray], texts: dict[str, str], depth: int) -> None:
    """Fields of a structure get names with points; those of an array of structures a number as well."""
    value = np.asarray(value)
    if value.dtype.names and depth:
        for n, record in enumerate(value.ravel()):
            for field in value.dtype.names:
                prefix = name if value.size == 1 else f"{name}({n + 1})"
                _flatten(f"{prefix}.{field}", record[field], numbers, texts, depth - 1)
    elif value.dtype.kind in "fiub" and value.ndim <= 2 and value.size:
        numbers[name] = value.astype(np.float64)
    elif value.dtype.kind == "U" and value.size == 1:
        texts[name] = str(value.ravel()[0])
