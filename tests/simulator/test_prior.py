import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from leakyflow.neuron.parameters import TABLE, Parameters
from leakyflow.simulator.distributions import LogNormal, Normal, TruncatedNormal, Uniform
from leakyflow.simulator.prior import Prior, ReadOff

STANDARD = {
    "tau": LogNormal(median=17.0, sigma=0.5),
    "V_rest": Normal(mean=-72.0, sd=6.0),
    "C": LogNormal(median=90.0, sigma=0.5),
    "V_th": Normal(mean=-45.0, sd=6.0),
    "membrane_noise": 0.3,
    "V_reset": -60.0,
    "reset_noise": 5.0,
    "t_ref": 3.0,
}
RECORDING = {
    **STANDARD,
    "threshold_noise": LogNormal(median=1.5, sigma=0.6),
    "membrane_noise": LogNormal(median=0.2, sigma=0.6),
    "V_reset": ReadOff(Normal(mean=-55.0, sd=8.0)),
    "t_ref": ReadOff(Uniform(low=2.0, high=6.0)),
}
PRIORS = {
    "standard": Prior(STANDARD),
    "recording": Prior(RECORDING),
    "one inferred": Prior({**STANDARD, "tau": 17.0, "V_rest": -72.0, "C": 90.0}),
    "bounded": Prior(
        {
            **STANDARD,
            "tau": Uniform(low=5.0, high=50.0),
            "V_th": TruncatedNormal(mean=-45.0, sd=6.0, low=-55.0, high=-30.0),
            "t_ref": Uniform(low=1.0, high=5.0),
        }
    ),
}


@pytest.fixture(params=PRIORS.values(), ids=PRIORS.keys())
def prior(request: pytest.FixtureRequest) -> Prior:
    return request.param


def read_off_values(prior: Prior, parameters: Parameters) -> dict:
    return {name: getattr(parameters, name) for name in prior.read_off}


def test_each_parameter_has_one_role(prior):
    assert sorted([*prior.inferred, *prior.read_off, *prior.known]) == sorted(prior.root)
    assert list(prior.inferred) == [name for name in TABLE if name in prior.inferred]
    assert prior.n_inferred == len(prior.inferred)
    assert tuple(prior.distributions) == prior.inferred


def test_roles_of_the_recording_prior():
    prior = PRIORS["recording"]
    assert prior.inferred == ("tau", "V_rest", "C", "V_th", "threshold_noise", "membrane_noise")
    assert prior.read_off == ("V_reset", "t_ref")
    assert prior.known == {"reset_noise": 5.0}


def test_a_draw_does_not_depend_on_how_many_follow(prior):
    few, many = prior.sample(10, seed=3), prior.sample(1000, seed=3)
    for name in prior.root:
        np.testing.assert_array_equal(getattr(few, name), getattr(many, name)[:10])


def test_seeds_differ():
    prior = PRIORS["standard"]
    assert np.all(prior.sample(10, seed=1).tau != prior.sample(10, seed=2).tau)


def test_another_prior_of_one_parameter_leaves_the_other_draws_alone():
    before = Prior(STANDARD).sample(100, seed=5)
    after = Prior({**STANDARD, "tau": 20.0, "t_ref": Uniform(low=1.0, high=2.0)}).sample(100, seed=5)
    for name in set(STANDARD) - {"tau", "t_ref"}:
        np.testing.assert_array_equal(getattr(before, name), getattr(after, name))


def test_draws_of_two_parameters_are_independent():
    n = 10_000
    z = PRIORS["standard"].to_unconstrained(PRIORS["standard"].sample(n, seed=7))
    correlation = np.corrcoef(z.T)[np.triu_indices(4, k=1)]
    assert np.abs(correlation).max() < 5 / np.sqrt(n)  # six normal correlations of SD 1 / sqrt(n)


def test_normal_scores_of_draws_are_standard_normal(prior):
    scores = prior.to_unconstrained(prior.sample(2000, seed=11))
    for z in scores.T:
        assert scipy.stats.kstest(z, "norm").pvalue > 1e-4


def test_known_parameters_are_repeated_and_those_read_off_drawn():
    parameters = PRIORS["recording"].sample(2000, seed=2)
    assert all(value.shape == (2000,) and value.dtype == np.float64 for value in parameters.values())
    np.testing.assert_array_equal(parameters.reset_noise, 5.0)
    assert scipy.stats.kstest(parameters.t_ref, scipy.stats.uniform(2.0, 4.0).cdf).pvalue > 1e-4


@pytest.mark.parametrize("xp", [np, jnp], ids=["numpy", "jax"])
def test_inverse_after_forward(prior, xp):
    parameters = jax.tree.map(lambda value: xp.asarray(value.reshape(5, 20)), prior.sample(100, seed=1))
    z = prior.to_unconstrained(parameters)
    assert z.shape == (5, 20, prior.n_inferred)
    again = prior.from_unconstrained(z, read_off=read_off_values(prior, parameters))
    assert list(again) == list(parameters)
    for name, value in again.items():
        assert isinstance(value, np.ndarray if xp is np else jax.Array)
        np.testing.assert_allclose(value, parameters[name], rtol=1e-12)


def test_log_det_equals_the_jacobian_of_the_map(prior):
    read_off = dict.fromkeys(prior.read_off, 3.0)

    def inferred(z: jax.Array) -> jax.Array:
        parameters = prior.from_unconstrained(z, read_off=read_off)
        return jnp.stack([getattr(parameters, name) for name in prior.inferred])

    scores = jnp.asarray(np.random.default_rng(1).standard_normal((20, prior.n_inferred)))
    truth = jax.vmap(lambda z: jnp.linalg.slogdet(jax.jacobian(inferred)(z))[1])(scores)
    np.testing.assert_allclose(jax.jit(prior.log_det_jacobian)(scores), truth, atol=1e-8)


def test_density_of_normal_scores_is_standard_normal(prior):
    parameters = prior.sample(100, seed=1)
    z = prior.to_unconstrained(parameters)
    density = prior.log_prob(parameters) + prior.log_det_jacobian(z)
    np.testing.assert_allclose(density, scipy.stats.norm.logpdf(z).sum(-1), atol=1e-10)


def test_log_prob_is_the_product_of_the_inferred_densities():
    parameters = PRIORS["standard"].sample(50, seed=1)
    truth = (
        scipy.stats.lognorm(0.5, scale=17.0).logpdf(parameters.tau)
        + scipy.stats.norm(-72.0, 6.0).logpdf(parameters.V_rest)
        + scipy.stats.lognorm(0.5, scale=90.0).logpdf(parameters.C)
        + scipy.stats.norm(-45.0, 6.0).logpdf(parameters.V_th)
    )
    np.testing.assert_allclose(PRIORS["standard"].log_prob(parameters), truth, rtol=1e-12)
    assert PRIORS["standard"].log_prob(parameters.replace(tau=-parameters.tau)).max() == -np.inf


def test_one_neuron_of_plain_numbers_will_do(prior):
    one = prior.sample(1, seed=1).map(lambda value: float(value[0]))
    z = prior.to_unconstrained(one)
    assert z.shape == (prior.n_inferred,)
    assert prior.log_prob(one).shape == prior.log_det_jacobian(z).shape == ()
    again = prior.from_unconstrained(z, read_off=read_off_values(prior, one))
    assert list(again) == list(one)
    np.testing.assert_allclose(list(again.values()), list(one.values()), rtol=1e-12)


def test_prior_survives_plain_tables_inside_a_configuration(prior):
    @dataclass(frozen=True)
    class Config:
        prior: Prior

    adapter = TypeAdapter(Config)
    tables = adapter.dump_python(Config(prior=prior))
    assert set(map(type, tables["prior"].values())) <= {dict, float}
    assert adapter.validate_python(tables) == Config(prior=prior)
    assert adapter.validate_json(adapter.dump_json(Config(prior=prior))) == Config(prior=prior)
    assert hash(adapter.validate_python(tables)) == hash(Config(prior=prior))


def test_order_of_the_table_does_not_matter():
    backwards = Prior(dict(reversed(STANDARD.items())))
    assert backwards == Prior(STANDARD)
    assert backwards.inferred == ("tau", "V_rest", "C", "V_th")


OFF = {"threshold_noise": 0.0, "measurement_noise": 0, "sag": 0.0, "sag_tau": 40.0}


def test_what_is_known_to_be_off_is_the_same_as_left_out():
    prior = Prior({**STANDARD, **{name: value for name, value in OFF.items() if name != "sag_tau"}})
    assert prior == Prior(STANDARD)
    assert not set(prior.root) & set(OFF)
    assert not set(prior.sample(3, seed=1)) & set(OFF)
    assert Prior({**STANDARD, "threshold_noise": 1.0}) != Prior(STANDARD)


def test_what_is_on_needs_its_other_parameters():
    with pytest.raises(ValueError, match="missing: sag_tau"):
        Prior({**STANDARD, "sag": 0.4})
    with pytest.raises(ValueError, match="missing: current_noise_tau"):
        Prior({**STANDARD, "current_noise": LogNormal(median=10.0, sigma=0.4)})
    assert Prior({**STANDARD, "sag": 0.4, "sag_tau": 40.0}).known["sag_tau"] == 40.0


def without(name: str) -> dict:
    return {key: value for key, value in STANDARD.items() if key != name}


@pytest.mark.parametrize(
    ("entries", "match"),
    [
        (without("tau"), "missing: tau"),
        ({**STANDARD, "tua": 17.0}, "no parameter `tua`. Did you mean `tau`"),
        ({**without("tau"), "tua": 17.0}, "no parameter `tua`. Did you mean `tau`"),
        (dict.fromkeys(STANDARD, 1.0), "At least one parameter must be inferred"),
        ({**STANDARD, "V_th": ReadOff(Normal(mean=-45.0, sd=6.0))}, "got `V_th` as read off. Give"),
        ({**STANDARD, "tau": 0.0}, "`tau` must be positive, got 0 ms"),
        ({**STANDARD, "membrane_noise": -0.3}, "`membrane_noise` must be 0 or positive"),
        (
            {**STANDARD, "tau": Normal(mean=17.0, sd=5.0)},
            "`tau` must be positive, got a distribution from -inf to inf ms. Use LogNormal",
        ),
        (
            {**STANDARD, "t_ref": ReadOff(Uniform(low=-1.0, high=5.0))},
            "`t_ref` must be 0 or positive, got a distribution from -1 to 5 ms",
        ),
        ({**STANDARD, "tau": float("nan")}, "tau.known\n.*finite"),
        ({**STANDARD, "tau": "17"}, "tau.known\n.*valid number"),
        ({**STANDARD, "tau": True}, "tau.known\n.*valid number"),
        (
            {**STANDARD, "tau": {"family": "lognorml", "median": 17.0, "sigma": 0.5}},
            "'lognorml' .* 'lognormal'",
        ),
        (
            {**STANDARD, "tau": {"family": "lognormal", "median": 17.0, "sigmaa": 0.5}},
            "sigmaa\n.*[Uu]nexpected",
        ),
    ],
)
def test_each_refused_prior_says_why(entries, match):
    with pytest.raises(ValueError, match=match):
        Prior(entries)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda prior: prior.sample(-1, seed=0), "n=-1"),
        (lambda prior: prior.sample(1, seed=-1), "seed=-1"),
        (lambda prior: prior.from_unconstrained(np.zeros((3, 4))), "6 inferred parameters .* \\(3, 4\\)"),
        (lambda prior: prior.log_det_jacobian(np.zeros(4)), "6 inferred parameters"),
        (lambda prior: prior.from_unconstrained(np.zeros(6)), "missing: V_reset, t_ref"),
        (
            lambda prior: prior.from_unconstrained(np.zeros(6), read_off={"V_rest": 1.0}),
            "`read_off` has no parameter `V_rest`. Did you mean `V_reset`",
        ),
        (
            lambda prior: prior.to_unconstrained(prior.sample(3, seed=0).replace(tau=np.array([1.0, -2.0, 0.0]))),
            "`tau` must lie between 0 and inf ms.* 2 of 3 do not .first: -2 ms",
        ),
    ],
)
def test_each_error_says_what_to_do(call, match):
    with pytest.raises(ValueError, match=match):
        call(PRIORS["recording"])


def test_prior_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        PRIORS["standard"].root = {}
