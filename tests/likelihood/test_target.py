import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from scipy import special

from leakyflow.likelihood.log_likelihood import log_likelihood
from leakyflow.likelihood.prepare import has_likelihood, prepare
from leakyflow.likelihood.read_off import read_off_for, read_off_parameters
from leakyflow.likelihood.regression import regression_is_exact
from leakyflow.likelihood.target import above, log_mass_above
from leakyflow.neuron.parameters import Parameters
from leakyflow.recordings.batch import Batch
from leakyflow.simulator.distributions import LogNormal, Uniform
from leakyflow.simulator.prior import Prior, ReadOff
from tests.cases import NEURON, PRIORS, STANDARD, recorded, simulated, simulator, stimulated

SEEN = {"membrane_noise": 0.0, "measurement_noise": LogNormal(median=0.5, sigma=0.3)}
TARGETS = {
    "hard": PRIORS["standard"],
    "hard, read_off": PRIORS["bounded"],
    "noisy": PRIORS["recording"],
    "electrode": Prior(dict(NEURON) | STANDARD | SEEN | {"threshold_noise": 1.5}),
    "electrode, hard": Prior(dict(NEURON) | STANDARD | SEEN),
    "everything": Prior(
        dict(NEURON)
        | STANDARD
        | {"measurement_noise": ReadOff(SEEN["measurement_noise"]), "threshold_noise": 1.5}
        | {"current_noise": ReadOff(LogNormal(median=6.0, sigma=0.4)), "current_noise_tau": 5.0}
        | {"R_s": 0.01, "sag": LogNormal(median=0.4, sigma=0.3), "sag_tau": 50.0}
    ),
}
# Nats. The noisy threshold's survived voltages are counted on a grid; sums of a thousand terms are rounded.
TOLERANCES = {name: 0.01 if name == "noisy" else 1e-6 for name in TARGETS}
N, N_DRAWS = 20, 7


@pytest.fixture(scope="module")
def recordings() -> Batch:
    """More than are compressed together where they are few."""
    return simulated(simulator(), N)[1]


def scores(prior: Prior, *, spread: float = 0.5) -> np.ndarray:
    return spread * np.random.default_rng(3).standard_normal((N, N_DRAWS, prior.n_inferred))


def natural(prior: Prior, recordings: Batch, z: np.ndarray) -> Parameters:
    read_off = {
        name: np.repeat(x[:, None], z.shape[1], 1) for name, x in read_off_parameters(recordings, prior).items()
    }
    inferred = dict(zip(prior.inferred, np.moveaxis(prior.natural(z), -1, 0), strict=True))
    return prior.from_unconstrained(z, read_off=read_off_for(prior.known | inferred, read_off))


@pytest.mark.parametrize("name", TARGETS)
def test_it_is_the_likelihood_at_the_parameters_of_the_scores(name, recordings):
    prior = TARGETS[name]
    z = scores(prior)
    values = prepare(recordings, prior).log_likelihood(z)
    expected = log_likelihood(natural(prior, recordings, z), recordings)
    possible = np.isfinite(expected)
    np.testing.assert_array_equal(np.isfinite(values), possible)
    # The grid's error grows with the distance from the best draw.
    near = possible & (expected > expected.max(1, keepdims=True) - 1e3) if name == "noisy" else possible
    assert near.sum() > N
    np.testing.assert_allclose(values[near], expected[near], rtol=1e-8, atol=TOLERANCES[name])


@pytest.mark.parametrize("name", ["hard", "noisy", "electrode", "everything"])
def test_one_of_many_is_as_by_itself(name, recordings):
    prior = TARGETS[name]
    target, z = prepare(recordings, prior), scores(prior)
    together = target.log_likelihood(z)
    for i in (0, N - 1):
        np.testing.assert_allclose(target.one(i).log_likelihood(z[i : i + 1])[0], together[i], rtol=1e-10)
        alone = prepare(recordings[i : i + 1], prior)
        np.testing.assert_allclose(alone.log_likelihood(z[i : i + 1])[0], together[i], rtol=1e-10)


def test_no_recordings_are_refused(recordings):
    with pytest.raises(ValueError, match="At least one recording"):
        prepare(recordings[:0], PRIORS["standard"])


@pytest.mark.parametrize(
    ("name", "limit", "n"), [("hard", "regression.ROWS", 3 * N_DRAWS), ("electrode", "scanned.SIDE_BY_SIDE", 3)]
)
def test_many_draws_of_many_recordings_are_worked_through_in_blocks(name, limit, n, recordings, monkeypatch):
    prior = TARGETS[name]
    target, z = prepare(recordings, prior), scores(prior)
    together = target.log_likelihood(z)
    monkeypatch.setattr(f"leakyflow.likelihood.{limit}", n)
    np.testing.assert_allclose(target.log_likelihood(z), together, rtol=1e-12)


def test_at_the_bound_of_a_hard_threshold_and_below_it_nothing_is_possible(recordings):
    prior = PRIORS["standard"]
    target, axis = prepare(recordings, prior), PRIORS["standard"].inferred.index("V_th")
    bound = target.bound[:, axis]
    survived = [float(recording.V[1:][recording.free[1:]].max()) for recording in recordings]
    np.testing.assert_allclose(prior.distributions["V_th"].from_unconstrained(bound), survived, rtol=1e-12)
    assert np.all(np.delete(target.bound, axis, axis=1) == -np.inf)
    z = np.zeros((N, 4, prior.n_inferred))
    z[..., axis] = bound[:, None] + [-1.0, 0.0, 1e-9, 1.0]
    assert (np.isfinite(target.log_likelihood(z)) == [False, False, True, True]).all()


def test_scores_that_overflow_are_impossible_and_never_nan(recordings):
    for name in ("hard", "noisy", "electrode", "everything"):
        prior = TARGETS[name]
        for spread in (100.0, 1e4):
            values = prepare(recordings, prior).log_likelihood(scores(prior, spread=spread))
            assert not np.isnan(values).any()
            assert not (values == np.inf).any()


def test_a_noisy_threshold_has_no_bound(recordings):
    target = prepare(recordings, PRIORS["recording"])
    assert np.all(target.bound == -np.inf)
    assert target.possible.all()


def silent_and_high() -> Batch:
    """Up to -65 mV, and up to -40 mV, without a spike."""
    return Batch.from_list([recorded(np.linspace(-70.0, top, 600)) for top in (-65.0, -40.0)])


EXCLUDING = {
    "a uniform threshold": {"V_th": Uniform(low=-60.0, high=-45.0)},
    "a known threshold": {"V_th": -45.0, "tau": STANDARD["tau"]},
    "a threshold known to be just there": {"V_th": float(np.float32(-40.0)), "tau": STANDARD["tau"]},
}


@pytest.mark.parametrize("entries", EXCLUDING.values(), ids=EXCLUDING.keys())
def test_a_recording_above_every_threshold_of_the_prior_is_impossible(entries):
    prior = Prior(dict(NEURON) | entries)
    target = prepare(silent_and_high(), prior)
    assert target.possible.tolist() == [True, False]
    values = target.log_likelihood(np.full((2, 3, 1), 1.0))
    assert np.isfinite(values).tolist() == [[True] * 3, [False] * 3]


@pytest.mark.parametrize("entries", EXCLUDING.values(), ids=EXCLUDING.keys())
def test_with_a_noisy_threshold_it_is_possible(entries):
    prior = Prior(dict(NEURON) | entries | {"threshold_noise": 1.5})
    target = prepare(silent_and_high(), prior)
    assert target.possible.all()
    assert np.isfinite(target.log_likelihood(np.full((2, 3, 1), 1.0))).all()


def test_more_spikes_than_usual_lose_nothing():
    recording = stimulated(900.0, t_max=400.0)
    assert recording.spikes.sum() > 64
    recordings, prior = Batch.from_list([recording]), PRIORS["standard"]
    z = 0.3 * np.random.default_rng(1).standard_normal((1, 5, 4))
    z[..., prior.inferred.index("V_th")] += 1.0
    expected = log_likelihood(natural(prior, recordings, z), recordings)
    assert np.isfinite(expected).all()
    np.testing.assert_allclose(prepare(recordings, prior).log_likelihood(z), expected, rtol=1e-8)


NOISES = {"0": 0.0, "known": 0.3, "inferred": LogNormal(median=0.3, sigma=0.5)}


@pytest.mark.parametrize(("membrane", "measurement"), list(itertools.product(NOISES, NOISES)))
def test_there_is_a_likelihood_where_some_noise_is_on(membrane, measurement):
    noises = {"membrane_noise": NOISES[membrane], "measurement_noise": NOISES[measurement]}
    prior = Prior(dict(NEURON) | {"tau": STANDARD["tau"]} | noises)
    assert has_likelihood(prior) == (membrane != "0" or measurement != "0")
    # Where V is observed and the membrane is noisy, sufficient statistics hold it.
    assert regression_is_exact(prior) == (membrane != "0" and measurement == "0")


def test_without_any_noise_there_is_none():
    silent = Prior(dict(NEURON) | {"tau": STANDARD["tau"], "membrane_noise": 0.0})
    with pytest.raises(ValueError, match=r"likelihood needs some noise, got a prior with none of membrane_noise.*Give"):
        prepare(silent_and_high(), silent)
    driven = Prior(silent.root | {"current_noise": 6.0, "current_noise_tau": 5.0})
    assert np.isfinite(prepare(silent_and_high(), driven).log_likelihood(np.zeros((2, 1, 1)))).any()


MORE = {
    "current noise": {"current_noise": 6.0, "current_noise_tau": 5.0},
    "electrode": {"R_s": 0.01},
    "mechanism": {"sag": 0.4, "sag_tau": 50.0},
}


@pytest.mark.parametrize("entries", MORE.values(), ids=MORE.keys())
def test_a_neuron_with_more_to_it_is_no_regression(entries):
    prior = Prior(dict(NEURON) | STANDARD)
    assert regression_is_exact(prior)
    assert not regression_is_exact(Prior(prior.root | entries))


@pytest.mark.parametrize("bound", [-30.0, -3.0, 0.0, 3.0, 7.0])
def test_numbers_above_a_bound_are_the_truncated_prior(bound):
    u = np.linspace(-5.0, 5.0, 41)
    z = np.asarray(above(jnp.full(41, bound), jnp.asarray(u)))
    assert (z > bound).all()
    assert (np.diff(z) > 0).all()
    # The share of the truncated prior above z is that of the standard normal above u.
    share = special.log_ndtr(-z) - special.log_ndtr(-bound)
    np.testing.assert_allclose(-special.ndtri_exp(share), u, atol=1e-6)


def test_standard_normal_numbers_become_draws_of_the_truncated_prior():
    bound = np.array([-np.inf, 0.5])
    u = np.random.default_rng(1).standard_normal((5000, 2))
    z = np.asarray(jax.vmap(partial(above, jnp.asarray(bound)))(jnp.asarray(u)))
    np.testing.assert_array_equal(z[:, 0], u[:, 0])
    assert scipy.stats.kstest(z[:, 1], scipy.stats.truncnorm(0.5, np.inf).cdf).pvalue > 1e-3
    assert scipy.stats.kstest(z[:, 1], scipy.stats.truncnorm(0.45, np.inf).cdf).pvalue < 1e-3


def test_mass_above_bounds_is_that_of_the_prior():
    bound = np.array([[-np.inf, 0.5], [-np.inf, -np.inf], [1.0, 7.0]])
    expected = [scipy.stats.norm.logsf(0.5), 0.0, scipy.stats.norm.logsf(1.0) + scipy.stats.norm.logsf(7.0)]
    np.testing.assert_allclose(log_mass_above(bound), expected, rtol=1e-12)
    share = (np.random.default_rng(1).standard_normal(100_000) > 0.5).mean()
    assert share == pytest.approx(np.exp(expected[0]), abs=4 * np.sqrt(0.31 * 0.69 / 100_000))
