"""A plain generalized integrate-and-fire neuron, fitted to one cell: what others use, for comparison.

Mensi et al. (2012), Journal of Neurophysiology 107, and Pozzorini et al. (2015), PLoS Computational Biology 11:
the subthreshold part by a regression of dV/dt on V, I and spike-triggered currents in a rectangular basis; then the
threshold, which spikes move in another such basis, by maximum likelihood of an escape rate
lambda = exp((V - V_T(t)) / Delta) per ms, at the voltage that the neuron has where its spikes are given.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import scipy.signal

import leakyflow as lf

# Edges of the rectangles, in ms after release (currents) and after the spike (threshold).
CURRENT_EDGES = np.array([0, 2, 5, 10, 20, 35, 60, 100, 160, 250, 400, 600])
THRESHOLD_EDGES = np.array([0, 5, 10, 20, 35, 60, 100, 160, 250, 400, 600])
BEFORE = 5.0  # ms before a spike that are left out of the regression
N_NEWTON, RIDGE = 40, 1e-3
MOST = 50.0  # of the logarithm of the rate per ms


class Gif(NamedTuple):
    """A fitted neuron."""

    tau: float  # ms
    C: float  # pF
    V_rest: float  # mV
    V_reset: float  # mV
    n_ref: int  # samples
    current: np.ndarray  # pA after a spike, one for each rectangle
    threshold: float  # mV
    sharpness: float  # mV
    moved: np.ndarray  # mV by which a spike moves the threshold, one for each rectangle
    dt: float  # ms


def fit_gif(cell: lf.Cell, *, after_spikes: bool = True) -> Gif:
    """Fit it to all sweeps of a cell; without what spikes leave behind, it is a LIF with a noisy threshold."""
    return _fit_threshold(cell, _fit_membrane(cell, after_spikes), after_spikes)


def given_spikes(gif: Gif, sweep: lf.Recording) -> np.ndarray:
    """Voltage of the neuron under the current of a sweep and with its spikes, in mV."""
    onset, end = _spans(sweep)
    I = sweep.I.astype(np.float64) + _after_spikes(sweep, gif.current, CURRENT_EDGES, release=True)
    decay, gain = 1.0 - gif.dt / gif.tau, gif.dt / gif.C
    drive = gif.dt / gif.tau * gif.V_rest + gain * I
    V = np.empty(len(I))
    begin, now = 0, gif.V_rest + gif.tau / gif.C * I[0]
    for a, b in zip([*onset, len(I)], [*end, len(I)], strict=True):
        V[begin] = now
        if a > begin + 1:
            V[begin + 1 : a], _ = scipy.signal.lfilter([1.0], [1.0, -decay], drive[begin : a - 1], zi=[decay * now])
        V[a : b + 1], begin, now = gif.V_reset, b, gif.V_reset
    return V


def simulate_gif(gif: Gif, I: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Spikes of so many repetitions, of shape (repetition, time), under a current, or under each its own."""
    rng = np.random.default_rng(seed)
    current, moved = (
        _kernel(gif.current, CURRENT_EDGES, gif.dt),
        _kernel(gif.moved, THRESHOLD_EDGES, gif.dt),
    )
    after = np.zeros((len(I) + len(current) + gif.n_ref + 2, n))
    theta = np.full((len(I) + len(moved) + 2, n), gif.threshold)
    V, held = np.full(n, gif.V_rest + gif.tau / gif.C * I[0]), np.zeros(n, int)
    spikes = np.zeros((n, len(I)), bool)
    for k in range(len(I) - 1):
        V = V + gif.dt / gif.tau * (gif.V_rest - V) + gif.dt / gif.C * (I[k] + after[k])
        V = np.where(held > 0, gif.V_reset, V)
        rate = np.exp(np.clip((V - theta[k + 1]) / gif.sharpness, -MOST, 5.0))
        fired = (held == 0) & (rng.random(n) < -np.expm1(-rate * gif.dt))
        held = np.where(fired, gif.n_ref, np.maximum(held - 1, 0))
        for i in np.flatnonzero(fired):
            spikes[i, k + 1] = True
            V[i] = gif.V_reset
            begin = k + 1 + gif.n_ref
            after[begin : begin + len(current), i] += current
            theta[k + 2 : k + 2 + len(moved), i] += moved
    return spikes


def _fit_membrane(cell: lf.Cell, after_spikes: bool) -> Gif:
    rows, slopes, released, held = [], [], [], []
    for sweep in cell:
        onset, end = _spans(sweep)
        V, I, dt = sweep.V.astype(np.float64), sweep.I.astype(np.float64), sweep.dt
        counts = np.ones(len(V) - 1, bool)
        for a, b in zip(onset, end, strict=True):
            counts[max(0, a - round(BEFORE / dt)) : b] = False
        basis = after_spikes * _basis(sweep, CURRENT_EDGES, release=True)[:-1]
        rows.append(np.column_stack([V[:-1], np.ones(len(V) - 1), I[:-1], basis])[counts])
        slopes.append((np.diff(V) / dt)[counts])
        released += V[onset].tolist()
        held += (end - onset).tolist()
    x, y = np.concatenate(rows), np.concatenate(slopes)
    scale = np.maximum(np.sqrt((x**2).mean(0)), 1e-12)
    # So small that only a rectangle that no spike fills feels it.
    ridge = 1e-9 * len(x) * np.eye(x.shape[1])
    b = np.linalg.solve((x / scale).T @ (x / scale) + ridge, (x / scale).T @ y) / scale
    tau, C = -1.0 / b[0], 1.0 / b[2]
    V_reset = float(np.mean(released)) if released else -60.0
    n_ref = int(np.median(held)) if held else 1
    return Gif(tau, C, b[1] * tau, V_reset, n_ref, b[3:] * C, 0.0, 1.0, np.zeros(len(THRESHOLD_EDGES) - 1), cell.dt)


def _fit_threshold(cell: lf.Cell, gif: Gif, after_spikes: bool) -> Gif:
    """Newton's steps on a concave log likelihood of the linear predictor V / Delta - V_T / Delta."""
    x, fired = [], []
    for sweep in cell:
        onset, end = _spans(sweep)
        V = given_spikes(gif, sweep)
        # At a spike, the voltage that the neuron would have had.
        I = sweep.I + _after_spikes(sweep, gif.current, CURRENT_EDGES, release=True)
        V[onset] = V[onset - 1] + gif.dt / gif.tau * (gif.V_rest - V[onset - 1]) + gif.dt / gif.C * I[onset - 1]
        counts = np.ones(len(V), bool)
        for a, b in zip(onset, end, strict=True):
            counts[a + 1 : b + 1] = False
        own = np.column_stack([V, np.ones(len(V)), after_spikes * _basis(sweep, THRESHOLD_EDGES, release=False)])
        x.append(own[counts])
        fired.append(sweep.spikes[counts])
    x, fired = np.concatenate(x), np.concatenate(fired)
    b = np.zeros(x.shape[1])
    highest = float(np.quantile(x[fired, 0], 0.5)) if fired.any() else float(x[:, 0].max() + 5.0)
    b[:2] = 0.5, -0.5 * highest
    value = _log_likelihood(b, x, fired, gif.dt)
    for _ in range(N_NEWTON):
        eta = np.clip(x @ b, -MOST, 5.0)
        mean = np.exp(eta) * gif.dt
        short = mean / np.expm1(np.maximum(mean, 1e-300))
        slope = x.T @ np.where(fired, short, -mean) - RIDGE * np.append([0, 0], b[2:])
        weight = np.where(fired, short * (short * np.exp(np.minimum(mean, 50.0)) - 1.0), mean)
        curvature = (x * np.maximum(weight, 0.0)[:, None]).T @ x + RIDGE * np.eye(len(b))
        move, step = np.linalg.solve(curvature, slope), 1.0
        while step > 1e-6 and _log_likelihood(b + step * move, x, fired, gif.dt) < value:
            step /= 2.0
        b = b + step * move
        gained, value = _log_likelihood(b, x, fired, gif.dt) - value, _log_likelihood(b, x, fired, gif.dt)
        if gained < 1e-6:
            break
    return gif._replace(threshold=-b[1] / b[0], sharpness=1.0 / b[0], moved=-b[2:] / b[0])


def _log_likelihood(b: np.ndarray, x: np.ndarray, fired: np.ndarray, dt: float) -> float:
    mean = np.exp(np.clip(x @ b, -MOST, 5.0)) * dt
    spikes = np.log(-np.expm1(-mean[fired])).sum()
    return float(spikes - mean[~fired].sum() - 0.5 * RIDGE * (b[2:] ** 2).sum())


def _spans(sweep: lf.Recording) -> tuple[np.ndarray, np.ndarray]:
    """First sample of each spike, and the last at which the voltage stands still."""
    onset = np.flatnonzero(sweep.spikes)
    still = sweep.refractory.astype(int)
    end = [a + int(np.argmin(np.append(still[a + 1 :], 0))) for a in onset]
    return onset, np.array(end, int)


def _kernel(values: np.ndarray, edges: np.ndarray, dt: float) -> np.ndarray:
    return np.repeat(values, np.diff(np.rint(edges / dt).astype(int)))


def _basis(sweep: lf.Recording, edges: Sequence[float] | np.ndarray, *, release: bool) -> np.ndarray:
    """How many spikes fill each rectangle, at each sample."""
    n, places = len(sweep.V), np.rint(np.asarray(edges) / sweep.dt).astype(int)
    onset, end = _spans(sweep)
    out = np.zeros((n + 1, len(places) - 1))
    for k in end if release else onset + 1:
        for i, (a, b) in enumerate(pairwise(places.tolist())):
            out[min(k + a, n), i] += 1.0
            out[min(k + b, n), i] -= 1.0
    return np.cumsum(out[:-1], axis=0)


def _after_spikes(sweep: lf.Recording, values: np.ndarray, edges: np.ndarray, *, release: bool) -> np.ndarray:
    return _basis(sweep, edges, release=release) @ values
