"""Which current belongs to which voltage of a file: by the caller's choice, or by their names."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from leakyflow.errors import LeakyflowError
from leakyflow.recordings.files.choices import Choices
from leakyflow.recordings.files.labels import parse_label
from leakyflow.recordings.files.raw import pick
from leakyflow.recordings.files.units import quantity

__all__ = ["Signal", "choose", "listing", "pair"]

_LISTED = 12  # names in an error


@dataclass(frozen=True, eq=False, kw_only=True)
class Signal:
    """One channel, column or variable of a file.

    Attributes:
        name: As the file writes it.
        unit: Its unit; empty where the file says none.
        sweeps: Samples of each sweep.
        dt: Sampling interval, in ms; None where the file says none.
        start: Time of the first sample, in ms, where the file has a clock for each signal.
    """

    name: str
    unit: str
    sweeps: Sequence[np.ndarray]
    dt: float | None
    start: float = 0.0

    @property
    def kind(self) -> str:
        """Quantity that it measures; empty where the unit does not say, or a name such as V_pA contradicts itself."""
        label = parse_label(self.name)
        return label.kind if label.unit == self.unit else quantity(self.unit)

    @property
    def label(self) -> str:
        """Name and unit, for people."""
        shown = parse_label(self.name).unit == self.unit
        return self.name if shown else f"{self.name} [{self.unit}]"


def listing(names: Sequence[str]) -> str:
    """Names for an error, of one line."""
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def choose(wanted: int | str | Path | None, signals: Sequence[Signal], option: str, kind: str, path: Path) -> Signal:
    """One signal, by its number or name; the only one where nothing is wanted.

    Raises:
        LeakyflowError: If there is no such signal, or several and no choice.
    """
    names = {n: signal.name for n, signal in enumerate(signals)}
    if wanted is None and len(names) > _LISTED:
        raise LeakyflowError(
            f"{path.name} must have one {kind}, or a choice; it has {len(names)}: {listing(list(names.values()))}. "
            f"Pass {option}= with a name.",
            argument=option,
        )
    wanted = str(wanted) if isinstance(wanted, Path) else wanted
    return signals[pick(wanted, names, option=option, what=kind, where=path.name)]


def pair(
    voltages: Sequence[Signal], currents: Sequence[Signal], path: Path, choices: Choices
) -> list[tuple[Signal, Signal]]:
    """Voltages with their currents; several only where they are single sweeps and their names say so."""
    belong = _belonging(voltages, currents)
    open_choice = choices.channel is None and choices.current is None
    if open_choice and len(belong) > 1 and all(len(signal.sweeps) == 1 for pair in belong for signal in pair):
        return belong
    V = choose(choices.channel, voltages, "channel", "voltage", path)
    partner = next((I for known, I in belong if known is V), None)
    if choices.current is None and partner is not None:
        return [(V, partner)]
    return [(V, choose(choices.current, currents, "current", "current", path))]


def _belonging(voltages: Sequence[Signal], currents: Sequence[Signal]) -> list[tuple[Signal, Signal]]:
    """Pairs whose names have the same numbers, or else the same words; by order where all names are alike."""
    if len(voltages) != len(currents):
        return []
    for key in (_numbers, _last_number, _rest_of_name):
        V, I = {key(signal): signal for signal in voltages}, {key(signal): signal for signal in currents}
        if len(V) == len(voltages) and set(V) == set(I):
            return [(V[k], I[k]) for k in sorted(V)]
    alike = len({signal.name for signal in voltages}) == len({signal.name for signal in currents}) == 1
    return list(zip(voltages, currents, strict=True)) if alike else []


def _numbers(signal: Signal) -> tuple[object, ...]:
    return parse_label(signal.name).numbers


def _last_number(signal: Signal) -> tuple[object, ...]:
    return parse_label(signal.name).numbers[-1:]


def _rest_of_name(signal: Signal) -> tuple[object, ...]:
    """What is left of "control V (mV)" and "control I (pA)"."""
    return (parse_label(signal.name).rest,)
