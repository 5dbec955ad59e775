"""NumPy archives: arrays named like the columns of a table."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path

import numpy as np

from leakyflow.errors import LeakyflowError
from leakyflow.recordings.files.arrays import Variable, variables_to_source
from leakyflow.recordings.files.choices import Choices
from leakyflow.recordings.files.door import as_numbers, check_size
from leakyflow.recordings.files.labels import parse_label
from leakyflow.recordings.files.raw import Source, parsing

__all__ = ["load_npz", "open_npz"]


@contextmanager
def open_npz(path: Path, choices: Choices) -> Iterator[Source]:
    """Open an NPZ file: arrays V_mV, I_pA and t_ms, or dt_ms; two dimensions are sweeps.

    Args:
        path: The file.
        choices: `channel` and `current` are names of arrays.

    Raises:
        LeakyflowError: If an array is missing or holds no numbers, or times are not evenly spaced.
    """
    arrays = load_npz(path)
    variables = {
        name: Variable(values=as_numbers(array, what=name, where=path.name, n_dim=(0, 1, 2)))
        for name, array in arrays.items()
        if array.dtype.kind not in "US" or parse_label(name).kind  # names and notes
    }
    yield variables_to_source(variables, path, choices)


def load_npz(path: Path) -> dict[str, np.ndarray]:
    """Read all arrays of an archive; what each declares is compared with what the archive holds, before.

    Raises:
        LeakyflowError: If it is damaged, holds Python objects, or declares more than it has or than 2 GiB.
    """
    with parsing(path, "NPZ"), zipfile.ZipFile(path) as archive:
        members = [member for member in archive.infolist() if member.filename.endswith(".npy")]
    for member in members:
        check_size(member.file_size, what=member.filename, where=path.name)
        _check_header(path, member)
    with parsing(path, "NPZ"), np.load(path, allow_pickle=False) as file:
        return {member.filename[:-4]: file[member.filename[:-4]] for member in members}


def _check_header(path: Path, member: zipfile.ZipInfo) -> None:
    with parsing(path, "NPZ"), zipfile.ZipFile(path) as archive, archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        read = {(1, 0): np.lib.format.read_array_header_1_0}.get(version, np.lib.format.read_array_header_2_0)
        shape, _, dtype = read(file)
    if dtype.hasobject:
        raise LeakyflowError(
            f"{member.filename[:-4]!r} of {path.name} must hold numbers, got Python objects. Object arrays cannot be "
            "loaded, for they can run code: write it again as an array of floats."
        )
    if prod(shape) * max(dtype.itemsize, 1) > member.file_size:
        raise LeakyflowError(
            f"{member.filename[:-4]!r} of {path.name} declares {dtype} of shape {shape}, which is more than the file "
            "holds. It is damaged: copy it again from its source."
        )
