"""The sampling grid: every moment of the model lies on a multiple of dt."""

import math

from leakyflow.errors import LeakyflowError

__all__ = ["n_steps"]


def n_steps(duration: float, dt: float, *, name: str = "duration") -> int:
    """Count the sampling intervals in a duration, which must hold a whole number of them.

    Args:
        duration: Length of time, in ms.
        dt: Sampling interval, in ms.
        name: What the duration is called in the error.

    Returns:
        `duration / dt`, an integer.

    Raises:
        ValueError: If dt is not positive, or the duration is off the grid, infinite or negative.

    Example:
        >>> n_steps(0.3, 0.1)
        3
    """
    if not (math.isfinite(dt) and dt > 0):
        raise LeakyflowError(f"`dt` must be positive and finite, got {dt} ms. Pass the sampling interval in ms.")
    if not (math.isfinite(duration) and duration >= 0):
        raise LeakyflowError(f"`{name}` must be finite and not negative, got {duration} ms.")
    n = round(duration / dt)
    if abs(n * dt - duration) > 1e-6 * dt:
        raise LeakyflowError(
            f"`{name}` must be a multiple of dt={dt:g} ms, got {duration:g} ms. The nearest one is {n * dt:g} ms."
        )
    return n
