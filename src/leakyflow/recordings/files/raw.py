"""What every file format is read into: sweeps of voltage and current at the original sampling."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from leakyflow.errors import LeakyflowError

__all__ = ["CURRENT_CLAMP", "NO_CLAMP", "VOLTAGE_CLAMP", "OtherSweep", "RawSweep", "Source", "parsing", "pick"]

CURRENT_CLAMP, VOLTAGE_CLAMP, NO_CLAMP = "current clamp", "voltage clamp", "no clamp (I = 0)"

_LEAST_DT, _LARGEST_DT = 0.001, 10.0  # ms; a wrong unit of time is out of it by 1000


@dataclass(frozen=True, eq=False, kw_only=True)
class RawSweep:
    """One sweep as it was sampled.

    Attributes:
        V: Membrane voltage, in mV; may hold NaN where the file does.
        I: Injected current, in pA, holding current included; as long as V.
        dt: Sampling interval of the file, in ms.
        voltage: Which channel V is, with its unit in the file.
        current: Which channel or command I is, with its unit in the file.
        measured: True where I was recorded, and so carries noise; False for a command.
        confirmed: True where the caller chose the current by name, and so answers for it.
        command: What the amplifier was told to inject, in pA, where the file has it beside a measured I.
        name: Name or number of the sweep in the file; empty where it has none.
        electrode: Name of the electrode or amplifier channel; empty where the file has none.
        protocol: Name of the stimulus protocol; empty where the file has none.
        clamp: Clamp mode, `"current clamp"` for whatever can be read.

    Raises:
        LeakyflowError: If there are no samples, or their interval is out of 0.001 to 10 ms.
    """

    V: Float64[np.ndarray, " time"]
    I: Float64[np.ndarray, " time"]
    dt: float
    voltage: str
    current: str
    measured: bool
    confirmed: bool = False
    command: Float64[np.ndarray, " time"] | None = None
    name: str = ""
    electrode: str = ""
    protocol: str = ""
    clamp: str = CURRENT_CLAMP

    def __post_init__(self) -> None:
        if not _LEAST_DT <= self.dt <= _LARGEST_DT:
            raise LeakyflowError(
                f"A recording must be sampled every {_LEAST_DT:g} to {_LARGEST_DT:g} ms, got {self.dt:.4g} "
                f"ms for {self.voltage}. Correct the time or its unit in the file."
            )
        if not len(self.V):
            raise LeakyflowError(f"A sweep must hold samples, but {self.voltage} has none. Choose another sweep.")

    def __getitem__(self, keep: slice) -> "RawSweep":
        command = None if self.command is None else self.command[keep]
        return replace(self, V=self.V[keep], I=self.I[keep], command=command)


@dataclass(frozen=True, kw_only=True)
class OtherSweep:
    """A sweep of the file that is no current clamp with a known current, and so is listed but not read.

    Attributes:
        name: Its name in the file.
        clamp: `"voltage clamp"` or `"no clamp (I = 0)"`.
        electrode: Name of the electrode; empty where the file has none.
        protocol: Name of the stimulus protocol; empty where the file has none.
        duration: Length, in ms.
        dt: Sampling interval, in ms.
    """

    name: str
    clamp: str
    electrode: str = ""
    protocol: str = ""
    duration: float
    dt: float


@dataclass(frozen=True, kw_only=True)
class Source:
    """An open file.

    Attributes:
        n_sweeps: How many sweeps can be read.
        read: Reads one, by its number from 0.
        others: Names what else is in the file; only `list_sweeps` asks.
    """

    n_sweeps: int
    read: Callable[[int], RawSweep]
    others: Callable[[], tuple[OtherSweep, ...]] = tuple


# What HDF5 says where no plugin is found: without a folder of plugins, and with one.
_OF_FILTERS = ("can't open directory", "required filter")


@contextmanager
def parsing(path: Path, format: str, part: str = "") -> Iterator[None]:
    """Turn whatever a reader raises on a damaged file into one error that says what to do.

    Wrap the reader's own calls only: our errors pass as they are.

    Args:
        path: The file.
        format: Its format, as people call it.
        part: What of the file is being read, where it is known.
    """
    try:
        yield
    except LeakyflowError:
        raise
    except Exception as error:  # readers of binary formats raise anything, from struct.error to AssertionError
        what = f"its {part} cannot be read" if part else "cannot be read to its end"
        raise LeakyflowError(
            f"{path.name} begins like a file of format {format} but {what} "
            f"({type(error).__name__}: {_first_line(error)}).\n{_cure(error)}"
        ) from error


def _cure(error: Exception) -> str:
    """What to do; of HDF5's many errors, one has a cure of its own."""
    if any(words in str(error) for words in _OF_FILTERS):
        return (
            "It is packed by a filter that HDF5 does not bring along: write it again without (h5repack -f NONE FILE "
            "OTHER), or name the folder of the filter's plugin in the environment variable HDF5_PLUGIN_PATH."
        )
    return "It is truncated, damaged or of an unknown version: copy it again from its source."


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:120] if text else "no message"


def pick(wanted: int | str | None, labels: dict[int, str], *, option: str, what: str, where: str) -> int:
    """Choose one channel of several.

    Args:
        wanted: The caller's choice by number or name; None where there should be only one.
        labels: Number and name of each channel to choose from.
        option: The argument by which the caller chooses, for the error.
        what: What the channels are, for the error.
        where: The file, for the error.

    Raises:
        LeakyflowError: If there is no such channel, or several and no choice.
    """
    found = [n for n, label in labels.items() if wanted is None or str(wanted) in (str(n), label)]
    if len(found) == 1:
        return found[0]
    listing = ", ".join(f"{n} ({label})" for n, label in labels.items()) or "none"
    if wanted is None:
        message = f"{where} must have one {what}, or a choice; it has {listing}. Pass {option}=."
    else:
        message = f"`{option}` must name one {what} of {where}, got {wanted!r}; there is {listing}."
    raise LeakyflowError(message, argument=option)
