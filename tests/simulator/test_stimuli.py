from functools import partial

import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

from leakyflow.simulator.stimuli import (
    Stimulus,
    chirp,
    from_array,
    ornstein_uhlenbeck,
    ramp,
    sinusoid,
    square,
)

STIMULI = {
    "square": partial(square, amplitude=200.0),
    "negative square": partial(square, amplitude=-80.0),
    "sinusoid": partial(sinusoid, amplitude=100.0, frequency=12.0, phase=0.3),
    "ramp": partial(ramp, start=20.0, stop=300.0),
    "falling ramp": partial(ramp, stop=-100.0),
    "chirp": partial(chirp, amplitude=100.0, start_frequency=1.0, stop_frequency=40.0),
    "ornstein_uhlenbeck": partial(ornstein_uhlenbeck, mean=50.0, sd=30.0, correlation_time=5.0, seed=1),
}
TIMES = {"onset": 20.0, "duration": 50.0, "t_max": 100.0, "dt": 0.2}


@pytest.fixture(params=STIMULI.values(), ids=STIMULI.keys())
def stimulus(request: pytest.FixtureRequest) -> partial:
    return request.param


def test_every_stimulus_has_its_length_and_type(stimulus):
    result = stimulus(**TIMES)
    assert result.I.shape == (500,)
    assert result.I.dtype == np.float32
    assert result.n_samples == 500
    assert result.duration == pytest.approx(100.0)
    np.testing.assert_allclose(result.t[[0, 1, -1]], [0.0, 0.2, 99.8])


def test_holding_current_alone_flows_before_and_after(stimulus):
    I = stimulus(**TIMES, holding=-15.0).I
    np.testing.assert_array_equal(I[:100], -15.0)
    np.testing.assert_array_equal(I[350:], -15.0)
    assert np.all(I[101:350] != -15.0)  # the first sample of a sinusoid may be zero


def test_holding_current_adds_to_the_stimulus(stimulus):
    with_holding, without = stimulus(**TIMES, holding=32.0), stimulus(**TIMES)
    np.testing.assert_allclose(with_holding.I, without.I + 32.0, rtol=1e-6, atol=1e-4)


def test_a_later_onset_shifts_the_stimulus(stimulus):
    early, late = stimulus(**TIMES), stimulus(**{**TIMES, "onset": 30.0})
    np.testing.assert_array_equal(late.I[150:400], early.I[100:350])


def test_stimulus_may_fill_its_whole_length(stimulus):
    assert stimulus(**{**TIMES, "onset": 0.0, "duration": 100.0}).n_samples == 500


@settings(deadline=None)
@given(n_on=st.integers(1, 500), start=st.integers(0, 500), dt=st.sampled_from([0.05, 0.1, 0.2, 0.3, 1.0]))
def test_square_is_on_for_exactly_its_duration(n_on, start, dt):
    I = square(amplitude=1.0, onset=start * dt, duration=n_on * dt, t_max=(start + n_on + 2) * dt, dt=dt).I
    assert I.sum() == n_on
    assert I[start] == I[start + n_on - 1] == 1


def test_sinusoid_follows_its_formula():
    I = sinusoid(amplitude=100.0, frequency=12.0, phase=0.3, **TIMES).I
    seconds = np.arange(250) * 0.2e-3
    np.testing.assert_allclose(I[100:350], 100 * np.sin(2 * np.pi * 12 * seconds + 0.3), atol=1e-4)


def test_ramp_goes_from_start_towards_stop():
    I = ramp(start=20.0, stop=300.0, **TIMES).I
    np.testing.assert_allclose(I[100:350], np.linspace(20.0, 300.0, 250, endpoint=False), rtol=1e-6)


def test_chirp_follows_its_formula():
    I = chirp(amplitude=100.0, start_frequency=1.0, stop_frequency=40.0, phase=0.3, **TIMES).I
    # scipy's chirp is a cosine, and takes its phase in degrees.
    truth = scipy.signal.chirp(np.arange(250) * 0.2e-3, 1.0, 50e-3, 40.0, phi=np.degrees(0.3) - 90)
    np.testing.assert_allclose(I[100:350], 100 * truth, atol=1e-4)


@pytest.mark.parametrize("dt", [0.5, 2.0])
def test_ornstein_uhlenbeck_has_its_moments_at_any_dt(dt):
    n, tau, sd = 100_000, 5.0, 30.0
    noise = ornstein_uhlenbeck(
        mean=50.0, sd=sd, correlation_time=tau, seed=2, onset=0.0, duration=n * dt, t_max=n * dt, dt=dt
    )
    I = noise.I.astype(float) - 50.0
    decay = np.exp(-dt / tau)
    # Samples are correlated: the mean counts n (1 - a) / (1 + a) of them, squares the same with a^2.
    assert abs(I.mean()) < 5 * sd / np.sqrt(n * (1 - decay) / (1 + decay))
    relative = 5 * np.sqrt(2 / (n * (1 - decay**2) / (1 + decay**2)))
    assert np.mean(I**2) == pytest.approx(sd**2, rel=relative)
    assert np.mean(I[10:] * I[:-10]) == pytest.approx(sd**2 * decay**10, abs=sd**2 * relative)


def test_ornstein_uhlenbeck_starts_in_its_stationary_law():
    short = {"onset": 0.0, "duration": 0.4, "t_max": 0.4, "dt": 0.2}
    first = [ornstein_uhlenbeck(mean=0.0, sd=1.0, correlation_time=5.0, seed=i, **short).I[0] for i in range(2000)]
    assert np.std(first) == pytest.approx(1.0, abs=5 / np.sqrt(2 * 2000))


def test_ornstein_uhlenbeck_repeats_with_its_seed_only():
    noise = partial(ornstein_uhlenbeck, mean=0.0, sd=1.0, correlation_time=5.0, **TIMES)
    np.testing.assert_array_equal(noise(seed=1).I, noise(seed=1).I)
    assert np.all(noise(seed=1).I[100:350] != noise(seed=2).I[100:350])


def test_any_array_is_a_stimulus_and_stays_apart_from_it():
    array = np.array([0.0, 1.0, 2.0])
    stimulus = from_array(array, dt=0.1, name="mine")
    array[:] = 5.0
    np.testing.assert_array_equal(stimulus.I, np.array([0.0, 1.0, 2.0], np.float32))
    assert (stimulus.dt, stimulus.name) == (0.1, "mine")


@pytest.mark.parametrize("name", ["onset", "duration", "t_max"])
def test_times_off_the_grid_are_refused(stimulus, name):
    with pytest.raises(ValueError, match=f"`{name}` must be a multiple of dt=0.2 ms"):
        stimulus(**{**TIMES, name: TIMES[name] + 0.1})


NOISE = partial(ornstein_uhlenbeck, mean=0.0, seed=1, **TIMES)
NAN = np.array([0.0, np.nan, np.inf], np.float32)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (
            lambda: square(amplitude=1.0, **{**TIMES, "onset": 60.0}),
            "end by t_max=100 ms, but ends at 110 ms. Sho",
        ),
        (lambda: square(amplitude=1.0, **{**TIMES, "duration": 0.0}), "`duration` must be positive"),
        (
            lambda: square(amplitude=1.0, **{**TIMES, "onset": -1.0}),
            "`onset` must be finite and not negative",
        ),
        (lambda: square(amplitude=1.0, **{**TIMES, "dt": 0.0}), "`dt` must be positive"),
        (lambda: square(amplitude=np.nan, **TIMES), "`I` must be finite, got 250 NaN .* of 500 .* 20 ms"),
        (lambda: sinusoid(amplitude=1.0, frequency=2501.0, **TIMES), "`frequency` .* 0 and 2500 Hz"),
        (lambda: sinusoid(amplitude=1.0, frequency=-1.0, **TIMES), "`frequency` .* got -1 Hz"),
        (
            lambda: chirp(amplitude=1.0, start_frequency=0.0, stop_frequency=1e4, **TIMES),
            "`stop_frequency` .* got 10000 Hz",
        ),
        (lambda: NOISE(sd=-1.0, correlation_time=5.0), "got sd=-1.0 pA"),
        (lambda: NOISE(sd=1.0, correlation_time=0.0), "correlation_time=0.0 ms"),
        (lambda: from_array(np.zeros((2, 3)), dt=0.1), "one axis, time, got shape .2, 3."),
        (lambda: from_array([1.0], dt=0.1), "at least 2 samples, got 1"),
        (lambda: from_array(NAN, dt=0.1), "got 2 NaN or infinite of 3 samples .first at 0.1 ms"),
        (lambda: from_array([1.0, 2.0], dt=-0.1), "`dt` must be positive and finite, got -0.1 ms"),
        (lambda: Stimulus(I=NAN, dt=0.1), "`I` must be finite"),
    ],
)
def test_each_error_says_what_to_do(call, match):
    with pytest.raises(ValueError, match=match):
        call()


@pytest.mark.parametrize(
    "make", [partial(sinusoid, frequency=20.0), partial(chirp, start_frequency=1.0, stop_frequency=30.0)]
)
def test_mean_is_added_while_the_oscillation_is_on(make):
    place = partial(make, amplitude=50.0, onset=10.0, duration=50.0, t_max=100.0, dt=0.5, holding=5.0)
    difference = place(mean=120.0).I - place().I
    np.testing.assert_allclose(difference[20:120], 120.0, atol=1e-4)
    np.testing.assert_array_equal(np.delete(difference, np.s_[20:120]), 0.0)
