"""Whether the header of an ABF file can be, checked before pyABF allocates what it asks for."""

import struct
from pathlib import Path

import numpy as np

from leakyflow.errors import LeakyflowError

__all__ = ["check_header"]

_BLOCK = 512  # bytes, in which sections are counted
_SECTIONS = {  # place in the ABF 2 header, and the most entries and bytes that a sound file has
    "protocol": (76, 1, 2**16),
    "channels": (92, 64, 2**16),
    "outputs": (108, 64, 2**16),
    "epochs": (124, 2**12, 2**20),
    "epochs of outputs": (156, 2**12, 2**20),
    "user lists": (172, 64, 2**16),
    "strings": (220, 2**12, 2**20),
    "tags": (252, 2**16, 2**24),
    "sweeps": (316, 2**20, 2**24),
}
_DATA = 236
_NEEDED = ("protocol", "channels", "strings")
_MOST_CHANNELS, _MOST_SWEEPS = 16, 2**20


def check_header(path: Path) -> None:
    """Refuse counts and positions that the file cannot hold, and an interval that is no time.

    Args:
        path: A file that begins with `ABF ` or `ABF2`.

    Raises:
        LeakyflowError: If a section lies outside the file, or a count or the sampling interval cannot be.
    """
    with path.open("rb") as file:
        head = file.read(2 * _BLOCK)
    check = _problem_of_2 if head[:4] == b"ABF2" else _problem_of_1
    try:
        problem = check(head, path.stat().st_size)
    except struct.error:
        problem = "it ends too early"
    if problem:
        raise LeakyflowError(
            f"{path.name} begins like a file of format ABF but its header cannot be right: {problem}.\n"
            "It is truncated or damaged: copy it again from its source."
        )


def _problem_of_2(head: bytes, size: int) -> str:
    for name, (offset, most, most_bytes) in _SECTIONS.items():
        block, entry, count = struct.unpack_from("<IIq", head, offset)
        if not (0 <= count <= most and entry * count <= most_bytes and block * _BLOCK + entry * count <= size):
            return f"it names {count} entries of {entry} bytes for the {name} at block {block}, in {size} bytes"
        if not count and name in _NEEDED:
            return f"it has no {name}"
    block, entry, count = struct.unpack_from("<IIq", head, _DATA)
    (n_sweeps,) = struct.unpack_from("<I", head, 12)
    n_channels = struct.unpack_from("<q", head, 92 + 8)[0]
    if block * _BLOCK + entry * count > size:
        return f"it names {count} samples of {entry} bytes at block {block}, in {size} bytes"
    return _problem_of_counts(count, n_channels, n_sweeps)


def _problem_of_1(head: bytes, size: int) -> str:
    (mode,) = struct.unpack_from("<h", head, 8)
    (count,) = struct.unpack_from("<i", head, 10)
    (n_sweeps,) = struct.unpack_from("<i", head, 16)
    start, tags, n_tags = struct.unpack_from("<iii", head, 40)
    n_channels, interval = struct.unpack_from("<hf", head, 120)
    if not (np.isfinite(interval) and interval > 0):
        return f"its sampling interval is {interval} us"
    if not (0 <= n_tags <= 2**16 and tags * _BLOCK + 64 * n_tags <= size):
        return f"it names {n_tags} tags at block {tags}, in {size} bytes"
    if start < 0 or start * _BLOCK > size:
        return f"its samples begin at block {start}, in {size} bytes"
    sampled = struct.unpack_from("<16h", head, 410)[: max(n_channels, 0)]
    if not all(0 <= number < _MOST_CHANNELS for number in sampled):
        return f"it samples the inputs {list(sampled)}, of 16"
    return _problem_of_counts(count, n_channels, 1 if mode == _GAP_FREE else n_sweeps)


_GAP_FREE = 3  # its number of episodes means nothing


def _problem_of_counts(n_samples: int, n_channels: int, n_sweeps: int) -> str:
    if not 1 <= n_channels <= _MOST_CHANNELS:
        return f"it names {n_channels} channels, of at most {_MOST_CHANNELS}"
    if n_samples < n_channels:
        return f"it names {n_samples} samples for {n_channels} channels"
    if not 0 <= n_sweeps <= min(_MOST_SWEEPS, n_samples // n_channels):
        return f"it names {n_sweeps} sweeps for {n_samples} samples of {n_channels} channels"
    return ""
