import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakyflow.recordings.files.timebase import only_unit, restarts, sampling_interval, without_rounding

INTERVALS = [0.2, 0.1, 0.05, 0.025, 0.02, 0.01, 0.125, 1.0, 1000 / 30000, 1000 / 44100, 1000 / 3000]


@pytest.mark.parametrize("dt", INTERVALS)
@pytest.mark.parametrize("n_time", [40, 4000, 400_000])
def test_the_interval_is_what_was_chosen_to_the_last_bit(dt, n_time):
    assert sampling_interval(np.arange(n_time) * dt, where="t") == dt
    assert sampling_interval(1e5 + np.arange(n_time) * dt, where="t") == dt


def test_800_ms_at_5_khz_is_0_2_ms_although_its_mean_step_is_not():
    t = np.array([float(f"{k * 0.2:.6g}") for k in range(4000)])
    assert (t[-1] - t[0]) / 3999 < 0.2
    assert sampling_interval(t, where="t") == 0.2


@pytest.mark.parametrize("decimals", [3, 4, 6])
def test_rounding_within_half_a_step_changes_nothing(decimals):
    for dt in (0.05, 0.025, 0.02):
        assert sampling_interval(np.round(np.arange(20_000) * dt, decimals), where="t") == dt


def test_single_precision_is_no_unevenness():
    t = (np.arange(20_000) * 5e-5).astype(np.float32).astype(float) * 1000
    assert sampling_interval(t, where="t") == 0.05


@pytest.mark.parametrize(("dt", "decimals"), [(0.05, 1), (0.02, 1), (0.001, 2), (0.07, 1), (0.4, 0)])
def test_times_that_repeat_are_named_as_rounded_with_the_interval_to_pass(dt, decimals):
    t = np.round(np.arange(8000) * dt, decimals)
    with pytest.raises(ValueError, match=rf"rounded to {10.0**-decimals:g} ms(.|\n)*Pass dt_file={dt:g},"):
        sampling_interval(t, where="t")


def test_single_precision_far_from_zero_is_named_as_rounded():
    t = (1000 + np.arange(12_000) * 5e-5).astype(np.float32).astype(float) * 1000
    with pytest.raises(ValueError, match=r"Pass dt_file=0.05,"):
        sampling_interval(t, where="t")


@pytest.mark.parametrize("gap", [1, 2, 20])
@pytest.mark.parametrize("decimals", [9, 1])
def test_missing_samples_are_a_gap_and_no_rounding(gap, decimals):
    t = np.round(np.delete(np.arange(8000) * 0.1, np.s_[3000 : 3000 + gap]), decimals)
    with pytest.raises(ValueError, match="cut the file at the gap"):
        sampling_interval(t, where="t")


@given(st.integers(2, 5000), st.sampled_from(INTERVALS), st.floats(-1e3, 1e3))
def test_even_times_are_never_refused(n_time, dt, first):
    assert sampling_interval(first + np.arange(n_time) * dt, where="t") == pytest.approx(dt, rel=1e-6)


@pytest.mark.parametrize(
    ("t", "match"),
    [
        ([0.0], "at least 2 samples, got 1"),
        ([0.0, np.nan, 0.2], r"must be finite, got 1 .* row 2"),
        ([0.0, 0.0, 0.0], "increase"),
        ([0.2, 0.1, 0.0], "increase"),
    ],
)
def test_what_is_no_time_is_refused(t, match):
    with pytest.raises(ValueError, match=match):
        sampling_interval(np.array(t), where="t")


def test_a_sweep_begins_where_the_time_begins_again():
    t = np.arange(50) * 0.1
    assert restarts(np.concatenate([t, t[:20], t])).tolist() == [0, 50, 70]
    assert restarts(np.concatenate([t, t - 2.0])).tolist() == [0]  # a step back is no new sweep
    assert restarts(t).tolist() == [0]


@pytest.mark.parametrize("dt", INTERVALS)
def test_single_precision_of_an_interval_is_taken_back(dt):
    assert without_rounding(float(np.float32(dt))) == dt
    assert without_rounding(dt * (1 + 1e-5)) != dt


def test_a_unit_is_told_only_where_one_is_possible():
    k = np.arange(100)
    assert [only_unit(k * dt) for dt in (5e-5, 0.05, 5.0, 0.005)] == ["s", "ms", "ms", ""]
