"""Waveforms: currents above the holding current while a stimulus is on, as functions of the time since its onset.

Their arguments are those of the functions in `stimuli`, where they are described; all times are in ms.
"""

import math

import numpy as np
import scipy.signal
from jaxtyping import Float

__all__ = ["chirp", "modulated_noise", "noise", "ramp", "sinusoid"]

HZ_TO_PER_MS = 1e-3

Waveform = Float[np.ndarray, " on"]


def sinusoid(t: Waveform, *, mean: float, amplitude: float, frequency: float, phase: float) -> Waveform:
    """Of one frequency."""
    return mean + amplitude * np.sin(2 * math.pi * HZ_TO_PER_MS * frequency * t + phase)


def ramp(t: Waveform, *, start: float, stop: float, duration: float) -> Waveform:
    """At a constant rate."""
    return start + (stop - start) * t / duration


def chirp(
    t: Waveform,
    *,
    mean: float,
    amplitude: float,
    start_frequency: float,
    stop_frequency: float,
    phase: float,
    duration: float,
) -> Waveform:
    """Of a frequency that changes at a constant rate."""
    mean_frequency = start_frequency + (stop_frequency - start_frequency) * t / (2 * duration)
    return mean + amplitude * np.sin(2 * math.pi * HZ_TO_PER_MS * mean_frequency * t + phase)


def noise(t: Waveform, *, mean: float, sd: float, correlation_time: float, seed: int, dt: float) -> Waveform:
    """A stationary Ornstein-Uhlenbeck process."""
    return mean + sd * _standard_noise(len(t), correlation_time, seed, dt)


def modulated_noise(
    t: Waveform,
    *,
    mean: float,
    sd: float,
    correlation_time: float,
    modulation: float,
    modulation_frequency: float,
    phase: float,
    seed: int,
    dt: float,
) -> Waveform:
    """The same, of an SD that swells and shrinks."""
    swell = 1 + modulation * np.sin(2 * math.pi * HZ_TO_PER_MS * modulation_frequency * t + phase)
    return mean + sd * swell * _standard_noise(len(t), correlation_time, seed, dt)


def _standard_noise(n: int, correlation_time: float, seed: int, dt: float) -> Waveform:
    decay = math.exp(-dt / correlation_time)
    innovations = np.random.default_rng(seed).standard_normal(n)
    # The first sample is drawn from the stationary law; -expm1 keeps the digits of 1 - decay^2 at small dt.
    innovations[1:] *= math.sqrt(-math.expm1(-2 * dt / correlation_time))
    return scipy.signal.lfilter([1.0], [1.0, -decay], innovations)
