"""A series of an NWB 2 file, or the part of it that a row of the table of recordings names."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from leakyflow.recordings.files.nwb.alignment import Trace
from leakyflow.recordings.files.nwb.series import check_data, check_interval, make_trace
from leakyflow.recordings.files.raw import parsing

__all__ = ["Part", "begin_of", "dt_of", "protocol_of", "referenced", "trace_of"]

_NOTHING_SAID = {"", "n/a", "na", "none", "unknown", "not available", "no description"}


@dataclass(frozen=True, eq=False)
class Part:
    """Samples of a series.

    Attributes:
        series: The series, as pynwb gives it.
        samples: Which of them; the whole series when None.
    """

    series: Any
    samples: slice | None = None

    @property
    def is_whole(self) -> bool:
        """True where it is the whole series, so that its starting time is that of the part."""
        return self.samples is None


def referenced(reference: Any) -> Part | None:
    """Read a reference of the table of recordings.

    Args:
        reference: Start index, count and series.

    Returns:
        The part, or None where the row refers to none.
    """
    first, count, series = reference.idx_start, reference.count, reference.timeseries
    if series is None or first is None or count is None or (first < 0 and count < 0):
        return None
    n_samples = int(np.shape(series.data)[0])
    begin = max(int(first), 0)
    if begin == 0 and (count < 0 or count >= n_samples):
        return Part(series)
    return Part(series, slice(begin, n_samples if count < 0 else begin + int(count)))


def begin_of(series: Any, path: Path) -> float:
    """Time of the first sample, in ms; 0 where the file has none.

    Args:
        series: The series.
        path: The file.
    """
    with parsing(path, "NWB", f"series {series.name!r}"):
        seconds = series.starting_time if series.timestamps is None else series.timestamps[0]
        return 0.0 if seconds is None else float(seconds) * 1000.0


def dt_of(series: Any, path: Path) -> float:
    """Sampling interval, in ms.

    Args:
        series: The series.
        path: The file.
    """
    with parsing(path, "NWB", f"series {series.name!r}"):
        return check_interval(series.rate, series.timestamps, name=str(series.name), path=path)


def trace_of(part: Part, path: Path, to: str) -> Trace:
    """Read the samples.

    Args:
        part: Which.
        path: The file.
        to: `mV` or `pA`.
    """
    series, name = part.series, str(part.series.name)
    with parsing(path, "NWB", f"series {name!r}"):
        check_data(series.data, name=name, path=path)
        return make_trace(
            series.data,
            name=name,
            path=path,
            unit=str(series.unit),
            to=to,
            conversion=series.conversion,
            offset=series.offset,
            dt=dt_of(series, path),
            begin=begin_of(series, path),
            part=part.samples or slice(None),
        )


def protocol_of(series: Any) -> str:
    """Name of the stimulus protocol; empty where the file says nothing.

    Args:
        series: The series.
    """
    text = str(getattr(series, "stimulus_description", "") or "").strip()
    return "" if text.lower() in _NOTHING_SAID else text
