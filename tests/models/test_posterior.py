import inspect
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import simpson

from leakyflow.likelihood.draws import Draws
from leakyflow.likelihood.log_likelihood import log_likelihood
from leakyflow.likelihood.reference import reference_posterior
from leakyflow.models.config import FlowConfig, NetworkConfig, SummaryConfig
from leakyflow.models.local import from_local
from leakyflow.models.network import Network
from leakyflow.models.posterior import Posterior
from leakyflow.recordings.batch import Batch
from leakyflow.recordings.cell import Cell
from leakyflow.seeds import stream
from leakyflow.simulator.config import SimulatorConfig
from leakyflow.simulator.prior import Prior


@pytest.fixture(scope="module")
def recordings(tiny_dataset):
    return tiny_dataset.recordings(slice(300))


@pytest.fixture(scope="module")
def posterior(tiny_run):
    return tiny_run.posterior


def test_draws_have_the_shapes_that_went_in(posterior, recordings):
    assert posterior.sample(recordings[0], n_draws=7, correct=False)["tau"].shape == (7,)
    assert posterior.sample([recordings[0], recordings[1]], n_draws=7, correct=False)["tau"].shape == (2, 7)
    assert posterior.sample(recordings, n_draws=7, correct=False)["tau"].shape == (300, 7)


def test_the_same_seed_gives_the_same_draws_and_another_does_not(posterior, recordings):
    one = posterior.sample(recordings[0], n_draws=50, seed=3, correct=False).array
    assert np.array_equal(one, posterior.sample(recordings[0], n_draws=50, seed=3, correct=False).array)
    assert not np.array_equal(one, posterior.sample(recordings[0], n_draws=50, seed=4, correct=False).array)


def test_draws_of_a_recording_do_not_depend_on_its_company_or_padding(posterior, recordings):
    alone = posterior.sample(recordings[0], n_draws=20, seed=1, correct=False).array
    among = posterior.sample(recordings, n_draws=20, seed=1, correct=False).array[0]
    assert np.allclose(alone, among, rtol=1e-4)
    noisy = replace(recordings[:1], V=recordings.V[:1].copy(), I=recordings.I[:1].copy())
    padding = np.arange(noisy.V.shape[1]) >= noisy.n_samples[0]
    assert padding.any()
    noisy.V[0, padding], noisy.I[0, padding] = np.nan, 1e6
    assert np.array_equal(posterior.sample(noisy, n_draws=20, seed=1, correct=False).array[0], alone)


def test_whole_cells_are_inferred_from_all_their_sweeps(posterior, recordings):
    cells = [Cell([recordings[0], recordings[1]], name="a"), Cell([recordings[0]], name="b")]
    draws = posterior.sample(cells, n_draws=100, seed=1)
    assert draws["tau"].shape == (2, 100)
    exact = reference_posterior(cells[0], posterior.prior, n_draws=1000, seed=5)
    error = np.std(exact["tau"]) / np.sqrt(100)
    assert abs(draws.of(0)["tau"].mean() - exact["tau"].mean()) < 5.0 * error
    assert abs(draws.of(1)["tau"].mean() - exact["tau"].mean()) > 5.0 * error  # of one sweep alone
    assert np.shape(draws.of(0).parameters().V_th) == (100,)
    with pytest.raises(ValueError, match="its own draws of a cell do not exist"):
        posterior.sample(cells, n_draws=100, correct=False)


def test_one_recording_that_is_longer_than_the_network_knows_is_inferred_by_its_likelihood(posterior, recordings):
    one = recordings[0]
    n = round(posterior.duration[1] / posterior.dt) - one.n_samples + 100  # more of its last sample
    longer = {name: np.append(getattr(one, name), np.repeat(getattr(one, name)[-1:], n)) for name in ("V", "I")}
    never = {name: np.append(getattr(one, name), np.zeros(n, bool)) for name in ("spikes", "refractory")}
    longer["V"][-n:] += 0.05 * np.random.default_rng(1).standard_normal(n)
    long = replace(one, **longer, **never)
    draws = posterior.sample(long, n_draws=100, seed=1)
    assert draws["tau"].shape == (100,)
    assert draws.diagnostics.reliable.item()
    assert draws.diagnostics.method.item() not in ("amortized", "importance")
    for refused, correct in (([one, long], "auto"), (long, False)):
        with pytest.raises(ValueError, match=r"takes recordings of 100 to 500 ms.*pass it by itself"):
            posterior.sample(refused, n_draws=100, correct=correct)


def test_no_recordings_are_refused(posterior, recordings):
    for use in (posterior.sample, posterior.statistics, posterior.summary_features):
        with pytest.raises(ValueError, match="At least one recording"):
            use(recordings[:0])


def test_draws_respect_supports_and_the_hard_threshold(posterior, recordings):
    draws = posterior.sample(recordings, n_draws=50, correct=False)
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
    draws = posterior.sample(recording, n_draws=4000, seed=1, correct=False)
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
    inside = posterior.sample(recordings[0], n_draws=1, correct=False)
    theta = {name: np.repeat(inside[name], 3) for name in posterior.names}
    theta["tau"][1], theta["V_th"][2] = -1.0, recordings[0].V[recordings[0].free].max() - 1.0
    log_q = posterior.log_prob(recordings[0], theta)
    assert np.isfinite(log_q[0])
    assert np.array_equal(log_q[1:], [-np.inf, -np.inf])


def test_log_density_prefers_its_own_draws(posterior, recordings):
    some = recordings[:50]
    draws = posterior.sample(some, n_draws=20, correct=False)
    others = {name: np.roll(draws[name], 1, axis=0) for name in posterior.names}
    assert posterior.log_prob(some, draws).mean() > np.mean(posterior.log_prob(some, others).clip(-1e3))


def test_a_barely_trained_network_beats_the_prior_on_held_out_recordings(posterior, tiny_config):
    from leakyflow.simulator.dataset import make_dataset

    held_out = make_dataset(tiny_config, 200, seed=99)
    theta = held_out.parameters()
    draws = posterior.sample(held_out.recordings(), n_draws=200, correct=False)
    prior = tiny_config.simulator.prior.sample(4000, 5)
    for name in posterior.names:
        error = np.sqrt(np.mean((draws[name].mean(1) - getattr(theta, name)) ** 2))
        assert error < 0.75 * getattr(prior, name).std()


def test_thousands_of_recordings_stay_in_bounded_memory(posterior, recordings):
    many = recordings.take(np.arange(3000) % 300)
    posterior.sample(many[:300], n_draws=10, correct=False)
    tracemalloc.start()
    posterior.sample(many, n_draws=10, correct=False)
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


# --- corrected draws


@pytest.fixture(scope="module")
def few(recordings):
    """A silent recording and two that spike."""
    counts = recordings.spikes.sum(1)
    rows = np.array([np.argmin(counts), np.argmax(counts == 3), np.argmax(counts == 5)])
    return recordings.take(rows)


@pytest.fixture(scope="module")
def corrected_draws(posterior, few):
    return posterior.sample(few, n_draws=300, seed=1)


COLUMNS = ["method", "reliable", "k_hat", "efficiency", "ess", "r_hat", "acceptance", "log_evidence", "note"]


def test_diagnostics_have_a_row_for_each_recording(corrected_draws, few, posterior):
    table = corrected_draws.diagnostics
    assert list(table.columns) == COLUMNS
    assert list(table.index) == list(few.names)
    assert table["method"].isin(["importance", "SMC"]).all()
    assert table["reliable"].all()
    assert (table["method"] == "SMC")[table["k_hat"] > 0.7].all()
    assert (table["ess"] >= 100).all()
    assert table["efficiency"].between(0.0, 1.0).all()
    assert np.isfinite(table["log_evidence"]).all()
    assert corrected_draws.array.shape == (3, 300, 4)
    assert len(posterior.sample(few[0], n_draws=10).diagnostics) == 1


@pytest.mark.slow
def test_draws_of_a_displaced_network_are_corrected_to_those_of_the_reference(posterior, few, monkeypatch):
    recording, network = few[1], posterior.network
    exact = reference_posterior(recording, posterior.prior, n_draws=1200, seed=3)
    own = network.from_latent
    # By 0.7 SDs along each axis: a density still, as its draws are moved together with it.
    monkeypatch.setattr(network, "from_latent", lambda *arguments: (own(*arguments)[0] + 0.7, own(*arguments)[1]))
    raw = posterior.sample(recording, n_draws=1000, seed=1, correct=False)
    draws = posterior.sample(recording, n_draws=1000, seed=1)
    row = draws.diagnostics.iloc[0]
    assert row["log_evidence"] == pytest.approx(exact.diagnostics["log_evidence"].iloc[0], abs=0.4)
    ess = min(row["ess"], 1000)
    # In SDs: the standard errors of both means, an effective draw being about a particle, and of both SDs.
    error = np.sqrt(1 / ess + 1 / 1200)

    def deviation(draws: Draws) -> float:
        """The largest, of mean or SD, in standard errors."""
        means = [(draws[name].mean() - exact[name].mean()) / exact[name].std() for name in posterior.names]
        sds = [np.log(draws[name].std() / exact[name].std()) * np.sqrt(2) for name in posterior.names]
        return np.abs([*means, *sds]).max() / error

    assert deviation(draws) < 4.5
    assert deviation(raw) > 4.5


def test_the_networks_own_draws_are_left_as_they_are_on_request(posterior, few):
    draws = posterior.sample(few, n_draws=5, seed=1, correct=False)
    table = draws.diagnostics
    assert list(table.columns) == COLUMNS
    assert (table["method"] == "amortized").all()
    assert table["reliable"].isna().all()
    assert (table["note"] == "").all()
    # Of the stream that recording i has: standard normal, through the flow and out of the local.
    network = posterior.network
    features = network.features(few)
    summary = network.summarize(network.inputs(features, few))
    noise = np.stack([np.random.default_rng(stream(1, "draws", i)).standard_normal((5, 4)) for i in range(3)])
    w, _ = network.from_latent(noise.reshape(-1, 4).astype(np.float32), np.repeat(summary, 5, axis=0))
    z, _ = from_local(features.local, w.reshape(3, 5, 4).astype(float))
    theta = posterior.prior.from_unconstrained(z)
    for name in posterior.names:
        # The network is in single precision, and so are rows in another order.
        np.testing.assert_allclose(draws[name], getattr(theta, name), rtol=1e-3)


def test_true_insists_on_what_auto_does_where_there_is_a_likelihood(corrected_draws, posterior, few):
    np.testing.assert_array_equal(posterior.sample(few, n_draws=300, seed=1, correct=True).array, corrected_draws.array)


def test_the_same_seed_gives_the_same_corrected_draws_whatever_the_company(corrected_draws, posterior, few):
    alone = posterior.sample(few[0], n_draws=300, seed=1)
    again = posterior.sample(few[0], n_draws=300, seed=1)
    np.testing.assert_array_equal(again.array, alone.array)
    assert alone.diagnostics["method"].iloc[0] == corrected_draws.diagnostics["method"].iloc[0]
    np.testing.assert_allclose(alone.array, corrected_draws.array[0], rtol=1e-3)
    assert not np.allclose(posterior.sample(few[0], n_draws=300, seed=2).array, alone.array, rtol=1e-3)


def test_corrected_draws_respect_the_hard_threshold(corrected_draws, few):
    for i, recording in enumerate(few):
        assert corrected_draws["V_th"][i].min() > recording.V[1:][recording.free[1:]].max()


def untrained(simulator: SimulatorConfig, *, standardize: str = "prior", **noises: float) -> Posterior:
    """A network that knows nothing, for the prior with other noises."""
    prior = Prior(simulator.prior.root | noises)
    networks = NetworkConfig(
        summary=SummaryConfig(variant="statistics", widths=(8,)),
        flow=FlowConfig(depth=2, widths=(8,), normalization="activation"),
        standardize=standardize,
    )
    return Posterior(Network(networks, replace(simulator, prior=prior), seed=1), name="untrained")


def test_with_both_noises_draws_are_corrected_too(recordings, tiny_config):
    posterior, recording = untrained(tiny_config.simulator, measurement_noise=0.5), recordings[0]
    draws = posterior.sample(recording, n_draws=200, seed=1)
    row = draws.diagnostics.iloc[0]
    assert list(draws.diagnostics.columns) == COLUMNS
    assert row["method"] == "search"
    assert row["reliable"]
    exact = reference_posterior(recording, posterior.prior, n_draws=1000, seed=2)
    # Standard errors of 200 draws, and of a thousand.
    error = np.sqrt(1 / 200 + 1 / exact.diagnostics["ess"].iloc[0])
    raw = posterior.sample(recording, n_draws=200, seed=1, correct=False)

    def deviation(draws: Draws) -> float:
        return max(abs(draws[name].mean() - exact[name].mean()) / exact[name].std() for name in posterior.names) / error

    assert deviation(draws) < 4.5
    assert deviation(raw) > 4.5


def test_without_any_noise_draws_stay_uncorrected_and_say_so(recordings, tiny_config):
    posterior = untrained(tiny_config.simulator, membrane_noise=0.0)
    draws = posterior.sample(recordings[:2], n_draws=10)
    assert np.isfinite(draws.array).all()
    assert (draws.diagnostics["method"] == "amortized").all()
    assert (draws.diagnostics["note"] == "the prior has no noise, and so no likelihood").all()
    np.testing.assert_array_equal(posterior.sample(recordings[:2], n_draws=10, correct=False).array, draws.array)
    with pytest.raises(ValueError, match=r"likelihood needs some noise.*Give one of them"):
        posterior.sample(recordings[:2], n_draws=10, correct=True)
    with pytest.raises(ValueError, match=r"by the data needs a likelihood.*standardize = .prior."):
        untrained(tiny_config.simulator, standardize="data", membrane_noise=0.0)


# --- the density of corrected draws


def test_the_density_of_corrected_draws_is_that_of_the_exact_posterior(posterior, few, corrected_draws):
    """Its logarithm differs from log likelihood and log prior by the evidence alone, which is one number."""
    theta = {name: corrected_draws[name][:, :20] for name in posterior.names}
    found = posterior.corrected_log_prob(few, theta, corrected_draws)
    for i, recording in enumerate(few):
        neurons = corrected_draws.of(i).parameters()
        expected = log_likelihood(neurons, recording)[:20] + np.asarray(posterior.prior.log_prob(neurons))[:20]
        evidence = corrected_draws.diagnostics["log_evidence"].iloc[i]
        # The likelihood by sufficient statistics is another sum in double precision.
        np.testing.assert_allclose(found[i], expected - evidence, atol=1e-6)
        own = {name: values[i] for name, values in theta.items()}
        alone = posterior.corrected_log_prob(recording, own, corrected_draws.of(i))
        np.testing.assert_allclose(alone, found[i], atol=1e-6)


def test_it_integrates_to_one_and_the_networks_own_is_another(posterior, few, corrected_draws):
    """By the network's own density as the proposal: the mean ratio is 1, to what the evidence is known."""
    recording, draws = few[1], corrected_draws.of(1)
    raw = posterior.sample(recording, n_draws=4000, seed=5, correct=False)
    log_p, log_q = posterior.corrected_log_prob(recording, raw, draws), posterior.log_prob(recording, raw)
    ratio = np.exp(log_p - log_q)
    error = np.hypot(ratio.std() / np.sqrt(4000), 1.0 / np.sqrt(draws.diagnostics["ess"].iloc[0]))
    assert abs(ratio.mean() - 1.0) < 4 * error
    assert np.std(log_p - log_q) > 0.02  # far beyond rounding


def test_it_is_minus_infinity_outside_the_support(posterior, few, corrected_draws):
    inside = corrected_draws.of(1)
    theta = {name: np.repeat(inside[name][:1], 3) for name in posterior.names}
    theta["tau"][1], theta["V_th"][2] = -1.0, few[1].V[few[1].free].max() - 1.0
    log_p = posterior.corrected_log_prob(few[1], theta, inside)
    assert np.isfinite(log_p[0])
    assert np.array_equal(log_p[1:], [-np.inf, -np.inf])


def test_without_an_evidence_there_is_no_corrected_density(posterior, few, corrected_draws):
    raw = posterior.sample(few, n_draws=5, seed=1, correct=False)
    with pytest.raises(ValueError, match="evidence must be known, and is not for 3 of 3 recordings"):
        posterior.corrected_log_prob(few, raw, raw)
    with pytest.raises(ValueError, match="`draws` must be of the same 3 recordings, got those of 1 others"):
        posterior.corrected_log_prob(few, raw, corrected_draws.of(0))
    with pytest.raises(ValueError, match="draws without diagnostics"):
        posterior.corrected_log_prob(few, raw, Draws(raw.names, raw.array, raw.recordings))


def test_the_networks_density_says_whose_it_is():
    assert "network's own posterior" in Posterior.log_prob.__doc__
    assert "corrected_log_prob" in Posterior.log_prob.__doc__


# --- neurons


def test_draws_are_neurons_with_what_was_known_and_read_off(posterior, few, corrected_draws):
    neurons = corrected_draws.parameters()
    assert neurons.tau.shape == (3, 300)
    assert posterior.prior.known.items() <= dict(neurons).items()
    one = posterior.sample(few[1], n_draws=5, correct=False).parameters()
    assert one.V_th.shape == (5,)


@pytest.mark.parametrize("value", ["yes", "False", None, 2])
def test_another_way_to_correct_is_refused(posterior, recordings, value):
    sample = inspect.unwrap(Posterior.sample)  # without the tests' own type checks
    with pytest.raises(ValueError, match='`correct` must be "auto", True or False, got'):
        sample(posterior, recordings[0], n_draws=10, correct=value)


def test_each_error_says_what_to_do(posterior, recordings):
    recording = recordings[0]
    short = Batch.from_list([recording])
    short = replace(short, n_samples=np.array([400], np.int32))
    with pytest.raises(ValueError, match=r"dt=0\.2 ms, got dt=0\.1 ms.*Read the file with dt=0\.2"):
        posterior.sample(replace(recording, dt=0.1))
    with pytest.raises(ValueError, match=r"100 to 500 ms, got 80 ms.*start= and stop="):
        posterior.sample(short, correct=False)
    with pytest.raises(ValueError, match="`n_draws` must be positive"):
        posterior.sample(recording, n_draws=0)
    with pytest.raises(ValueError, match=r"must have shape \(300, draw\), got \(5, 2\)"):
        posterior.log_prob(recordings, dict.fromkeys(posterior.names, np.zeros((5, 2))))


def test_marginal_density_matches_the_histogram_of_the_draws(posterior, recordings):
    """Silent recordings: V_th given the rest is one-dimensional, so its density can be drawn by quadrature."""
    silent = int(np.argmin(recordings.spikes.sum(1)))
    recording = recordings[silent]
    draws = posterior.sample(recording, n_draws=2000, seed=2, correct=False)
    grid = np.linspace(draws["V_th"].min() - 1.0, draws["V_th"].max() + 1.0, 201)
    fixed = {name: np.full(grid.shape, np.median(draws[name])) for name in posterior.names}
    density = np.exp(posterior.log_prob(recording, fixed | {"V_th": grid}))
    mean = simpson(grid * density, x=grid) / simpson(density, x=grid)
    assert abs(mean - draws["V_th"].mean()) < 0.5 * draws["V_th"].std()
