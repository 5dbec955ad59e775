import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakyflow.simulator.grid import n_steps


@given(n=st.integers(0, 10**6), dt=st.sampled_from([0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0]))
def test_whole_multiples_are_counted_exactly(n, dt):
    assert n_steps(n * dt, dt) == n


@pytest.mark.parametrize(("duration", "dt", "n"), [(0.3, 0.1, 3), (0.7, 0.1, 7), (500.0, 0.2, 2500), (0.0, 0.2, 0)])
def test_rounding_errors_of_the_quotient_do_not_matter(duration, dt, n):
    # int(0.3 / 0.1) is 2
    assert n_steps(duration, dt) == n


@pytest.mark.parametrize(
    ("duration", "dt", "match"),
    [
        (0.25, 0.1, "`onset` must be a multiple of dt=0.1 ms, got 0.25 ms. The nearest one is 0.2 ms"),
        (100.05, 0.2, "The nearest one is 100 ms"),
        (-0.2, 0.2, "`onset` must be finite and not negative, got -0.2 ms"),
        (math.inf, 0.2, "got inf ms"),
        (math.nan, 0.2, "got nan ms"),
        (1.0, 0.0, "`dt` must be positive and finite, got 0.0 ms. Pass the sampling interval in ms"),
        (1.0, -0.1, "`dt` must be positive"),
        (1.0, math.inf, "`dt` must be positive"),
    ],
)
def test_each_error_says_what_to_do(duration, dt, match):
    with pytest.raises(ValueError, match=match):
        n_steps(duration, dt, name="onset")
