"""Checks of a folder of the shared cases."""

import numpy as np
import pytest

from leakyflow.errors import LeakyflowError
from leakyflow.recordings.read import read_recording
from leakyflow.recordings.sweeps import list_sweeps

STEP, REST = 350.0, 50.0  # ms, within the step of the synthetic cells and before it


def gives(file, *, sweep=None, n_spikes=None, rest=None, step=None, cell=None, duration=None, **choice):
    """A recording of so many spikes, rest in mV, current in pA at 350 ms, `(tau, C)` in ms and pF, length in ms."""

    def check(folder):
        found = read_recording(folder / file, sweep=sweep, **choice)
        if n_spikes is not None:
            assert found.spikes.sum() == n_spikes
        if rest is not None:
            assert np.median(found.V[found.t < REST]) == pytest.approx(rest, abs=1.0)
        if step is not None:
            assert found.I[round(STEP / found.dt)] == pytest.approx(step, abs=0.5)
            assert found.I[round(REST / found.dt)] == pytest.approx(0.0, abs=0.5)
        if cell is not None:
            np.testing.assert_allclose(passive(found), cell, rtol=0.15)
        if duration is not None:
            assert found.duration == pytest.approx(duration, abs=0.01)

    return check


def passive(recording, window=10):
    """Tau and C of a leaky membrane, by regression over windows of 2 ms outside spikes; good to some 10 %."""
    V, I, dt = recording.V.astype(float), recording.I.astype(float), recording.dt
    first = np.arange(len(V) - window)
    first = first[[recording.free[k : k + window + 1].all() for k in first]]
    charge, area = (np.concatenate([[0.0], np.cumsum(x) * dt]) for x in (I, V))
    columns = [np.full(len(first), window * dt), *(x[first + window] - x[first] for x in (area, charge))]
    _, leak, drive = np.linalg.lstsq(np.column_stack(columns), V[first + window] - V[first], rcond=None)[0]
    return -1 / leak, 1 / drive


def lists(file, facts, **choice):
    """Sweeps of which each fact, a field of `Sweep`, has the values given; numbers within 0.6."""

    def check(folder):
        found = list_sweeps(folder / file, **choice)
        for field, values in facts.items():
            assert len(found) == len(values)
            for sweep, value in zip(found, values, strict=True):
                expected = value if isinstance(value, str | int) else pytest.approx(value, abs=0.6)
                assert getattr(sweep, field) == expected

    return check


def refuses(file, match, **choice):
    """An error of ours that says so; a cure that it names is checked beside it, by `gives`."""

    def check(folder):
        with pytest.raises(LeakyflowError, match=match):
            read_recording(folder / file, **choice)

    return check


def all_of(*checks):
    """Every one of them."""

    def check(folder):
        for one in checks:
            one(folder)

    return check
