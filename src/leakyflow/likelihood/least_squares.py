r"""Least squares on the free samples: the slope of V is linear in (1, V, I).

.. math:: (V_{k+1} - V_k) / dt = c_0 + c_1 V_k + c_2 I_k + \text{noise}, \quad
          c = (V_{rest} / \tau, \; -1 / \tau, \; 1 / C)
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from leakyflow.likelihood.sufficient import Sufficient
from leakyflow.neuron.parameters import Parameters

__all__ = ["Regression", "coefficients", "least_squares", "predicted_at_spikes"]


class Regression(NamedTuple):
    """A fit to each recording."""

    c: Float64[np.ndarray, "dataset 3"]  # mV/ms, 1/ms, 1/pF
    covariance: Float64[np.ndarray, "dataset 3 3"]
    noise: Float64[np.ndarray, " dataset"]  # mV/sqrt(ms), membrane noise that the residuals show


def coefficients(parameters: Parameters) -> Float64[np.ndarray, "dataset 3"]:
    """The coefficients c that neurons have."""
    tau, V_rest, C = (np.asarray(parameters[name]) for name in ("tau", "V_rest", "C"))
    return np.stack(np.broadcast_arrays(V_rest / tau, -1.0 / tau, 1.0 / C), axis=-1)


def least_squares(
    sufficient: Sufficient, mean: Float64[np.ndarray, "3"], covariance: Float64[np.ndarray, "3 3"]
) -> Regression:
    """Fit c, pulled to a normal prior where the data say little.

    Args:
        sufficient: Statistics of the recordings.
        mean: Of the prior of c.
        covariance: Of the prior of c, positive definite.
    """
    s, dt = sufficient, sufficient.dt
    # With voltages relative to V_ref the first coefficient is c_0 + c_1 V_ref.
    shift = np.tile(np.eye(3), (len(s.V_ref), 1, 1))
    shift[:, 0, 1] = s.V_ref
    inverse = np.linalg.inv(shift)
    prior_precision = np.swapaxes(inverse, 1, 2) @ np.linalg.inv(covariance) @ inverse
    prior_mean = shift @ mean
    pull = np.einsum("nij,nj->ni", prior_precision, prior_mean)
    # Two rounds: the weight of the data depends on the noise, which the first round's residuals show.
    weight = dt / 0.3**2
    for _ in range(2):
        precision = prior_precision + np.reshape(weight, (-1, 1, 1)) * s.gram
        local = np.linalg.solve(precision, (pull + np.reshape(weight, (-1, 1)) * s.cross)[..., None])[..., 0]
        explained = 2.0 * (local * s.cross).sum(1) - np.einsum("ni,nij,nj->n", local, s.gram, local)
        variance = np.maximum(s.square - explained, 1e-12) / np.maximum(s.n_steps, 1.0)
        weight = 1.0 / np.maximum(variance, 1e-9)
    c = np.einsum("nij,nj->ni", inverse, local)
    covariance_c = inverse @ np.linalg.inv(precision) @ np.swapaxes(inverse, 1, 2)
    return Regression(c, covariance_c, np.sqrt(variance * dt))


def predicted_at_spikes(regression: Regression, sufficient: Sufficient) -> Float64[np.ndarray, "dataset spike"]:
    """Voltage that the fit predicts at the sample of each spike, in mV; 0 in padded columns."""
    s, c = sufficient, regression.c[:, :, None]
    slope = c[:, 0] + c[:, 1] * s.V_before + c[:, 2] * s.I_before
    return np.where(s.weight > 0, s.V_before + s.dt * slope, 0.0)
