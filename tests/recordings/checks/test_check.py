"""What cannot be is refused, what may be meant is said, and a good sweep passes without a word."""

import re

import numpy as np
import pytest

from leakyflow.recordings.checks.check import check_recording
from leakyflow.recordings.checks.quality import drift_between, short_rest
from leakyflow.recordings.preprocessing import to_recording
from leakyflow.recordings.recording import Recording

from ..lif import raw, step, voltage

DT = 0.05


def shifted(I, milliseconds):
    return np.roll(I, round(milliseconds / DT))


def sine(frequency, amplitude=100.0, offset=0.0, t_max=1000.0):
    t = np.arange(round(t_max / DT)) * DT
    return np.where(t > 100.0, offset + amplitude * np.sin(2 * np.pi * frequency * (t - 100.0) / 1000.0), 0.0)


def noise_current(sd=60.0, tau=3.0, t_max=1500.0, mean=50.0):
    from scipy.signal import lfilter

    n = round(t_max / DT)
    drive = np.random.default_rng(9).normal(size=n)
    x = lfilter([sd * np.sqrt(2 * DT / tau)], [1.0, DT / tau - 1.0], drive)
    return np.where(np.arange(n) * DT > 200.0, mean + x, 0.0)


STIMULI = {
    "hyperpolarising": step(-60.0),
    "spiking": step(180.0),
    "weak": step(15.0),
    "strong": step(600.0),
    "holding": step(100.0, holding=-40.0),
    "short": step(2000.0, onset=100.0, duration=2.0),
    "sine": sine(5.0),
    "fast sine": sine(40.0, 200.0),
    "spiking sine": sine(8.0, 100.0, 150.0),
    "noise": noise_current(),
    "spiking noise": noise_current(150.0, mean=130.0),
    "ramp": np.linspace(0.0, 250.0, 20000),
}


@pytest.mark.parametrize("name", STIMULI)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_good_sweep_passes_without_a_word(name, seed):
    I = STIMULI[name]
    assert check_recording(raw(voltage(I, seed=seed), I)) == []


@pytest.mark.parametrize(("tau", "c"), [(5.0, 20.0), (10.0, 400.0), (50.0, 40.0), (100.0, 100.0)])
@pytest.mark.parametrize("name", ["hyperpolarising", "noise", "sine", "fast sine"])
def test_cells_of_any_size_pass(tau, c, name):
    I = STIMULI[name] * c / tau / 5.0
    assert [f for f in check_recording(raw(voltage(I, tau=tau, c=c), I)) if f.level == "refuse"] == []


def sweep(I, **changed):
    return voltage(I, **changed), I


def nan_after(V, I):
    V[13000:] = np.nan
    return V, I


def constant_after(value):
    def fault(V, I):
        V[13000:] = V[12999] if value is None else value
        return V, I

    return fault


def pulled_out(V, I):
    V[6000:7000] = -20.0
    return V, I


REFUSED = {
    "against I": (lambda: sweep(step(-60.0)), lambda V, I: (V, -I), "moves against it"),
    "against I, spiking": (lambda: sweep(step(180.0)), lambda V, I: (V, -I), "moves against it"),
    "against I, sine": (lambda: sweep(sine(5.0)), lambda V, I: (V, -I), "moves against it"),
    "against I, noise": (lambda: sweep(noise_current()), lambda V, I: (V, -I), "moves against it"),
    "before I": (lambda: sweep(step(-60.0)), lambda V, I: (V, shifted(I, 50.0)), r"moves \d+ ms before it"),
    "before I, 20 ms": (lambda: sweep(step(-60.0)), lambda V, I: (V, shifted(I, 20.0)), r"moves \d+ ms before it"),
    "before I, noise": (lambda: sweep(noise_current()), lambda V, I: (V, shifted(I, 30.0)), r"moves \d+ ms before it"),
    "NaN": (lambda: sweep(step(180.0)), nan_after, r"3000 NaN .* start=0 and stop=650"),
    "zeros": (lambda: sweep(step(180.0)), constant_after(0.0), r"exactly 0 mV for 150 ms.* start=0 and stop=650"),
    "a held value": (lambda: sweep(step(180.0)), constant_after(None), r"for 150.* ms, from 6(49|50).*stop=6(49|50)"),
    "a constant within": (lambda: sweep(step(180.0)), pulled_out, r"exactly -20 mV for 50 ms.* start=350 and stop=800"),
    "pA labelled nA": (lambda: sweep(step(15.0)), lambda V, I: (V, 1000 * I), r"of .* MOhm, where .*pA labelled nA"),
    "pA labelled nA, spiking": (lambda: sweep(step(180.0)), lambda V, I: (V, 100 * I), "pA labelled nA"),
    "nA labelled pA": (lambda: sweep(step(180.0)), lambda V, I: (V, I / 1000), "nA labelled pA"),
    "volts labelled mV": (lambda: sweep(step(180.0)), lambda V, I: (V / 1000, I), "volts labelled mV"),
    "no current": (lambda: sweep(step(180.0)), lambda V, I: (V, 0 * I), "is 0 pA throughout"),
    "no voltage": (lambda: sweep(step(180.0)), lambda V, I: (-70 + 0.1 * np.sin(np.arange(len(V))), I), "MOhm"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_refused(name):
    make, fault, match = REFUSED[name]
    first = next(f for f in check_recording(raw(*fault(*make()))) if f.level == "refuse")
    assert re.search(match, str(first)), str(first)


def jump(resistance):
    return lambda V, I: (V + resistance * I, I)


def humming(V, I):
    return V + 0.6 * np.sin(2 * np.pi * 0.05 * np.arange(len(V)) * DT), I


WARNED = {
    "bridge": (lambda: sweep(step(-100.0)), jump(0.03), r"jump with the current.* \d\d MOhm"),
    "bridge, spiking": (lambda: sweep(step(180.0)), jump(0.04), r"jump with the current"),
    "bridge overcompensated": (lambda: sweep(step(-100.0)), jump(-0.03), r"jump with the current.* -\d\d MOhm"),
    "offset of the electrode": (lambda: sweep(step(-60.0)), lambda V, I: (V + 45.0, I), "rest should lie within"),
    "another offset": (lambda: sweep(step(-60.0)), lambda V, I: (V - 40.0, I), "rest should lie within"),
    "hum": (lambda: sweep(step(-60.0, onset=300.0)), humming, "hum, but it oscillates at 50 Hz by .-0.[5-7]"),
    "hum, short rest": (lambda: sweep(step(-60.0)), humming, "hum, but it oscillates at 50 Hz by .-0.[5-7]"),
    "drift": (lambda: sweep(step(-60.0)), lambda V, I: (V + np.linspace(0, 8, len(V)), I), "ends .7|ends .8"),
    "late": (lambda: sweep(step(-60.0)), lambda V, I: (V, shifted(I, -50.0)), r"moves \d+ ms after it"),
    "constant current": (lambda: sweep(0 * step(0.0)), lambda V, I: (V, I), "must change to inform"),
}


@pytest.mark.parametrize("name", WARNED)
def test_what_may_be_meant_is_said(name):
    make, fault, match = WARNED[name]
    found = check_recording(raw(*fault(*make())))
    assert [f for f in found if re.search(match, str(f))], found
    assert all(f.level == "warn" for f in found)


def test_a_pulse_that_hides_in_its_own_spike_is_said():
    V, I = sweep(step(0.0))
    V[2001:2041] = np.concatenate([np.linspace(-70, 30, 10), np.linspace(30, -65, 30)])
    I[2000:2040] = 3000.0
    (found,) = [f for f in check_recording(raw(V, I)) if "during spikes" in f.what]
    assert found.level == "warn"


def test_spikes_that_are_not_counted_are_said():
    V, I = sweep(step(180.0))
    assert check_recording(raw(V, I)) == []
    found = next(f for f in check_recording(raw(V, I), spike_height=200.0) if "not counted as spikes" in f.what)
    assert found.level == "warn"
    assert "--spike-slope or --spike-height" in found.cure


def test_slow_humps_that_look_like_spikes_are_refused():
    """Up to -25 mV at 6 mV/ms, and back: no membrane voltage."""
    V, I = sweep(step(180.0))
    t = np.arange(len(V)) * DT
    hump = 60.0 * np.exp(-(((t - 700.0) / 8.5) ** 2))
    (found,) = [f for f in check_recording(raw(V + hump, I)) if f.level == "refuse"]
    assert "peaks of up to" in found.what


def test_another_window_helps():
    V, I = nan_after(*sweep(step(180.0)))
    V[:100] = 0.0
    assert [f.level for f in check_recording(raw(V, I))] == ["refuse"]
    assert check_recording(raw(V, I), start=10.0, stop=640.0) == []
    V, I = sweep(step(180.0))
    V[13000:] *= 1000
    assert [f.level for f in check_recording(raw(V, I))] == ["refuse"]
    assert check_recording(raw(V, I), stop=640.0) == []


def test_a_simulation_without_noise_is_read_with_a_word():
    I = step(-60.0)
    (found,) = check_recording(raw(voltage(I, noise=0.0, electrode=0.0), I))
    assert found.level == "warn"
    assert "simulation without noise" in found.cure


def test_a_file_that_resolves_less_than_its_noise_is_read_with_a_word():
    I = step(-60.0)
    V = np.round(voltage(I, noise=0.02, electrode=0.0) / 0.5) * 0.5
    found = check_recording(raw(V, I))
    assert [f.level for f in found if "resolves less" in f.cure] == ["warn"]
    assert all(f.level == "warn" for f in found)


@pytest.mark.parametrize(("offset", "said"), [(-11.0, True), (-2.0, False)])
def test_an_offset_between_current_and_command_is_said(offset, said):
    command = step(-60.0)
    measured = command + offset + 0.6 * np.random.default_rng(0).normal(size=len(command))
    found = check_recording(raw(voltage(command), measured, measured=True, command=command))
    assert bool([f for f in found if "from the command" in f.what]) == said


def test_drift_between_sweeps_is_said():
    I = step(-60.0)
    sweeps = [
        to_recording(raw(voltage(I) + shift, I), start=None, stop=None, dt=0.2, t_ref=None, name=f"sweep {shift}")
        for shift in (0, 2, 9)
    ]
    assert drift_between(sweeps[:2]) == []
    (found,) = drift_between(sweeps)
    assert "sweep 0" in found.what
    assert "sweep 9" in found.what


@pytest.mark.parametrize(("rest", "warned"), [(1, True), (49, True), (50, False)])
def test_a_window_that_does_not_begin_at_rest_is_named_though_it_rests_later(rest, warned):
    """50 samples are what the noises are read from, at the beginning only."""
    I = np.repeat(np.float32([0.0, 100.0, 0.0]), [rest, 500, 3000])
    quiet = np.zeros(len(I), bool)
    recording = Recording(V=I / 10 - 70, I=I, spikes=quiet, refractory=quiet, dt=0.2)
    assert ["begin with 10 ms of rest" in finding.what for finding in short_rest(recording)] == [True] * warned


def test_a_first_spike_ends_the_rest():
    quiet = np.zeros(1000, bool)
    at = np.arange(1000) == 20
    V, I = np.full(1000, -70.0, np.float32), np.zeros(1000, np.float32)
    recording = Recording(V=V, I=I, spikes=at, refractory=quiet, dt=0.2)
    assert [f"got {4.0:g} ms" in finding.what for finding in short_rest(recording)] == [True]
