"""From the sampling of the file to the grid of the network: voltage low-pass filtered, current held."""

import numpy as np
from jaxtyping import Float64

__all__ = ["MAX_UPSAMPLING", "hold", "low_pass", "quieten", "sample"]

# Between samples further apart than this many grid steps the interpolated voltage would say nothing of the
# noise.
MAX_UPSAMPLING = 1.5


def low_pass(V: Float64[np.ndarray, " time"], *, dt_file: float, dt: float) -> Float64[np.ndarray, " time"]:
    """Remove from a voltage what the coarser grid cannot carry, without delay.

    A 4-pole Bessel filter, the shape of an amplifier's own, with its corner at the new Nyquist frequency,
    runs forward and backward: no delay, and hardly any ringing at steps, which would look like membrane
    noise. A lower corner would make successive samples alike where the model has independent noise. The ends
    are continued by their point reflection, so that an offset and a slope pass unchanged up to the last
    sample.

    Args:
        V: Voltage at the sampling of the file, in mV, finite.
        dt_file: Sampling interval of the file, in ms.
        dt: Sampling interval to come, in ms; where it is not longer, V is returned as it is.
    """
    from scipy.signal import bessel, sosfiltfilt

    if dt_file >= dt:
        return V
    sos = bessel(4, min(0.5 / dt, 0.45 / dt_file), fs=1 / dt_file, norm="mag", output="sos")
    n_pad = min(len(V) - 1, int(np.ceil(20 * dt / dt_file)))
    return sosfiltfilt(sos, V, padtype="odd", padlen=n_pad)


def quieten(I: Float64[np.ndarray, " time"], *, dt_file: float) -> Float64[np.ndarray, " time"]:
    """Average a measured current over 1 ms where its noise is large beside the stimulus.

    Noise of the recorded current that never entered the cell lowers the regression of V on I, and C comes out
    too large: 1360 pF instead of 760 pF in a recording with 85 pA of noise on a step of 280 pA. The voltage
    answers to the integral of the current, so the average costs little; it is taken only above 5 % of the
    current's range. Noise is told from a fast stimulus by successive increments, which are opposed in white
    noise and only there.

    Args:
        I: Measured current, in pA.
        dt_file: Sampling interval, in ms.
    """
    from scipy.ndimage import uniform_filter1d

    increments = np.diff(I)
    variance = -np.mean(increments[1:] * increments[:-1])
    n = 2 * round(0.5 / dt_file) + 1
    if variance <= (0.05 * np.ptp(I)) ** 2 or n >= len(I):
        return I
    return uniform_filter1d(I, n, mode="nearest")


def sample(
    V: Float64[np.ndarray, " time"], at: Float64[np.ndarray, " grid"], *, dt_file: float
) -> Float64[np.ndarray, " grid"]:
    """Read a voltage at given moments, by a cubic spline through the samples.

    Args:
        V: Voltage, in mV; sample j is taken at `j * dt_file`.
        at: Moments, in ms, within the samples.
        dt_file: Sampling interval of V, in ms.
    """
    from scipy.interpolate import CubicSpline

    t = np.arange(len(V)) * dt_file
    # The last step of a coarsely sampled file begins after its last sample; a cubic must not be continued.
    return CubicSpline(t, V)(np.minimum(at, t[-1]))


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
    """
    charge = np.concatenate([[0.0], np.cumsum(I) * dt_file])
    t = np.arange(len(charge)) * dt_file
    return (np.interp(at + dt, t, charge) - np.interp(at, t, charge)) / dt
