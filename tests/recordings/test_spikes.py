import numpy as np
import pytest
from benchmarks.spikes import HEIGHTS, SLOWEST, WIDTHS, peaks, steepest, sweeps, synthetic
from hypothesis import given
from hypothesis import strategies as st

from leakyflow.recordings.spikes import find_spikes

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


SHAPES = [(width, height) for width in WIDTHS for height in HEIGHTS]
RECORDED = pytest.mark.parametrize(("rate", "noise", "dt"), [(2.0, (0.02, 0.05), 0.02), (100.0, (0.3, 0.5), 0.1)])


@pytest.mark.parametrize(("width", "height"), [shape for shape in SHAPES if steepest(*shape) >= SLOWEST])
@RECORDED
def test_spikes_of_any_width_and_height_are_found_and_nothing_else(width, height, rate, noise, dt):
    V, onsets = synthetic(width, height, rate, noise, dt)
    found = find_spikes(V, dt).onset * dt
    assert len(found) == len(onsets)
    np.testing.assert_allclose(found, onsets, atol=max(0.5, 0.5 * width))


def test_some_shapes_are_too_slow_for_spikes():
    assert 0 < sum(steepest(*shape) < SLOWEST for shape in SHAPES) < len(SHAPES)


@pytest.mark.parametrize(("width", "height"), [shape for shape in SHAPES if steepest(*shape) < SLOWEST])
@RECORDED
def test_where_no_spike_rises_so_slowly_nothing_is_found_but_at_the_upstrokes(width, height, rate, noise, dt):
    V, onsets = synthetic(width, height, rate, noise, dt)
    found = find_spikes(V, dt).onset * dt
    assert (np.abs(found[:, None] - onsets).min(axis=1) < width).all()


def step_artefact(V, t):
    """27 MOhm of access resistance under 2 nA."""
    return V + np.where(t >= 300.0, 54.0, 0.0)


def pulse_artefact(V, t):
    return V + np.where((t >= 300.0) & (t < 302.0), 60.0, 0.0)


def charging_pulse(V, t):
    """2 nA for 1.5 ms into 100 pF and 10 ms: the membrane leaks, and is not pulled, back."""
    s = t - 300.0
    return V + 25.0 * np.where(s < 0, 0, np.where(s < 1.5, s / 1.5, np.exp(-(s - 1.5) / 10.0)))


def synaptic_potential(V, t):
    s = np.clip(t - 300.0, 0, None)
    return V + 25.0 * (np.exp(-s / 20.0) - np.exp(-s / 1.0))


def notch(V, t):
    return V - np.where((t >= 300.0) & (t < 300.2), 60.0, 0.0)


@pytest.mark.parametrize("artefact", [step_artefact, pulse_artefact, charging_pulse, synaptic_potential, notch])
@pytest.mark.parametrize("dt", [0.05, 0.1])
def test_artefacts_are_not_spikes(artefact, dt):
    V, _ = sweep(dt, spikes=())
    assert len(find_spikes(artefact(V, np.arange(len(V)) * dt), dt)) == 0


@pytest.mark.parametrize("sd", [1.0, 3.0])
def test_a_voltage_that_only_fluctuates_has_no_spikes(sd):
    from scipy.signal import lfilter

    rng = np.random.default_rng(0)
    for tau in (5.0, 20.0):
        V = -45.0 + lfilter([sd * np.sqrt(2 * 0.05 / tau)], [1.0, 0.05 / tau - 1.0], rng.normal(size=200_000))
        assert len(find_spikes(V + 0.1 * rng.normal(size=V.size), 0.05)) == 0


def test_a_pulse_that_charges_the_membrane_is_not_part_of_its_spike():
    """The onset is the kink, though the membrane rises at 20 mV/ms before: else C has nothing to be read off."""
    V = np.full(8000, -70.0) + 0.05 * np.random.default_rng(0).normal(size=8000)
    V[4000:4026] += 20.0 * 0.05 * np.arange(26)
    V[4026:4026] = 0
    shape = spike_shape(0.05, 80.0, 0.5)
    V[4026 : 4026 + len(shape)] = V[4025] + shape
    V[4026 + len(shape) :] = -62.0
    (onset,) = find_spikes(V, 0.05).onset
    assert onset == pytest.approx(4025, abs=2)


def test_small_spikelets_beside_large_spikes_are_counted_only_on_request():
    V, _ = sweep(0.05, spikes=(250.0, 330.0))
    first = round(410.0 / 0.05) + 1
    shape = spike_shape(0.05, 15.0)
    V[first : first + len(shape)] += shape
    assert len(find_spikes(V, 0.05)) == 2
    assert len(find_spikes(V, 0.05, height=12.0)) == 3
    assert len(find_spikes(V, 0.05, height=100.0)) == 0
    assert len(find_spikes(V, 0.05, slope=500.0)) == 0


@pytest.mark.parametrize("name", ["slope", "height"])
@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf])
def test_a_threshold_must_be_positive(name, value):
    with pytest.raises(ValueError, match=f"`spike_{name}` must be positive and finite") as error:
        find_spikes(np.zeros(100), 0.05, **{name: value})
    assert error.value.argument == f"spike_{name}"


@pytest.mark.parametrize("width", [0.3, 0.8, 1.0, 1.4, 2.5])
def test_a_spike_ends_with_its_downstroke(width):
    dt = 0.05
    V = np.full(20000, -50.0)
    for first in (3000, 8000, 14000):
        V[first : first + len(spike_shape(dt, 80.0, width))] += spike_shape(dt, 80.0, width)
    found = find_spikes(V, dt)
    # The slope of cos^2 is at 3 % of its fastest 1.5 % of pi from its foot; it is averaged over 0.5 ms.
    assert found.ended.all()
    np.testing.assert_allclose((found.end - found.onset) * dt, 4 * width, atol=0.4)


def test_a_spike_that_the_trace_cuts_off_has_no_end():
    V, _ = sweep(0.05)
    found = find_spikes(V[: round(411.5 / 0.05)], 0.05)
    assert len(found) == 3
    assert found.end[-1] == -1
    assert found.ended.tolist() == [True, True, False]


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
    from leakyflow.recordings.sweeps import list_sweeps

    assert [sweep.n_spikes for sweep in list_sweeps(real_recordings / file)] == counts


def test_an_independent_count_of_peaks_agrees_on_every_real_sweep(real_recordings):
    """But for peaks below -20 mV, which the count of peaks leaves out: within 3 of about 40 in a few sweeps."""
    counts = [(len(find_spikes(V, dt)), len(peaks(V, dt))) for _, V, dt in sweeps(real_recordings)]
    assert len(counts) > 170
    assert sum(found != counted for found, counted in counts) <= 10
    assert all(counted <= found <= counted + 3 for found, counted in counts)
