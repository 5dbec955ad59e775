"""Which series of an NWB 2 file is the current of a response."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leakyflow.errors import LeakyflowError
from leakyflow.recordings.files.nwb.part import Part, begin_of, dt_of
from leakyflow.recordings.files.nwb.series import natural
from leakyflow.recordings.files.raw import pick
from leakyflow.recordings.files.units import quantity

__all__ = ["Currents", "find_currents"]

_SAME_TIME = 0.01  # ms


@dataclass(frozen=True, kw_only=True)
class Currents:
    """What was injected.

    Attributes:
        injected: Stimulus, or recorded current.
        measured: True where it was recorded.
        command: The stimulus beside a recorded current; None where there is none.
    """

    injected: Part
    measured: bool
    command: Part | None = None


def find_currents(
    file: Any, path: Path, response: Any, listed: Part | None, current: int | str | Path | None
) -> Currents:
    """Find the current of a response: as the caller says, as the table says, or by number, time or name.

    Args:
        file: The file, as pynwb gives it.
        path: The file.
        response: The series with the voltage.
        listed: The stimulus that the table of recordings names.
        current: The caller's choice.

    Raises:
        LeakyflowError: If the choice names none, or none or several remain.
    """
    stimuli, recorded = _stimuli(file), _recorded(file)
    if current is not None:
        names = dict(enumerate(str(series.name) for series in stimuli + recorded))
        index = pick(str(current), names, option="current", what="stimulus", where=path.name)
        chosen = (stimuli + recorded)[index]
        measured = index >= len(stimuli)
        return Currents(
            injected=Part(chosen),
            measured=measured,
            command=_paired(file, path, response, stimuli, listed) if measured else None,
        )
    stimulus = _paired(file, path, response, stimuli, listed)
    if stimulus is not None:
        return Currents(injected=stimulus, measured=False)
    monitor = _paired(file, path, response, recorded, None)
    if monitor is not None:
        return Currents(injected=monitor, measured=True)
    there = ", ".join(repr(str(series.name)) for series in stimuli + recorded) or "none"
    raise LeakyflowError(
        f"{path.name} must say which current was injected in {response.name!r}: no table, sweep number, starting "
        f"time or name does. Pass current= with the name of the series; the file has {there}.",
        argument="current",
    )


def _stimuli(file: Any) -> list[Any]:
    """Stimuli that are currents: of the class for it, or plain series with such a unit."""
    from pynwb.icephys import VoltageClampStimulusSeries

    return _currents(file.stimulus, VoltageClampStimulusSeries)


def _recorded(file: Any) -> list[Any]:
    """Currents that were recorded beside the voltage, which is no voltage clamp."""
    from pynwb.icephys import PatchClampSeries

    return _currents(file.acquisition, PatchClampSeries)


def _currents(found: Any, excluded: type) -> list[Any]:
    series = [s for s in found.values() if not isinstance(s, excluded)]
    currents = [s for s in series if quantity(str(getattr(s, "unit", ""))) == "current"]
    return sorted(currents, key=lambda s: natural(str(s.name)))


def _paired(file: Any, path: Path, response: Any, stimuli: list[Any], listed: Part | None) -> Part | None:
    if listed is not None:
        return listed
    rules: tuple[Callable[[Path, Any, Any], bool], ...] = (_same_sweep, _same_time_and_name, _same_time, _overlap)
    same = [stimulus for stimulus in stimuli if _same_electrode(file, response, stimulus)]
    for belongs in rules:
        found = [stimulus for stimulus in same if belongs(path, response, stimulus)]
        if len(found) == 1:
            return Part(found[0])
    return None


def _same_electrode(file: Any, response: Any, stimulus: Any) -> bool:
    """A plain series has no electrode: it belongs where there is one only."""
    electrode = getattr(stimulus, "electrode", None)
    return len(file.icephys_electrodes) <= 1 if electrode is None else electrode is response.electrode


def _same_sweep(path: Path, response: Any, stimulus: Any) -> bool:
    number = getattr(stimulus, "sweep_number", None)
    return number is not None and bool(number == response.sweep_number)


def _same_time(path: Path, response: Any, stimulus: Any) -> bool:
    return abs(begin_of(response, path) - begin_of(stimulus, path)) < _SAME_TIME


def _same_time_and_name(path: Path, response: Any, stimulus: Any) -> bool:
    """Names that end in the same number: `sweep_3` and `stim_3`."""
    numbers = [re.findall(r"\d+", str(series.name)) for series in (response, stimulus)]
    same = all(numbers) and numbers[0][-1].lstrip("0") == numbers[1][-1].lstrip("0")
    return same and _same_time(path, response, stimulus)


def _overlap(path: Path, response: Any, stimulus: Any) -> bool:
    (begin, end), (first, last) = _span(response, path), _span(stimulus, path)
    return first < end and begin < last


def _span(series: Any, path: Path) -> tuple[float, float]:
    begin = begin_of(series, path)
    return begin, begin + len(series.data) * dt_of(series, path)
