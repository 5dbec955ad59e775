"""Summary statistics of a recording: named, in known units, finite for every recording."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Float64, Int

from leakyflow.likelihood.blocks import in_blocks
from leakyflow.likelihood.least_squares import Regression, least_squares, predicted_at_spikes
from leakyflow.likelihood.sufficient import Sufficient
from leakyflow.recordings.batch import Batch

__all__ = ["STATISTICS", "descriptive_statistics", "loose_fit", "summary_statistics"]

# Where a statistic needs more spikes than there are, it takes the value in brackets.
STATISTICS = {
    "log_duration": "log of the duration (ms)",
    "log_n_free": "log of the number of free samples",
    "spike_count": "log of 1 + the number of spikes",
    "rate": "spikes per second",
    "latency": "time of the first spike, ms [duration]",
    "isi_mean": "mean inter-spike interval, ms [duration]",
    "isi_sd": "SD of the inter-spike intervals, ms [0]",
    "isi_cv": "SD over mean of the inter-spike intervals [0]",
    "isi_least": "least inter-spike interval, ms [duration]",
    "released_mean": "mean voltage at which spikes were released, mV [first voltage]",
    "released_sd": "SD of that voltage, mV [0]",
    "refractory_mean": "refractory time per spike, ms [0]",
    "V_first": "first voltage, mV",
    "V_mean": "mean of the free voltages, mV",
    "V_sd": "SD of the free voltages, mV",
    "V_skewness": "skewness of the free voltages",
    "V_least": "least free voltage, mV",
    "V_largest": "largest free voltage, mV",
    "I_first": "first current, pA",
    "I_mean": "mean current, pA",
    "I_sd": "SD of the current, pA",
    "I_least": "least current, pA",
    "I_largest": "largest current, pA",
    "leak": "least squares: 1 / tau, 1/ms",
    "drift": "least squares: V_rest / tau, mV/ms",
    "gain": "least squares: 1 / C, 1/pF",
    "log_leak_se": "log of the standard error of the leak",
    "log_drift_se": "log of the standard error of the drift",
    "log_gain_se": "log of the standard error of the gain",
    "leak_drift_correlation": "correlation of the errors of leak and drift",
    "leak_gain_correlation": "correlation of the errors of leak and gain",
    "drift_gain_correlation": "correlation of the errors of drift and gain",
    "log_residual": "log of the SD of the residuals, mV/sqrt(ms)",
    "spike_V_mean": "mean voltage predicted by least squares at spikes, mV [largest free voltage]",
    "spike_V_least": "least of these, mV [largest free voltage]",
    "spike_V_sd": "SD of these, mV [0]",
    "overlap": "largest free voltage less the least predicted at spikes, mV [0]",
}


def summary_statistics(recordings: Batch, sufficient: Sufficient) -> Float64[np.ndarray, "dataset statistic"]:
    """Compute the `STATISTICS`, in their order.

    Args:
        recordings: One or many; padding has no influence.
        sufficient: Of the same recordings, from `compress`.
    """
    parts = (
        descriptive_statistics(recordings)
        | _regression_statistics(sufficient)
        | {"V_first": sufficient.V_first, "I_first": sufficient.I_first, "V_largest": sufficient.V_max}
        | {"log_n_free": np.log(np.maximum(sufficient.n_steps, 1.0))}
    )
    return np.stack([parts[name] for name in STATISTICS], axis=-1)


def descriptive_statistics(recordings: Batch) -> dict[str, Float64[np.ndarray, " dataset"]]:
    """Those of the `STATISTICS` that describe spikes, voltage and current without any model."""
    return _spike_statistics(recordings) | _moments(recordings)


def _spike_statistics(recordings: Batch) -> dict[str, Float64[np.ndarray, " dataset"]]:
    r, dt = recordings, recordings.dt
    n = len(r)
    valid = r.valid
    row, column = np.nonzero(r.spikes & valid)
    count = np.bincount(row, minlength=n)
    duration = r.n_samples * dt
    released = r.V[row, column].astype(np.float64)
    released_mean, released_sd = _mean_and_sd(row, released, n)
    same = row[1:] == row[:-1]
    isi = (np.diff(column) * dt)[same]
    isi_mean, isi_sd = _mean_and_sd(row[1:][same], isi, n)
    latency, least = duration.astype(np.float64), duration.astype(np.float64)
    np.minimum.at(latency, row, column * dt)
    np.minimum.at(least, row[1:][same], isi)
    isi_mean = np.where(count > 1, isi_mean, duration)
    return {
        "log_duration": np.log(duration),
        "spike_count": np.log1p(count),
        "rate": 1e3 * count / duration,
        "latency": latency,
        "isi_mean": isi_mean,
        "isi_sd": isi_sd,
        "isi_cv": isi_sd / isi_mean,
        "isi_least": least,
        "released_mean": np.where(count > 0, released_mean, r.V[:, 0]),
        "released_sd": released_sd,
        "refractory_mean": (r.refractory & valid).sum(1) * dt / np.maximum(count, 1),
    }


def _mean_and_sd(
    group: Int[np.ndarray, " value"], values: Float[np.ndarray, " value"], n: int
) -> tuple[Float64[np.ndarray, " dataset"], Float64[np.ndarray, " dataset"]]:
    """Mean and SD within each group; 0 in an empty one."""
    count = np.maximum(np.bincount(group, minlength=n), 1)
    mean = np.bincount(group, values, minlength=n) / count
    return mean, np.sqrt(np.bincount(group, (values - mean[group]) ** 2, minlength=n) / count)


def _moments(recordings: Batch) -> dict[str, Float64[np.ndarray, " dataset"]]:
    traces = (recordings.V, recordings.I, recordings.spikes | recordings.refractory, recordings.n_samples)
    return in_blocks(lambda rows: _block_moments(*(value[rows] for value in traces)), len(recordings))


@jax.jit
def _block_moments(
    V: Float[Array, "dataset time"],
    I: Float[Array, "dataset time"],
    held: Bool[Array, "dataset time"],
    n_samples: Int[Array, " dataset"],
) -> dict[str, Float[Array, " dataset"]]:
    valid = jnp.arange(V.shape[1]) < n_samples[:, None]
    free = valid & ~held
    V, I = V.astype(jnp.float64), I.astype(jnp.float64)
    V_mean, V_sd, V_skewness = _masked_moments(V, free)
    I_mean, I_sd, _ = _masked_moments(I, valid)
    return {
        "V_mean": V_mean,
        "V_sd": V_sd,
        "V_skewness": V_skewness,
        "V_least": jnp.where(free, V, jnp.inf).min(1),
        "I_mean": I_mean,
        "I_sd": I_sd,
        "I_least": jnp.where(valid, I, jnp.inf).min(1),
        "I_largest": jnp.where(valid, I, -jnp.inf).max(1),
    }


def _masked_moments(x: Array, mask: Array) -> tuple[Array, Array, Array]:
    n = jnp.maximum(mask.sum(1), 1)
    mean = jnp.where(mask, x, 0.0).sum(1) / n
    deviation = jnp.where(mask, x - mean[:, None], 0.0)
    sd = jnp.sqrt((deviation**2).sum(1) / n)
    return mean, sd, (deviation**3).sum(1) / n / jnp.maximum(sd, 1e-6) ** 3


def _regression_statistics(s: Sufficient) -> dict[str, Float64[np.ndarray, " dataset"]]:
    fit = loose_fit(s)
    se = np.sqrt(np.einsum("nii->ni", fit.covariance))
    correlation = fit.covariance / (se[:, :, None] * se[:, None, :])
    at_spikes, weight = predicted_at_spikes(fit, s), s.weight
    some = weight.sum(1) > 0
    total = np.maximum(weight.sum(1), 1.0)
    mean = (weight * at_spikes).sum(1) / total
    sd = np.sqrt((weight * (at_spikes - mean[:, None]) ** 2).sum(1) / total)
    least = np.where(some, np.where(weight > 0, at_spikes, np.inf).min(1), s.V_max)
    return {
        "leak": -fit.c[:, 1],
        "drift": fit.c[:, 0],
        "gain": fit.c[:, 2],
        "log_leak_se": np.log(se[:, 1]),
        "log_drift_se": np.log(se[:, 0]),
        "log_gain_se": np.log(se[:, 2]),
        "leak_drift_correlation": correlation[:, 0, 1],
        "leak_gain_correlation": correlation[:, 1, 2],
        "drift_gain_correlation": correlation[:, 0, 2],
        "log_residual": np.log(fit.noise),
        "spike_V_mean": np.where(some, mean, s.V_max),
        "spike_V_least": least,
        "spike_V_sd": sd,
        "overlap": s.V_max - least,
    }


def loose_fit(s: Sufficient) -> Regression:
    """Least squares under so wide a prior that it only keeps unidentified coefficients finite."""
    return least_squares(s, np.array([-4.0, -0.06, 0.01]), np.diag([40.0, 0.3, 0.1]) ** 2)
