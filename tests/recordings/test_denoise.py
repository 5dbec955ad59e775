import numpy as np
import pytest
from scipy.signal import lfilter

from leakyflow.recordings.denoise import denoise

DT, N = 0.1, 9000
T = np.arange(N) * DT
STIMULI = {
    "step": np.where(T > 178.0, -10.0, 0.0),
    "pulses": np.where((T > 178.0) & (T % 100.0 < 2.0), 50.0, 0.0),
    "constant": 0.0 * T,
    "ramp": np.clip((T - 200.0) * 0.1, 0.0, 50.0),
    "sine": np.where(T > 150.0, 20.0 * np.sin(2 * np.pi * T / 100.0), 0.0),
}
SD = 0.65  # pA, of the recorded current of real cells


@pytest.mark.parametrize("name", STIMULI)
@pytest.mark.parametrize("seed", range(5))
def test_less_noise_is_left_than_there_was(name, seed):
    noise = SD * np.random.default_rng(seed).normal(size=N)
    left = denoise(STIMULI[name] + noise, DT) - STIMULI[name]
    assert left.std() < (0.1 if name in ("step", "constant") else 0.55) * SD
    # The mean of n samples has SD / sqrt(n): rest lasts 150 ms or longer.
    assert left[:1400].std() < 0.1 * SD


@pytest.mark.parametrize("seed", range(5))
def test_the_edge_of_a_step_stays_where_it_is(seed):
    step = STIMULI["step"]
    quiet = denoise(step + SD * np.random.default_rng(seed).normal(size=N), DT)
    edge = int(np.argmax(step < -5.0))
    assert (np.abs(quiet - step)[edge - 5 : edge + 5] < 3 * SD).all()
    assert np.abs(quiet - step)[edge + 20 :].max() < SD


def test_a_fast_stimulus_keeps_its_course():
    """Noise current of 3 ms: to average would take away what the neuron got."""
    rng = np.random.default_rng(0)
    walk = np.where(T > 150.0, lfilter([30.0 * np.sqrt(2 * DT / 3.0)], [1.0, DT / 3.0 - 1.0], rng.normal(size=N)), 0.0)
    noise = SD * rng.normal(size=N)
    left = denoise(walk + noise, DT) - walk
    assert left[1600:].std() < 1.1 * SD
    assert left[:1400].std() < 0.1 * SD


def test_without_rest_nothing_is_known_and_nothing_is_done():
    rng = np.random.default_rng(1)
    walk = lfilter([15.0], [1.0, DT / 3.0 - 1.0], rng.normal(size=N))
    assert denoise(walk, DT) is walk


def test_a_current_without_noise_is_not_touched():
    assert denoise(STIMULI["step"], DT) is STIMULI["step"]


def test_coloured_noise_is_averaged_by_what_rest_shows_of_it():
    noise = lfilter([1.0], [1.0, -0.6], np.random.default_rng(2).normal(size=N))
    left = denoise(STIMULI["step"] * 5.0 + noise, DT) - STIMULI["step"] * 5.0
    assert left[:1400].std() < 0.3 * noise.std()
