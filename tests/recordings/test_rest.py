import numpy as np
import pytest

from leakyflow.recordings.preprocessing import to_recording
from leakyflow.recordings.rest import rest_stretches

from .lif import raw, step, voltage


def stretches(I, measured=False, noise=0.0):
    V = voltage(I)
    if measured:
        I = I + noise * np.random.default_rng(0).normal(size=len(I))
    recording = to_recording(raw(V, I, measured=measured), start=None, stop=None, dt=0.2, t_ref=None, name="x")
    return [(s.start * 0.2, s.stop * 0.2) for s in rest_stretches(recording)]


@pytest.mark.parametrize(("measured", "noise"), [(False, 0.0), (True, 0.65), (True, 3.0)])
def test_rest_lasts_until_the_first_change_and_begins_again_when_v_has_settled(measured, noise):
    I = step(-60.0, duration=300.0, t_max=900.0)
    found = stretches(I, measured, noise)
    assert found[0] == pytest.approx((0.0, 100.0), abs=5.0)
    assert found[1] == pytest.approx((300.0, 400.0), abs=5.0)
    assert found[2] == pytest.approx((600.0, 900.0), abs=5.0)


def test_spikes_are_no_rest():
    found = stretches(step(180.0, duration=500.0, t_max=1200.0))
    assert found[0] == pytest.approx((0.0, 100.0), abs=5.0)
    assert found[1] == pytest.approx((800.0, 1200.0), abs=5.0)
    assert len(found) == 2


def test_a_spontaneous_spike_ends_the_rest_before_it():
    I = step(-60.0, onset=700.0, t_max=1000.0, duration=300.0)
    V = voltage(I)
    V[6000:6040] = np.concatenate([np.linspace(-70, 30, 10), np.linspace(30, -65, 30)])
    recording = to_recording(raw(V, I), start=None, stop=None, dt=0.2, t_ref=None, name="x")
    found = [(s.start * 0.2, s.stop * 0.2) for s in rest_stretches(recording)]
    assert found[0] == pytest.approx((0.0, 290.0), abs=5.0)
    assert found[1] == pytest.approx((500.0, 700.0), abs=5.0)


def test_a_stimulus_that_never_stands_still_is_no_rest():
    t = np.arange(16000) * 0.05
    assert stretches(100.0 * np.sin(2 * np.pi * t / 100.0)) == []
    assert stretches(np.linspace(0.0, 300.0, 16000)) == []


def test_a_constant_current_is_rest_throughout():
    assert stretches(step(0.0)) == [(0.0, pytest.approx(800.0))]


def test_real_recordings_have_the_rest_of_their_protocol(real_recordings):
    from leakyflow.recordings.read import read_recording

    found = rest_stretches(read_recording(real_recordings / "steps_DRN165.abf", sweep=2))
    assert found[0].start == 0
    noise = rest_stretches(read_recording(real_recordings / "noise_DRN165.abf"))
    assert noise[0].start == 0
    assert noise[0].stop * 0.2 == pytest.approx(930.0, abs=20.0)
    assert all(s.stop * 0.2 < 940.0 or s.start * 0.2 > 59_000.0 for s in noise)
