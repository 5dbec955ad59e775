import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import simpson

from leakyflow.recordings.recording import Recordings


@pytest.fixture(scope="module")
def recordings(tiny_dataset):
    return tiny_dataset.recordings(slice(300))


@pytest.fixture(scope="module")
def posterior(tiny_run):
    return tiny_run.posterior


def test_draws_have_the_shapes_that_went_in(posterior, recordings):
    assert posterior.sample(recordings[0], n_draws=7)["tau"].shape == (7,)
    assert posterior.sample([recordings[0], recordings[1]], n_draws=7)["tau"].shape == (2, 7)
    assert posterior.sample(recordings, n_draws=7)["tau"].shape == (300, 7)


def test_the_same_seed_gives_the_same_draws_and_another_does_not(posterior, recordings):
    one = posterior.sample(recordings[0], n_draws=50, seed=3).array
    assert np.array_equal(one, posterior.sample(recordings[0], n_draws=50, seed=3).array)
    assert not np.array_equal(one, posterior.sample(recordings[0], n_draws=50, seed=4).array)


def test_draws_of_a_recording_do_not_depend_on_its_company_or_padding(posterior, recordings):
    alone = posterior.sample(recordings[0], n_draws=20, seed=1).array
    among = posterior.sample(recordings, n_draws=20, seed=1).array[0]
    assert np.allclose(alone, among, rtol=1e-4)
    noisy = replace(recordings[:1], V=recordings.V[:1].copy(), I=recordings.I[:1].copy())
    padding = np.arange(noisy.V.shape[1]) >= noisy.n_samples[0]
    assert padding.any()
    noisy.V[0, padding], noisy.I[0, padding] = np.nan, 1e6
    assert np.array_equal(posterior.sample(noisy, n_draws=20, seed=1).array[0], alone)


def test_draws_respect_supports_and_the_hard_threshold(posterior, recordings):
    draws = posterior.sample(recordings, n_draws=50)
    assert (draws["tau"] > 0).all()
    assert (draws["C"] > 0).all()
    free = ~(recordings.spikes | recordings.refractory)
    free &= np.arange(recordings.V.shape[1]) < recordings.n_samples[:, None]
    free[:, 0] = False
    survived = np.where(free, recordings.V, -np.inf).max(1)
    assert (draws["V_th"] > survived[:, None]).all()


def test_log_density_integrates_to_one(posterior, recordings):
    """Along V_th, conditional on the others: ratios to the density at one point, against the draws' own."""
    recording = recordings[0]
    draws = posterior.sample(recording, n_draws=4000, seed=1)
    # A normal proposal around the draws: the mean importance weight of a normalized density is 1.
    values = np.log(np.stack([draws["tau"], -draws["V_rest"], draws["C"]], axis=-1))
    survived = recording.V[1:][recording.free[1:]].max()
    values = np.column_stack([values, np.log(draws["V_th"] - survived)])
    mean, covariance = values.mean(0), 2.0 * np.cov(values.T)
    rng = np.random.default_rng(1)
    x = rng.multivariate_normal(mean, covariance, 40_000)
    deviation = np.einsum("ni,ij,nj->n", x - mean, np.linalg.inv(covariance), x - mean)
    log_proposal = -0.5 * (deviation + np.linalg.slogdet(2 * np.pi * covariance)[1])
    theta = {"tau": np.exp(x[:, 0]), "V_rest": -np.exp(x[:, 1]), "C": np.exp(x[:, 2])}
    theta["V_th"] = survived + np.exp(x[:, 3])
    weights = np.exp(posterior.log_prob(recording, theta) + x.sum(1) - log_proposal)
    error = weights.std() / np.sqrt(len(weights))
    assert error < 0.05
    assert abs(weights.mean() - 1.0) < 5 * error
    assert abs(2.0 * weights.mean() - 1.0) > 5 * error  # a density twice too high would be seen


def test_log_density_is_minus_infinity_outside_the_support(posterior, recordings):
    inside = posterior.sample(recordings[0], n_draws=1)
    theta = {name: np.repeat(inside[name], 3) for name in posterior.names}
    theta["tau"][1], theta["V_th"][2] = -1.0, recordings[0].V[recordings[0].free].max() - 1.0
    log_q = posterior.log_prob(recordings[0], theta)
    assert np.isfinite(log_q[0])
    assert np.array_equal(log_q[1:], [-np.inf, -np.inf])


def test_log_density_prefers_its_own_draws(posterior, recordings):
    some = recordings[:50]
    draws = posterior.sample(some, n_draws=20)
    others = {name: np.roll(draws[name], 1, axis=0) for name in posterior.names}
    assert posterior.log_prob(some, draws).mean() > np.mean(posterior.log_prob(some, others).clip(-1e3))


def test_a_barely_trained_network_beats_the_prior_on_held_out_recordings(posterior, tiny_config):
    from leakyflow.simulator.dataset import make_dataset

    held_out = make_dataset(tiny_config, 200, seed=99)
    theta = held_out.parameters()
    draws = posterior.sample(held_out.recordings(), n_draws=200)
    prior = tiny_config.simulator.parameters.sample(4000, 5)
    for name in posterior.names:
        error = np.sqrt(np.mean((draws[name].mean(1) - getattr(theta, name)) ** 2))
        assert error < 0.75 * getattr(prior, name).std()


def test_thousands_of_recordings_stay_in_bounded_memory(posterior, recordings):
    many = recordings.take(np.arange(3000) % 300)
    posterior.sample(many[:300], n_draws=10)
    tracemalloc.start()
    posterior.sample(many, n_draws=10)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.5 * many.V.nbytes * 8  # a float64 copy of all the traces would not fit


def test_summary_features_have_a_row_for_each_recording(posterior, recordings):
    features = posterior.summary_features(recordings)
    assert len(features) == 300
    assert np.isfinite(features).all()
    assert np.allclose(features[:1], posterior.summary_features(recordings[0]), atol=1e-5)


def test_statistics_are_named(posterior, recordings):
    table = posterior.statistics(recordings[0])
    assert np.isclose(np.expm1(table["spike_count"].iloc[0]), recordings[0].spikes.sum())


def test_each_error_says_what_to_do(posterior, recordings):
    recording = recordings[0]
    short = Recordings.from_list([recording])
    short = replace(short, n_samples=np.array([400], np.int32))
    with pytest.raises(ValueError, match=r"dt=0\.2 ms, got dt=0\.1 ms.*Read the file with dt=0\.2"):
        posterior.sample(replace(recording, dt=0.1))
    with pytest.raises(ValueError, match=r"100 to 500 ms, got 80 ms.*start= and stop="):
        posterior.sample(short)
    with pytest.raises(ValueError, match="`n_draws` must be positive"):
        posterior.sample(recording, n_draws=0)
    with pytest.raises(ValueError, match=r"must have shape \(300, draw\), got \(5, 2\)"):
        posterior.log_prob(recordings, dict.fromkeys(posterior.names, np.zeros((5, 2))))


def test_marginal_density_matches_the_histogram_of_the_draws(posterior, recordings):
    """Silent recordings: V_th given the rest is one-dimensional, so its density can be drawn by quadrature."""
    silent = int(np.argmin(recordings.spikes.sum(1)))
    recording = recordings[silent]
    draws = posterior.sample(recording, n_draws=2000, seed=2)
    grid = np.linspace(draws["V_th"].min() - 1.0, draws["V_th"].max() + 1.0, 201)
    fixed = {name: np.full(grid.shape, np.median(draws[name])) for name in posterior.names}
    density = np.exp(posterior.log_prob(recording, fixed | {"V_th": grid}))
    mean = simpson(grid * density, x=grid) / simpson(density, x=grid)
    assert abs(mean - draws["V_th"].mean()) < 0.5 * draws["V_th"].std()
