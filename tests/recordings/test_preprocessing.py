import numpy as np
import pytest

from leakyflow.recordings.files.raw import RawSweep
from leakyflow.recordings.preprocessing import to_recording

from .synthetic import SPIKES, subthreshold, sweep


def raw(V, I, dt=0.05, measured=False):
    return RawSweep(V=V, I=I, dt=dt, voltage="V", current="I", measured=measured)


def recording(V, I, dt_file=0.05, *, start=None, stop=None, dt=0.2, t_ref=None, measured=False):
    return to_recording(raw(V, I, dt_file, measured), start=start, stop=stop, dt=dt, t_ref=t_ref, name="x")


@pytest.mark.parametrize("dt_file", [0.02, 0.05, 0.1, 0.13, 0.2, 0.25])
def test_spikes_do_not_leak_into_the_free_samples(dt_file):
    V, I = sweep(dt_file)
    found = recording(V, I, dt_file, t_ref=5.0)
    # A line through the corner of a step is off by a part of its slope, 1.3 mV/ms, over half a sample.
    np.testing.assert_allclose(found.V[found.free], subthreshold(found.t)[found.free], atol=1.3 * dt_file / 4 + 1e-4)


@pytest.mark.parametrize("dt_file", [0.05, 0.1, 0.25])
def test_spike_is_the_first_sample_after_the_onset(dt_file):
    V, I = sweep(dt_file)
    found = recording(V, I, dt_file)
    assert found.spikes.sum() == 3
    late = found.t[found.spikes] - SPIKES
    # The onset is found within 0.1 ms or a sample; the next grid point is at most one step later.
    assert (late > -max(0.1, dt_file) - 1e-9).all()
    assert (late <= 0.2 + max(0.1, dt_file) + 1e-9).all()


@pytest.mark.parametrize("t_ref", [2.0, 4.0, 6.0])
def test_voltage_holds_the_value_measured_at_the_end_of_the_refractory_period(t_ref):
    V, I = sweep(0.05)
    found = recording(V, I, t_ref=t_ref)
    for k in np.flatnonzero(found.spikes):
        held = slice(k, k + round(t_ref / 0.2) + 1)
        assert found.refractory[held].sum() == round(t_ref / 0.2)
        assert np.ptp(found.V[held]) == 0
        assert found.V[k] == np.float32(V[round((held.stop - 1) * 0.2 / 0.05)])


def test_the_voltage_on_an_electrode_goes_with_the_current_of_its_moment():
    I = np.random.default_rng(3).normal(0.0, 100.0, 4000)
    found = recording(-65.0 + 0.01 * I, I, 0.05)
    np.testing.assert_allclose(found.V - 0.01 * found.I_electrode, -65.0, atol=1e-4)
    assert np.std(found.V - 0.01 * found.I) > 0.5  # of the mean over the step
    np.testing.assert_allclose(found.I, I.reshape(-1, 4).mean(1), rtol=1e-5, atol=1e-4)


def test_a_sweep_at_the_grid_of_the_network_is_taken_as_it_is():
    rng = np.random.default_rng(0)
    V, I = -65 + 0.3 * np.cumsum(rng.normal(size=1000)) * np.sqrt(0.2), rng.normal(size=1000)
    found = recording(V, I, 0.2)
    np.testing.assert_array_equal(found.V, V.astype(np.float32))
    np.testing.assert_allclose(found.I, I, rtol=1e-6, atol=1e-6)
    assert found.I_electrode is None


def test_euler_recursion_holds_on_a_held_current():
    """The current of a step is the one under which the voltage moves to the next sample."""
    t = np.arange(20000) * 0.02
    I = np.where((t >= 100) & (t < 200.1), 50.0, 0.0)
    V = np.full(t.size, -70.0)
    for k in range(t.size - 1):
        V[k + 1] = V[k] + 0.02 * ((-70 - V[k]) / 20 + I[k] / 100)
    found = recording(V, I, 0.02)
    predicted = found.V[:-1] + 0.2 * ((-70 - found.V[:-1]) / 20 + found.I[:-1] / 100)
    # Euler at 0.2 ms against 0.02 ms: half of dt / tau of a step's 0.1 mV.
    assert np.abs(found.V[1:] - predicted).max() < 0.001


def test_artefacts_of_a_measured_current_at_the_spikes_are_left_out():
    V, I = sweep(0.05)
    artefact = I.copy()
    for onset in SPIKES:
        artefact[round(onset / 0.05) + 1 : round(onset / 0.05) + 20] += 800.0
    found = recording(V, artefact, measured=True)
    np.testing.assert_allclose(found.I[found.t > 100.0], 130.0, atol=1e-3)


def test_window_equals_the_same_part_of_the_whole():
    V, I = sweep(0.05, noise=0.1)
    whole, part = recording(V, I), recording(V, I, start=200.0, stop=420.0)
    keep = slice(1000, 2100)
    for field in ("V", "I", "spikes", "refractory"):
        np.testing.assert_allclose(getattr(part, field), getattr(whole, field)[keep], atol=1e-5)


def test_samples_that_are_not_finite_matter_only_within_the_window():
    V, I = sweep(0.05)
    V[:100] = np.nan
    I[-200:] = np.inf
    found = recording(V, I, start=10.0, stop=580.0)
    assert found.spikes.sum() == 3
    with pytest.raises(ValueError, match=r"100 NaN or infinite .* Leave them out with start="):
        recording(V, I, stop=580.0)


def test_a_spike_that_the_file_cuts_off_ends_the_recording():
    V, I = sweep(0.05)
    cut = round(412.0 / 0.05)
    found = recording(V[:cut], I[:cut])
    assert found.spikes.sum() == 2
    assert found.duration == pytest.approx(410.0, abs=0.3)
    assert found.V.max() < -40


def test_a_spike_that_the_window_cuts_off_keeps_its_release():
    V, I = sweep(0.05)
    whole, found = recording(V, I), recording(V, I, stop=412.0)
    assert found.spikes.sum() == 3
    assert found.V[-1] == pytest.approx(whole.V[found.n_samples - 1], abs=1e-4)


@pytest.mark.parametrize("start", [250.2, 251.0, 253.0])
def test_a_window_that_begins_in_a_spike_names_the_next_free_sample(start):
    V, I = sweep(0.05)
    with pytest.raises(ValueError, match=r"start=\S+ ms lies in a spike .* Pass start=25\d") as error:
        recording(V, I, start=start)
    free = float(str(error.value).split("Pass start=")[1].split()[0])
    assert recording(V, I, start=free).free[0]


def V_I(dt=0.05):
    return sweep(dt)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: recording(*V_I(), start=-1.0), "0 <= start < stop <= 600 ms"),
        (lambda: recording(*V_I(), start=300.0, stop=200.0), "0 <= start < stop"),
        (lambda: recording(*V_I(), stop=601.0), "0 <= start < stop"),
        (lambda: recording(*V_I(), start=np.nan), "0 <= start < stop"),
        (lambda: recording(*V_I(), start=100.0, stop=199.0), "at least 100 ms, got 99 ms"),
        (lambda: recording(*V_I(), dt=0.0), "`dt` must be positive"),
        (lambda: recording(*V_I(), t_ref=-1.0), "`t_ref` must be positive"),
        (lambda: recording(*V_I(), t_ref=90.0), "Pass t_ref=79"),
        (lambda: recording(*V_I(0.5), dt_file=0.5), "at least every 1.5"),
    ],
)
def test_each_error_says_what_to_do(call, match):
    with pytest.raises(ValueError, match=match):
        call()
