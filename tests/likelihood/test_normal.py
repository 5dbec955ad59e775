import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special

from leakyflow.likelihood.normal import crossed, log_ndtr, ndtri

X = np.linspace(-40.0, 40.0, 1601)
EPS = np.finfo(float).eps
# Of exp(-x^2 / 2) an error of half a digit in x^2 makes so much, at the far end of X.
ROUNDED = 40.0**2 * EPS


def hazard(x: np.ndarray) -> np.ndarray:
    """Slope of log Phi, in closed form: density over distribution function."""
    return np.sqrt(2 / np.pi) / scipy.special.erfcx(-x / np.sqrt(2))


def test_log_ndtr_is_the_log_of_the_distribution_function():
    # Above 0 the value is that of log(1 - eps), in absolute terms.
    np.testing.assert_allclose(log_ndtr(jnp.asarray(X)), scipy.special.log_ndtr(X), rtol=20 * EPS, atol=EPS)


def test_slope_of_log_ndtr_is_density_over_distribution_function():
    slope = jax.jit(jax.vmap(jax.grad(log_ndtr)))(jnp.asarray(X))
    np.testing.assert_allclose(slope, hazard(X), rtol=ROUNDED, atol=1e-300)


def test_curvature_of_log_ndtr_is_minus_hazard_times_the_sum_of_x_and_hazard():
    curvature = jax.jit(jax.vmap(jax.grad(jax.grad(log_ndtr))))(jnp.asarray(X))
    # x and the hazard cancel in the tail, and an error of the hazard stays.
    error = np.abs(np.asarray(curvature) + hazard(X) * (X + hazard(X)))
    assert np.all(error <= ROUNDED * hazard(X) * (np.abs(X) + 2 * hazard(X)) + 1e-300)


def test_a_crossing_gives_the_log_of_a_multiple_and_the_density_over_it_at_once():
    scale = np.geomspace(1e-6, 1e6, len(X))
    log, ratio = crossed(jnp.asarray(X), jnp.asarray(scale))
    np.testing.assert_allclose(log, np.log(scale) + scipy.special.log_ndtr(X), rtol=20 * EPS, atol=20 * EPS)
    np.testing.assert_allclose(ratio, hazard(X), rtol=ROUNDED, atol=1e-300)
    assert not np.allclose(ratio, hazard(X + 1e-6), rtol=ROUNDED, atol=1e-300)


@pytest.mark.parametrize(("dtype", "huge"), [(np.float64, 1e200), (np.float32, 1e30)])
def test_what_lies_beyond_all_bounds_is_certain_or_impossible(dtype, huge):
    log, ratio = crossed(jnp.asarray([np.inf, huge, -huge, -np.inf], dtype), jnp.ones((), dtype))
    np.testing.assert_array_equal(log, [0.0, 0.0, -np.inf, -np.inf])
    np.testing.assert_array_equal(ratio[:2], 0.0)


def test_ndtri_is_the_quantile_and_its_slope_one_over_the_density():
    z = np.linspace(-37.0, 7.0, 441)
    p = scipy.special.ndtr(z)
    np.testing.assert_allclose(ndtri(jnp.asarray(p)), scipy.special.ndtri(p), rtol=1e-12, atol=1e-12)
    density = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
    # Near 1 a p in double precision stands for all z within EPS / density; the slope errs by z times that.
    rounded = EPS / density * (np.abs(z) + 1) * (z > 0)
    slope = np.asarray(jax.jit(jax.vmap(jax.grad(ndtri)))(jnp.asarray(p)))
    assert np.all(np.abs(slope * density - 1) <= 1e-11 + 2 * rounded)
    curvature = np.asarray(jax.jit(jax.vmap(jax.grad(jax.grad(ndtri))))(jnp.asarray(p[z > -25])))
    z, density, rounded = z[z > -25], density[z > -25], rounded[z > -25]
    assert np.all(np.abs(curvature * density**2 - z) <= (1e-11 + 4 * rounded) * (np.abs(z) + 1))


@pytest.mark.parametrize("function", [log_ndtr, lambda x: ndtri(jnp.exp(log_ndtr(x)))], ids=["log_ndtr", "ndtri"])
def test_derivatives_stay_finite_where_a_threshold_can_be(function):
    x = jnp.linspace(-35.0, 7.0, 85)
    assert np.isfinite(jax.jit(jax.vmap(jax.grad(function)))(x)).all()
    assert np.isfinite(jax.jit(jax.vmap(jax.grad(jax.grad(function))))(x)).all()
