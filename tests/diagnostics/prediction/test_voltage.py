import numpy as np
import pytest

from leakyflow.diagnostics.prediction.voltage import explained_variance, share_inside
from leakyflow.errors import LeakyflowError


def traces(n: int = 3, *, seed: int = 1) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.normal(-60.0, 5.0, 400 + 100 * i) for i in range(n)]


def everywhere(of: list[np.ndarray]) -> list[np.ndarray]:
    return [np.ones(len(x), bool) for x in of]


def test_a_perfect_prediction_explains_everything_and_the_mean_nothing():
    V = traces()
    assert explained_variance(V, V, everywhere(V)) == 1.0
    means = [np.full_like(x, x.mean()) for x in V]
    assert explained_variance(V, means, everywhere(V)) == pytest.approx(0.0, abs=1e-12)


def test_noise_that_cannot_be_predicted_is_its_share_of_the_variance():
    V = traces(20)
    noisy = [x + np.random.default_rng(9).normal(0.0, 2.0, len(x)) for x in V]
    # 4 of 25 + 4 mV^2, with 27,000 samples.
    assert explained_variance(noisy, V, everywhere(V)) == pytest.approx(1.0 - 4.0 / 29.0, abs=0.01)


def test_each_sweep_has_a_mean_of_its_own():
    flat = [np.full(100, -80.0), np.full(100, -40.0)]
    assert np.isnan(explained_variance(flat, flat, everywhere(flat)))


def test_a_worse_prediction_than_the_mean_is_below_0():
    V = traces()
    # 1 - 100 / 25 mV^2; four SDs of the variance of 1,500 samples are a seventh of it.
    assert explained_variance(V, [x - 10.0 for x in V], everywhere(V)) == pytest.approx(-3.0, abs=4.0 / 7.0)


def test_samples_that_do_not_count_say_nothing():
    V = traces(1)
    counts = [np.arange(len(V[0])) % 3 > 0]
    spoiled = [np.where(counts[0], V[0], 1e6)]
    assert explained_variance(V, spoiled, counts) == 1.0
    assert share_inside(V, spoiled, spoiled, counts) == 1.0


def test_share_inside_counts_samples_of_all_sweeps():
    V = [np.zeros(300), np.zeros(100)]
    low, high = [np.full(300, -1.0), np.full(100, 1.0)], [np.full(300, 1.0), np.full(100, 2.0)]
    assert share_inside(V, low, high, everywhere(V)) == 0.75
    assert np.isnan(share_inside(V, low, high, [np.zeros(300, bool), np.zeros(100, bool)]))


@pytest.mark.parametrize("predicted", [[np.zeros(300)], [np.zeros(300), np.zeros(99)]])
def test_traces_that_do_not_fit_are_refused(predicted):
    V = [np.zeros(300), np.zeros(100)]
    with pytest.raises(LeakyflowError, match="all its traces of one length"):
        explained_variance(V, predicted, everywhere(V))
