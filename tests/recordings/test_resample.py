import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakyflow.recordings.resample import hold, sample, snap

RATIOS = [(0.05, 0.2), (0.1, 0.2), (0.03, 0.2), (0.19, 0.2), (0.2, 0.2), (0.25, 0.2)]


@pytest.mark.parametrize(("dt_file", "dt"), RATIOS)
@pytest.mark.parametrize("slope", [0.0, 0.05])
def test_offset_and_ramp_pass_unchanged(dt_file, dt, slope):
    t = np.arange(round(200 / dt_file)) * dt_file
    at = np.arange(int(t[-1] / dt)) * dt
    np.testing.assert_allclose(sample(-70.0 + slope * t, at, dt_file=dt_file), -70.0 + slope * at, atol=1e-9)


@pytest.mark.parametrize("dt_file", [0.02, 0.05, 0.1, 0.2, 0.2 * (1 - 1e-16), 0.1 + 1e-12])
@pytest.mark.parametrize("start", [0.0, 37.4, 59_000.2])
def test_samples_that_lie_on_the_grid_are_taken_as_they_are(dt_file, start):
    V = np.random.default_rng(0).normal(size=round(60_000 / dt_file))
    at = start + np.arange(1000) * 0.2
    stride, first = round(0.2 / dt_file), round(start / dt_file)
    expected = V[first : first + 1000 * stride : stride]
    np.testing.assert_array_equal(sample(V, at, dt_file=snap(dt_file, 0.2, n_time=len(V))), expected)


def test_sampling_keeps_the_noise_white_and_whole():
    """A filter would make neighbours alike, which the model has not."""
    noise = np.random.default_rng(0).normal(size=400_000)
    taken = sample(noise, np.arange(100_000) * 0.2, dt_file=0.05)
    assert taken.std() == pytest.approx(1.0, abs=0.01)
    assert np.corrcoef(taken[1:], taken[:-1])[0, 1] == pytest.approx(0.0, abs=0.015)


@pytest.mark.parametrize(
    ("dt_file", "expected"),
    [(0.19999999999999998, 0.2), (0.05000000000000001, 0.05), (0.1 + 1e-7, 0.1), (0.13, 0.13), (0.0501, 0.0501)],
)
def test_rounding_of_the_time_base_is_told_from_another_rate(dt_file, expected):
    assert snap(dt_file, 0.2, n_time=4000) == expected


@given(
    dt_file=st.sampled_from([0.02, 0.05, 0.07, 0.1, 0.2, 0.25]),
    dt=st.sampled_from([0.1, 0.2, 0.3]),
    seed=st.integers(0, 100),
)
def test_held_current_keeps_the_charge(dt_file, dt, seed):
    I = np.random.default_rng(seed).normal(100.0, 50.0, size=2000)
    n = int(len(I) * dt_file / dt)
    held = hold(I, np.arange(n) * dt, dt_file=dt_file, dt=dt)
    within = np.interp(n * dt, np.arange(len(I) + 1) * dt_file, np.append(0, np.cumsum(I) * dt_file))
    np.testing.assert_allclose(held.sum() * dt, within, rtol=1e-9)


def test_held_current_is_the_mean_of_the_step_that_follows():
    I = np.array([0.0, 0.0, 10.0, 20.0, 40.0, 40.0])
    np.testing.assert_allclose(hold(I, np.arange(3) * 0.2, dt_file=0.1, dt=0.2), [0.0, 15.0, 40.0])
