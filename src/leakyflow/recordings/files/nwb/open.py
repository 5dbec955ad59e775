"""Open an NWB file, of whichever version."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from leakyflow.recordings.files.nwb.version1 import open_version_1
from leakyflow.recordings.files.nwb.version2 import open_version_2
from leakyflow.recordings.files.raw import Source, parsing

__all__ = ["open_nwb"]


@contextmanager
def open_nwb(path: Path, *, channel: int | str | None, current: int | str | Path | None) -> Iterator[Source]:
    """Open an NWB file; each current-clamp series is a sweep.

    Sweeps are ordered by the file's own sweep number, else by starting time, else by name (`sweep_10` after
    `sweep_2`). The current is the stimulus that belongs to the response, moved by their starting times, plus the bias
    current, which NWB keeps apart.

    Args:
        path: The file.
        channel: Name or number of the electrode; all when None.
        current: Name of the stimulus series, where the file does not say which belongs to the sweep.

    Raises:
        LeakyflowError: If the file is damaged, or has no current clamp, or only voltage clamp.
    """
    import h5py

    with parsing(path, "NWB"), h5py.File(path, "r") as file:
        open_version = open_version_2 if "nwb_version" in file.attrs else open_version_1
    with open_version(path, channel=channel, current=current) as source:
        yield source
