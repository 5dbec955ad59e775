"""Statistics of cells, pooled over their sweeps: any number of them, in any order, padded or not.

Given fixed time constants, leak, after-spike currents, electrode, dendrite and sag are linear in V, I and spikes as
filtered by them. Sums of products of these add up over sweeps, and ridge regression turns them into coefficients.
"""

from typing import NamedTuple

import numpy as np
import scipy.signal
from jaxtyping import Float64

from leakyflow.recordings.batch import Batch
from leakyflow.recordings.recording import Recording

__all__ = ["CELL_STATISTICS", "cell_statistics"]

# ms, the time constants of the filters.
V_TAUS, SPIKE_TAUS = (5.0, 25.0, 100.0), (5.0, 20.0, 80.0, 300.0)
COLUMNS = (
    "1", "V", "I", "I_slope",
    *(f"V_{tau:g}" for tau in V_TAUS),
    *(f"spikes_{tau:g}" for tau in SPIKE_TAUS),
)  # fmt: skip
# mV and pA: where the columns are 0 and of size 1, so that no coefficient rules the others.
V_ZERO, V_UNIT, I_UNIT = -65.0, 10.0, 100.0
RIDGE = 1e-2
AT_SPIKES = ("mean", "sd", *(f"slope_{column}" for column in ("V_5", "V_25", "spikes_20", "spikes_80")))
SPIKING = ("log_sweeps", "log_duration", "log_spikes", "rate", "isi_cv", "adaptation", "released", "released_sd")
VOLTAGE = ("V_first", "V_mean", "V_sd", "V_highest", "V_lowest", "I_mean", "I_sd")
CELL_STATISTICS = (
    *SPIKING,
    *VOLTAGE,
    *(f"drive_{column}" for column in COLUMNS),
    "log_residual",
    *(f"log_se_{column}" for column in COLUMNS),
    *(f"V_at_spikes_{name}" for name in AT_SPIKES),
)


class _Sums(NamedTuple):
    """What is added up over the sweeps of a cell."""

    gram: Float64[np.ndarray, "column column"]  # of the free samples: columns, and the change of V last
    at_spikes: Float64[np.ndarray, "column column"]  # of the samples before spikes: 1, filtered V and spikes, V last
    intervals: Float64[np.ndarray, " sum"]  # number, sum, sum of squares; number and sum of relative changes
    released: Float64[np.ndarray, " sum"]  # number, sum, sum of squares, mV from V_ZERO
    V: Float64[np.ndarray, " sum"]  # number, sum, sum of squares, mV from V_ZERO
    I: Float64[np.ndarray, " sum"]  # number, sum, sum of squares, pA
    sweep: Float64[np.ndarray, " sum"]  # number of sweeps, duration (ms), sum of first voltages


def cell_statistics(recordings: Batch) -> Float64[np.ndarray, "cell statistic"]:
    """Compute the `CELL_STATISTICS` of each cell, in their order, finite for every cell.

    Args:
        recordings: All sweeps of one or many cells.

    Example:
        >>> import leakyflow as lf
        >>> neuron = lf.Parameters(tau=20.0, V_rest=-70.0, C=100.0, V_th=-50.0, V_reset=-60.0, t_ref=3.0)
        >>> steps = [lf.square(amplitude=A, onset=100.0, duration=300.0, t_max=400.0, dt=0.5) for A in (-50.0, 150.0)]
        >>> sweeps = [lf.simulate(neuron, step, seed=1) for step in steps]
        >>> cell_statistics(Batch.of(lf.Cell(sweeps))).shape == (1, len(CELL_STATISTICS))
        True
    """
    return np.stack([_of_cell(list(cell)) for cell in recordings.cells()])


def _of_cell(sweeps: list[Recording]) -> Float64[np.ndarray, " statistic"]:
    sums = _Sums(*(np.sum(parts, axis=0) for parts in zip(*map(_sums, sweeps), strict=True)))
    V = np.concatenate([[sweep.V[_free(sweep)].min(), sweep.V[_free(sweep)].max()] for sweep in sweeps])
    parts = _spiking(sums), _voltage(sums, float(V.min()), float(V.max())), _drive(sums), _at_spikes(sums)
    return np.concatenate(parts)


def _free(sweep: Recording) -> np.ndarray:
    return ~(sweep.spikes | sweep.refractory)


def _sums(sweep: Recording) -> _Sums:
    columns, V = _columns(sweep), sweep.V.astype(float)
    free, spikes = _free(sweep), np.flatnonzero(sweep.spikes)
    steps = np.flatnonzero(free[:-1] & free[1:])
    change = np.diff(V)[steps, None] / sweep.dt
    joined = np.concatenate([columns[steps], change], axis=1)
    before = np.maximum(spikes - 1, 0)
    kept = [0, *(COLUMNS.index(name.removeprefix("slope_")) for name in AT_SPIKES[2:])]
    reached = np.concatenate([columns[before][:, kept], (V[before, None] - V_ZERO) / V_UNIT], axis=1)
    return _Sums(
        joined.T @ joined, reached.T @ reached, _intervals(spikes * sweep.dt), _powers(V[spikes] - V_ZERO),
        _powers(V[free] - V_ZERO), _powers(sweep.I.astype(float)), np.array([1.0, sweep.duration, V[0] - V_ZERO]),
    )  # fmt: skip


def _columns(sweep: Recording) -> Float64[np.ndarray, "time column"]:
    """Constant, V, I and its slope, V and spikes filtered, of each sample; causal, so that what follows is nothing."""
    V, I = (sweep.V.astype(float) - V_ZERO) / V_UNIT, sweep.I.astype(float) / I_UNIT
    slope = np.append(np.diff(I), 0.0) / sweep.dt
    of_V = [_filtered(V - V[0], tau, sweep.dt) + V[0] for tau in V_TAUS]
    of_spikes = [_filtered(sweep.spikes.astype(float), tau, sweep.dt) * tau / sweep.dt for tau in SPIKE_TAUS]
    return np.stack([np.ones_like(V), V, I, slope, *of_V, *of_spikes], axis=1)


def _filtered(x: np.ndarray, tau: float, dt: float) -> np.ndarray:
    decay = np.exp(-dt / tau)
    return scipy.signal.lfilter([1.0 - decay], [1.0, -decay], x)


def _powers(x: np.ndarray) -> np.ndarray:
    return np.array([len(x), x.sum(), (x**2).sum()])


def _intervals(times: np.ndarray) -> np.ndarray:
    isi = np.diff(times)
    changes = np.diff(isi) / (isi[1:] + isi[:-1]) if len(isi) > 1 else np.zeros(0)
    return np.concatenate([_powers(isi), [len(changes), changes.sum()]])


def _mean_and_sd(powers: np.ndarray) -> tuple[float, float]:
    """0 and 0 of nothing."""
    n, total, squares = powers[:3]
    mean = total / max(n, 1.0)
    return mean, float(np.sqrt(max(squares / max(n, 1.0) - mean**2, 0.0)))


def _spiking(s: _Sums) -> np.ndarray:
    (n_sweeps, duration, _), n_spikes = s.sweep, s.released[0]
    isi, isi_sd = _mean_and_sd(s.intervals)
    adaptation = s.intervals[4] / max(s.intervals[3], 1.0)
    rate, cv = 1e3 * n_spikes / duration, isi_sd / isi if isi else 0.0
    return np.array([
        np.log(n_sweeps), np.log(duration), np.log1p(n_spikes), rate, cv, adaptation, *_mean_and_sd(s.released),
    ])  # fmt: skip


def _voltage(s: _Sums, lowest: float, highest: float) -> np.ndarray:
    first = s.sweep[2] / s.sweep[0]
    return np.array([first, *_mean_and_sd(s.V), highest - V_ZERO, lowest - V_ZERO, *_mean_and_sd(s.I)])


def _drive(s: _Sums) -> np.ndarray:
    """The change of V by ridge regression on the columns, mV/ms; what it leaves; and the errors of the coefficients."""
    coefficients, residual, precision = _ridge(s.gram)
    errors = residual * np.sqrt(np.diag(np.linalg.inv(precision)))
    return np.concatenate([coefficients, [np.log(residual)], np.log(errors)])


def _at_spikes(s: _Sums) -> np.ndarray:
    """The voltage before spikes, mean and SD of what the slopes leave, and the slopes: where the threshold moves."""
    if not s.released[0]:
        return np.zeros(len(AT_SPIKES))
    coefficients, residual, _ = _ridge(s.at_spikes)
    return np.concatenate([[s.at_spikes[0, -1] / s.at_spikes[0, 0], residual], coefficients[1:]])


def _ridge(gram: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
    """Coefficients of the last column on the others, SD of the residuals, and the precision in units of it."""
    n = max(gram[0, 0], 1.0)
    precision = gram[:-1, :-1] + RIDGE * np.eye(len(gram) - 1)
    coefficients = np.linalg.solve(precision, gram[:-1, -1])
    left = gram[-1, -1] - 2 * coefficients @ gram[:-1, -1] + coefficients @ gram[:-1, :-1] @ coefficients
    return coefficients, float(np.sqrt(max(left / n, 0.0)) + 1e-4), precision
