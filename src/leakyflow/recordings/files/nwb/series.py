"""What is taken from a series of an NWB file, checked before anything is computed."""

import re
from pathlib import Path
from typing import Any

import numpy as np

from leakyflow.errors import LeakyflowError
from leakyflow.recordings.files.nwb.alignment import Trace
from leakyflow.recordings.files.units import scale

__all__ = ["MAX_SAMPLES", "bias_pA", "check_data", "check_interval", "check_number", "make_trace", "natural"]

MAX_SAMPLES = 2**28  # of a series: 2 GB, or 90 minutes at 50 kHz


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """Order names as people do.

    Args:
        name: The name.

    Example:
        >>> sorted(["sweep_10", "sweep_2"], key=natural)
        ['sweep_2', 'sweep_10']
    """
    parts = re.split(r"(\d+)", name)
    return tuple((0, int(part), "") if part.isdecimal() and len(part) < 19 else (1, 0, part) for part in parts if part)


def check_data(data: Any, *, name: str, path: Path) -> None:
    """Refuse what is no trace of numbers, or larger than any recording.

    Args:
        data: Data set of the file.
        name: Of the series.
        path: The file.

    Raises:
        LeakyflowError: If it is none.
    """
    shape, dtype = getattr(data, "shape", None), getattr(data, "dtype", None)
    if shape is None or dtype is None or np.dtype(dtype).kind not in "fiu":
        raise LeakyflowError(f"{name!r} of {path.name} must hold numbers, got {dtype or type(data).__name__}.")
    if not (len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)):
        raise LeakyflowError(f"{name!r} of {path.name} must have one dimension, time, got {shape}.")
    if not 0 < shape[0] <= MAX_SAMPLES:
        raise LeakyflowError(f"{name!r} of {path.name} must hold 1 to {MAX_SAMPLES} samples, got {shape[0]}.")


def check_number(value: Any, what: str, *, name: str, path: Path) -> float:
    """Read a number of a series.

    Args:
        value: As the file has it.
        what: Its name, for the error.
        name: Of the series.
        path: The file.

    Raises:
        LeakyflowError: If it is none, or not finite.
    """
    number = _float(value)
    if not np.isfinite(number):
        raise LeakyflowError(f"The {what} of {name!r} in {path.name} must be a finite number, got {value!r}.")
    return number


def check_interval(rate: Any, timestamps: Any, *, name: str, path: Path) -> float:
    """Give the sampling interval of a series, in ms.

    Args:
        rate: In Hz; None where there are timestamps.
        timestamps: In s; None where there is a rate.
        name: Of the series.
        path: The file.

    Raises:
        LeakyflowError: If the rate is not positive, or the timestamps are not evenly spaced.
    """
    if timestamps is None:
        hertz = check_number(rate, "rate", name=name, path=path)
        if not hertz > 0:
            raise LeakyflowError(f"The rate of {name!r} in {path.name} must be positive, got {hertz:g} Hz.")
        return 1000.0 / hertz
    check_data(timestamps, name=f"{name}/timestamps", path=path)
    steps = np.diff(np.asarray(timestamps[:], dtype=np.float64).ravel()) * 1000.0
    # Not so written because NaN compares as False.
    if not (len(steps) and steps.mean() > 0 and np.ptp(steps) <= 0.5 * steps.mean()):
        raise LeakyflowError(
            f"The timestamps of {name!r} in {path.name} must be evenly spaced, got steps of "
            f"{np.min(steps, initial=np.inf):g} to {np.max(steps, initial=-np.inf):g} ms. Resample the series, or cut "
            "the file at the gap."
        )
    return float(steps.mean())


def make_trace(
    data: Any,
    *,
    name: str,
    path: Path,
    unit: str,
    to: str,
    conversion: Any = 1.0,
    offset: Any = 0.0,
    dt: float,
    begin: float,
    part: slice = slice(None),
) -> Trace:
    """Read a series, or a part of it.

    Args:
        data: Data set of the file.
        name: Of the series.
        path: The file.
        unit: Of the converted data.
        to: `mV` or `pA`.
        conversion: Factor of the data.
        offset: Added to the converted data.
        dt: Sampling interval, in ms.
        begin: Time of the first sample of the series, in ms.
        part: Samples to read.

    Raises:
        LeakyflowError: If data, unit or conversion cannot be.
    """
    check_data(data, name=name, path=path)
    first, last, _ = part.indices(data.shape[0])
    if last <= first:
        raise LeakyflowError(f"{name!r} of {path.name} must hold the samples {part.start} to {part.stop} of the table.")
    factor = scale(unit, to)
    numbers = [check_number(value, what, name=name, path=path) for value, what in
               ((conversion, "conversion"), (offset, "offset"))]  # fmt: skip
    samples = np.asarray(data[first:last], dtype=np.float64).ravel()
    # The factors are multiplied first: 1e-3 * 1000 is 1, while V * 1e-3 * 1000 need not be V.
    samples = samples * (numbers[0] * factor) + numbers[1] * factor
    return Trace(name=name, samples=samples, dt=dt, begin=begin + first * dt)


def bias_pA(value: Any) -> float:
    """Holding current of the amplifier, in pA; NaN or nothing stands for none in many files.

    Args:
        value: Bias current, in A, or None.
    """
    bias = _float(value)
    return bias * 1e12 if np.isfinite(bias) else 0.0


def _float(value: Any) -> float:
    """A single number, or NaN."""
    try:
        return float(np.asarray(value, dtype=np.float64).reshape(()))
    except (TypeError, ValueError):
        return np.nan
