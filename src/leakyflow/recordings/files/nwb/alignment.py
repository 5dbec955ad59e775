"""A stimulus on the samples of its response, whatever its rate and beginning."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from leakyflow.errors import LeakyflowError
from leakyflow.recordings.resample import hold

__all__ = ["Trace", "align"]

_DRIFT = 0.5  # samples by which two series of the same rate part over the sweep
_GRID = 1e-6  # of a sample


@dataclass(frozen=True, eq=False, kw_only=True)
class Trace:
    """A series as it was sampled.

    Attributes:
        name: Name in the file.
        samples: In mV or pA.
        dt: Sampling interval, in ms.
        begin: Time of the first sample, in ms.
    """

    name: str
    samples: np.ndarray
    dt: float
    begin: float

    @cached_property
    def duration(self) -> float:
        """Length, in ms."""
        return len(self.samples) * self.dt


def align(stimulus: Trace, response: Trace, *, by_time: bool, where: str) -> np.ndarray:
    """Bring a stimulus to the samples of its response.

    Before a stimulus that begins later nothing was injected. One sample more or less at the end is cut; another rate
    is averaged over each sample of the response.

    Args:
        stimulus: The stimulus, in pA.
        response: The response.
        by_time: False where the file ties the first samples together, whatever their times.
        where: The file, for errors.

    Returns:
        Current in pA, as long as the response or one sample of either shorter.

    Raises:
        LeakyflowError: If the stimulus ends before the response.
    """
    n = len(response.samples)
    offset = _offset(stimulus, response) if by_time else 0.0
    covered = min(n, int((offset + stimulus.duration) / response.dt + 0.5 + _GRID))
    if covered < n - max(1, np.ceil(stimulus.dt / response.dt)):
        raise LeakyflowError(
            f"A stimulus must last as long as its response, got {len(stimulus.samples)} samples every "
            f"{stimulus.dt:g} ms from {stimulus.begin:g} ms in {stimulus.name!r} and {n} every {response.dt:g} ms from "
            f"{response.begin:g} ms in {response.name!r} of {where}. Pass current= with another.",
            argument="current",
        )
    if abs(stimulus.dt / response.dt - 1.0) * n > _DRIFT:
        at = np.arange(covered) * response.dt - offset
        return hold(stimulus.samples, at, dt_file=stimulus.dt, dt=response.dt)
    return _shifted(stimulus.samples, round(offset / response.dt), covered)


def _offset(stimulus: Trace, response: Trace) -> float:
    """By how much the stimulus begins later, in ms; 0 where their times have nothing to do with each other."""
    offset = stimulus.begin - response.begin
    apart = not -stimulus.duration < offset < response.duration
    if not np.isfinite(offset) or (apart and abs(stimulus.duration - response.duration) <= 1.5 * response.dt):
        return 0.0
    return offset


def _shifted(I: np.ndarray, shift: int, n: int) -> np.ndarray:
    shifted = np.zeros(n)
    first = max(shift, 0)
    kept = I[first - shift : n - shift]
    shifted[first : first + len(kept)] = kept
    return shifted
