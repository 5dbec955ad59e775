"""The other wave of an Igor pair, and which of the two is the voltage."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from leakyflow.errors import LeakyflowError
from leakyflow.recordings.files.choices import Choices
from leakyflow.recordings.files.igor_wave import load_wave
from leakyflow.recordings.files.pairing import Signal
from leakyflow.recordings.files.signals import looks_like_voltage

__all__ = ["by_content", "find_partner", "named_partner"]

_LISTED = 8
_TRIED = 200  # waves beside it that are opened


def named_partner(current: int | str | Path, path: Path) -> Path:
    """The file that the caller named, as a path or as a name beside the first.

    Raises:
        FileNotFoundError: If there is none.
    """
    given = Path(str(current))
    # Of two packed files, both lie unpacked in one folder.
    names = [given] if given.suffix.lower() not in (".gz", ".gzip") else []
    partner = next((p for p in [*names, path.with_name(given.stem), path.with_name(given.name)] if p.is_file()), given)
    if not partner.is_file():
        raise FileNotFoundError(f"`current` must be the other Igor wave, but there is no file {current}.")
    return partner


def find_partner(path: Path, first: Signal, choices: Choices) -> Signal:
    """The one wave beside it that holds the other quantity at the same moments, and belongs to no other.

    First of those whose names differ in one place; where none fits, of all that end in the same number.
    """
    waves = [other for other in sorted(path.parent.iterdir()) if other.suffix.lower() == ".ibw" and other != path]
    alike = [other for other in waves if _differ_in_one_place(path.name, other.name)]
    found = _fitting(first, alike, choices)
    if not found:
        found = _fitting(first, [other for other in waves if _last_number(other) == _last_number(path)], choices)
    rivals = []
    if len(found) == 1:
        others = [other for other in waves if _differ_in_one_place(found[0].name, other.name)]
        rivals = _fitting(found[0], others, choices)
        if not rivals:
            return found[0]
    if not found and not first.unit and not choices.units:
        raise LeakyflowError(_without_unit(path, alike), argument=("units", "current"))
    raise LeakyflowError(
        f"{path.name} is one channel, in {first.unit or 'no unit'}; the other one of the pair is needed. "
        f"{_why(found, rivals, choices)}Beside it: {', '.join(other.name for other in waves[:_LISTED]) or 'no wave'}.\n"
        "Pass current= with the path of the other wave.",
        argument="current",
    )


def _why(found: list[Signal], rivals: list[Signal], choices: Choices) -> str:
    """Why none of the waves beside it is the partner."""
    if rivals:
        return f"{found[0].name} fits {', '.join(signal.name for signal in rivals)} as well. "
    if found:
        return f"{', '.join(signal.name for signal in found)} all fit. "
    units = f" in units={','.join(choices.units.values())}" if choices.units else ""
    return f"None that is named alike holds the other quantity{units} at the same moments. "


def _fitting(first: Signal, paths: list[Path], choices: Choices) -> list[Signal]:
    found = []
    for path in paths[:_TRIED]:
        try:
            signal = load_wave(path, choices)
        except (LeakyflowError, OSError):
            continue  # no wave, or another kind of wave
        if _fits(first, signal, choices):
            found.append(signal)
    return found


def _last_number(path: Path) -> str:
    return (re.findall(r"\d+", path.stem) or [""])[-1]


def _without_unit(path: Path, alike: list[Path]) -> str:
    partner = f", and current={alike[0].name} if that is the current" if len(alike) == 1 else ""
    return (
        f"{path.name} must say what it holds, but has no unit of data. Pass units=V,A or units=mV,pA, with those of "
        f"the voltage and the current{partner}; or set them in Igor: SetScale d."
    )


def _differ_in_one_place(name: str, other: str) -> bool:
    """Whether two names are the same but for one number or one word: ch0 and ch1, Cell_V and Cell_I."""
    these, those = (re.findall(r"\d+|[^\W\d_]+|[\W_]+", text) for text in (name, other))
    return len(these) == len(those) and sum(a != b for a, b in zip(these, those, strict=True)) == 1


def _fits(first: Signal, other: Signal, choices: Choices) -> bool:
    assert first.dt is not None
    assert other.dt is not None
    same = [len(x) for x in first.sweeps] == [len(x) for x in other.sweeps]
    same = same and bool(np.isclose(first.dt, other.dt, rtol=1e-6, atol=0))
    pair = by_content(first, other, choices, named=False, ask=False)
    return same and {signal.kind for signal in pair} == {"voltage", "current"}


def by_content(
    first: Signal, second: Signal, choices: Choices, *, named: bool, ask: bool = True
) -> tuple[Signal, Signal]:
    """Give waves without a unit that of the caller, by what they hold; a current that was named is one.

    Only where exactly one of them lies where membranes do can it be told.
    """
    silent = [signal for signal in (first, second) if not signal.unit]
    if not silent or not choices.units:
        return first, second
    units = {"voltage": "", "current": ""} | choices.units
    if len(silent) == 1:
        known = first if first.unit else second
        other = replace(silent[0], unit=units["current" if known.kind == "voltage" else "voltage"])
        return (known, other) if known is first else (other, known)
    if named:
        return replace(first, unit=units["voltage"]), replace(second, unit=units["current"])
    if "voltage" not in choices.units:
        return first, second
    are = [looks_like_voltage(np.concatenate(signal.sweeps), units["voltage"]) for signal in silent]
    if are[0] == are[1]:
        if ask:
            raise LeakyflowError(
                f"It must be clear which wave is the voltage, but {first.name} and {second.name} both "
                f"{'lie' if are[0] else 'do not lie'} where membranes do, in {units['voltage']}. Pass the voltage as "
                "the file, and current= with the path of the other; or correct units=.",
                argument="current",
            )
        return first, second
    return tuple(  # type: ignore[return-value]
        replace(signal, unit=units["voltage" if voltage else "current"])
        for signal, voltage in zip(silent, are, strict=True)
    )
