import numpy as np
import pytest
import scipy.stats

from leakyflow.models.base import Base
from leakyflow.models.config import FlowConfig
from leakyflow.models.correction import DEFENSIVE_SHARE, DEFENSIVE_SPREAD, defensive
from leakyflow.models.flow import build_flow

DEGREES = [None, 5.0]


def law(n, degrees, scale=1.0):
    """The distribution by SciPy."""
    shape = scale**2 * np.eye(n)
    if degrees is None:
        return scipy.stats.multivariate_normal(np.zeros(n), shape)
    return scipy.stats.multivariate_t(np.zeros(n), shape, df=degrees)


@pytest.mark.parametrize("degrees", DEGREES)
def test_the_density_is_scipys(degrees):
    z = np.random.default_rng(1).normal(size=(20, 4))
    np.testing.assert_allclose(Base(4, degrees).log_density(z), law(4, degrees).logpdf(z), rtol=1e-12)


@pytest.mark.parametrize(("degrees", "other"), [(None, 5.0), (5.0, None)])
def test_draws_are_of_the_distribution(degrees, other):
    """Their distances from the centre: chi square with 4 degrees of freedom, or 4 F(4, nu); and not the other's."""
    square = (Base(4, degrees).draws(np.random.default_rng(1), 20_000) ** 2).sum(-1)

    def p_value(nu):
        return scipy.stats.kstest(square / 4, scipy.stats.f(4, nu or 1e9).cdf).pvalue

    assert p_value(degrees) > 1e-3 > p_value(other)


@pytest.mark.parametrize("degrees", DEGREES)
def test_the_flow_starts_from_it(degrees):
    z = np.random.default_rng(2).normal(size=(8, 3)).astype(np.float32)
    flow = build_flow(FlowConfig(depth=1, widths=(4,), degrees=degrees))
    flow.build((8, 3), (8, 2))
    found = np.asarray(flow.base_distribution.log_prob(z))
    np.testing.assert_allclose(found, Base(3, degrees).log_density(z.astype(np.float64)), atol=1e-5)


@pytest.mark.parametrize("degrees", DEGREES)
def test_the_ratio_of_defensive_draws_is_that_of_the_mixture_to_the_base(degrees):
    base = Base(3, degrees)
    z, log_ratio = defensive(base.draws(np.random.default_rng(3), 100)[None], base)
    narrow, wide = law(3, degrees).pdf(z), law(3, degrees, DEFENSIVE_SPREAD).pdf(z)
    mixture = (1 - DEFENSIVE_SHARE) * narrow + DEFENSIVE_SHARE * wide
    np.testing.assert_allclose(log_ratio[0], np.log(mixture / narrow), rtol=1e-9)
