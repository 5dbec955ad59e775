import numpy as np
import pytest

from leakyflow.recordings.current import injected, monitor
from leakyflow.recordings.files.raw import RawSweep
from leakyflow.recordings.spikes import find_spikes

from .lif import raw, step, voltage

DT = 0.05


def measured(command, *, offset=-6.0, gain=1.0, noise=0.65, seed=0):
    return offset + gain * command + noise * np.random.default_rng(seed).normal(size=len(command))


def got(V, I, command=None):
    sweep = raw(V, I, measured=True, command=command)
    return injected(sweep, find_spikes(V, DT))


@pytest.mark.parametrize("gain", [0.97, 1.0, 1.02])
@pytest.mark.parametrize("amplitude", [-10.0, 180.0])
def test_a_command_that_explains_the_measurement_is_what_the_neuron_got(gain, amplitude):
    command = step(amplitude)
    V = voltage(command)
    # The mean of 16,000 samples: 0.65 / sqrt(16,000), and the gain's share of it.
    np.testing.assert_allclose(got(V, measured(command, gain=gain), command), command - 6.0, atol=0.05)


@pytest.mark.parametrize("wrong", [0.0 * step(0.0), step(-60.0, onset=300.0), 3.0 * step(180.0)])
def test_a_command_that_does_not_explain_it_is_left_aside(wrong):
    command = step(180.0)
    V = voltage(command)
    sweep = raw(V, measured(command), measured=True, command=wrong)
    assert not monitor(sweep, find_spikes(V, DT)).fits
    np.testing.assert_allclose(np.median(injected(sweep, find_spikes(V, DT))[4000:12000]), 174.0, atol=0.2)


def test_a_command_alone_is_taken_as_it_is():
    command = step(180.0)
    sweep = raw(voltage(command), command)
    assert injected(sweep, find_spikes(sweep.V, DT)) is command


def test_artefacts_at_the_spikes_are_left_out():
    command = step(180.0)
    V = voltage(command)
    spikes = find_spikes(V, DT)
    I = measured(command)
    for onset in spikes.onset:
        I[onset + 2 : onset + 12] += 900.0
        I[onset + 12 : onset + 20] -= 400.0
    assert len(spikes) > 20
    np.testing.assert_allclose(got(V, I)[3000:11000], 174.0, atol=1.0)


def test_a_pulse_that_ends_in_its_spike_keeps_its_charge():
    command = sum(step(2000.0, onset=at, duration=2.0) for at in range(100, 800, 100))
    V = voltage(command)
    assert len(find_spikes(V, DT)) == 7
    for I in (measured(command, noise=5.0), measured(command, noise=0.0)):
        np.testing.assert_allclose((got(V, I) + 6.0).sum() * DT, 7 * 2000.0 * 2.0, rtol=0.005)


def test_a_fast_stimulus_is_kept_across_spikes():
    from scipy.signal import lfilter

    x = lfilter([60.0 * np.sqrt(2 * DT / 3.0)], [1.0, DT / 3.0 - 1.0], np.random.default_rng(3).normal(size=16000))
    command = 190.0 + x
    V = voltage(command)
    assert len(find_spikes(V, DT)) > 10
    changed = np.abs(got(V, command) - command) > 1e-9
    assert changed.mean() < 0.01


@pytest.mark.parametrize("file", ["cell_ch1_1.ibw", "command.csv"])
def test_a_real_recorded_current_gives_the_onset_of_the_command(real_cases, file):
    """C by the initial slope after the step of -10 pA, on the noise of which the recorded current depended."""
    from leakyflow.recordings.read import read_recording

    found = read_recording(real_cases / "measured_current_real_DRN160" / file)
    I = found.I - np.median(found.I[:800])
    assert np.median(I[1000:]) == pytest.approx(-10.0, abs=0.1)
    assert (np.abs(np.diff(I)) > 1.0).sum() <= 2
    V, x = found.V.astype(float), found.I.astype(float)
    columns = np.stack([np.ones(len(V) - 1), V[:-1] - V.mean(), x[:-1] - x.mean()], axis=1)
    _, leak, gain = np.linalg.lstsq(columns, np.diff(V) / found.dt, rcond=None)[0]
    # The voltage carries measurement noise, which makes tau and C small together; their ratio, R, stays.
    assert -gain / leak == pytest.approx(0.415, rel=0.12)


def test_raw_sweeps_cut_their_command_too():
    sweep = RawSweep(V=np.arange(5.0), I=np.arange(5.0), dt=0.1, voltage="V", current="I", measured=True,
                     command=np.arange(5.0))  # fmt: skip
    np.testing.assert_array_equal(sweep[1:3].command, [1.0, 2.0])
