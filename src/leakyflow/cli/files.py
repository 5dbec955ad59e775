"""Room on the disk, which HDF5 must be sure of."""

import os
from pathlib import Path

__all__ = ["claim"]


def claim(path: Path, n_bytes: int) -> None:
    """Make sure that a file of this size can be written: on a full disk, HDF5 takes the whole process down.

    Raises:
        OSError: If there is no room.
    """
    with path.open("wb") as file:
        file.write(bytes(n_bytes))
        file.flush()
        os.fsync(file.fileno())
