import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from leakyflow.simulator.distributions import Distribution, LogNormal, Normal, TruncatedNormal, Uniform

EPS = np.finfo(float).eps


def truncated(mean: float, sd: float, low: float, high: float) -> tuple:
    truth = scipy.stats.truncnorm((low - mean) / sd, (high - mean) / sd, loc=mean, scale=sd)
    return TruncatedNormal(mean=mean, sd=sd, low=low, high=high), truth


DISTRIBUTIONS = {
    "normal": (Normal(mean=-72.0, sd=6.0), scipy.stats.norm(-72.0, 6.0)),
    "lognormal": (LogNormal(median=17.0, sigma=0.5), scipy.stats.lognorm(0.5, scale=17.0)),
    "uniform": (Uniform(low=2.0, high=6.0), scipy.stats.uniform(2.0, 4.0)),
    "uniform about zero": (Uniform(low=-1.0, high=1.0), scipy.stats.uniform(-1.0, 2.0)),
    "truncated about its mean": truncated(-45.0, 6.0, -55.0, -40.0),
    "truncated on one side": truncated(1.0, 1.0, 0.0, 50.0),
    "truncated in the lower tail": truncated(0.0, 1.0, -9.0, -5.5),
    "truncated in the upper tail": truncated(0.0, 1.0, 5.5, 9.0),
    "truncated hardly at all": truncated(0.0, 1.0, -9.0, 9.0),
}
Z = np.linspace(-6.0, 6.0, 121)


@pytest.fixture(params=DISTRIBUTIONS.values(), ids=DISTRIBUTIONS.keys())
def case(request: pytest.FixtureRequest) -> tuple:
    return request.param


def digit(distribution: Distribution, x: np.ndarray) -> np.ndarray:
    """The last digit of x, or of the larger numbers that x is computed from."""
    return EPS * np.max([np.abs(x), *(np.full_like(x, end) for end in finite_ends(distribution))], axis=0)


def resolution(distribution: Distribution, x: np.ndarray) -> np.ndarray:
    """What a change of x in its last digit does to the normal score."""
    slope = np.exp(distribution.log_det_jacobian(Z))
    return 16 * (digit(distribution, x) / slope + EPS * (1 + np.abs(Z)))


def finite_ends(distribution: Distribution) -> list[float]:
    return [abs(end) for end in distribution.support if math.isfinite(end)]


def test_log_prob_is_the_density(case):
    distribution, truth = case
    x = truth.ppf(np.linspace(0.001, 0.999, 101))
    np.testing.assert_allclose(distribution.log_prob(x), truth.logpdf(x), rtol=1e-9)


def test_quantile_inverts_the_distribution_function(case):
    distribution, truth = case
    u = np.linspace(0.001, 0.999, 101)
    np.testing.assert_allclose(truth.cdf(distribution.quantile(u)), u, rtol=1e-9)


def test_log_prob_outside_the_support_is_minus_infinity_without_a_gradient_of_nan(case):
    distribution, _ = case
    for end, outward in zip(distribution.support, (-1.0, 1.0), strict=True):
        if math.isfinite(end):
            assert distribution.log_prob(end + outward) == -math.inf
            assert jax.grad(distribution.log_prob)(end + outward) == 0


def test_inverse_after_forward_loses_only_the_digits_of_x(case):
    distribution, _ = case
    x = distribution.from_unconstrained(Z)
    error = np.abs(distribution.to_unconstrained(x) - Z)
    assert np.all(error <= resolution(distribution, x))


def test_every_value_is_inside_the_support(case):
    distribution, _ = case
    low, high = distribution.support
    x = distribution.from_unconstrained(np.linspace(-12.0, 12.0, 1001))
    assert np.all((x >= low) & (x <= high))
    assert np.all(np.diff(x) >= 0)


def test_log_det_is_the_slope_found_by_autodiff(case):
    distribution, _ = case
    slope = jax.vmap(jax.jacobian(distribution.from_unconstrained))(jnp.asarray(Z))
    np.testing.assert_allclose(distribution.log_det_jacobian(Z), np.log(slope), atol=1e-6)


def test_prior_is_standard_normal_in_unconstrained_space(case):
    distribution, _ = case
    x = distribution.from_unconstrained(Z)
    density = distribution.log_prob(x) + distribution.log_det_jacobian(Z)
    np.testing.assert_allclose(density, scipy.stats.norm.logpdf(Z), atol=1e-12)


def test_traced_values_equal_those_on_the_host(case):
    distribution, _ = case
    x = distribution.from_unconstrained(Z)
    assert np.all(np.abs(jax.jit(distribution.from_unconstrained)(Z) - x) <= 16 * digit(distribution, x))
    np.testing.assert_allclose(jax.jit(distribution.log_prob)(x), distribution.log_prob(x), rtol=1e-12)
    z = jax.jit(distribution.to_unconstrained)(x)
    assert np.all(np.abs(z - Z) <= 2 * resolution(distribution, x))


def test_first_and_second_derivatives_are_finite(case):
    distribution, _ = case

    def target(z: jax.Array) -> jax.Array:
        return distribution.from_unconstrained(z) + distribution.log_det_jacobian(z)

    assert np.isfinite(jax.vmap(jax.grad(target))(jnp.asarray(Z))).all()
    assert np.isfinite(jax.vmap(jax.hessian(target))(jnp.asarray(Z))).all()


def test_numbers_go_in_and_scalars_come_out(case):
    distribution, truth = case
    assert np.ndim(distribution.quantile(0.5)) == 0
    assert math.isclose(distribution.quantile(0.5), truth.median(), rel_tol=1e-9)


def test_single_precision_stays_single_under_jax(case):
    distribution, _ = case
    x = distribution.from_unconstrained(jnp.zeros(3, jnp.float32))
    # A density that does not depend on x is weakly typed, and takes the type of what it is added to.
    results = (
        x,
        x + distribution.log_prob(x),
        distribution.to_unconstrained(x),
        distribution.log_det_jacobian(x),
    )
    assert [result.dtype for result in results] == [jnp.float32] * 4


def test_distribution_survives_a_table_of_plain_values(case):
    distribution, _ = case
    adapter = TypeAdapter(Distribution)
    assert adapter.validate_python(adapter.dump_python(distribution)) == distribution
    assert adapter.validate_json(adapter.dump_json(distribution)) == distribution


@settings(deadline=None)
@given(
    mean=st.floats(-100.0, 100.0),
    sd=st.floats(0.1, 100.0),
    a=st.floats(-5.0, 4.9),
    width=st.floats(0.1, 10.0),
    z=st.floats(-5.0, 5.0),
)
def test_any_truncation_round_trips(mean, sd, a, width, z):
    low = mean + sd * a
    distribution = TruncatedNormal(mean=mean, sd=sd, low=low, high=low + sd * width)
    x = distribution.from_unconstrained(z)
    # A digit of x is one of the larger of |x| and |mean|; the slope says what it is worth in z.
    digit = EPS * max(abs(float(x)), abs(mean), abs(low), sd)
    assert abs(distribution.to_unconstrained(x) - z) <= 64 * (digit / math.exp(distribution.log_det_jacobian(z)) + EPS)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: Normal(mean=0.0, sd=0.0), "`sd` must be positive, got 0"),
        (lambda: Normal(mean=math.nan, sd=1.0), "mean\n.*finite"),
        (lambda: Normal(mean=0.0, sd=math.inf), "sd\n.*finite"),
        (lambda: Normal(mean=0.0, std=1.0), "std\n.*[Uu]nexpected"),
        (lambda: Normal(mean="0", sd=1.0), "mean\n.*valid number"),
        (lambda: LogNormal(median=-1.0, sigma=0.5), "`median` must be positive, got -1"),
        (lambda: LogNormal(median=1.0, sigma=-0.5), "`sigma` must be positive, got -0.5"),
        (lambda: Uniform(low=6.0, high=2.0), "low=6 >= high=2. Swap"),
        (lambda: TruncatedNormal(mean=0.0, sd=1.0, low=1.0, high=1.0), "`low` must be below `high`"),
        (lambda: TruncatedNormal(mean=0.0, sd=1.0, low=8.0, high=9.0), "at least 1e-09 .* Move the mean"),
    ],
)
def test_each_error_says_what_to_do(call, match):
    with pytest.raises(ValidationError, match=match):
        call()
