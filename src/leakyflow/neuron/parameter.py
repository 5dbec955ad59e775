"""What there is to know of one parameter of a neuron."""

import math
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

__all__ = ["NOT_NEGATIVE", "POSITIVE", "REAL", "SHARE", "Parameter", "Support", "Values"]

# Numbers, or arrays of NumPy or JAX, of any shapes that broadcast.
Values = Any


class Support(NamedTuple):
    """An interval that holds its lower end only where `closed` says so, and never its upper one."""

    low: float
    high: float
    closed: bool = False

    def holds(self, value: float) -> bool:
        """Whether a number lies inside."""
        return (value >= self.low if self.closed else value > self.low) and value < self.high


REAL = Support(-math.inf, math.inf)
POSITIVE = Support(0.0, math.inf)
NOT_NEGATIVE = Support(0.0, math.inf, closed=True)
SHARE = Support(0.0, 1.0, closed=True)


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One row of the table of parameters.

    Attributes:
        name: In Python, TOML and files.
        symbol: In LaTeX.
        unit: In which it is given.
        meaning: In a few words.
        support: Where it may lie.
        off: Value at which what it belongs to does nothing; None where there is none, and a number must be given.
        scope: Whether all sweeps of a cell share it, or each has its own.
        reader: What it can be read off: the spikes, the stretches at rest, or nothing (None).
        absolute: Whether it is a voltage that moves along where all voltages are shifted.
    """

    name: str
    symbol: str
    unit: str
    meaning: str
    support: Support = REAL
    off: float | None = None
    scope: Literal["cell", "sweep"] = "cell"
    reader: Literal["spikes", "rest"] | None = None
    absolute: bool = False
