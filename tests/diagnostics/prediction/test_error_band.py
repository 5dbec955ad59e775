import numpy as np
import pytest

from leakyflow.diagnostics.prediction.error_band import ErrorBand, cross_validated_share
from leakyflow.errors import LeakyflowError


def slow_errors(n_sweeps: int, sd: float = 1.0, *, seed: int = 1) -> list[np.ndarray]:
    """Errors that last, as those of a model that lacks something do: means of 50 in a row."""
    rng = np.random.default_rng(seed)
    return [np.convolve(rng.standard_t(4, 3049), np.ones(50) / np.sqrt(50), "valid") * sd for _ in range(n_sweeps)]


def test_the_band_holds_its_share_of_another_sweep():
    shares = []
    for seed in range(60):
        *known, new = slow_errors(5, seed=seed)
        shares.append(np.mean(np.abs(new) <= ErrorBand.of(known).half_width))
    assert np.mean(shares) == pytest.approx(0.9, abs=4 * np.std(shares) / np.sqrt(60))


@pytest.mark.parametrize("level", [0.5, 0.9])
def test_each_sweep_lies_in_the_band_of_the_others_as_often_as_it_should(level):
    shares = cross_validated_share(slow_errors(60), level=level)
    assert shares.mean() == pytest.approx(level, abs=4 * shares.std() / np.sqrt(60))


def test_a_band_as_wide_as_the_noise_would_hold_too_little():
    """What is checked can fail: errors of twice the size."""
    band = ErrorBand.of(slow_errors(20))
    new = np.concatenate(slow_errors(20, sd=2.0, seed=2))
    assert np.mean(np.abs(new) <= band.half_width) < 0.7


def test_scales_say_where_errors_are_large():
    errors = slow_errors(30)
    scales = [np.where(np.arange(len(x)) < 1500, 0.5, 3.0) for x in errors]
    scaled = [x * s for x, s in zip(errors, scales, strict=True)]
    band = ErrorBand.of(scaled, scales)
    late = np.concatenate([np.abs(x[1500:]) <= band.half_width * s[1500:] for x, s in zip(scaled, scales, strict=True)])
    blind = ErrorBand.of(scaled)
    assert late.mean() == pytest.approx(0.9, abs=0.03)
    assert np.mean([np.abs(x[1500:]) <= blind.half_width for x in scaled]) < 0.87


def test_a_long_sweep_counts_as_much_as_a_short_one():
    short, long = np.full(10, 1.0), np.full(1000, 2.0)
    assert ErrorBand.of([short, short, long], level=0.6).half_width == 1.0
    assert ErrorBand.of([short, short, long], level=0.7).half_width == 2.0


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: ErrorBand.of([]), "needs errors of at least one sample"),
        (lambda: ErrorBand.of([np.ones(3)], level=90.0), "`level` must lie between 0 and 1"),
        (lambda: cross_validated_share([np.ones(3)]), "at least two sweeps"),
    ],
)
def test_each_error_says_what_to_do(call, match):
    with pytest.raises(LeakyflowError, match=match):
        call()
