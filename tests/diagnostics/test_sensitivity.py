from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
import xarray as xr

from leakyflow.diagnostics.sensitivity import (
    ALPHAS,
    OTHER_STIMULI,
    cjs_distance,
    coarser,
    dt_sensitivity,
    power_scaling,
    prior_sensitivity,
    stimulus_sensitivity,
)
from leakyflow.recordings.recording import Recordings
from leakyflow.reference.draws import Draws, import_arviz
from leakyflow.reference.target import target_of
from leakyflow.simulator.distributions import Normal
from leakyflow.simulator.lif import simulate
from leakyflow.simulator.prior import Prior
from leakyflow.simulator.stimuli import square
from tests.cases import NEURON, stimulated
from tests.diagnostics.distorted import Distorted

N_DRAWS = 4000

# --- to the prior


def conjugate(measured: float, noise: float):
    """Posterior draws of a standard normal parameter measured once, log prior, log likelihood, and all that is exact.

    A power alpha of the prior makes its precision alpha, one of the likelihood that of the measurement.
    """

    def posterior(prior: float = 1.0, likelihood: float = 1.0):
        precision = prior + likelihood / noise**2
        return scipy.stats.norm(likelihood * measured / noise**2 / precision, precision**-0.5)

    # Quantiles instead of draws: no sampling error.
    z = posterior().ppf((np.arange(N_DRAWS) + 0.5) / N_DRAWS)[:, None]
    return z, -0.5 * z**2, -0.5 * ((measured - z[:, 0]) / noise) ** 2, posterior


def exact_distance(p, q, low: float, high: float) -> float:
    """Cumulative Jensen-Shannon distance between two distributions within a range, by quadrature."""
    x = np.linspace(low, high, 20001)

    def distance(a: np.ndarray, b: np.ndarray) -> float:
        m = (a + b) / 2
        divergence = np.trapezoid(a * np.log2(a / m) + b * np.log2(b / m), x)
        return float(np.sqrt(divergence / np.trapezoid(a + b, x)))

    return max(distance(p.cdf(x), q.cdf(x)), distance(p.sf(x), q.sf(x)))


@pytest.mark.parametrize(
    ("measured", "noise", "diagnosis"),
    [
        (0.5, 0.1, "none"),
        (4.0, 0.5, "prior-data conflict"),
        (0.5, 30.0, "weak likelihood"),
    ],
)
def test_sensitivities_of_a_conjugate_model_are_the_exact_ones(measured, noise, diagnosis):
    z, log_prior, log_likelihood, posterior = conjugate(measured, noise)
    row = power_scaling(z, log_prior, log_likelihood, names=("V_rest",)).loc["V_rest"]
    ends = z.min(), z.max()
    for component in ("prior", "likelihood"):
        distances = [exact_distance(posterior(), posterior(**{component: alpha}), *ends) for alpha in ALPHAS]
        # Beyond the outermost of 4000 quantiles lies 1e-4 of the posterior, and the weights there are smoothed.
        assert row[component] == pytest.approx(np.mean(distances) / np.log2(1.25), abs=0.005)
    assert row.own_prior == pytest.approx(row.prior)
    assert row.diagnosis == diagnosis


def test_a_parameter_that_no_component_speaks_of_is_insensitive():
    rng = np.random.default_rng(1)
    values = rng.standard_normal((N_DRAWS, 2))
    log_prior = np.column_stack([-0.5 * values[:, 0] ** 2, np.zeros(N_DRAWS)])
    table = power_scaling(values, log_prior, -0.5 * values[:, 0] ** 2, names=("V_rest", "V_th"))
    assert table.loc["V_rest", "diagnosis"] == "prior-data conflict"
    assert table.loc["V_th", "own_prior"] == 0.0
    # The weights have nothing to do with these draws but for chance.
    assert (table.loc["V_th", ["prior", "likelihood"]] < 0.03).all()
    assert table.loc["V_th", "diagnosis"] == "none"


def test_arviz_computes_the_same_of_one_component():
    az = import_arviz()
    rng = np.random.default_rng(2)
    values = rng.standard_normal((N_DRAWS, 2)) @ np.array([[1.0, 0.5], [0.0, 1.0]])
    log_prior, log_likelihood = -0.5 * (values - 0.7) ** 2, -(values**2).sum(1)
    data = az.from_dict(
        posterior={"V_rest": values[None, :, 0], "V_th": values[None, :, 1]},
        log_likelihood={"V": log_likelihood[None, :, None]},
    )
    columns = {name: (("chain", "draw"), log_prior[None, :, i]) for i, name in enumerate(("V_rest", "V_th"))}
    data.add_groups(log_prior=xr.Dataset(columns))
    table = power_scaling(values, log_prior, log_likelihood, names=("V_rest", "V_th"))
    settings = {"prior": {"component": "prior"}, "likelihood": {"component": "likelihood"}}
    settings["own_prior"] = {"component": "prior", "component_var_names": ["V_th"]}
    for column, chosen in settings.items():
        expected = az.psens(data, delta=ALPHAS[1] - 1.0, **chosen)
        assert table.loc["V_th", column] == pytest.approx(float(expected["V_th"]), rel=1e-6)


def test_distance_is_0_between_equals_and_grows_with_the_shift():
    x = np.sort(np.random.default_rng(3).standard_normal(N_DRAWS))
    distances = [cjs_distance(x, np.exp(shift * x)) for shift in (0.0, 0.2, 1.0)]
    assert distances[0] < 1e-6
    assert 10 * distances[0] < distances[1] < distances[2] < 1.0
    # Mirrored draws are as far apart.
    assert cjs_distance(-x, np.exp(0.2 * x)) == pytest.approx(distances[1])
    assert cjs_distance(np.zeros(10), np.arange(10.0)) == 0.0


def test_weights_that_cannot_be_trusted_leave_the_diagnosis_open():
    # A Cauchy likelihood's power, of a prior far from it: weights of a heavy tail.
    x = np.random.default_rng(4).standard_cauchy(N_DRAWS)[:, None]
    table = power_scaling(x, np.log1p(x**2) * 6.0, np.zeros(N_DRAWS), names=("V_rest",))
    assert table.k_hat["V_rest"] > 0.7
    assert table.diagnosis["V_rest"] == "unknown"


def exact_draws(prior: Prior, recordings: Recordings) -> Draws:
    """The posteriors of one parameter, by quadrature: evenly spaced quantiles."""
    grid = np.linspace(-8.0, 8.0, 40001)
    (distribution,) = prior.distributions.values()
    target = target_of(recordings, prior)
    log_joint = target.log_joint(np.tile(grid[:, None], (len(recordings), 1, 1)))
    density = np.exp(log_joint - log_joint.max(axis=1, keepdims=True))
    levels = (np.arange(N_DRAWS) + 0.5) / N_DRAWS
    z = np.stack([np.interp(levels, np.cumsum(row) / row.sum(), grid) for row in density])
    # Between two points of the grid a quantile may fall below a hard bound.
    z = np.maximum(z, grid[np.argmax(density > 0, axis=1)][:, None])
    return Draws(prior.inferred, np.asarray(distribution.from_unconstrained(z))[..., None], recordings.names)


def known_but(**entries: Normal) -> Prior:
    return Prior(NEURON._asdict() | entries)


CASES = {
    "none": (known_but(V_rest=Normal(mean=-72.0, sd=6.0)), {}),
    # The neuron rests at -72 mV.
    "prior-data conflict": (known_but(V_rest=Normal(mean=-75.0, sd=0.5)), {}),
    # A silent neuron: a bound, and a flat likelihood above it.
    "weak likelihood": (known_but(V_th=Normal(mean=-45.0, sd=6.0)), {"amplitude": 20.0}),
}


@pytest.mark.parametrize("diagnosis", CASES)
def test_a_neuron_is_diagnosed(diagnosis):
    prior, changes = CASES[diagnosis]
    recordings = Recordings.from_list([stimulated(**{"amplitude": 120.0, "seed": 3} | changes)])
    draws = exact_draws(prior, recordings)
    table = prior_sensitivity(draws, recordings, prior)
    assert list(table.diagnosis) == [diagnosis]
    one = Draws(draws.names, draws.array[0])
    assert prior_sensitivity(one, recordings[0], prior).index.to_list() == list(prior.inferred)


def test_draws_that_are_impossible_or_of_something_else_are_refused():
    prior, _ = CASES["weak likelihood"]
    recording = stimulated(20.0)
    with pytest.raises(ValueError, match="4000 of 4000 cannot"):
        prior_sensitivity(Draws(("V_th",), np.full((4000, 1), -80.0)), recording, prior)
    with pytest.raises(ValueError, match="of 1 recordings, got V_rest of 1"):
        prior_sensitivity(Draws(("V_rest",), np.full((4000, 1), -80.0)), recording, prior)
    with pytest.raises(ValueError, match="got V_th of 2"):
        prior_sensitivity(Draws(("V_th",), np.zeros((2, 4, 1)), ("a", "b")), recording, prior)


# --- to stimuli and to the sampling interval


@pytest.fixture(scope="module")
def tried(tiny_run):
    return stimulus_sensitivity(tiny_run.posterior, {"ramp": OTHER_STIMULI["ramp"]}, n=24, n_draws=200, seed=3)


@pytest.mark.slow
def test_an_honest_network_is_honest_under_another_stimulus(tried):
    assert list(tried.recordings.condition.unique()) == ["training", "ramp"]
    corrected = tried.parameters.query("kind == 'corrected'")
    assert (corrected.verdict == "good").all()
    # A mean standardized error of 24 recordings.
    assert (corrected.bias.abs() < 4 / np.sqrt(24)).all()
    raw, exact = (tried.recordings.query(f"kind == '{kind}'").gain.to_numpy() for kind in ("raw", "corrected"))
    # Mean log densities of the truth: no network beats the exact posterior but by chance.
    assert (raw < exact + 0.3).all()
    assert (raw > exact - 1.0).all()


@pytest.mark.slow
def test_an_overconfident_network_is_seen_under_every_stimulus(tiny_run):
    narrow = Distorted(tiny_run.posterior, width=0.3)
    found = stimulus_sensitivity(narrow, {"ramp": OTHER_STIMULI["ramp"]}, n=24, n_draws=200, seed=3)
    assert (found.parameters.query("kind == 'raw'").verdict == "overconfident").all()


@pytest.mark.slow
def test_the_same_neurons_meet_each_stimulus(tried):
    sd = tried.parameters.groupby("parameter").prior_sd.nunique()
    assert (sd == 1).all()
    assert (tried.recordings.n == 24).all()


def spiking(dt: float, *, t_max: float = 200.0):
    stimulus = square(amplitude=300.0, onset=20.0, duration=t_max - 20.0, t_max=t_max, dt=dt)
    return simulate(NEURON._replace(tau=np.full(20, NEURON.tau)), stimulus, seed=4)


@pytest.mark.parametrize("filtered", [False, True])
def test_a_coarser_recording_keeps_spikes_charge_and_free_voltages(filtered):
    for fine in spiking(0.05):
        coarse = coarser(fine, 4, n_ref=15, filtered=filtered)
        assert (coarse.n_samples, coarse.dt) == (1000, 0.2)
        assert coarse.spikes.sum() == fine.spikes.sum() > 3
        late = np.flatnonzero(coarse.spikes) * 0.2 - np.flatnonzero(fine.spikes) * 0.05
        assert ((late > -1e-9) & (late < 0.2)).all()
        assert coarse.I.sum() * 0.2 == pytest.approx(fine.I.sum() * 0.05, rel=1e-6)
        free = coarse.free & fine.free[::4]
        error = coarse.V[free] - fine.V[::4][free]
        # The filter takes away less than the noise of a step.
        assert np.sqrt(np.mean(error**2)) < (NEURON.membrane_noise * np.sqrt(0.2) if filtered else 1e-12)
        assert filtered or (coarse.V[coarse.free] < NEURON.V_th).all()


def test_two_spikes_within_a_coarse_refractory_period_stay_two():
    fine = spiking(0.05)[0]
    spikes, refractory, V = np.zeros(4000, bool), np.zeros(4000, bool), fine.V.copy()
    # Released at sample 61 and again past the threshold at once, twice; and one that the end cuts off.
    for onset in (1, 62, 123, 3990):
        spikes[onset], refractory[onset + 1 : onset + 61], V[onset : onset + 80] = True, True, -60.0
    coarse = coarser(replace(fine, V=V, spikes=spikes, refractory=refractory), 4, n_ref=15, filtered=False)
    assert np.flatnonzero(coarse.spikes).tolist() == [1, 17, 33, 998]
    np.testing.assert_array_equal(coarse.V[coarse.refractory], np.float32(-60.0))


@pytest.mark.slow
def test_a_filtered_voltage_misleads_a_network_that_is_sure_of_the_noise(tiny_run):
    found = dt_sensitivity(tiny_run.posterior, n=24, n_draws=200, seed=4)
    names = ["dt = 0.2 ms", "0.05 ms, sampled", "0.05 ms, filtered"]
    assert list(found.recordings.condition.unique()) == names
    corrected = found.parameters.query("kind == 'corrected'").set_index(["condition", "parameter"])
    assert (corrected.verdict[names[0]] == "good").all()
    assert corrected.verdict[(names[2], "V_th")] == "overconfident"
    gain = found.recordings.query("kind == 'corrected'").gain.to_numpy()
    assert gain[2] < gain[1] - 1.0


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda posterior: stimulus_sensitivity(posterior, {}), "at least one stimulus prior.*got none"),
        (lambda posterior: stimulus_sensitivity(posterior, {"training": OTHER_STIMULI["ramp"]}), "got training"),
        (lambda posterior: dt_sensitivity(posterior, finer=1), "2 or more steps.*got 1"),
    ],
)
def test_each_error_says_what_to_do(call, match, tiny_run):
    with pytest.raises(ValueError, match=match):
        call(tiny_run.posterior)
