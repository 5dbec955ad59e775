"""Spikes, measured currents, acquisition, and what cannot be."""

import re

import numpy as np
import pytest

from leakyflow.recordings.read import read_recording


def passive(recording, window):
    """Tau (ms) and C (pF) of a leaky membrane, by regression over windows of free samples.

    A long window is blind to the noise of the electrode, a window of one sample loses nothing at spikes.
    """
    V, I, dt = recording.V.astype(float), recording.I.astype(float), recording.dt
    n = max(1, round(window / dt))
    held = np.concatenate([[0], np.cumsum(~recording.free)])
    first = np.flatnonzero(held[n + 1 :] == held[: -n - 1])
    charge, area = (np.concatenate([[0.0], np.cumsum(x) * dt]) for x in (I, V))
    columns = [np.full(len(first), n * dt), *(x[first + n] - x[first] for x in (area, charge))]
    _, leak, drive = np.linalg.lstsq(np.column_stack(columns), V[first + n] - V[first], rcond=None)[0]
    return -1 / leak, 1 / drive


def gives(file, *, n_spikes, tau=None, C=None, V_th=None, charge=None, says=None, window=0.2):
    """So many spikes; tau (ms), C (pF) and V_th (mV) within 15 %, 10 % and 1 mV; charge (nA ms); a warning."""

    def check(folder):
        found = read_recording(folder / file)
        assert found.spikes.sum() == n_spikes
        assert found.V.max() < -20.0
        got = passive(found, window)
        for value, truth, within in zip(got, (tau, C), (0.15, 0.1), strict=True):
            assert truth is None or value == pytest.approx(truth, rel=within)
        if V_th is not None:
            before = np.flatnonzero(found.spikes) - 1
            # The sample before a spike is below the threshold, by no more than the drive of a step.
            assert np.median(found.V[before]) == pytest.approx(V_th, abs=1.0)
        if charge is not None:
            assert (found.I - np.median(found.I)).sum() * found.dt / 1000 == pytest.approx(charge, rel=0.01)
        said = " ".join(map(str, found.findings))
        assert re.search(says, said) if says else not said

    return check


def refuses(file, match, **window):
    """With a cause that the message names, and a window that helps where there is one."""

    def check(folder):
        with pytest.raises(ValueError, match=match):
            read_recording(folder / file)
        if window:
            assert read_recording(folder / file, **window).findings == ()

    return check


def measured_current(folder):
    """C and R are the same from both; what C is depends on how a cell that is no LIF is asked."""
    both = [read_recording(folder / file) for file in ("cell_ch1_1.ibw", "command.csv")]
    for window in (0.2, 2.0, 10.0):
        measured, command = (passive(found, window) for found in both)
        np.testing.assert_allclose(measured, command, rtol=0.03)
        assert measured[0] / measured[1] == pytest.approx(0.415, rel=0.12)  # GOhm
    # The two start at different samples of their steps.
    np.testing.assert_allclose(np.ptp(both[0].I), np.ptp(both[1].I), atol=0.2)


def model_itself(folder):
    """Decimated, the neuron's own noise is white and whole."""
    found = read_recording(folder / "cell.csv")
    V, I = found.V.astype(float), found.I.astype(float)
    residual = np.diff(V) - 0.2 * ((-70.0 - V[:-1]) / 20.0 + I[:-1] / 100.0)
    assert residual.std() / np.sqrt(0.2) == pytest.approx(0.30, rel=0.05)
    assert np.corrcoef(residual[1:], residual[:-1])[0, 1] == pytest.approx(0.0, abs=0.06)


CELL = {"tau": 20.0, "C": 100.0, "V_th": -45.0}
PULSES = {"n_spikes": 8, "C": 100.0, "charge": 32.0}

EXPECTED = {
    "broad_spikes_no_doublet": gives("cell.csv", n_spikes=24, **CELL),
    "broad_spikes_one_doublet": gives("cell.csv", n_spikes=24, **CELL),
    "measured_current_real_DRN160": measured_current,
    "measured_short_pulses_bridged": gives("cell_ch1_1.ibw", **PULSES),
    "measured_short_pulses_control": gives("cell.csv", **PULSES),
    "model_itself_at_20kHz": model_itself,
    "nan_after_stop": refuses("cell.csv", r"3000 NaN .*\n.*start=0 and stop=650", start=0, stop=650),
    "pA_labelled_nA_small": refuses("cell.csv", r"a resistance of 1\.\d* MOhm.*\n.*pA labelled nA"),
    "short_square_1200pA_3ms": gives("cell.csv", n_spikes=1, C=100.0, charge=3.6),
    "short_square_train": gives("cell.csv", **PULSES),
    "sign_inverted_current": refuses("cell.csv", "moves against it"),
    "slow_broad_spikes": gives("cell.csv", n_spikes=16, **CELL),
    "small_fast_spikes": gives("cell.csv", n_spikes=115, tau=10.0, C=80.0, V_th=-40.0),
    "step_bridge_off": gives("cell.csv", n_spikes=0, says=r"jump with the current.* by 3 mV .* 30 MOhm"),
    "stimulus_shifted_50ms_subthreshold": refuses("cell.csv", r"moves \d+ ms before it"),
    "zeros_after_stop": refuses("cell.csv", r"exactly 0 mV for 150 ms.*\n.*start=0 and stop=650", start=0, stop=650),
}
