"""The picture that a leaky integrate-and-fire neuron has of a real sweep: spikes replaced, resampled, cut."""

import numpy as np
from jaxtyping import Float64

from leakyflow.recordings.raw import RawSweep
from leakyflow.recordings.recording import Recording
from leakyflow.recordings.resample import MAX_UPSAMPLING, hold, low_pass, quieten, sample
from leakyflow.recordings.spikes import (
    Spikes,
    bridge,
    find_spikes,
    longest_period,
    refractory_period,
    spike_gaps,
)

__all__ = ["MIN_DURATION", "check_duration", "check_first_sample", "to_recording", "window_samples"]

MIN_DURATION = 100.0  # ms, the shortest recording that the networks are trained for
_GRID = 1e-6  # share of a step within which two moments are the same


def to_recording(
    raw: RawSweep, *, start: float | None, stop: float | None, dt: float, t_ref: float | None, name: str
) -> Recording:
    """Build the recording of a window of a sweep.

    Spikes are found at the original sampling in the whole sweep; they are bridged before the filter, so that
    no spike leaks into the voltage between; the window is cut last, so that its ends know what lies beyond.

    Args:
        raw: The sweep, checked.
        start: Beginning of the window, in ms from the beginning of the sweep; the beginning when None.
        stop: End of the window, in ms; the end when None.
        dt: Sampling interval of the recording, in ms.
        t_ref: Refractory period, in ms; read off the spikes when None.
        name: Of the recording.

    Raises:
        ValueError: If the window is off range, too short or begins in a spike, its samples are not finite,
            the sweep is sampled too coarsely, or `t_ref` is longer than an interval between spikes.
    """
    _check_sampling(raw.dt, dt)
    start, n_time = window_samples(start, stop, duration=len(raw.V) * raw.dt, dt=dt)
    raw, offset = _finite_around(raw, start, start + n_time * dt)
    at = start - offset + np.arange(n_time) * dt
    spikes = find_spikes(raw.V, raw.dt)
    n_ref = _refractory_samples(spikes, t_ref, dt_file=raw.dt, dt=dt)
    gaps = spike_gaps(spikes, n_time=len(raw.V), dt_file=raw.dt, t_ref=n_ref * dt)
    V = low_pass(bridge(raw.V, gaps), dt_file=raw.dt, dt=dt)
    # A measured current has the capacitive artefact of each spike, which never reached the membrane.
    I = quieten(bridge(raw.I, gaps), dt_file=raw.dt) if raw.measured else raw.I
    # The first sample after the onset: there the neuron of the model has crossed.
    steps = np.floor((spikes.onset * raw.dt - at[0]) / dt + _GRID).astype(np.int64) + 1
    return _held(
        at,
        V,
        hold(I, at, dt_file=raw.dt, dt=dt),
        steps[(steps >= -n_ref) & (steps < n_time)],
        n_ref,
        dt_file=raw.dt,
        dt=dt,
        start=start,
        name=name,
    )


def _held(
    at: Float64[np.ndarray, " time"],
    V: Float64[np.ndarray, " file"],
    I: Float64[np.ndarray, " time"],
    steps: np.ndarray,
    n_ref: int,
    *,
    dt_file: float,
    dt: float,
    start: float,
    name: str,
) -> Recording:
    """Hold from each spike to the end of its refractory period the voltage measured there."""
    free = sample(V, at, dt_file=dt_file)
    spikes, refractory = np.zeros(len(at), dtype=bool), np.zeros(len(at), dtype=bool)
    n_time = len(at)
    for step in steps:
        release = at[0] + (step + n_ref) * dt
        if release > (len(V) - 1 + _GRID) * dt_file:
            # What the voltage returns to is not in the file, so the recording ends before this spike.
            n_time = step
            break
        held = slice(max(step, 0), step + n_ref + 1)
        free[held] = sample(V, np.array([release]), dt_file=dt_file)[0]
        refractory[held] = True
        if step >= 0:
            spikes[step], refractory[step] = True, False
    check_first_sample(spikes, refractory, start=start, dt=dt)
    check_duration(n_time * dt)
    keep = slice(n_time)
    return Recording(
        V=free[keep].astype(np.float32),
        I=I[keep].astype(np.float32),
        spikes=spikes[keep],
        refractory=refractory[keep],
        dt=dt,
        name=name,
    )


def window_samples(start: float | None, stop: float | None, *, duration: float, dt: float) -> tuple[float, int]:
    """Check a window and count its samples; a last step that is not whole is left out.

    Args:
        start: Beginning, in ms; 0 when None.
        stop: End, in ms; the end of the sweep when None.
        duration: Length of the sweep, in ms.
        dt: Sampling interval, in ms.

    Returns:
        The beginning, in ms, and the number of samples.

    Raises:
        ValueError: If the window is not within the sweep, or shorter than 100 ms.
    """
    first, last = 0.0 if start is None else float(start), duration if stop is None else float(stop)
    if not (0 <= first < last <= duration + _GRID * dt):
        raise ValueError(
            f"`start` and `stop` must satisfy 0 <= start < stop <= {duration:g} ms, the length of the sweep; "
            f"got start={first:g} ms, stop={last:g} ms. Times count from the beginning of the sweep, in ms."
        )
    n_time = int(np.floor((last - first) / dt + _GRID))
    check_duration(n_time * dt)
    return first, n_time


def check_duration(duration: float) -> None:
    """Refuse a recording shorter than the networks know.

    Raises:
        ValueError: If it is shorter than 100 ms.
    """
    if duration < MIN_DURATION - _GRID:
        raise ValueError(
            f"A recording must last at least {MIN_DURATION:g} ms, got {duration:g} ms. Choose a longer "
            "window with start= and stop=, or a longer sweep."
        )


def check_first_sample(spikes: np.ndarray, refractory: np.ndarray, *, start: float, dt: float) -> None:
    """Refuse a window that begins within a spike.

    Raises:
        ValueError: If the first sample is a spike or refractory.
    """
    held = spikes | refractory
    if held[0]:
        free = start + (int(np.argmin(held)) if not held.all() else len(held)) * dt
        raise ValueError(
            f"A recording must begin outside spikes, but start={start:g} ms lies in a spike or its "
            f"refractory period. Pass start={free:g} or later, best where the cell is at rest."
        )


def _check_sampling(dt_file: float, dt: float) -> None:
    if not (np.isfinite(dt) and dt > 0):
        raise ValueError(f"`dt` must be positive and finite, got {dt} ms. Pass the sampling interval in ms.")
    if dt_file > MAX_UPSAMPLING * dt:
        raise ValueError(
            f"A sweep must be sampled at least every {MAX_UPSAMPLING:g} * dt = {MAX_UPSAMPLING * dt:g} ms, "
            f"got {dt_file:g} ms: the upstroke of a spike falls between the samples. Use a recording sampled "
            f"faster, or a network of dt >= {dt_file / MAX_UPSAMPLING:g} ms."
        )


def _finite_around(raw: RawSweep, start: float, stop: float) -> tuple[RawSweep, float]:
    """Cut the sweep to the stretch without NaN around the window, and say where it begins, in ms."""
    bad = np.flatnonzero(~(np.isfinite(raw.V) & np.isfinite(raw.I)))
    first, last = int(start / raw.dt + _GRID), int(np.ceil(stop / raw.dt - _GRID))
    within = bad[(bad >= first) & (bad < last)]
    if within.size:
        raise ValueError(
            f"V and I must be finite within the window, got {within.size} NaN or infinite of {last - first} "
            f"samples (first at {within[0] * raw.dt:g} ms, last at {within[-1] * raw.dt:g} ms). Leave them "
            "out with start= and stop=, or repair the file."
        )
    left = int(bad[bad < first].max()) + 1 if (bad < first).any() else 0
    right = int(bad[bad >= last].min()) if (bad >= last).any() else len(raw.V)
    return raw[left:right], left * raw.dt


def _refractory_samples(spikes: Spikes, t_ref: float | None, *, dt_file: float, dt: float) -> int:
    if t_ref is None:
        return round(refractory_period(spikes, dt_file=dt_file, dt=dt) / dt)
    if not (np.isfinite(t_ref) and t_ref > 0):
        raise ValueError(f"`t_ref` must be positive and finite, got {t_ref} ms. Pass the refractory period in ms.")
    longest = longest_period(spikes, dt_file=dt_file, dt=dt) if len(spikes) > 1 else np.inf
    if round(t_ref / dt) > round(min(longest, t_ref) / dt):
        raise ValueError(
            f"`t_ref` must let every spike begin after the release from the one before, got t_ref={t_ref:g} "
            f"ms while two spikes of the sweep are closer than that. Pass t_ref={longest:g} or less, or "
            "leave it out."
        )
    return round(t_ref / dt)
