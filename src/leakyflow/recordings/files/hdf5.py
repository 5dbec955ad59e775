"""HDF5 files without a schema of their own, MATLAB 7.3 among them: datasets found by names and units."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from leakyflow.errors import LeakyflowError
from leakyflow.recordings.files.arrays import variables_to_source
from leakyflow.recordings.files.choices import Choices
from leakyflow.recordings.files.door import MAX_BYTES, check_size
from leakyflow.recordings.files.raw import Source, parsing
from leakyflow.recordings.files.structures import with_neighbours

if TYPE_CHECKING:
    import h5py

__all__ = ["open_hdf5"]

_MAX_OBJECTS = 20_000  # in one file; more are no variables of a person


@contextmanager
def open_hdf5(path: Path, choices: Choices) -> Iterator[Source]:
    """Open an HDF5 file, or a MATLAB file of version 7.3: datasets such as V_mV, I_pA and t_ms or fs_Hz.

    A unit may also be an attribute `unit` or `units` of the dataset, or lie beside it. Links to other files are not
    followed.

    Args:
        path: The file.
        choices: `channel` and `current` are names of datasets, with their groups, separated by points.

    Raises:
        LeakyflowError: If a variable is missing, or times are not evenly spaced.
    """
    import h5py

    numbers: dict[str, np.ndarray] = {}
    texts: dict[str, str] = {}
    with parsing(path, "HDF5"), h5py.File(path) as file:
        for name, dataset in _datasets(file, path).items():
            _read(dataset, name.replace("/", "."), numbers, texts)
    variables = with_neighbours(numbers, texts)
    if not variables:
        raise LeakyflowError(f"{path.name} must hold variables of numbers, but has none. Use another file.")
    yield variables_to_source(variables, path, choices)


def _datasets(file: "h5py.File", path: Path) -> "dict[str, h5py.Dataset]":
    """All datasets whose samples lie in this file; `visititems` follows no links to others."""
    import h5py

    found: dict[str, h5py.Dataset] = {}
    seen = 0

    def keep(name: str, item: Any) -> bool | None:
        nonlocal seen
        seen += 1
        if isinstance(item, h5py.Dataset) and not item.is_virtual and item.external is None and name[0] != "#":
            found[name] = item
        return True if seen > _MAX_OBJECTS else None

    if file.visititems(keep):
        check_size(MAX_BYTES * seen, what="The groups", where=path.name)
    return found


def _read(dataset: "h5py.Dataset", name: str, numbers: dict[str, np.ndarray], texts: dict[str, str]) -> None:
    if dataset.attrs.get("MATLAB_class") in (b"char", "char") and dataset.dtype.kind == "u" and dataset.size < 2**16:
        texts[name] = "".join(chr(letter) for letter in np.asarray(dataset[()]).ravel(order="F"))
    elif dataset.dtype.kind in "fiub" and dataset.shape is not None:
        check_size(dataset.size * 8, what=name, where=dataset.file.filename)
        squeezed = np.squeeze(np.asarray(dataset[()], dtype=np.float64))
        if squeezed.ndim <= 2:
            numbers[name] = squeezed
            for attribute in ("unit", "units"):
                if attribute in dataset.attrs:
                    texts[f"{name}.units"] = _decoded(dataset.attrs[attribute])
    elif dataset.shape == () and dataset.dtype.kind in "SO":
        texts[name] = _decoded(dataset[()])


def _decoded(value: Any) -> str:
    value = np.asarray(value).ravel()[0] if np.asarray(value).size else ""
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)
