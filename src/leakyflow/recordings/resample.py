"""From the sampling of the file to the grid of the network: voltage taken as samples, current held."""

import numpy as np
from jaxtyping import Float64

__all__ = ["MAX_UPSAMPLING", "hold", "sample", "snap"]

# Between samples further apart than this many grid steps the interpolated voltage would say nothing of the
# noise.
MAX_UPSAMPLING = 1.5
_SAME = 1e-6  # share of a sample within which two moments are the same


def snap(dt_file: float, dt: float, *, n_time: int) -> float:
    """Sampling interval of a file, without the rounding that hides that it fits the grid of the network.

    Args:
        dt_file: Sampling interval of the file, in ms, as it was computed from its times.
        dt: Sampling interval of the network, in ms.
        n_time: Samples of the file.

    Returns:
        `dt` over a whole number where the two stay within half a sample over the whole file; else `dt_file`.

    Example:
        >>> snap(0.19999999999999998, 0.2, n_time=4000)
        0.2
        >>> snap(0.13, 0.2, n_time=4000)
        0.13
    """
    fitting = dt / max(1, round(dt / dt_file))
    return fitting if abs(fitting - dt_file) * n_time <= 0.5 * dt_file else dt_file


def sample(
    V: Float64[np.ndarray, " time"], at: Float64[np.ndarray, " grid"], *, dt_file: float
) -> Float64[np.ndarray, " grid"]:
    """Read a voltage at given moments, on a straight line between the two samples around each.

    Nothing is filtered: a filter makes the noise of successive samples alike, where the model has independent noise,
    and takes a part of it away. What the amplifier adds to a sample is measurement noise.

    Args:
        V: Voltage, in mV; sample j is taken at `j * dt_file`.
        at: Moments, in ms, within the samples.
        dt_file: Sampling interval of V, in ms.

    Example:
        >>> sample(np.array([-70.0, -69.0, -68.0]), np.array([0.1, 0.15]), dt_file=0.1)
        array([-69. , -68.5])
    """
    position = _positions(at, dt_file)
    return np.interp(position, np.arange(len(V)), V)


def hold(
    I: Float64[np.ndarray, " time"], at: Float64[np.ndarray, " grid"], *, dt_file: float, dt: float
) -> Float64[np.ndarray, " grid"]:
    """Average a current over the step that begins at each given moment.

    The Euler step from t to t + dt takes one current, so it must be the mean of what flowed in between: the
    charge is kept whatever the two sampling intervals. A sample of the file stands until the next.

    Args:
        I: Current, in pA; sample j flows from `j * dt_file` for `dt_file`.
        at: Beginnings of the steps, in ms; each step ends within the samples.
        dt_file: Sampling interval of I, in ms.
        dt: Length of a step, in ms.

    Example:
        >>> hold(np.array([0.0, 10.0, 20.0, 20.0]), np.array([0.0, 0.2]), dt_file=0.1, dt=0.2)
        array([ 5., 20.])
    """
    begin, end = _positions(at, dt_file), _positions(at + dt, dt_file)
    if np.array_equal(begin, np.rint(begin)) and np.array_equal(end - begin, np.ones(len(at))):
        return I[begin.astype(np.int64)]
    charge = np.concatenate([[0.0], np.cumsum(I)])
    samples = np.arange(len(charge))
    return (np.interp(end, samples, charge) - np.interp(begin, samples, charge)) * (dt_file / dt)


def _positions(at: Float64[np.ndarray, " grid"], dt_file: float) -> Float64[np.ndarray, " grid"]:
    """Moments in samples of the file, whole ones exactly."""
    position = at / dt_file
    whole = np.rint(position)
    return np.where(np.abs(position - whole) < _SAME * np.maximum(1.0, 1e-3 * whole), whole, position)
