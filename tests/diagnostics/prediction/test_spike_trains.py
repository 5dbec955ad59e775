import numpy as np
import pytest

from leakyflow.diagnostics.prediction.spike_trains import coincidence, spike_times
from leakyflow.errors import LeakyflowError


def poisson(n_trains: int, *, rate: float = 0.02, duration: float = 2000.0, seed: int = 1) -> list[np.ndarray]:
    """Spike trains without memory, in ms; some are empty by chance only."""
    rng = np.random.default_rng(seed)
    return [np.sort(rng.uniform(0.0, duration, rng.poisson(rate * duration))) for _ in range(n_trains)]


def jittered(n_trains: int, sd: float, *, seed: int = 2) -> list[np.ndarray]:
    """Trains that fire at the same times but for a jitter, and miss one spike in ten."""
    rng = np.random.default_rng(seed)
    times = np.arange(50.0, 5000.0, 60.0)
    return [
        np.sort(times + sd * rng.standard_normal(len(times)))[rng.random(len(times)) > 0.1] for _ in range(n_trains)
    ]


def by_hand(recorded, predicted, window) -> float:
    """Pair by pair, spike by spike."""

    def n(a, b):
        return sum(abs(s - t) <= window for s in a for t in b)

    def within(trains):
        pairs = [(a, b) for i, a in enumerate(trains) for b in trains[i + 1 :]]
        return np.mean([n(a, b) for a, b in pairs])

    across = np.mean([n(a, b) for a in recorded for b in predicted])
    return 2.0 * across / (within(recorded) + within(predicted))


@pytest.mark.parametrize("window", [4.0, 8.0])
def test_coincidence_is_that_of_all_pairs(window):
    recorded, predicted = poisson(3, seed=3), jittered(4, 3.0)
    assert coincidence(recorded, predicted, window=window) == pytest.approx(by_hand(recorded, predicted, window))


@pytest.mark.parametrize("n_trains", [2, 10])
def test_trains_of_one_process_have_coincidence_1_however_few_there_are(n_trains):
    found = [
        coincidence(jittered(n_trains, 3.0, seed=i), jittered(20, 3.0, seed=100 + i), window=4.0) for i in range(60)
    ]
    # Pairs of a train with itself would make 0.7 of it where there are two.
    assert np.mean(found) == pytest.approx(1.0, abs=4 * np.std(found) / np.sqrt(60))


def test_more_jitter_coincides_less():
    found = [coincidence(jittered(10, 1.0), jittered(10, sd, seed=5), window=4.0) for sd in (1.0, 4.0, 12.0)]
    assert found[0] > found[1] + 0.05 > found[2] + 0.1


def test_trains_that_never_meet_have_coincidence_0():
    at, later = np.array([100.0, 300.0]), np.array([200.0, 400.0])
    assert coincidence([at, at], [later, later], window=8.0) == 0.0


def test_silence_of_both_says_nothing():
    silent = [np.empty(0)] * 2
    assert np.isnan(coincidence(silent, silent, window=4.0))


def test_coincidence_knows_no_order_and_no_beginning():
    recorded, predicted = jittered(3, 2.0), poisson(3)
    found = coincidence(recorded, predicted, window=4.0)
    assert coincidence(predicted, recorded, window=4.0) == found
    assert coincidence([x[::-1] + 7.0 for x in recorded], [x + 7.0 for x in predicted], window=4.0) == found


def test_spikes_just_as_far_apart_as_the_window_coincide_on_a_grid():
    spikes = np.zeros((2, 100), bool)
    spikes[0, 3], spikes[1, 43] = True, True  # 8 ms at 0.2 ms, which 40 * 0.2 is not exactly
    assert coincidence(spike_times(spikes, 0.2), spike_times(spikes, 0.2), window=8.0) > 0.0
    assert np.isnan(coincidence(spike_times(spikes, 0.2), spike_times(spikes, 0.2), window=7.9))


@pytest.mark.parametrize(
    ("trains", "window", "match"),
    [
        ((1, 2), 4.0, "`recorded` must hold at least two"),
        ((2, 1), 4.0, "`predicted` must hold at least two"),
        ((2, 2), 0.0, "`window` must be positive"),
    ],
)
def test_each_error_says_what_to_do(trains, window, match):
    with pytest.raises(LeakyflowError, match=match):
        coincidence(poisson(trains[0]), poisson(trains[1]), window=window)
