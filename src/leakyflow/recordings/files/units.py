"""Units as files write them, and the factors to mV, pA and ms."""

from leakyflow.errors import LeakyflowError

__all__ = ["quantity", "scale"]

_EXPONENTS = {"": 0, "m": -3, "u": -6, "µ": -6, "μ": -6, "n": -9, "p": -12, "f": -15}
_WORDS = {"volt": "V", "volts": "V", "amp": "A", "amps": "A", "ampere": "A", "amperes": "A"}
_WORDS |= {"second": "s", "seconds": "s", "sec": "s", "msec": "ms", "milliseconds": "ms", "millisecond": "ms"}
_WORDS |= {"millivolt": "mV", "millivolts": "mV", "picoamp": "pA", "picoamps": "pA", "nanoamp": "nA", "nanoamps": "nA"}
_WORDS |= {"picoampere": "pA", "picoamperes": "pA", "nanoampere": "nA", "nanoamperes": "nA", "microseconds": "us"}
# Typed in haste; nothing else is written so. MV and PA stay unknown, for capitals are other prefixes.
_LOWER = {"mv": "mV", "uv": "uV", "pa": "pA", "na": "nA", "ua": "uA"}


def _parse(unit: str) -> tuple[str, int] | None:
    """Split a unit into its base (V, A or s) and its power of ten; None where it is neither."""
    unit = unit.strip(" \t\0")
    unit = _LOWER.get(unit, _WORDS.get(unit.lower(), unit))
    prefix, base = unit[:-1], unit[-1:]
    return (base, _EXPONENTS[prefix]) if base in ("V", "A", "s") and prefix in _EXPONENTS else None


def quantity(unit: str) -> str:
    """Name what a unit measures.

    Args:
        unit: As the file writes it: `mV`, `pA`, `volts`; case matters, as m and M differ.

    Returns:
        `"voltage"`, `"current"`, `"time"`, or `""` for anything else.

    Example:
        >>> quantity("nA")
        'current'
    """
    parsed = _parse(unit)
    return {"V": "voltage", "A": "current", "s": "time"}[parsed[0]] if parsed else ""


def scale(unit: str, to: str) -> float:
    """Give the factor from one unit to another of the same quantity.

    Args:
        unit: As the file writes it.
        to: `mV`, `pA` or `ms`.

    Raises:
        ValueError: If the units do not measure the same quantity.

    Example:
        >>> scale("nA", "pA")
        1000.0
    """
    source, target = _parse(unit), _parse(to)
    if source is None or target is None or source[0] != target[0]:
        raise LeakyflowError(
            f"A unit that converts to {to} is needed, got {unit!r}. Name it as in m{to[-1]} or {to[-1]}."
        )
    # An integer exponent keeps the factor exact; 1e-3 / 1e-6 is not 1000.
    return 10.0 ** (source[1] - target[1])
