"""What every file format is read into: sweeps of voltage and current at the original sampling."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float64

__all__ = ["RawSweep", "Source", "parsing", "pick"]


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
    """

    V: Float64[np.ndarray, " time"]
    I: Float64[np.ndarray, " time"]
    dt: float
    voltage: str
    current: str
    measured: bool
    confirmed: bool = False

    def __post_init__(self) -> None:
        if not _LEAST_DT <= self.dt <= _LARGEST_DT:
            raise ValueError(
                f"A recording must be sampled every {_LEAST_DT:g} to {_LARGEST_DT:g} ms, got {self.dt:.4g} "
                f"ms for {self.voltage}. Correct the time or its unit in the file."
            )

    def __getitem__(self, keep: slice) -> "RawSweep":
        return replace(self, V=self.V[keep], I=self.I[keep])


@dataclass(frozen=True, kw_only=True)
class Source:
    """An open file: how many sweeps it has, and how to read one."""

    n_sweeps: int
    read: Callable[[int], RawSweep]


@contextmanager
def parsing(path: Path, kind: str) -> Iterator[None]:
    """Turn whatever a reader raises on a damaged file into one error that says what to do.

    Wrap the reader's own calls only: our errors must pass as they are.
    """
    try:
        yield
    except Exception as error:  # readers of binary formats raise anything, from struct.error to AssertionError
        raise ValueError(
            f"{path.name} begins like a file of kind {kind} but cannot be read to its end "
            f"({type(error).__name__}: {_first_line(error)}).\n"
            "It is truncated, damaged or of an unknown version: copy it again from its source."
        ) from error


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
        ValueError: If there is no such channel, or several and no choice.
    """
    found = [n for n, label in labels.items() if wanted is None or str(wanted) in (str(n), label)]
    if len(found) == 1:
        return found[0]
    listing = ", ".join(f"{n} ({label})" for n, label in labels.items()) or "none"
    if wanted is None:
        raise ValueError(f"{where} must have one {what}, or a choice; it has {listing}. Pass {option}=.")
    raise ValueError(f"`{option}` must name one {what} of {where}, got {wanted!r}; there is {listing}.")
