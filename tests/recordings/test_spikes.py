import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakyflow.recordings.spikes import bridge, find_spikes, longest_period, refractory_period, spike_gaps

from .synthetic import SPIKES, spike_shape, sweep


@pytest.mark.parametrize("dt", [0.02, 0.05, 0.1, 0.2, 0.25])
@pytest.mark.parametrize("height", [40.0, 80.0, 120.0])
def test_every_spike_is_found_at_its_onset(dt, height):
    V, _ = sweep(dt, height=height)
    onsets = find_spikes(V, dt).onset * dt
    # The slope is taken over 0.1 ms, or one sample.
    np.testing.assert_allclose(onsets, SPIKES, atol=max(0.1, dt) + 1e-9)


@given(shift=st.floats(-10.0, 30.0))
def test_spikes_ignore_a_common_voltage_shift(shift):
    V, _ = sweep(0.05)
    np.testing.assert_array_equal(find_spikes(V + shift, 0.05).onset, find_spikes(V, 0.05).onset)


@given(seed=st.integers(0, 1000), noise=st.floats(0.0, 0.5))
def test_noise_neither_adds_nor_hides_spikes(seed, noise):
    V, _ = sweep(0.05, noise=noise, seed=seed)
    np.testing.assert_allclose(find_spikes(V, 0.05).onset * 0.05, SPIKES, atol=0.5)


def step_artefact(V, t):
    """27 MOhm of access resistance under 2 nA."""
    return V + np.where(t >= 300.0, 54.0, 0.0)


def pulse_artefact(V, t):
    return V + np.where((t >= 300.0) & (t < 302.0), 60.0, 0.0)


def synaptic_potential(V, t):
    s = np.clip(t - 300.0, 0, None)
    return V + 25.0 * (np.exp(-s / 20.0) - np.exp(-s / 1.0))


def notch(V, t):
    return V - np.where((t >= 300.0) & (t < 300.2), 60.0, 0.0)


@pytest.mark.parametrize("artefact", [step_artefact, pulse_artefact, synaptic_potential, notch])
@pytest.mark.parametrize("dt", [0.05, 0.1])
def test_artefacts_are_not_spikes(artefact, dt):
    V, _ = sweep(dt, spikes=())
    assert len(find_spikes(artefact(V, np.arange(len(V)) * dt), dt)) == 0


@pytest.mark.parametrize("width", [0.8, 1.0, 1.4])
def test_refractory_period_ends_with_the_downstroke(width):
    dt = 0.05
    V = np.full(20000, -50.0)
    for first in (3000, 8000, 14000):
        V[first : first + len(spike_shape(dt, 80.0, width))] += spike_shape(dt, 80.0, width)
    # The slope of cos^2 is at 3 % of its fastest 1.5 % of pi from its foot; it is averaged over 0.5 ms.
    assert refractory_period(find_spikes(V, dt), dt_file=dt, dt=0.2) == pytest.approx(4 * width, abs=0.4)


def test_refractory_period_is_within_two_and_six_ms():
    for width, expected in ((0.3, 2.0), (2.5, 6.0)):
        V = np.full(20000, -50.0)
        V[3000 : 3000 + len(spike_shape(0.05, 80.0, width))] += spike_shape(0.05, 80.0, width)
        assert refractory_period(find_spikes(V, 0.05), dt_file=0.05, dt=0.2) == pytest.approx(expected)


def test_refractory_period_is_shorter_than_the_least_interval():
    V, _ = sweep(0.05, spikes=(250.0, 254.2, 330.0))
    spikes = find_spikes(V, 0.05)
    assert len(spikes) == 3
    t_ref = refractory_period(spikes, dt_file=0.05, dt=0.2)
    assert t_ref == pytest.approx(longest_period(spikes, dt_file=0.05, dt=0.2))
    assert t_ref < np.diff(spikes.onset).min() * 0.05 - 0.2


def test_no_spike_has_the_period_of_the_presets():
    assert refractory_period(find_spikes(np.full(4000, -70.0), 0.05), dt_file=0.05, dt=0.2) == pytest.approx(3.0)


def test_bridge_is_a_straight_line_across_the_gap():
    V, _ = sweep(0.05)
    spikes = find_spikes(V, 0.05)
    gaps = spike_gaps(spikes, n_time=len(V), dt_file=0.05, t_ref=4.0)
    bridged = bridge(V, gaps)
    np.testing.assert_array_equal(bridged[~gaps], V[~gaps])
    assert bridged.max() < -40.0
    assert gaps.sum() == 3 * 79


@pytest.mark.parametrize(
    ("file", "counts"),
    [
        # Upward crossings of 0 mV in the samples; every spike of these cells overshoots.
        ("steps_171116sh_0018.abf", [0, 0, 0, 0, 0, 0, 2, 3, 6, 8, 10, 12, 12, 14, 16, 16, 18]),
        ("steps_DRN165.abf", [0] * 9 + [1, 2, 2, 3, 3, 3, 4, 4, 5, 5, 5]),
        ("ramp_171116sh_0016.abf", [0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]),
        ("chirp_171116sh_0017.abf", [0, 0, 0]),
        ("noise_DRN165.abf", [215]),
        ("noise_subthreshold_DRN165.abf", [0]),
        ("C060109A1_IDrest_ch1_328.ibw", [6]),
        ("C060109A1_IDrest_ch1_332.ibw", [18]),
    ],
)
def test_spikes_of_real_cells_are_counted(real_recordings, file, counts):
    from leakyflow.recordings.read import list_sweeps

    assert [sweep.n_spikes for sweep in list_sweeps(real_recordings / file)] == counts
