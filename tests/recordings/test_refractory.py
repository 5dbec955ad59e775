import numpy as np
import pytest

from leakyflow.recordings.preprocessing import to_recording
from leakyflow.recordings.refractory import held_samples
from leakyflow.recordings.spikes import find_spikes

from .lif import raw, spike, step, voltage

DT = 0.05


def held(V, dt=0.2, t_ref=None):
    return held_samples(find_spikes(V, DT), first=0.0, dt_file=DT, dt=dt, t_ref=t_ref)


def paste(V, at, *, rise=0.5, fall=4.5, peak=30.0, after=-60.0):
    k = round(at / DT)
    shape = spike(V[k - 1], after, rise=rise, fall=fall, dt=DT, peak=peak)
    V[k : k + len(shape)] = shape


@pytest.mark.parametrize(("rise", "fall"), [(0.2, 0.6), (0.5, 1.5), (0.5, 4.5), (5.0, 7.0)])
def test_the_period_is_that_of_the_shape(rise, fall):
    """Of any length: it is no longer clipped to the 2 to 6 ms of the networks."""
    found = held(voltage(step(180.0), rise=rise, fall=fall))
    assert len(found.step) > 10
    assert np.ptp(found.n_ref) <= 1
    assert np.median(found.n_ref) * 0.2 == pytest.approx(rise + fall, abs=0.5)


def test_one_doublet_does_not_shorten_the_period_of_the_others():
    V = voltage(step(170.0), fall=4.5)
    alone = held(V)
    k = find_spikes(V, DT).onset[3]
    V[k + 2 + 130 : k + 2 + 130 + 100] = spike(V[k + 131], -60.0, rise=0.5, fall=4.5, dt=DT)
    both = held(V)
    assert len(both.step) == len(alone.step) + 1
    np.testing.assert_array_equal(np.delete(both.n_ref, [3, 4]), np.delete(alone.n_ref, 3))


def test_a_spike_in_the_downstroke_of_another_is_part_of_it():
    V = np.full(16000, -50.0) + 0.05 * np.random.default_rng(0).normal(size=16000)
    for at in (100.0, 200.0, 202.2, 300.0, 400.0):
        paste(V, at)
    found = held(V)
    assert found.fused == 1
    assert len(found.step) == 4
    assert found.n_ref[1] > found.n_ref[0]
    assert found.n_ref[1] * 0.2 == pytest.approx(2.2 + found.n_ref[0] * 0.2, abs=0.5)


def test_a_broad_spike_among_narrow_ones_is_held_longer():
    V = np.full(40000, -50.0) + 0.05 * np.random.default_rng(0).normal(size=40000)
    for n, at in enumerate(range(100, 1900, 100)):
        paste(V, at, fall=8.0 if n == 5 else 1.5)
    found = held(V)
    assert found.n_ref[5] * 0.2 == pytest.approx(8.5, abs=0.5)
    assert np.delete(found.n_ref, 5).max() * 0.2 == pytest.approx(2.0, abs=0.3)


def test_every_spike_of_real_cells_leaves_no_upstroke_behind(real_recordings):
    from leakyflow.recordings.read import read_recording

    for file, sweep in (
        ("steps_171116sh_0018.abf", 16),
        ("steps_2019_07_24_0055_fsi.abf", 10),
        ("steps_DRN165.abf", 19),
    ):
        found = read_recording(real_recordings / file, sweep=sweep)
        first = np.flatnonzero(found.spikes)
        assert len(first) > 4
        # Up to the spike the membrane charges; the sample before one is no higher than 5 mV/ms above its own past.
        assert (found.V[first - 1] - found.V[first - 2]).max() < 5.0 * 0.2 + 0.6


def test_a_period_given_holds_for_all():
    found = held(voltage(step(180.0)), t_ref=3.0)
    assert set(found.n_ref.tolist()) == {15}


def test_a_period_that_most_spikes_contradict_is_refused():
    with pytest.raises(ValueError, match=r"Pass t_ref=1\d"):
        held(voltage(step(180.0)), t_ref=90.0)


@pytest.mark.parametrize("dt_file", [0.02, 0.05, 0.1, 0.13])
@pytest.mark.parametrize(("rise", "fall"), [(0.5, 1.5), (0.5, 4.5), (5.0, 7.0)])
def test_free_samples_are_those_of_the_membrane(dt_file, rise, fall):
    """Every free step obeys the neuron's equation within its noise: no part of a spike is left."""
    I = step(180.0, dt=dt_file)
    V = voltage(I, dt=dt_file, rise=rise, fall=fall, electrode=0.0)
    found = to_recording(raw(V, I, dt_file), start=None, stop=None, dt=0.2, t_ref=None, name="x")
    free = found.free[1:]
    v, x = found.V[:-1].astype(float), found.I[:-1].astype(float)
    residual = (found.V[1:] - v - 0.2 * ((-70.0 - v) / 20.0 + x / 100.0))[free]
    # After its release V moves within a step; a slow upstroke hides for 0.5 ms below a tenth of its steepest slope.
    assert np.abs(residual).max() < 6 * 0.15 * np.sqrt(0.2) + 0.3
    assert residual.std() == pytest.approx(0.15 * np.sqrt(0.2), rel=0.15)
