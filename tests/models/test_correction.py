import numpy as np
import pytest
import scipy.stats

import leakyflow as lf
from leakyflow.likelihood.gauss_newton import scored_modes
from leakyflow.likelihood.importance import LARGEST_K_HAT
from leakyflow.likelihood.log_likelihood import log_likelihood
from leakyflow.likelihood.normal import LOG_SQRT_2PI
from leakyflow.likelihood.populations import Populations
from leakyflow.likelihood.prepare import prepare
from leakyflow.likelihood.reference import ENOUGH
from leakyflow.likelihood.scanned import Scanned
from leakyflow.models import correction
from leakyflow.models.correction import (
    DEFENSIVE_SHARE,
    DEFENSIVE_SPREAD,
    _of_populations,
    as_amortized,
    checked,
    corrected,
    defensive,
    efficiency,
    importance_weights,
    n_amortized,
    resample,
)
from leakyflow.recordings.batch import Batch
from leakyflow.seeds import stream
from leakyflow.simulator.distributions import LogNormal, Normal, Uniform
from leakyflow.simulator.prior import Prior, ReadOff
from leakyflow.simulator.simulate import simulate
from leakyflow.simulator.stimuli import square
from tests.cases import NEURON, recorded
from tests.likelihood.exact import LINEAR, V_REST, Posterior, agree, linear_posterior, quadrature, shrunk, silent

# As many as make the sampler's populations those of its own tests, so that they are compiled once.
N_DRAWS = 2400


@pytest.mark.parametrize(("n_draws", "n"), [(1, 1000), (250, 1000), (251, 1004), (1000, 4000)])
def test_there_are_four_amortized_draws_for_each_and_never_few(n_draws, n):
    assert n_amortized(n_draws) == n


# --- defensive draws


@pytest.fixture(scope="module")
def latent() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Noise, latent draws of three parameters, and the log of their density over the standard normal's."""
    noise = np.random.default_rng(1).standard_normal((2, 50_000, 3))
    return noise, *defensive(noise)


def test_the_last_of_the_latent_draws_are_spread(latent):
    noise, z, _ = latent
    n = round((1 - DEFENSIVE_SHARE) * z.shape[1])
    np.testing.assert_array_equal(z[:, :n], noise[:, :n])
    np.testing.assert_array_equal(z[:, n:], DEFENSIVE_SPREAD * noise[:, n:])


def test_the_ratio_is_that_of_the_mixture_to_the_standard_normal(latent):
    _, z, log_ratio = latent
    narrow, wide = (scipy.stats.norm.logpdf(z, scale=scale).sum(-1) for scale in (1.0, DEFENSIVE_SPREAD))
    expected = np.logaddexp(np.log(1 - DEFENSIVE_SHARE) + narrow, np.log(DEFENSIVE_SHARE) + wide) - narrow
    np.testing.assert_allclose(log_ratio, expected, atol=1e-12)


def test_draws_weighed_by_the_ratio_are_standard_normal(latent):
    _, z, log_ratio = latent
    weight = np.exp(-log_ratio[..., None])
    n = weight.size
    assert weight.mean() == pytest.approx(1.0, abs=4 * weight.std() / np.sqrt(n))
    square = z**2
    assert abs((weight * square).mean() - 1.0) < 4 * (weight * square).std() / np.sqrt(3 * n)
    assert abs(square.mean() - 1.0) > 4 * square.std() / np.sqrt(3 * n)  # without weights they are too wide


# --- importance weights


def test_equal_ratios_give_equal_weights():
    (weights,) = importance_weights(np.full((1, 400), 3.0))
    np.testing.assert_allclose(weights.weight, 1 / 400)
    assert weights.k_hat == 0.0
    assert weights.ess == pytest.approx(400.0)
    assert weights.log_evidence == pytest.approx(3.0)
    assert weights.reliable


# Log target density over that of a standard normal proposal.
RATIOS = {
    "narrower normal": (lambda x: scipy.stats.norm.logpdf(x, scale=0.7) - scipy.stats.norm.logpdf(x), True),
    "displaced normal": (lambda x: scipy.stats.norm.logpdf(x, loc=0.5) - scipy.stats.norm.logpdf(x), True),
    "wider Cauchy": (lambda x: scipy.stats.cauchy.logpdf(x, scale=10) - scipy.stats.norm.logpdf(x), False),
    "much wider normal": (lambda x: scipy.stats.norm.logpdf(x, scale=10.0) - scipy.stats.norm.logpdf(x), False),
    # Uniform numbers to the power of -0.9: a Pareto tail of shape 0.9.
    "Pareto": (lambda x: -0.9 * scipy.stats.norm.logcdf(x), False),
}


@pytest.mark.parametrize(("log_ratio", "reliable"), RATIOS.values(), ids=RATIOS.keys())
def test_heavy_tails_are_seen(log_ratio, reliable):
    found = importance_weights(log_ratio(np.random.default_rng(2).standard_normal((20, 4000))))
    assert all(weights.weight.sum() == pytest.approx(1.0) for weights in found)
    assert all(weights.reliable == (weights.k_hat <= 0.7 and weights.ess >= 100) for weights in found)
    # One estimate scatters by (1 + k) / sqrt(190): a single recording may be on the wrong side.
    assert (np.mean([weights.k_hat for weights in found]) < 0.65) == reliable
    assert np.mean([weights.reliable for weights in found]) == pytest.approx(float(reliable), abs=0.25)


def test_the_shape_of_a_pareto_tail_is_found():
    u = np.random.default_rng(1).random((8, 20_000))
    # Of the largest 3 sqrt(n) = 424 ratios: a standard error of (1 + k) / sqrt(424) each, and the fit's prior.
    for k in (0.2, 0.5, 0.9):
        k_hats = [weights.k_hat for weights in importance_weights(-k * np.log(u))]
        assert np.mean(k_hats) == pytest.approx(k, abs=4 * (1 + k) / np.sqrt(8 * 424) + 0.02)


def test_effective_sample_size_is_that_of_log_normal_weights():
    x = np.random.default_rng(1).standard_normal((1, 20_000))
    (weights,) = importance_weights(0.5 * x - 0.125)
    # exp(-s^2) for log weights of variance s^2; the mean of the squares has a relative error of 2 %.
    assert weights.ess == pytest.approx(20_000 * np.exp(-0.25), rel=0.08)
    assert efficiency(0.5 * x[0]) == pytest.approx(np.exp(-0.25), rel=0.08)


def test_efficiency_counts_impossible_draws_and_ignores_a_common_factor():
    assert efficiency(np.full(10, 700.0)) == pytest.approx(1.0)
    assert efficiency(np.array([-3.0, -3.0, -np.inf, -np.inf])) == pytest.approx(0.5)
    assert efficiency(np.log([1.0, 3.0])) == pytest.approx(16 / 10 / 2)
    assert efficiency(np.full(10, -np.inf)) == 0.0


def test_evidence_is_the_mean_ratio():
    """Of a normal prior and one normal measurement, 3 +- 0.5 of a number that is 0 +- 1."""
    proposal, joint = scipy.stats.norm(2.0, 0.7), scipy.stats.norm(0.0, 1.0)
    x = proposal.rvs(20_000, random_state=1)
    log_ratio = joint.logpdf(x) + scipy.stats.norm.logpdf(3.0, x, 0.5) - proposal.logpdf(x)
    (weights,) = importance_weights(log_ratio[None])
    error = np.exp(log_ratio - log_ratio.max()).std() / np.exp(log_ratio - log_ratio.max()).mean() / np.sqrt(x.size)
    expected = scipy.stats.norm.logpdf(3.0, 0.0, np.sqrt(1.25))
    assert weights.log_evidence == pytest.approx(expected, abs=4 * error)
    assert error < 0.02
    assert np.sum(weights.weight * x) == pytest.approx(3.0 / 1.25, abs=0.03)


def test_impossible_draws_weigh_nothing_and_lower_the_evidence():
    log_ratio = np.random.default_rng(1).normal(0.0, 0.1, (1, 1000))
    (all_possible,) = importance_weights(log_ratio[:, ::2])
    log_ratio[:, 1::2] = -np.inf
    (weights,) = importance_weights(log_ratio)
    np.testing.assert_array_equal(weights.weight[1::2], 0.0)
    np.testing.assert_allclose(weights.weight[::2], all_possible.weight)
    assert weights.log_evidence == pytest.approx(all_possible.log_evidence - np.log(2.0))
    assert weights.ess == pytest.approx(all_possible.ess)
    assert weights.reliable


@pytest.mark.parametrize("n_possible", [0, 1, 50])
def test_with_hardly_a_possible_draw_nothing_is_reliable(n_possible):
    log_ratio = np.full((1, 1000), -np.inf)
    log_ratio[0, :n_possible] = 0.0
    (weights,) = importance_weights(log_ratio)
    assert not weights.reliable
    assert weights.k_hat == np.inf
    assert weights.log_evidence == -np.inf
    assert weights.weight.sum() == pytest.approx(float(n_possible > 0))
    assert weights.ess == pytest.approx(n_possible)


@pytest.mark.parametrize(("n_possible", "reliable"), [(60, False), (99, False), (101, True)])
def test_few_effective_draws_are_not_reliable_however_light_their_tail(n_possible, reliable):
    log_ratio = np.full((1, 1000), -np.inf)
    log_ratio[0, :n_possible] = 0.0
    (weights,) = importance_weights(log_ratio)
    assert weights.k_hat == 0.0
    assert weights.ess == pytest.approx(n_possible)
    assert weights.reliable == reliable


# --- resampling


def test_each_draw_is_taken_as_often_as_its_weight_says_rounded_up_or_down():
    rng = np.random.default_rng(1)
    for n in (1, 7, 1000):
        weight = rng.dirichlet(np.full(300, 0.3))
        counts = np.bincount(resample(weight, n, rng), minlength=300)
        assert counts.sum() == n
        assert np.all(np.abs(counts - n * weight) < 1)


def test_a_draw_without_weight_is_never_taken():
    weight = np.zeros(100)
    weight[[3, 50]] = 0.5
    for seed in range(50):
        index = resample(weight, 10, np.random.default_rng(seed))
        assert sorted(index) == [3] * 5 + [50] * 5


def test_resampling_is_unbiased_and_in_random_order():
    rng = np.random.default_rng(1)
    weight = rng.dirichlet(np.ones(20))
    taken = np.stack([resample(weight, 5, rng) for _ in range(4000)])
    for column in taken.T:
        # Each place is a draw by itself: a multinomial one.
        observed = np.bincount(column, minlength=20)
        assert scipy.stats.chisquare(observed, 4000 * weight).pvalue > 1e-4
        assert scipy.stats.chisquare(observed, np.full(20, 200.0)).pvalue < 1e-4


def test_the_same_random_numbers_give_the_same_draws():
    weight = np.random.default_rng(1).dirichlet(np.ones(100))
    one, again, other = (resample(weight, 50, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


# --- corrected draws


def proposed(shift: float, *, width: float = 1.0, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Draws from a normal distribution this many posterior SDs beside the posterior, as scores, and log densities."""
    exact = linear_posterior(silent())
    mean, sd = (exact.mean + shift * exact.sd - V_REST.mean) / V_REST.sd, width * exact.sd / V_REST.sd
    z = scipy.stats.norm.rvs(mean, sd, (1, n_amortized(N_DRAWS), 1), random_state=seed)
    return z, scipy.stats.norm.logpdf(z[..., 0], mean, sd)


def correct(
    z: np.ndarray,
    log_q: np.ndarray,
    log_spread: np.ndarray | None = None,
    *,
    prior: Prior = LINEAR,
    seed: int = 0,
) -> tuple[np.ndarray, dict]:
    seeds = [np.random.SeedSequence(seed)]
    log_spread = np.zeros_like(log_q) if log_spread is None else log_spread
    out, (row,) = corrected(prepare(silent(), prior), z, log_q, log_spread, n_draws=N_DRAWS, seeds=seeds)
    assert row.keys() == as_amortized("").keys()
    assert out.shape == (1, N_DRAWS, 1)
    return V_REST.mean + V_REST.sd * out[0, :, 0], row


@pytest.fixture(scope="module")
def displaced_by_one() -> tuple[np.ndarray, dict]:
    return correct(*proposed(1.0))


def test_displaced_draws_are_corrected_by_their_weights(displaced_by_one):
    exact, (values, row) = linear_posterior(silent()), displaced_by_one
    assert row["method"] == "importance"
    assert row["reliable"]
    assert row["k_hat"] < 0.7
    assert agree(values, exact, ess=row["ess"])
    # The ratio's logarithm is linear in x: its variance is the squared shift.
    assert row["efficiency"] == pytest.approx(np.exp(-1.0), rel=0.15)
    assert row["ess"] == N_DRAWS  # a third of the amortized draws is more
    raw = V_REST.mean + V_REST.sd * proposed(1.0)[0][0, :N_DRAWS, 0]
    assert not agree(raw, exact, ess=N_DRAWS)
    assert not agree(shrunk(values), exact, ess=row["ess"])


def test_evidence_of_corrected_draws_is_exact(displaced_by_one):
    # The mean of weights of efficiency e has a relative error of sqrt((1 / e - 1) / n).
    error = np.sqrt((np.e - 1) / n_amortized(N_DRAWS))
    assert displaced_by_one[1]["log_evidence"] == pytest.approx(linear_posterior(silent()).log_evidence, abs=4 * error)


def test_exact_draws_stay_as_good_as_they_are():
    values, row = correct(*proposed(0.0))
    assert row["method"] == "importance"
    assert row["k_hat"] < 0.1
    assert row["efficiency"] == pytest.approx(1.0, abs=1e-6)
    assert row["log_evidence"] == pytest.approx(linear_posterior(silent()).log_evidence, abs=1e-6)
    assert agree(values, linear_posterior(silent()), ess=N_DRAWS)


@pytest.mark.parametrize(("shift", "width"), [(10.0, 1.0), (-10.0, 0.1), (0.0, 0.1)], ids=str)
def test_hopeless_draws_are_replaced_by_the_samplers(shift, width):
    exact = linear_posterior(silent())
    values, row = correct(*proposed(shift, width=width))
    assert row["method"] == "SMC"
    assert row["reliable"]
    assert row["k_hat"] > 0.7
    assert row["r_hat"] < 1.05
    assert "missed the posterior" in row["note"]
    assert agree(values, exact, ess=min(row["ess"], N_DRAWS))
    # From the mean of four populations whose scatter is about 0.05 each.
    assert row["log_evidence"] == pytest.approx(exact.log_evidence, abs=0.3)
    assert not agree(V_REST.mean + V_REST.sd * proposed(shift, width=width)[0][0, :, 0], exact, ess=N_DRAWS)


def test_a_defensive_share_is_no_part_of_the_networks_efficiency():
    """Draws from a Gaussian network that is exact: its own weigh the same, those spread wider less."""
    exact = linear_posterior(silent())
    latent, log_spread = defensive(np.random.default_rng(1).standard_normal((1, n_amortized(N_DRAWS), 1)))
    mean, sd = (exact.mean - V_REST.mean) / V_REST.sd, exact.sd / V_REST.sd
    z = mean + sd * latent
    values, row = correct(z, scipy.stats.norm.logpdf(z[..., 0], mean, sd), log_spread)
    assert row["method"] == "importance"
    assert row["efficiency"] == pytest.approx(1.0, abs=1e-6)
    assert agree(values, exact, ess=N_DRAWS)
    assert row["log_evidence"] == pytest.approx(exact.log_evidence, abs=4 / np.sqrt(z.size))
    # The draws themselves are too wide, by the share that was spread.
    assert not agree(V_REST.mean + V_REST.sd * z[0, :, 0], exact, ess=N_DRAWS)


def test_draws_that_are_not_finite_weigh_nothing():
    exact, (z, log_q) = linear_posterior(silent()), proposed(0.5)
    z[0, ::7, 0], z[0, 1::7, 0] = np.nan, np.inf
    log_q[0, 2::7], log_q[0, 3::7] = np.nan, np.inf
    values, row = correct(z, log_q)
    assert row["method"] == "importance"
    assert agree(values, exact, ess=row["ess"])


def test_without_a_finite_draw_the_sampler_begins_at_the_prior():
    z, log_q = proposed(0.0)
    values, row = correct(np.full_like(z, np.nan), log_q)
    assert row["method"] == "SMC"
    assert row["efficiency"] == 0.0
    assert agree(values, linear_posterior(silent()), ess=min(row["ess"], N_DRAWS))


def test_a_draw_beyond_all_reason_does_not_keep_the_sampler_from_beginning():
    z, log_q = proposed(10.0)
    z[0, 7] = 1e10
    values, row = correct(z, log_q)
    assert row["method"] == "SMC"
    assert agree(values, linear_posterior(silent()), ess=min(row["ess"], N_DRAWS))


def test_the_same_seeds_give_the_same_corrected_draws(displaced_by_one):
    np.testing.assert_array_equal(correct(*proposed(1.0))[0], displaced_by_one[0])
    assert (correct(*proposed(1.0), seed=1)[0] != displaced_by_one[0]).any()


def test_each_recording_is_corrected_by_itself(displaced_by_one):
    (near, near_q), (exact, exact_q) = proposed(1.0), proposed(0.0)
    recordings = Batch.from_list([silent(), silent()])
    seeds = [np.random.SeedSequence(0), np.random.SeedSequence(5)]
    z, log_q = np.concatenate([near, exact]), np.concatenate([near_q, exact_q])
    out, rows = corrected(prepare(recordings, LINEAR), z, log_q, 0.0 * log_q, n_draws=N_DRAWS, seeds=seeds)
    np.testing.assert_allclose(V_REST.mean + V_REST.sd * out[0, :, 0], displaced_by_one[0], rtol=1e-12)
    assert [row["method"] for row in rows] == ["importance", "importance"]
    assert rows[1]["efficiency"] == pytest.approx(1.0, abs=1e-6)


def test_recordings_that_the_network_missed_are_finished_beside_the_others_each_in_its_place(displaced_by_one):
    """Four at once, whose likelihoods differ: the sampler's threads must not exchange them."""
    voltages = [silent(), silent(V_rest=-60.0), silent(), silent(V_rest=-75.0)]
    z, log_q = (np.concatenate(values) for values in zip(*[proposed(1.0), *[proposed(10.0)] * 3], strict=True))
    seeds = [np.random.SeedSequence(i) for i in range(4)]
    recordings = Batch.from_list(voltages)
    out, rows = corrected(prepare(recordings, LINEAR), z, log_q, 0.0 * log_q, n_draws=N_DRAWS, seeds=seeds)
    values = V_REST.mean + V_REST.sd * out[..., 0]
    np.testing.assert_allclose(values[0], displaced_by_one[0], rtol=1e-12)
    assert [row["method"] for row in rows] == ["importance", "SMC", "SMC", "SMC"]
    for recording, own, row in zip(voltages, values, rows, strict=True):
        assert agree(own, linear_posterior(recording), ess=min(row["ess"], N_DRAWS))
    assert not agree(values[1], linear_posterior(voltages[3]), ess=N_DRAWS)


def test_a_recording_that_no_neuron_of_the_prior_can_have_made_is_said_to_be_so():
    prior = Prior(dict(NEURON) | {"V_th": Uniform(low=-60.0, high=-45.0)})
    recordings = Batch.from_list([recorded(np.linspace(-70.0, -40.0, 500))])
    z = np.random.default_rng(1).standard_normal((1, 1000, 1))
    log_q = scipy.stats.norm.logpdf(z[..., 0])
    seeds = [np.random.SeedSequence(0)]
    out, (row,) = corrected(prepare(recordings, prior), z, log_q, 0.0 * log_q, n_draws=100, seeds=seeds)
    np.testing.assert_array_equal(out, z[:, :100])
    assert row["method"] == "amortized"
    assert row["reliable"] is False
    assert "no neuron within the prior" in row["note"]
    assert row["efficiency"] == 0.0


def impossible(z: np.ndarray) -> tuple[np.ndarray, dict]:
    """Correct draws for a recording that no neuron of the prior can have made: neither weights nor sampler help."""
    prior = Prior(dict(NEURON) | {"V_th": Uniform(low=-60.0, high=-45.0)})
    recordings = Batch.from_list([recorded(np.linspace(-70.0, -40.0, 500))])
    log_q = np.zeros(z.shape[:2])
    out, (row,) = corrected(prepare(recordings, prior), z, log_q, log_q, n_draws=100, seeds=[np.random.SeedSequence(0)])
    return out, row


def test_where_all_fails_draws_that_are_not_finite_do_not_come_back_as_prior_medians():
    """Version 0.1.0 set them to score 0, which is the median."""
    z = np.random.default_rng(1).standard_normal((1, 1000, 1))
    z[0, ::2] = np.nan
    out, row = impossible(z)
    np.testing.assert_array_equal(out, z[:, 1:200:2])
    assert row["reliable"] is False
    assert "500 draws of the network are not finite" in row["note"]


def test_without_a_single_finite_draw_none_is_made_up():
    out, row = impossible(np.full((1, 1000, 1), np.inf))
    assert np.isnan(out).all()
    assert row["reliable"] is False


def test_few_finite_draws_are_taken_again_and_again():
    z = np.full((1, 1000, 1), np.nan)
    z[0, 5:8, 0] = [1.0, 2.0, 3.0]
    out, _ = impossible(z)
    np.testing.assert_array_equal(out[0, :7, 0], [1.0, 2.0, 3.0, 1.0, 2.0, 3.0, 1.0])


@pytest.mark.parametrize(("ess", "reliable"), [(99.0, False), (101.0, True)])
def test_the_samplers_draws_need_their_effective_number_too(ess, reliable):
    populations = Populations(np.zeros((4, 500, 1)), np.zeros(4), acceptance=0.3, r_hat=1.0, ess=ess)
    row = _of_populations(populations, n_bad=0)
    assert row["reliable"] is reliable
    assert ("did not settle" in row["note"]) is not reliable


# --- where the likelihood is a scan


SEEN = {"measurement_noise": 0.5}
BOTH_NOISES = Prior(LINEAR.root | SEEN)


@pytest.fixture(scope="module")
def scanned() -> Posterior:
    """The posterior behind a noisy electrode, by quadrature."""
    V_rest = V_REST.mean + V_REST.sd * np.linspace(-1.0, 1.0, 2001)
    log_joint = log_likelihood(NEURON.replace(**SEEN, V_th=0.0, V_rest=V_rest), silent()) + V_REST.log_prob(V_rest)
    return quadrature(V_rest, log_joint)


def test_draws_near_a_posterior_that_is_a_scan_are_corrected_by_their_weights(scanned):
    values, row = correct(*proposed(1.0, width=1.2), prior=BOTH_NOISES)
    assert row["method"] == "importance"
    assert row["reliable"]
    assert agree(values, scanned, ess=row["ess"])
    assert not agree(values + 0.25 * values.std(), scanned, ess=row["ess"])


def test_a_proposal_learns_from_draws_that_are_not_far_off_without_a_search(scanned, monkeypatch):
    monkeypatch.setattr(correction, "_searched", None)  # which would fail
    values, row = correct(*proposed(2.0, width=0.4), prior=BOTH_NOISES)
    assert LARGEST_K_HAT < row["k_hat"] <= correction.NEAR  # of the network's draws
    assert (row["method"], row["reliable"]) == ("importance", True)
    assert agree(values, scanned, ess=row["ess"])
    assert not agree(values + 0.25 * values.std(), scanned, ess=row["ess"])
    assert row["log_evidence"] == pytest.approx(scanned.log_evidence, abs=0.3)


def test_where_trusted_weights_leave_few_draws_a_proposal_learns_from_them(scanned):
    z, log_q = proposed(0.0, width=80.0)
    (weights,) = importance_weights(prepare(silent(), BOTH_NOISES).log_joint(z) - log_q)
    assert weights.reliable
    assert weights.ess < ENOUGH
    values, row = correct(z, log_q, prior=BOTH_NOISES)
    assert row["ess"] >= ENOUGH
    assert agree(values, scanned, ess=row["ess"])


def test_hopeless_draws_of_a_scan_are_replaced_by_those_of_a_search(scanned):
    z, log_q = proposed(10.0, width=0.1)
    values, row = correct(z, log_q, prior=BOTH_NOISES)
    assert row["method"] == "search"
    assert row["reliable"]
    assert row["k_hat"] > 0.7  # of the network's draws, as with the sampler
    assert "missed the posterior" in row["note"]
    assert agree(values, scanned, ess=min(row["ess"], N_DRAWS))
    assert row["log_evidence"] == pytest.approx(scanned.log_evidence, abs=0.3)
    assert not agree(V_REST.mean + V_REST.sd * z[0, :, 0], scanned, ess=N_DRAWS)


NOISY = Prior(
    {
        "tau": LogNormal(median=20.0, sigma=0.6),
        "V_rest": Normal(mean=-68.0, sd=6.0),
        "C": LogNormal(median=100.0, sigma=0.6),
        "V_th": -45.0,
        "V_reset": -58.0,
        "t_ref": 3.0,
        "current_noise": ReadOff(LogNormal(median=6.0, sigma=0.4)),
        "current_noise_tau": 5.0,
    }
)


@pytest.fixture(scope="module")
def read_off_target() -> Scanned:
    """Two recordings whose noise is read off the rest."""
    stimulus = square(amplitude=60.0, onset=60.0, duration=100.0, t_max=180.0, dt=0.2)
    return Scanned.of(simulate(NOISY.sample(2, seed=3), stimulus, seed=4), NOISY)


def laplace_draws(target: Scanned, shift: float) -> tuple[np.ndarray, np.ndarray]:
    """Draws of a normal approximation, a little too wide and moved by so many SDs, and their log densities."""
    modes, rng = scored_modes(target), np.random.default_rng(1)
    root = 1.3 * np.linalg.cholesky(modes.covariance)
    latent = rng.standard_normal((2, 500, target.prior.n_inferred))
    z = modes.centre[:, None] + np.einsum("nij,ndj->ndi", root, latent + shift)
    log_q = -0.5 * (latent**2).sum(-1) - np.linalg.slogdet(root)[1][:, None] - latent.shape[-1] * LOG_SQRT_2PI
    return z, log_q


def test_where_noises_are_read_off_the_networks_draws_are_checked_and_left_as_they_are(read_off_target):
    z, log_q = laplace_draws(read_off_target, 0.0)
    out, rows = checked(read_off_target, z, log_q, seeds=[stream(0, "correction", i) for i in range(2)])
    np.testing.assert_array_equal(out, z)
    assert all(row["method"] == "amortized" and row["reliable"] and row["k_hat"] < 0.7 for row in rows)


def test_a_quarter_of_the_draws_tells_as_much_and_the_others_are_asked_where_it_does_not(read_off_target, monkeypatch):
    z, log_q = laplace_draws(read_off_target, 0.0)
    seeds = [stream(0, "correction", i) for i in range(2)]
    _, few = checked(read_off_target, np.tile(z, (1, 2, 1)), np.tile(log_q, (1, 2)), seeds=seeds)
    monkeypatch.setattr(correction, "CLEAR", 1.1)  # no share is
    _, rows = checked(read_off_target, np.tile(z, (1, 2, 1)), np.tile(log_q, (1, 2)), seeds=seeds)
    for one, other in zip(few, rows, strict=True):
        assert one["efficiency"] != other["efficiency"]
        assert one["efficiency"] == pytest.approx(other["efficiency"], rel=0.3)
        # Of 250 draws at this efficiency the mean weight is known to about a tenth.
        assert one["log_evidence"] == pytest.approx(other["log_evidence"], abs=0.5)


def test_where_the_network_missed_a_search_finds_the_posterior(read_off_target):
    z, log_q = laplace_draws(read_off_target, 12.0)
    out, rows = checked(read_off_target, z, log_q, seeds=[stream(0, "correction", i) for i in range(2)])
    modes = scored_modes(read_off_target)
    sd = np.sqrt(np.einsum("nii->ni", modes.covariance))
    assert (np.abs(z.mean(1) - modes.centre) > 5.0 * sd).any(1).all()
    assert (np.abs(out.mean(1) - modes.centre) < sd).all()
    assert all(row["method"] == "search" and row["reliable"] and row["k_hat"] > 0.7 for row in rows)


@pytest.mark.slow
def test_draws_that_all_lie_in_a_lesser_mode_are_searched_anew(monkeypatch):
    """One of 50 simulated cells, whose best mode is 460 nats above that of the network's draws."""
    posterior = lf.load_posterior("cell")
    *_, cell = lf.make_dataset(posterior.network, 27, seed=6_000_000).recordings().cells()
    found = posterior.sample(cell, n_draws=1000, seed=26).diagnostics.iloc[0]
    monkeypatch.setattr(correction, "is_elsewhere", lambda *_: False)
    lesser = posterior.sample(cell, n_draws=1000, seed=26).diagnostics.iloc[0]
    assert found.method == "search"
    assert found.reliable
    assert lesser.reliable
    assert found.log_evidence > lesser.log_evidence + 300.0
