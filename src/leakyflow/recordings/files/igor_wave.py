"""One Igor wave, by igor2: samples, unit and interval."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from leakyflow.errors import LeakyflowError
from leakyflow.recordings.files.choices import Choices
from leakyflow.recordings.files.door import check_size
from leakyflow.recordings.files.pairing import Signal
from leakyflow.recordings.files.raw import parsing
from leakyflow.recordings.files.timebase import without_rounding
from leakyflow.recordings.files.units import quantity, scale

__all__ = ["load_wave", "quietly", "to_signal"]

_DIMENSIONS = 2  # time and sweeps


@contextmanager
def quietly() -> Iterator[None]:
    """Keep igor2 from logging the bytes of a damaged wave, all of them."""
    logger = logging.getLogger("igor2")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)


def to_signal(wave: dict[str, Any], name: str) -> Signal:
    """A wave as igor2 gives it; seconds where x has no unit, as in Igor itself.

    Raises:
        LeakyflowError: If x has a unit that is no time, or there are more than two dimensions.
    """
    samples = np.asarray(wave["wData"], dtype=np.float64)
    if samples.ndim > _DIMENSIONS:
        raise LeakyflowError(
            f"An Igor wave must have one dimension, time, or two, time and sweep, got {samples.shape} in {name}."
        )
    interval, x_unit, unit = _scaling(wave["wave_header"])
    if x_unit and quantity(x_unit) != "time":
        raise LeakyflowError(f"The x unit of {name} must be a time, got {x_unit!r}. Set it in Igor: SetScale/P x.")
    return Signal(
        name=name,
        unit=unit,
        sweeps=(samples,) if samples.ndim == 1 else list(samples.T),
        dt=without_rounding(interval * scale(x_unit or "s", "ms")),
    )


def load_wave(path: Path, choices: Choices) -> Signal:
    """Read a wave; its interval is that of the caller, if any."""
    from igor2 import binarywave

    check_size(path.stat().st_size, what="The wave", where=path.name)
    with parsing(path, "IBW"), quietly():
        wave = binarywave.load(str(path))["wave"]
        np.asarray(wave["wData"], dtype=np.float64)
        _scaling(wave["wave_header"])
    signal = to_signal(wave, path.name)
    return replace(signal, dt=choices.dt_file) if choices.dt_file is not None else signal


def _scaling(header: dict[str, Any]) -> tuple[float, str, str]:
    """Sampling interval, its unit and that of the data; version 5 keeps one interval per dimension."""
    if "sfA" in header:
        return float(header["sfA"][0]), _text(np.asarray(header["dimUnits"])[0]), _text(header["dataUnits"])
    return float(header["hsA"]), _text(header["xUnits"]), _text(header["dataUnits"])


def _text(characters: Any) -> str:
    """Igor2 returns a unit as an array of single bytes."""
    return b"".join(np.atleast_1d(np.asarray(characters, dtype="S")).tolist()).decode("latin-1").strip("\0 ")
