import numpy as np
import pytest
import scipy.stats

from leakyflow.diagnostics.checks import CHECKS, check_statistics
from leakyflow.likelihood.sufficient import compress
from leakyflow.recordings.batch import Batch
from tests.cases import marked, recorded, simulated, simulator, spoiled, stimulated

# Nearly standard normal under the model, whatever the neuron and the stimulus.
NORMAL = ("lag_1", "current_jump", "current_delay", "noise_with_time", "noise_with_V")


def checks(recordings: Batch) -> dict[str, np.ndarray]:
    return dict(zip(CHECKS, check_statistics(recordings, compress(recordings)).T, strict=True))


@pytest.fixture(scope="module")
def recordings():
    return simulated(simulator(), 400)[1]


@pytest.mark.parametrize("name", NORMAL)
def test_a_check_is_standard_normal_under_the_model(recordings, name):
    values = checks(recordings)[name]
    values = values[values != 0.0]  # no jump of the current
    assert len(values) > 150
    # Mean and SD within 4 standard errors; the correlations of a regression's residuals are of order 1 / n.
    assert abs(values.mean()) < 4.0 / np.sqrt(len(values)) + 0.1
    assert abs(values.std() - 1.0) < 4.0 / np.sqrt(2.0 * len(values)) + 0.05


def added(column) -> Batch:
    """400 ms of a neuron with a step, and something added to V."""
    recording = stimulated(60.0, t_max=400.0)
    return Batch.from_list([recorded(recording.V + column(recording), recording.I)])


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("current_jump", lambda r: 0.02 * r.I),
        ("hum", lambda r: 1.0 * np.sin(2e-3 * np.pi * 50.0 * r.t)),
        ("rhythm", lambda r: 1.0 * np.sin(2e-3 * np.pi * 130.0 * r.t)),
        ("slow_residual", lambda r: 3.0 * np.sin(2e-3 * np.pi * 15.0 * r.t)),
        ("lag_1", lambda r: 0.3 * np.random.default_rng(1).standard_normal(r.n_samples)),
        ("outlier", lambda r: 3.0 * (np.arange(r.n_samples) == 700)),
        ("start", lambda r: -8.0 * np.exp(-r.t / 17.0)),
        ("repeats", lambda r: np.round(r.V, 0) - r.V),
    ],
)
def test_a_check_sees_what_it_is_named_for(recordings, name, column):
    usual = np.quantile(np.abs(checks(recordings)[name]), 0.99)
    assert abs(checks(added(column))[name][0]) > usual


def test_an_adaptation_current_is_seen_behind_spikes(recordings):
    config = simulator()
    spiking = recordings.take(np.flatnonzero(recordings.n_spikes > 3)[:20])
    V = spiking.V.astype(np.float64)
    trace = np.cumsum(spiking.spikes, axis=1)  # slower than everything
    bent = V - 0.5 * trace * ~(spiking.spikes | spiking.refractory)
    found = checks(Batch(**(vars(spiking) | {"V": bent.astype(np.float32)})))["after_spike_slow"]
    assert config.dt == spiking.dt
    assert np.median(np.abs(found)) > scipy.stats.norm.ppf(0.995)


def test_depolarization_block_is_seen_above_the_voltages_of_spikes(recordings):
    blocked = recordings.take(np.flatnonzero(recordings.n_spikes > 3)[:20])
    V, spikes, refractory = blocked.V.copy(), blocked.spikes.copy(), blocked.refractory.copy()
    for row in range(len(blocked)):
        second = np.flatnonzero(spikes[row])[1]
        V[row, second:] = V[row, second - 1] + 5.0
        spikes[row, second:] = refractory[row, second:] = False
    found = checks(Batch(**(vars(blocked) | {"V": V, "spikes": spikes, "refractory": refractory})))["survival"]
    usual = checks(recordings)["survival"]
    assert np.median(found) > np.quantile(usual, 0.99)
    assert (usual[recordings.n_spikes == 0] == 0.0).all()


def test_padding_has_no_influence(recordings):
    few = recordings[:20]
    expected = check_statistics(few, compress(few))
    np.testing.assert_allclose(check_statistics(spoiled(few, extra=300), compress(few)), expected, rtol=1e-9, atol=1e-9)


def test_a_recording_is_the_same_alone_and_among_others(recordings):
    few = recordings[:3]
    alone = [check_statistics(few[i : i + 1], compress(few[i : i + 1]))[0] for i in range(3)]
    # Sums in another order.
    np.testing.assert_allclose(np.stack(alone), check_statistics(few, compress(few)), rtol=1e-6, atol=1e-6)


DEGENERATE = {
    "flat": recorded(np.full(500, -70.0)),
    "at 0 mV": recorded(np.zeros(500)),
    "two values": recorded(np.where(np.arange(500) % 2, -70.0, -69.0)),
    "saturated": recorded(np.clip(np.linspace(-80.0, 40.0, 500), None, -20.0)),
    "huge": recorded(1e4 * np.sin(np.arange(500.0)), 1e6),
    "steps without noise": recorded(np.repeat([-70.0, -60.0], 250), np.repeat([0.0, 100.0], 250)),
    "one spike": marked([300], [-60.0], n_ref=15),
    "one spike at the end": marked([599], [-60.0], n_ref=0),
    "spikes only": marked(list(range(1, 600, 2)), [-60.0] * 300, n_ref=1),
}


@pytest.mark.parametrize("name", DEGENERATE)
def test_checks_are_finite(name):
    assert all(np.isfinite(value).all() for value in checks(Batch.from_list([DEGENERATE[name]])).values())
