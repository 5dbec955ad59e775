r"""Model checks: what a recording does that no leaky integrate-and-fire neuron does, each in a named number.

The summary statistics tell neurons of the model apart; most that tells the model from something else they leave out.
With e the residuals of the regression on the free samples,

.. math:: (V_{k+1} - V_k) / dt = c_0 + c_1 V_k + c_2 I_k + e_k / dt ,

a missing mechanism is a missing column. Each such column x is made orthogonal to (1, V, I) and tried by its

.. math:: t = r \sqrt{(n - 4) / (1 - r^2)} , \quad r = x \cdot e / (|x| |e|) ,

nearly standard normal whatever the neuron and the stimulus (an added-variable or score test; Frisch & Waugh 1933,
Econometrica 1). A check that has nothing to look at, such as spikes or jumps of the current, is 0. Those that grow as a
power of a deviation are given as its root, so that far-out checks can be compared.
"""

import numpy as np
from jaxtyping import Float64

from leakyflow.diagnostics.added_variables import correlation, orthogonal, orthonormal, smoothed, t_statistic
from leakyflow.diagnostics.series import lag_correlation, rooted, spectrum, variance_of_sums
from leakyflow.likelihood.least_squares import predicted_at_spikes
from leakyflow.likelihood.sufficient import Sufficient
from leakyflow.models.statistics import loose_fit
from leakyflow.recordings.batch import Batch

__all__ = ["CHECKS", "UNSPECIFIC", "check_statistics"]

# In the words of a verdict: "<this> is above 99.9 % of simulations".
CHECKS = {
    "skewness": "the skewness of the residual",
    "kurtosis": "the kurtosis of the residual (outliers, artefacts)",
    "outlier": "the largest residual (an artefact, or a missed spike)",
    "lag_1": "the residual's autocorrelation from sample to sample",
    "lags_2_to_10": "the residual's autocorrelation over 2 to 10 samples",
    "slow_residual": "the residual's slow variation (over 20 ms)",
    "rhythm": "the strongest rhythm in the residual",
    "hum": "hum of 50 or 60 Hz in the residual",
    "current_jump": "the jump of V with the current (uncompensated series resistance)",
    "current_delay": "the response of V to the current one sample late",
    "current_filtered": "the response of V to the current of the last 5 ms (electrode, dendrite)",
    "drift": "the drift over the recording",
    "curvature": "the curvature of the current-voltage relation",
    "slow_current": "a slow current that follows V within 50 ms (sag, subthreshold adaptation)",
    "after_spike_fast": "a current in the 5 ms after spikes",
    "after_spike_slow": "a current in the 100 ms after spikes (adaptation)",
    "noise_with_V": "the dependence of the noise on V",
    "noise_with_time": "the change of the noise over the recording",
    "start": "the slope of V at the beginning, where the cell should be at rest",
    "overlap": "the voltage reached without a spike, less the least at which one came",
    "survival": "the time without a spike above the voltages at which spikes came (depolarization block)",
    "threshold_spread": "the spread of the voltages at which spikes came",
    "threshold_trend": "the trend of these voltages over the recording",
    "repeats": "the share of samples that repeat the one before, beyond what rounding makes",
}
# They see much, and say little of what it is.
UNSPECIFIC = ("skewness", "kurtosis", "outlier", "lags_2_to_10", "slow_residual")
N_LAGS = 10
SLOW, FILTERED, FAST_CURRENT, SLOW_CURRENT, FOLLOWING = 20.0, 5.0, 5.0, 100.0, 50.0  # ms
BLOCK = 128
# Share of samples that repeat the one before where a converter of the usual resolution is all that rounds them.
ROUNDED = 0.4


def check_statistics(recordings: Batch, sufficient: Sufficient) -> Float64[np.ndarray, "dataset check"]:
    """Compute the `CHECKS`, in their order.

    Args:
        recordings: One or many; padding has no influence.
        sufficient: Of the same recordings, from `compress`.

    Returns:
        Finite for every recording.
    """
    of_fit, V_spike = _of_fit(sufficient)
    blocks = [slice(start, start + BLOCK) for start in range(0, len(recordings), BLOCK)]
    parts = [_of_residuals(recordings[rows]) | _of_survival(recordings[rows], V_spike[rows]) for rows in blocks]
    found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} | of_fit
    return np.stack([found[name] for name in CHECKS], axis=-1)


def _of_residuals(r: Batch) -> dict[str, Float64[np.ndarray, " dataset"]]:
    dt, valid = r.dt, r.valid[:, : r.n_samples.max()]
    width = valid.shape[1]
    V, I = (np.where(valid, x[:, :width], 0.0).astype(np.float64) for x in (r.V, r.I))
    spikes = r.spikes[:, :width] & valid
    step = r.free[:, 1:width]
    n = np.maximum(step.sum(1), 6.0)
    now, current, t = V[:, :-1], I[:, :-1], np.arange(width - 1) / n[:, None]
    one = np.ones_like(now)
    basis = orthonormal([one, now, current], step)
    change = np.diff(V, axis=1)
    e = orthogonal(np.where(step, change, 0.0)[:, None], basis)[:, 0]
    deviation = np.sqrt((e**2).sum(1) / n)
    # Without noise of its own, the residual is rounding.
    noisy = deviation > 1e-6 * np.abs(V).max(1).clip(min=1e-3)
    e = np.where(noisy[:, None], e / np.where(noisy, deviation, 1.0)[:, None], 0.0)
    jump = np.diff(I, axis=1)
    centred = now - (np.where(step, now, 0.0).sum(1) / n)[:, None]
    columns = {
        "current_jump": jump,
        "current_delay": np.pad(jump[:, :-1], ((0, 0), (1, 0))),
        "current_filtered": smoothed(current, FILTERED, dt),
        "drift": t,
        "curvature": centred**2,
        "slow_current": smoothed(now, FOLLOWING, dt),
        "after_spike_fast": smoothed(spikes[:, :-1].astype(np.float64), FAST_CURRENT, dt),
        "after_spike_slow": smoothed(spikes[:, :-1].astype(np.float64), SLOW_CURRENT, dt),
    }
    added = np.stack([np.where(step, column, 0.0) for column in columns.values()], axis=1)
    length = np.sqrt((orthogonal(added, basis[:, :1]) ** 2).sum(-1))
    added = orthogonal(added, basis)
    power = np.where(step, e**2 - 1.0, 0.0)[:, None]
    moved = orthogonal(np.stack([np.where(step, x, 0.0) for x in (now, t)], axis=1), basis[:, :1])
    noise_with_V, noise_with_time = correlation(moved, power).T * np.sqrt(n)
    noise_with_V = np.where(np.ptp(V, axis=1) > 0.0, noise_with_V, 0.0)
    lags = [lag_correlation(e, step, lag) for lag in range(1, N_LAGS + 1)]
    return dict(zip(columns, t_statistic(added, e, n, length).T, strict=True)) | {
        "skewness": rooted((e**3).sum(1) / np.sqrt(6.0 * n)),
        "kurtosis": rooted(((e**4).sum(1) / n - 3.0) * np.sqrt(n / 24.0) * noisy),
        # The largest of n normal numbers grows so.
        "outlier": np.abs(e).max(1) - np.sqrt(2.0 * np.log(n)),
        "lag_1": lags[0],
        "lags_2_to_10": np.linalg.norm(lags[1:], axis=0),
        "slow_residual": variance_of_sums(e, step, max(1, round(SLOW / dt))),
        **spectrum(e, dt, n),
        "noise_with_V": noise_with_V,
        "noise_with_time": noise_with_time,
        "repeats": np.maximum((step & (change == 0.0)).sum(1) / n - ROUNDED, 0.0),
    }


def _of_survival(r: Batch, V_spike: Float64[np.ndarray, " dataset"]) -> dict[str, Float64[np.ndarray, " dataset"]]:
    """Of the samples above the mean voltage at spikes: a threshold, noisy or not, leaves few of them to each spike."""
    survived = (r.free & (V_spike[:, None] < r.V)).sum(1)
    return {"survival": np.log1p(survived / np.maximum(r.n_spikes, 1))}


def _of_fit(s: Sufficient) -> tuple[dict[str, Float64[np.ndarray, " dataset"]], Float64[np.ndarray, " dataset"]]:
    """Of the first sample, and of the voltages that the fit predicts at spikes, in SDs of a step's noise.

    Returns:
        The checks, and the mean voltage at spikes, in mV; infinite where there are none.
    """
    fit = loose_fit(s)
    first = np.stack([np.ones_like(s.V_first), s.V_first, s.I_first], axis=-1)
    # At rest V[0] is V_inf + noise sqrt(tau / 2) xi, and the slope there -1 / tau of the difference.
    stationary = fit.noise**2 * np.maximum(-fit.c[:, 1], 1e-3) / 2.0
    slope_error = np.einsum("ni,nij,nj->n", first, fit.covariance, first)
    step_noise = np.maximum(fit.noise * np.sqrt(s.dt), 1e-4)
    at_spikes, spike = predicted_at_spikes(fit, s), s.weight > 0
    n = spike.sum(1)
    total = np.maximum(n, 1)
    mean = at_spikes.sum(1) / total
    deviation = np.where(spike, at_spikes - mean[:, None], 0.0)
    place = np.where(spike, np.arange(spike.shape[1]) - (total[:, None] - 1) / 2.0, 0.0)
    trend = correlation(deviation[:, None], place[:, None])[:, 0]
    least = np.where(spike, at_spikes, np.inf).min(1, initial=np.inf)
    found = {
        "start": (first * fit.c).sum(1) / np.sqrt(stationary + slope_error),
        "overlap": np.where(n > 0, s.V_max - np.where(n > 0, least, 0.0), 0.0) / step_noise,
        "threshold_spread": np.log1p(np.sqrt((deviation**2).sum(1) / total) / step_noise),
        "threshold_trend": np.where(n > 3, np.arctanh(0.999999 * trend) * np.sqrt(np.maximum(n - 3, 0)), 0.0),
    }
    return found, np.where(n > 0, mean, np.inf)
