import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakyflow.app.decimate import decimated


@given(seed=st.integers(0, 1000), n=st.integers(1, 3000), n_points=st.integers(4, 200))
def test_the_envelope_stays(seed, n, n_points):
    x = np.random.default_rng(seed).standard_normal(n)
    drawn = decimated(x, 0, n, n_points=n_points)
    assert x[drawn].min() == x.min()
    assert x[drawn].max() == x.max()
    assert (np.diff(drawn) > 0).all()
    assert len(drawn) <= n_points + 4
    assert (drawn[0], drawn[-1]) == (0, n - 1)


def test_every_peak_is_drawn_even_where_a_part_has_several():
    x = np.zeros(100_000)
    peaks = np.arange(50, 100_000, 97)
    x[peaks] = 40.0
    drawn = decimated(x, 0, len(x), n_points=500, keep=peaks)
    assert np.isin(peaks, drawn).all()
    assert not np.isin(peaks, decimated(x, 0, len(x), n_points=500)).all()  # which is why they are named


def test_a_stretch_is_drawn_in_full_once_it_is_short():
    x = np.arange(1000.0)
    np.testing.assert_array_equal(decimated(x, 100, 150, n_points=60), np.arange(100, 150))


@pytest.mark.parametrize(("first", "last"), [(-50, 2000), (900, 5000), (1000, 1001), (700, 600)])
def test_a_stretch_beyond_the_ends_is_cut(first, last):
    drawn = decimated(np.arange(1000.0), first, last, n_points=10)
    assert ((drawn >= 0) & (drawn < 1000)).all()


def test_gaps_hide_no_peak():
    x = np.full(1000, np.nan)
    x[500] = 40.0
    assert 500 in decimated(x, 0, 1000, n_points=20)
