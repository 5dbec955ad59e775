import numpy as np
import pytest

from leakyflow.likelihood.least_squares import coefficients, least_squares, predicted_at_spikes
from leakyflow.likelihood.sufficient import compress
from leakyflow.recordings.batch import Batch
from leakyflow.recordings.recording import Recording
from tests.cases import DT, NEURON, PRIORS, recorded, simulated, simulator, stimulated

MEAN = np.array([-4.0, -0.06, 0.01])
COVARIANCE = np.diag([4.0, 0.05, 0.01]) ** 2


def design(recording: Recording) -> tuple[np.ndarray, np.ndarray]:
    """Rows (1, V, I) and slopes of the free steps."""
    V, I, free = recording.V.astype(float), recording.I.astype(float), recording.free[1:]
    X = np.stack([np.ones(free.sum()), V[:-1][free], I[:-1][free]], axis=-1)
    return X, np.diff(V)[free] / recording.dt


@pytest.fixture(scope="module")
def recordings() -> Batch:
    return Batch.from_list([stimulated(amplitude, threshold_noise=1.0) for amplitude in (-50.0, 100.0, 250.0)])


def test_flat_prior_gives_ordinary_least_squares(recordings):
    fit = least_squares(compress(recordings), MEAN, 1e12 * np.eye(3))
    for i, recording in enumerate(recordings):
        X, slope = design(recording)
        c, (rss,), *_ = np.linalg.lstsq(X, slope)
        np.testing.assert_allclose(fit.c[i], c, rtol=1e-7)
        np.testing.assert_allclose(fit.noise[i], np.sqrt(rss / len(slope) * DT), rtol=1e-7)
        np.testing.assert_allclose(fit.covariance[i], rss / len(slope) * np.linalg.inv(X.T @ X), rtol=1e-6)


def test_noise_is_that_of_the_membrane(recordings):
    fit = least_squares(compress(recordings), MEAN, COVARIANCE)
    # 4 standard errors of an SD from some 600 free samples or more.
    np.testing.assert_allclose(fit.noise, NEURON.membrane_noise, rtol=4 / np.sqrt(2 * 600))


def test_prior_enters_as_data_would(recordings):
    """A normal prior is three more rows of a regression, one for each root of its precision."""
    fit = least_squares(compress(recordings), MEAN, COVARIANCE)
    first_weight = DT / 0.3**2
    for i, recording in enumerate(recordings):
        X, slope = design(recording)
        root = np.linalg.inv(np.linalg.cholesky(COVARIANCE))
        weight = first_weight
        for _ in range(2):
            rows = np.concatenate([np.sqrt(weight) * X, root])
            c, *_ = np.linalg.lstsq(rows, np.concatenate([np.sqrt(weight) * slope, root @ MEAN]))
            weight = 1 / np.mean((slope - X @ c) ** 2)
        np.testing.assert_allclose(fit.c[i], c, rtol=1e-7)


def test_without_data_the_fit_is_the_prior():
    held = recorded(np.full(1000, -60.0), 100.0, spikes=(1,), n_ref=1000)
    assert held.free.sum() == 1
    fit = least_squares(compress(Batch.from_list([held])), MEAN, COVARIANCE)
    np.testing.assert_allclose(fit.c[0], MEAN, rtol=1e-9)
    np.testing.assert_allclose(fit.covariance[0], COVARIANCE, rtol=1e-9, atol=1e-15)


def test_coefficients_are_those_that_the_neurons_have():
    c = coefficients(NEURON.replace(tau=np.array([10.0, 20.0])))
    np.testing.assert_allclose(c, [[-7.2, -0.1, 1 / 90], [-3.6, -0.05, 1 / 90]])


def test_fit_covers_the_truth_as_often_as_its_standard_errors_say():
    theta, recordings = simulated(simulator(), 300)
    truth = coefficients(theta)
    # The simulator's own prior, so that the pull is right, too.
    prior = coefficients(PRIORS["standard"].sample(4096, 5))
    fit = least_squares(compress(recordings), prior.mean(0), np.cov(prior.T))
    root = np.linalg.cholesky(fit.covariance)
    z = np.linalg.solve(root, (truth - fit.c)[..., None])[..., 0]
    # 4 standard errors of an SD, and 0.15 because c is not normal a priori.
    assert np.all(np.abs(z.std(0) - 1) < 0.15 + 4 / np.sqrt(2 * 300))
    shuffled = np.linalg.solve(root, (np.roll(truth, 1, axis=0) - fit.c)[..., None])[..., 0]
    assert np.all(shuffled.std(0) > 2)


def test_voltage_at_a_spike_is_one_step_of_the_fit_from_the_sample_before(recordings):
    sufficient = compress(recordings)
    fit = least_squares(sufficient, MEAN, COVARIANCE)
    at_spikes = predicted_at_spikes(fit, sufficient)
    for i, recording in enumerate(recordings):
        before = np.flatnonzero(recording.spikes) - 1
        V, I = recording.V[before].astype(float), recording.I[before]
        expected = V + DT * (fit.c[i, 0] + fit.c[i, 1] * V + fit.c[i, 2] * I)
        np.testing.assert_allclose(at_spikes[i, : len(before)], expected, rtol=1e-12)
        assert np.all(at_spikes[i, len(before) :] == 0)
