"""Preprocessing: a real sweep as a leaky integrate-and-fire neuron sees it, spikes replaced, sampled, cut."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float64

from leakyflow.errors import LeakyflowError
from leakyflow.recordings.current import injected
from leakyflow.recordings.files.raw import RawSweep
from leakyflow.recordings.recording import Recording
from leakyflow.recordings.refractory import Held, held_samples
from leakyflow.recordings.resample import MAX_UPSAMPLING, hold, sample, snap
from leakyflow.recordings.spikes import find_spikes

__all__ = ["MIN_DURATION", "check_duration", "check_first_sample", "to_recording", "window_samples"]

MIN_DURATION = 100.0  # ms, the shortest recording that the networks are trained for
_GRID = 1e-6  # share of a step within which two moments are the same


def to_recording(
    raw: RawSweep,
    *,
    start: float | None,
    stop: float | None,
    dt: float,
    t_ref: float | None,
    name: str,
    spike_slope: float | None = None,
    spike_height: float | None = None,
) -> Recording:
    """Build the recording of a window of a sweep.

    Spikes are found at the original sampling in the whole sweep, and the current that was injected is told from what
    was measured of it; then the voltage is read at the moments of the grid, and the current averaged over each step.
    The window is cut last, so that its ends know what lies beyond.

    Args:
        raw: The sweep, checked.
        start: Beginning of the window, in ms from the beginning of the sweep; the beginning when None.
        stop: End of the window, in ms; the end when None.
        dt: Sampling interval of the recording, in ms.
        t_ref: Refractory period, in ms; read off the spikes when None.
        name: Of the recording.
        spike_slope: Least slope of the upstroke of a spike, in mV/ms; adapted to the sweep when None.
        spike_height: Least height of a spike from onset to peak, in mV; adapted to the sweep when None.

    Raises:
        LeakyflowError: If the window is off range, too short or begins in a spike, its samples are not finite,
            the sweep is sampled too coarsely, or `t_ref` is longer than most intervals between spikes.
    """
    _check_sampling(raw.dt, dt)
    raw = replace(raw, dt=snap(raw.dt, dt, n_time=len(raw.V)))
    start, n_time = window_samples(start, stop, duration=len(raw.V) * raw.dt, dt=dt)
    raw, offset = _finite_around(raw, start, start + n_time * dt)
    at = start - offset + np.arange(n_time) * dt
    spikes = find_spikes(raw.V, raw.dt, slope=spike_slope, height=spike_height)
    held = held_samples(spikes, first=float(at[0]), dt_file=raw.dt, dt=dt, t_ref=t_ref)
    return _held(at, raw, injected(raw, spikes), held, dt=dt, start=start, name=name)


def _held(
    at: Float64[np.ndarray, " time"],
    raw: RawSweep,
    I: Float64[np.ndarray, " sample"],
    held: Held,
    *,
    dt: float,
    start: float,
    name: str,
) -> Recording:
    """Hold from each spike to the end of its refractory period the voltage measured there."""
    V, mean, now = sample(raw.V, at, dt_file=raw.dt), hold(I, at, dt_file=raw.dt, dt=dt), sample(I, at, dt_file=raw.dt)
    spikes, refractory = np.zeros(len(at), dtype=bool), np.zeros(len(at), dtype=bool)
    n_time = len(at)
    for step, n_ref, complete in zip(held.step.tolist(), held.n_ref.tolist(), held.complete.tolist(), strict=True):
        release = at[0] + (step + n_ref) * dt
        if step + n_ref < 0 or step >= n_time:
            continue
        if not complete or release > (len(raw.V) - 1 + _GRID) * raw.dt:
            # What the voltage returns to is not in the file, so the recording ends before this spike.
            n_time = max(step, 0)
            break
        during = slice(max(step, 0), step + n_ref + 1)
        V[during] = sample(raw.V, np.array([release]), dt_file=raw.dt)[0]
        refractory[during] = True
        if step >= 0:
            spikes[step], refractory[step] = True, False
    check_first_sample(spikes, refractory, start=start, dt=dt)
    check_duration(n_time * dt)
    keep = slice(n_time)
    return Recording(
        V=V[keep].astype(np.float32),
        I=mean[keep].astype(np.float32),
        spikes=spikes[keep],
        refractory=refractory[keep],
        dt=dt,
        name=name,
        I_electrode=None if np.array_equal(mean[keep], now[keep]) else now[keep].astype(np.float32),
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
        raise LeakyflowError(
            f"`start` and `stop` must satisfy 0 <= start < stop <= {duration:g} ms, the length of the sweep; "
            f"got start={first:g} ms, stop={last:g} ms. Times count from the beginning of the sweep, in ms.",
            argument=("start", "stop"),
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
        raise LeakyflowError(
            f"A recording must last at least {MIN_DURATION:g} ms, got {duration:g} ms. Choose a longer "
            "window with start= and stop=, or a longer sweep.",
            argument=("start", "stop"),
        )


def check_first_sample(spikes: np.ndarray, refractory: np.ndarray, *, start: float, dt: float) -> None:
    """Refuse a window that begins within a spike.

    Raises:
        ValueError: If the first sample is a spike or refractory.
    """
    held = spikes | refractory
    if held[0]:
        free = start + (int(np.argmin(held)) if not held.all() else len(held)) * dt
        raise LeakyflowError(
            f"A recording must begin outside spikes, but start={start:g} ms lies in a spike or its "
            f"refractory period. Pass start={free:g} or later, best where the cell is at rest.",
            argument="start",
        )


def _check_sampling(dt_file: float, dt: float) -> None:
    if not (np.isfinite(dt) and dt > 0):
        raise LeakyflowError(f"`dt` must be positive and finite, got {dt} ms. Pass the sampling interval in ms.")
    if dt_file > MAX_UPSAMPLING * dt:
        raise LeakyflowError(
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
        raise LeakyflowError(
            f"V and I must be finite within the window, got {within.size} NaN or infinite of {last - first} "
            f"samples (first at {within[0] * raw.dt:g} ms, last at {within[-1] * raw.dt:g} ms). Leave them "
            "out with start= and stop=, or repair the file.",
            argument=("start", "stop"),
        )
    left = int(bad[bad < first].max()) + 1 if (bad < first).any() else 0
    right = int(bad[bad >= last].min()) if (bad >= last).any() else len(raw.V)
    return raw[left:right], left * raw.dt
