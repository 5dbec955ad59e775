"""Formats that neo reads: WinWCP, WinEDR, AxoGraph, Spike2 and other files of CED."""

import struct
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from leakyflow.errors import LeakyflowError
from leakyflow.recordings.files.choices import Choices
from leakyflow.recordings.files.door import check_size
from leakyflow.recordings.files.pairing import Signal
from leakyflow.recordings.files.raw import Source, parsing
from leakyflow.recordings.files.signals import to_source
from leakyflow.recordings.files.timebase import without_rounding

__all__ = ["NEO_FORMATS"]

_READERS = {
    "WinWCP": "WinWcpIO",
    "WinEDR": "WinEdrIO",
    "AxoGraph": "AxographIO",
    "Spike2": "Spike2IO",
    "CED": "CedIO",
}


@contextmanager
def _open(format: str, path: Path, choices: Choices) -> Iterator[Source]:
    """Open a file through neo; each segment is a sweep.

    Args:
        format: As in `NEO_FORMATS`.
        path: The file.
        choices: `channel` and `current` are names of channels; `step` where the current was not recorded.

    Raises:
        LeakyflowError: If neo is not installed, or the file is damaged or lacks a voltage or a current.
    """
    if find_spec("neo") is None:
        raise LeakyflowError(
            f"{path.name} is a {format} file, which the package neo reads. Install it: pip install 'leakyflow[neo]'"
        )
    if format == "CED" and find_spec("sonpy") is None:
        raise LeakyflowError(
            f"{path.name} is a 64-bit file of CED (.smrx), which needs CED's own package besides neo: pip install "
            "sonpy. Or export the channels from Spike2 as MATLAB data (File > Export as > .mat), which can be read."
        )
    check_size(path.stat().st_size, what="The samples", where=path.name)
    n_time = _check_gains(path) if format == "WinWCP" else None
    with parsing(path, format):
        signals = _signals(_segments(format, path), n_time)
    if not signals:
        raise LeakyflowError(f"{path.name} must hold analog signals, but has none. Use another file.")
    yield to_source(signals, path, choices, measured=True)


Opener = Callable[[Path, Choices], AbstractContextManager[Source]]
NEO_FORMATS: dict[str, Opener] = {format: partial(_open, format) for format in _READERS}


def _segments(format: str, path: Path) -> list[Any]:
    import neo

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reader = getattr(neo.io, _READERS[format])(filename=str(path))
        if format == "Spike2":
            _check_blocks(reader, path.stat().st_size)
        return list(reader.read_block(signal_group_mode="split-all").segments)


def _check_blocks(reader: Any, size: int) -> None:
    """Refuse a file that ends before its blocks do: neo fills them with zeros, without a word."""
    reader.parse_header()
    for channel, info in enumerate(reader._channel_infos):
        width = {1: 2, 9: 4}.get(info["kind"], 0)  # bytes of a sample of a wave
        blocks = reader._all_data_blocks[channel]
        if width and len(blocks) and int((blocks["pos"].astype(np.int64) + width * blocks["size"]).max()) > size:
            raise EOFError(f"{info['title']} ends after the file")


def _signals(segments: list[Any], n_time: int | None) -> list[Signal]:
    """Channels of the first segment, with their samples in all, cut to `n_time`."""
    channels = [segment.analogsignals for segment in segments]
    return [
        Signal(
            name=str(first.name),
            unit=_unit(first),
            sweeps=[np.asarray(segment[n].magnitude, dtype=np.float64).ravel()[:n_time] for segment in channels],
            dt=without_rounding(1000.0 / float(first.sampling_rate.rescale("Hz"))),
            start=float(first.t_start.rescale("ms")),
        )
        for n, first in enumerate(channels[0] if channels else [])
    ]


def _unit(signal: Any) -> str:
    unit = str(signal.units.dimensionality)
    return "" if unit == "dimensionless" else unit


def _check_gains(path: Path) -> int | None:
    """Refuse a file of WinWCP whose records were amplified differently: neo scales all by the last.

    Returns:
        The number of samples in a record; neo gives those that fill its last sector, too.
    """
    with parsing(path, "WinWCP"), path.open("rb") as file:
        lines = file.read(1024).decode("latin-1").split("\r\n")
        header = dict(line.split("=", 1) for line in lines if "=" in line)
        size = 512 * int(header["NBD"]) + 1024
        gains = []
        for record in range(int(header["NR"])):
            file.seek(1024 + record * size + 24)  # after status, type, group, time and interval
            gains.append(struct.unpack("<8f", file.read(32))[: int(header["NC"])])
        n_time = int(header["NP"]) if "NP" in header else None
    if len(set(gains)) > 1:
        raise LeakyflowError(
            f"All records of {path.name} must have the same gain, got {len(set(gains))}. Export them from WinWCP as "
            "text, or as one file for each gain."
        )
    return n_time
