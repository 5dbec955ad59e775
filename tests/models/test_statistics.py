import math

import numpy as np
import pytest

from leakyflow.likelihood.sufficient import compress
from leakyflow.models.statistics import STATISTICS, summary_statistics
from leakyflow.recordings.batch import Batch
from leakyflow.recordings.recording import Recording
from tests.cases import recorded, simulated, simulator, spoiled, stimulated

RNG = np.random.default_rng(1)
NOISY = -60.0 + RNG.normal(size=1000)
EDGE_CASES = {
    "silent": recorded(NOISY),
    "one spike": recorded(NOISY, 100.0, spikes=(400,), n_ref=15),
    "two spikes": recorded(NOISY, 100.0, spikes=(300, 700), n_ref=15),
    "spike at the second sample": recorded(NOISY, 100.0, spikes=(1,), n_ref=15),
    "spike at the last sample": recorded(NOISY, 100.0, spikes=(999,)),
    "adjacent spikes": recorded(NOISY, 100.0, spikes=(500, 501)),
    "held from the second sample on": recorded(NOISY, 100.0, spikes=(1,), n_ref=1000),
    "constant current": recorded(NOISY, 250.0),
    "no membrane noise": stimulated(300.0, membrane_noise=0.0, reset_noise=0.0),
    "no membrane noise, silent": stimulated(0.0, membrane_noise=0.0),
    "constant voltage": recorded(np.full(1000, -70.0)),
    "two samples": recorded(np.array([-70.0, -69.0])),
    "far out": recorded(1e3 * NOISY, 1e6 * RNG.normal(size=1000)),
}


def statistics_of(recordings: Batch) -> np.ndarray:
    return summary_statistics(recordings, compress(recordings))


def written_out(recording: Recording) -> dict[str, float]:
    """The statistics as their descriptions read, one recording at a time."""
    V, I, dt = recording.V.astype(float), recording.I.astype(float), recording.dt
    at, free, T = np.flatnonzero(recording.spikes), recording.free, recording.duration
    isi, released = np.diff(at) * dt, V[at]
    out = {
        "log_duration": math.log(T),
        "log_n_free": math.log(free[1:].sum()),
        "spike_count": math.log(1 + len(at)),
        "rate": 1e3 * len(at) / T,
        "latency": at[0] * dt if len(at) else T,
        "isi_mean": isi.mean() if len(isi) else T,
        "isi_sd": isi.std() if len(isi) else 0.0,
        "isi_cv": isi.std() / isi.mean() if len(isi) else 0.0,
        "isi_least": isi.min() if len(isi) else T,
        "released_mean": released.mean() if len(at) else V[0],
        "released_sd": released.std() if len(at) else 0.0,
        "refractory_mean": recording.refractory.sum() * dt / len(at) if len(at) else 0.0,
        "V_first": V[0],
        "V_mean": V[free].mean(),
        "V_sd": V[free].std(),
        "V_skewness": ((V[free] - V[free].mean()) ** 3).mean() / V[free].std() ** 3,
        "V_least": V[free].min(),
        "V_largest": V[1:][free[1:]].max(),
        "I_first": I[0],
        "I_mean": I.mean(),
        "I_sd": I.std(),
        "I_least": I.min(),
        "I_largest": I.max(),
    }
    return out | regression_written_out(V, I, free, at, dt, out["V_largest"])


def regression_written_out(
    V: np.ndarray, I: np.ndarray, free: np.ndarray, at: np.ndarray, dt: float, V_max: float
) -> dict[str, float]:
    """Least squares with a wide prior, as more rows of the regression."""
    X = np.stack([np.ones(free[1:].sum()), V[:-1][free[1:]], I[:-1][free[1:]]], axis=-1)
    slope = np.diff(V)[free[1:]] / dt
    sd, mean = np.array([40.0, 0.3, 0.1]), np.array([-4.0, -0.06, 0.01])
    weight = dt / 0.3**2
    for _ in range(2):
        rows = np.concatenate([np.sqrt(weight) * X, np.diag(1 / sd)])
        c, *_ = np.linalg.lstsq(rows, np.concatenate([np.sqrt(weight) * slope, mean / sd]))
        variance = np.mean((slope - X @ c) ** 2)
        weight = 1 / variance
    covariance = np.linalg.inv(rows.T @ rows)
    se = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(se, se)
    at_spikes = V[at - 1] + dt * (c[0] + c[1] * V[at - 1] + c[2] * I[at - 1]) if len(at) else np.array([V_max])
    return {
        "leak": -c[1],
        "drift": c[0],
        "gain": c[2],
        "log_leak_se": math.log(se[1]),
        "log_drift_se": math.log(se[0]),
        "log_gain_se": math.log(se[2]),
        "leak_drift_correlation": correlation[0, 1],
        "leak_gain_correlation": correlation[1, 2],
        "drift_gain_correlation": correlation[0, 2],
        "log_residual": math.log(math.sqrt(variance * dt)),
        "spike_V_mean": at_spikes.mean(),
        "spike_V_least": at_spikes.min(),
        "spike_V_sd": at_spikes.std(),
        "overlap": V_max - at_spikes.min(),
    }


def test_statistics_are_what_their_descriptions_say():
    _, recordings = simulated(simulator(), 60)
    count = recordings.spikes.sum(1)
    assert {0, 1}.issubset(count)
    # Up to 32 spikes none is left out.
    kept = [recording for recording, n in zip(recordings, count, strict=True) if n <= 32]
    values = statistics_of(Batch.from_list(kept))
    for recording, row in zip(kept, values, strict=True):
        expected = written_out(recording)
        assert expected.keys() == STATISTICS.keys()
        for name, value in zip(STATISTICS, row, strict=True):
            assert value == pytest.approx(expected[name], rel=1e-6, abs=1e-6), (name, recording.name)


@pytest.mark.parametrize("recording", EDGE_CASES.values(), ids=EDGE_CASES.keys())
def test_every_statistic_is_finite(recording):
    # One length, one compiled shape.
    padded = Batch.from_list([recording], n_time=1000)
    values = statistics_of(padded)
    assert values.shape == (1, len(STATISTICS))
    assert np.isfinite(values).all(), [
        name for name, bad in zip(STATISTICS, ~np.isfinite(values[0]), strict=True) if bad
    ]


def test_missing_spikes_are_replaced_as_documented():
    values = {
        name: dict(zip(STATISTICS, statistics_of(Batch.from_list([EDGE_CASES[name]]))[0], strict=True))
        for name in ("silent", "one spike")
    }
    silent, one = values["silent"], values["one spike"]
    for name in ("latency", "isi_mean", "isi_least"):
        assert silent[name] == pytest.approx(200.0)
    assert silent["released_mean"] == silent["V_first"]
    assert silent["spike_V_mean"] == silent["spike_V_least"] == silent["V_largest"]
    assert [silent[name] for name in ("isi_sd", "isi_cv", "released_sd", "spike_V_sd", "overlap")] == [0.0] * 5
    assert one["latency"] == pytest.approx(80.0)
    assert one["isi_mean"] == one["isi_least"] == pytest.approx(200.0)


def test_padding_has_no_influence():
    _, recordings = simulated(simulator(), 60)
    clean = statistics_of(recordings)
    np.testing.assert_array_equal(statistics_of(spoiled(recordings)), clean)
    # Sums over another length are added up in another order.
    np.testing.assert_allclose(statistics_of(spoiled(recordings, extra=77)), clean, rtol=1e-9, atol=1e-9)


def test_each_recording_is_summarized_by_itself():
    _, recordings = simulated(simulator(), 300)
    together = statistics_of(recordings)
    for i in (0, 255, 256, 299):
        alone = statistics_of(recordings[i : i + 1])[0]
        # One row is added up in another order than many.
        np.testing.assert_allclose(alone, together[i], rtol=1e-9, atol=1e-9)
