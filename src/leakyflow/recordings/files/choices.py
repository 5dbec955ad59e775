"""What the caller says of a file that leaves something open."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from leakyflow.errors import LeakyflowError
from leakyflow.recordings.files.labels import parse_label
from leakyflow.recordings.files.units import quantity

__all__ = ["Choices", "Step"]

IGNORED = ("-", "")  # in columns=, a column that is not read


@dataclass(frozen=True, kw_only=True)
class Step:
    """A step of current, for a file that has the voltage alone.

    Attributes:
        amplitude: In pA; zero outside the step.
        onset: In ms from the beginning of the sweep.
        duration: In ms.
    """

    amplitude: float
    onset: float
    duration: float

    def samples(self, n_time: int, dt: float, *, where: str) -> np.ndarray:
        """The current, in pA, averaged over each sample; so the charge is exact where the step begins between two.

        Raises:
            LeakyflowError: If the step ends after the sweep.
        """
        if self.onset + self.duration > n_time * dt * (1 + 1e-9):
            raise LeakyflowError(
                f"`step` must end within the sweep of {n_time * dt:g} ms, got a step from {self.onset:g} to "
                f"{self.onset + self.duration:g} ms for {where}. Say it as amplitude (pA), onset (ms), duration (ms).",
                argument="step",
            )
        edges = np.arange(n_time + 1) * dt
        covered = np.diff(np.clip(edges, self.onset, self.onset + self.duration)) / dt
        return self.amplitude * np.round(covered, 9) + 0.0  # no -0


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What to read from a file, where it has several things or does not say what they are.

    Attributes:
        channel: Number or name of the voltage.
        current: Number, name or path of the current.
        columns: Names of the columns of a table, with their units; `-` for one that is not read.
        units: Units of the quantities for which the file gives none.
        dt_file: Sampling interval of the file, in ms, where it gives none or a wrong one.
        step: The injected current, where the file does not hold it.
    """

    channel: int | str | None = None
    current: int | str | Path | None = None
    columns: tuple[str, ...] | None = None
    units: dict[str, str] | None = None
    dt_file: float | None = None
    step: Step | None = None

    @classmethod
    def of(
        cls,
        *,
        channel: int | str | None = None,
        current: int | str | Path | None = None,
        columns: str | Sequence[str] | None = None,
        units: str | Sequence[str] | None = None,
        dt_file: float | None = None,
        step: str | Sequence[float] | None = None,
    ) -> "Choices":
        """Check what the caller said, and bring it into one form.

        Raises:
            LeakyflowError: If one of them cannot be understood.

        Example:
            >>> Choices.of(units="V,A").units
            {'voltage': 'V', 'current': 'A'}
        """
        return cls(
            channel=channel,
            current=current,
            columns=None if columns is None else _columns(columns),
            units=None if units is None else _units(units),
            dt_file=None if dt_file is None else _interval(dt_file),
            step=None if step is None else _step(step),
        )

    @property
    def given(self) -> list[str]:
        """Names of the arguments that were given."""
        return [name for name in self.__dataclass_fields__ if getattr(self, name) is not None]


def _words(text: str | Sequence[str]) -> list[str]:
    return [word.strip() for word in (text.split(",") if isinstance(text, str) else map(str, text))]


def _columns(columns: str | Sequence[str]) -> tuple[str, ...]:
    names = _words(columns)
    unknown = [name for name in names if name not in IGNORED and not parse_label(name).kind]
    if unknown or not names:
        raise LeakyflowError(
            f"`columns` must name each column with its unit, as in t_ms,V_mV,I_pA (- for one that is not read), got "
            f"{columns!r}: {', '.join(unknown) or 'nothing'} has no unit of time, voltage or current.",
            argument="columns",
        )
    return tuple("-" if name in IGNORED else name for name in names)


def _units(units: str | Sequence[str]) -> dict[str, str]:
    found = {quantity(unit): unit for unit in _words(units)}
    if "" in found or len(found) < len(_words(units)):
        raise LeakyflowError(
            f"`units` must be the unit of the voltage and that of the current, as in mV,pA or V,A, got {units!r}.",
            argument="units",
        )
    return found


def _interval(dt: float) -> float:
    if not (isinstance(dt, int | float | np.number) and np.isfinite(dt) and dt > 0):
        raise LeakyflowError(
            f"`dt_file` must be the sampling interval of the file in ms, positive, got {dt!r}.", argument="dt_file"
        )
    return float(dt)


def _step(step: str | Sequence[float]) -> Step:
    try:
        amplitude, onset, duration = (float(word) for word in (step.split(",") if isinstance(step, str) else step))
    except (ValueError, TypeError):
        amplitude = onset = duration = np.nan
    if not (np.isfinite([amplitude, onset, duration]).all() and amplitude != 0 and onset >= 0 and duration > 0):
        raise LeakyflowError(
            f"`step` must be amplitude (pA, not 0), onset (ms, 0 or later) and duration (ms), as in 200,100,500; "
            f"got {step!r}.",
            argument="step",
        )
    return Step(amplitude=amplitude, onset=onset, duration=duration)
