import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakyflow.recordings.resample import hold, low_pass, quieten, sample

RATIOS = [(0.05, 0.2), (0.1, 0.2), (0.03, 0.2), (0.19, 0.2), (0.2, 0.2), (0.25, 0.2)]


def resampled(V, dt_file, dt):
    at = np.arange(round(len(V) * dt_file / dt)) * dt
    return at, sample(low_pass(V, dt_file=dt_file, dt=dt), at[at <= (len(V) - 1) * dt_file], dt_file=dt_file)


@pytest.mark.parametrize(("dt_file", "dt"), RATIOS)
@pytest.mark.parametrize("slope", [0.0, 0.05])
def test_offset_and_ramp_pass_unchanged_up_to_both_ends(dt_file, dt, slope):
    t = np.arange(round(200 / dt_file)) * dt_file
    at, V = resampled(-70.0 + slope * t, dt_file, dt)
    np.testing.assert_allclose(V, -70.0 + slope * at[: len(V)], atol=1e-4)  # mV; electrode noise is 1000 times that


@pytest.mark.parametrize(("dt_file", "dt"), RATIOS)
def test_slow_sinusoid_keeps_amplitude_and_phase(dt_file, dt):
    t = np.arange(round(400 / dt_file)) * dt_file
    at, V = resampled(np.sin(2 * np.pi * 0.05 * t), dt_file, dt)  # 50 Hz
    # The filter runs twice: at f / f_corner = 0.02 it attenuates by 2 * 3 dB * 0.02**2 = 3e-4 at most.
    np.testing.assert_allclose(V[100:-100], np.sin(2 * np.pi * 0.05 * at[: len(V)])[100:-100], atol=1e-3)


@pytest.mark.parametrize("kilohertz", [4.0, 5.0, 6.0])
def test_tones_above_the_new_nyquist_frequency_are_removed(kilohertz):
    t = np.arange(8000) * 0.05
    _, V = resampled(np.sin(2 * np.pi * kilohertz * t + 0.3), 0.05, 0.2)
    assert np.abs(V[50:-50]).max() < 0.2


def test_a_step_does_not_ring():
    V = np.where(np.arange(4000) < 2000, 0.0, 1.0)
    filtered = low_pass(V, dt_file=0.05, dt=0.2)
    assert filtered.min() > -0.02
    assert filtered.max() < 1.02


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


def test_noise_of_a_measured_current_is_averaged():
    rng = np.random.default_rng(1)
    step = np.where(np.arange(4000) < 2000, 0.0, 300.0)
    noisy = step + 60 * rng.normal(size=4000)
    quiet = quieten(noisy, dt_file=0.25)
    # The mean of 5 samples has a variance of 1/5; a step of 1 ms aside, that is all that is left.
    assert np.std((quiet - step)[:1990]) < 60 / np.sqrt(5) * 1.1


def test_a_fast_stimulus_is_not_averaged():
    rng = np.random.default_rng(2)
    walk = np.zeros(20000)
    for k in range(1, walk.size):
        walk[k] = walk[k - 1] * (1 - 0.1 / 3) + 15 * rng.normal()
    assert quieten(walk, dt_file=0.1) is walk


def test_a_quiet_measurement_is_not_averaged():
    step = np.where(np.arange(4000) < 2000, 0.0, 300.0) + np.random.default_rng(3).normal(size=4000)
    assert quieten(step, dt_file=0.1) is step
