from functools import partial

import numpy as np
import pytest
import scipy.stats

from leakyflow.likelihood.draws import Draws
from leakyflow.likelihood.log_likelihood import log_likelihood
from leakyflow.likelihood.populations import N_POPULATIONS, Populations
from leakyflow.likelihood.reference import reference_posterior
from leakyflow.simulator.distributions import Uniform
from leakyflow.simulator.prior import Prior
from tests.cases import NEURON, PRIORS, STANDARD, recorded, simulated, simulator, stimulated
from tests.likelihood.exact import LINEAR, agree, displaced, linear_posterior, quadrature, shrunk, silent

# Each prior takes seconds to compile, and so does each power of two of spikes.
THRESHOLD = Prior(dict(NEURON) | {"V_th": STANDARD["V_th"]})
TWO = Prior(dict(NEURON) | {"V_rest": STANDARD["V_rest"], "C": STANDARD["C"]})
SEEN = {"membrane_noise": 0.0, "measurement_noise": 0.5}
# Of the mean of four populations, by their own scatter: beyond it lies a thousandth of a t distribution with three
# degrees of freedom.
STANDARD_ERRORS = 13
COLUMNS = ["method", "reliable", "ess", "r_hat", "acceptance", "log_evidence", "log_evidence_error"]
drawn = partial(reference_posterior, n_draws=2000)


def diagnosed(draws: Draws, name: str) -> float:
    return float(draws.diagnostics[name].iloc[0])


def evidence_is(draws: Draws, log_evidence: float) -> bool:
    error = diagnosed(draws, "log_evidence_error")
    # Of 2000 particles or more, through some ten temperatures at which half of them remain.
    return error < 0.15 and abs(diagnosed(draws, "log_evidence") - log_evidence) < STANDARD_ERRORS * error


@pytest.fixture(scope="module")
def linear() -> Draws:
    """More draws than there usually are particles, and no multiple of the populations."""
    return reference_posterior(silent(), LINEAR, n_draws=2399)


def test_draws_of_a_linear_regression_are_those_of_its_conjugate_posterior(linear):
    exact, values, ess = linear_posterior(silent()), linear["V_rest"], diagnosed(linear, "ess")
    assert exact.sd < 0.5
    assert agree(values, exact, ess=ess)
    assert not agree(displaced(values), exact, ess=ess)
    assert not agree(shrunk(values), exact, ess=ess)


def test_evidence_of_a_linear_regression_is_that_of_its_conjugate_posterior(linear):
    log_evidence = linear_posterior(silent()).log_evidence
    assert evidence_is(linear, log_evidence)
    assert not evidence_is(linear, log_evidence + 2.0)


def test_diagnostics_say_how_the_draws_were_made(linear):
    assert list(linear.diagnostics.columns) == COLUMNS
    assert len(linear.diagnostics) == 1
    row = linear.diagnostics.iloc[0]
    assert row["method"] == linear.source == "exact"
    assert row["reliable"]
    assert 1000 < row["ess"] <= 3000
    assert row["r_hat"] < 1.02
    assert 0.2 < row["acceptance"] < 0.8


def test_there_are_as_many_draws_as_asked_for(linear):
    assert linear.array.shape == (2399, 1)
    assert len(np.unique(linear.array)) > 2000


def test_the_same_seed_gives_the_same_draws_and_another_agrees(linear):
    again, other = (reference_posterior(silent(), LINEAR, n_draws=2398, seed=seed) for seed in (0, 1))
    np.testing.assert_array_equal(again.array, linear.array[:2398])
    assert (other.array != linear.array[:2398]).any()
    assert agree(other["V_rest"], linear_posterior(silent()), ess=diagnosed(other, "ess"))


def test_a_silent_recording_leaves_the_threshold_its_truncated_prior():
    recording = stimulated(100.0, t_max=100.0)
    assert not recording.spikes.any()
    bound = (float(recording.V[1:][recording.free[1:]].max()) + 45.0) / 6.0
    assert abs(bound) < 2
    draws = drawn(recording, THRESHOLD)
    # The particles are correlated: as many of them as are worth a draw of their own.
    values = draws["V_th"][:: int(np.ceil(2000 / diagnosed(draws, "ess")))]

    def p_value(bound: float) -> float:
        return scipy.stats.kstest(values, scipy.stats.truncnorm(bound, np.inf, -45.0, 6.0).cdf).pvalue

    assert values.min() > -45.0 + 6.0 * bound
    assert p_value(bound) > 1e-3
    assert p_value(bound - 0.25) < 1e-3
    # All that the recording says of the threshold is that it lies above the bound.
    # With nothing to weigh, the evidence is exact.
    log_evidence = log_likelihood(NEURON.replace(V_th=0.0), recording) + scipy.stats.norm.logsf(bound)
    assert diagnosed(draws, "log_evidence") == pytest.approx(log_evidence, rel=1e-8)


def test_draws_of_a_hard_threshold_are_those_of_quadrature():
    recording = stimulated(160.0, t_max=100.0)
    assert recording.spikes.any()
    V_th = np.linspace(float(recording.V[recording.free].max()) + 1e-6, -40.0, 20_001)
    log_joint = log_likelihood(NEURON.replace(V_th=V_th), recording) + STANDARD["V_th"].log_prob(V_th)
    draws, exact = drawn(recording, THRESHOLD), quadrature(V_th, log_joint)
    ess = diagnosed(draws, "ess")
    assert agree(draws["V_th"], exact, ess=ess)
    assert not agree(displaced(draws["V_th"]), exact, ess=ess)
    assert not agree(shrunk(draws["V_th"]), exact, ess=ess)
    assert evidence_is(draws, exact.log_evidence)


@pytest.mark.slow
def test_draws_of_two_parameters_are_those_of_quadrature():
    recording = stimulated(160.0, t_max=100.0)
    draws = drawn(recording, TWO)
    # A grid over what is left of the prior: 10 SDs of the draws either way.
    grid = {name: draws[name].mean() + np.linspace(-10, 10, 201) * draws[name].std() for name in TWO.inferred}
    V_rest, C = np.meshgrid(grid["V_rest"], grid["C"], indexing="ij")
    log_prior = STANDARD["V_rest"].log_prob(V_rest) + STANDARD["C"].log_prob(C)
    log_joint = log_likelihood(NEURON.replace(V_rest=V_rest, C=C), recording) + log_prior
    steps = [np.log(values[1] - values[0]) for values in (grid["C"], grid["V_rest"])]
    ess = diagnosed(draws, "ess")
    for axis, name in enumerate(TWO.inferred):
        marginal = np.logaddexp.reduce(log_joint, axis=1 - axis) + steps[axis]
        exact = quadrature(grid[name], marginal)
        assert agree(draws[name], exact, ess=ess), name
        assert not agree(displaced(draws[name]), exact, ess=ess), name
        assert not agree(shrunk(draws[name]), exact, ess=ess), name
        assert evidence_is(draws, exact.log_evidence)


BEHIND = {
    # The hard threshold leaves an interval, and its ends cut the posterior off.
    "electrode": (SEEN, np.linspace(-72.2, -71.7, 2001)),
    "both noises": ({"measurement_noise": 0.5}, np.linspace(-80.0, -64.0, 2001)),
    "current noise": ({"current_noise": 6.0, "current_noise_tau": 5.0}, np.linspace(-80.0, -64.0, 2001)),
}


@pytest.mark.slow
@pytest.mark.parametrize(("noises", "V_rest"), BEHIND.values(), ids=BEHIND.keys())
def test_draws_where_the_likelihood_is_a_scan_are_those_of_quadrature(noises, V_rest):
    recording = stimulated(200.0, t_max=100.0, **noises)
    assert recording.spikes.any()
    density = log_likelihood(NEURON.replace(**noises, V_rest=V_rest), recording)
    assert np.isneginf(density).any() == (noises is SEEN)
    exact = quadrature(V_rest, density + STANDARD["V_rest"].log_prob(V_rest))
    draws = drawn(recording, Prior(dict(NEURON) | noises | {"V_rest": STANDARD["V_rest"]}))
    ess = diagnosed(draws, "ess")
    assert diagnosed(draws, "k_hat") < 0.7
    assert abs(NEURON.V_rest - draws["V_rest"].mean()) < 4 * draws["V_rest"].std()
    assert agree(draws["V_rest"], exact, ess=ess)
    assert not agree(displaced(draws["V_rest"]), exact, ess=ess)
    assert not agree(shrunk(draws["V_rest"]), exact, ess=ess)
    assert evidence_is(draws, exact.log_evidence)
    assert np.isfinite(log_likelihood(NEURON.replace(**noises, V_rest=draws["V_rest"]), recording)).all()


@pytest.fixture(scope="module")
def calibration() -> tuple[np.ndarray, np.ndarray]:
    """Truths and draws of 100 recordings, as prior scores."""
    theta, recordings = simulated(simulator(duration=(100.0, 120.0)), 100, seed=5)
    prior = PRIORS["standard"]
    draws = [reference_posterior(recording, prior, n_draws=2000, seed=i) for i, recording in enumerate(recordings)]
    # Every twentieth, so that hardly any two stem from the same particle.
    scores = [prior.to_unconstrained(prior.sample(1, 0).replace(**dict(draw))) for draw in draws]
    return prior.to_unconstrained(theta), np.stack(scores)[:, ::20]


def p_values(truth: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """That the ranks of each parameter are uniform, and that they are as far from the middle as uniform ones."""
    n, n_draws, _ = draws.shape
    ranks = (draws < truth[:, None]).sum(1) + np.random.default_rng(1).random(truth.shape)
    u = ranks / (n_draws + 1)
    uniform = [scipy.stats.kstest(column, "uniform").pvalue for column in u.T]
    # (u - 1/2)^2 has mean 1/12 and variance 1/80 - 1/144.
    excess = (((u - 0.5) ** 2).mean(0) - 1 / 12) / np.sqrt((1 / 80 - 1 / 144) / n)
    return np.stack([uniform, 2 * scipy.stats.norm.sf(np.abs(excess))])


def calibrated(truth: np.ndarray, draws: np.ndarray) -> bool:
    """Whether no parameter is found out; of exact draws one in a hundred sets of four parameters would be."""
    return bool(np.all(p_values(truth, draws) > 1e-3))


@pytest.mark.slow
def test_truths_rank_uniformly_among_the_draws(calibration):
    truth, draws = calibration
    assert calibrated(truth, draws)
    # Too narrow by 0.7, which shows in the spread of a hundred ranks as 4.5 standard errors for each parameter.
    mean, sd = draws.mean(1, keepdims=True), draws.std(1, keepdims=True)
    assert not calibrated(truth, mean + 0.7 * (draws - mean))
    assert not calibrated(truth, draws + 0.5 * sd)


IMPOSSIBLE = recorded(np.linspace(-70.0, -40.0, 500))
NOWHERE = recorded(np.full(500, -72.0), spikes=(100, 200, 300, 400), n_ref=15)  # spikes out of nothing


@pytest.mark.parametrize(
    ("recording", "entries", "match"),
    [
        (IMPOSSIBLE, {"V_th": Uniform(low=-60.0, high=-45.0)}, r"up to -40 mV, which exclude every threshold.*widen"),
        (IMPOSSIBLE, {"V_rest": STANDARD["V_rest"]}, r"No neuron within the prior"),
        (NOWHERE, {"V_rest": STANDARD["V_rest"]} | SEEN, "its likelihood is 0 everywhere"),
        (silent(), {"V_rest": STANDARD["V_rest"], "membrane_noise": 0.0}, r"likelihood needs some noise.*Give one"),
    ],
    ids=["threshold prior", "threshold known", "impossible spikes", "no noise"],
)
def test_each_error_says_what_to_do(recording, entries, match):
    with pytest.raises(ValueError, match=match):
        reference_posterior(recording, Prior(dict(NEURON) | entries))


def test_populations_that_did_not_arrive_are_not_reliable():
    agreeing = Populations(np.zeros((N_POPULATIONS, 5, 1)), np.zeros(N_POPULATIONS), acceptance=0.3, r_hat=1.0, ess=9.0)
    assert agreeing.reliable
    assert not agreeing._replace(log_evidence=np.array([0.0, 0.0, -np.inf, 0.0])).reliable
    assert not agreeing._replace(r_hat=1.1).reliable
    assert not agreeing._replace(acceptance=0.01).reliable


def test_numbers_of_draws_and_seeds_are_checked():
    with pytest.raises(ValueError, match="`n_draws` must be positive"):
        reference_posterior(silent(), LINEAR, n_draws=0)
    with pytest.raises(ValueError, match="`seed` not negative, got 10 and -1"):
        reference_posterior(silent(), LINEAR, n_draws=10, seed=-1)
