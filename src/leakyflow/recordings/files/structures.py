"""What lies beside the samples in a structure: their unit, interval and title."""

from collections.abc import Mapping

import numpy as np

from leakyflow.recordings.files.arrays import Variable
from leakyflow.recordings.files.units import quantity

__all__ = ["with_neighbours"]

_SAMPLES = ("values", "data", "samples", "wave")
_UNITS = ("units", "unit")
_INTERVALS = ("interval",)  # in seconds, as Spike2 exports


def with_neighbours(numbers: Mapping[str, np.ndarray], texts: Mapping[str, str]) -> dict[str, Variable]:
    """Give each variable the unit and the interval that lie beside it, and structures of samples their title.

    A channel that Spike2 exports is a structure of `title`, `units`, `interval` (in s) and `values`; others write
    `V` and `V_unit`.

    Args:
        numbers: Arrays by name; points separate the structures.
        texts: Pieces of text by name.

    Example:
        >>> found = with_neighbours({"a.values": np.zeros(3), "a.interval": np.array(1e-4)}, {"a.units": "mV"})
        >>> found["a"].unit, found["a"].dt
        ('mV', 0.1)
    """
    found = {}
    for name, values in numbers.items():
        folder, _, last = name.rpartition(".")
        is_structure = folder and last in _SAMPLES and _unit(folder, texts)
        dt = _interval(folder, numbers) if is_structure else None
        unit = _unit(folder, texts) if is_structure else _unit(name, texts)
        shown = texts.get(f"{folder}.title", "").strip() or folder if is_structure else name
        found[shown if shown not in found else name] = Variable(values=values, unit=unit, dt=dt)
    return found


def _unit(name: str, texts: Mapping[str, str]) -> str:
    beside = [f"{name}{mark}{word}" for mark in (".", "_", "") for word in _UNITS]
    units = [texts[other].strip() for other in beside if other in texts]
    return next((unit for unit in units if quantity(unit)), "")


def _interval(folder: str, numbers: Mapping[str, np.ndarray]) -> float | None:
    for word in _INTERVALS:
        value = numbers.get(f"{folder}.{word}")
        if value is not None and value.size == 1 and float(value.ravel()[0]) > 0:
            return 1000.0 * float(value.ravel()[0])
    return None
