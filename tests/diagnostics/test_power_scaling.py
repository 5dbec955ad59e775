import numpy as np
import pytest
import scipy.stats
import xarray as xr

from leakyflow.diagnostics.power_scaling import ALPHAS, cjs_distance, power_scaling, prior_sensitivity
from leakyflow.likelihood.draws import Draws, import_arviz
from leakyflow.likelihood.prepare import prepare
from leakyflow.recordings.batch import Batch
from leakyflow.simulator.distributions import Normal
from leakyflow.simulator.prior import Prior
from tests.cases import NEURON, stimulated

N_DRAWS = 4000


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


def exact_draws(prior: Prior, recordings: Batch) -> Draws:
    """The posteriors of one parameter, by quadrature: evenly spaced quantiles."""
    grid = np.linspace(-8.0, 8.0, 40001)
    (distribution,) = prior.distributions.values()
    target = prepare(recordings, prior)
    log_joint = target.log_joint(np.tile(grid[:, None], (len(recordings), 1, 1)))
    density = np.exp(log_joint - log_joint.max(axis=1, keepdims=True))
    levels = (np.arange(N_DRAWS) + 0.5) / N_DRAWS
    z = np.stack([np.interp(levels, np.cumsum(row) / row.sum(), grid) for row in density])
    # Between two points of the grid a quantile may fall below a hard bound.
    z = np.maximum(z, grid[np.argmax(density > 0, axis=1)][:, None])
    return Draws(prior.inferred, np.asarray(distribution.from_unconstrained(z))[..., None], recordings.names)


def known_but(**entries: Normal) -> Prior:
    return Prior(dict(NEURON) | entries)


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
    recordings = Batch.from_list([stimulated(**{"amplitude": 120.0, "seed": 3} | changes)])
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
