r"""A first look at the membrane: a regression that noise on the voltage does not bias.

.. math:: (y_{k+1} - y_k) / dt = c_0 + c_1 y_k + c_2 I_k + c_3 (I_{k+1} - I_k) / dt + e_k

with c_1 = -1 / tau, c_2 = 1 / C + R_s / tau and c_3 = R_s. White noise on y biases least squares, for it is on both
sides; the voltages some samples earlier serve as instruments, which it does not reach (Reiersol 1941).
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from leakyflow.likelihood.target import score_of
from leakyflow.recordings.batch import Batch
from leakyflow.simulator.prior import Prior

__all__ = ["Passive", "guess", "passive_fit"]

# Samples by which the instruments lie back.
LAG = 2
# Precision of a wide prior, which keeps what a recording does not show finite: of c_0 about V = -65 mV, c_1, c_2, c_3.
CENTRE, SPREAD = np.array([0.0, -0.05, 0.012, 0.008]), np.array([1.0, 0.05, 0.012, 0.015])
TAU, C = (2.0, 300.0), (10.0, 2000.0)  # ms and pF within which a first look is believed


class Passive(NamedTuple):
    """A membrane, for each recording."""

    tau: Float64[np.ndarray, " dataset"]  # ms
    V_rest: Float64[np.ndarray, " dataset"]  # mV
    C: Float64[np.ndarray, " dataset"]  # pF
    R_s: Float64[np.ndarray, " dataset"]  # GOhm


def passive_fit(recordings: Batch) -> Passive:
    """Fit the membrane of each cell by all its sweeps; every sweep is given that of its cell."""
    found = np.empty((recordings.n_cells, 4))
    rows = [np.flatnonzero(recordings.cell == i) for i in range(recordings.n_cells)]
    for i, own in enumerate(rows):
        zx, zy, scale = np.zeros((4, 4)), np.zeros(4), 0.0
        for row in own:
            one = _moments(recordings, int(row))
            zx, zy, scale = zx + one[0], zy + one[1], scale + one[2]
        # Of the same order as the data's own, as if so much had been seen before.
        n = max(zx[0, 0], 1.0)
        ridge = np.diag(max(scale / n, 1e-8) / SPREAD**2)
        found[i] = np.linalg.solve(zx + ridge, zy + ridge @ CENTRE)
    c = found[recordings.cell]
    tau = 1.0 / np.clip(-c[:, 1], 1.0 / TAU[1], 1.0 / TAU[0])
    R_s = np.clip(c[:, 3], -0.05, 0.2)
    capacitance = 1.0 / np.clip(c[:, 2] - R_s / tau, 1.0 / C[1], 1.0 / C[0])
    return Passive(tau, -65.0 + c[:, 0] * tau, capacitance, R_s)


def _moments(r: Batch, row: int) -> tuple[Float64[np.ndarray, "4 4"], Float64[np.ndarray, " 4"], float]:
    """Products of instruments and columns, of instruments and slopes, and the squares of the residual's scale."""
    n, dt = int(r.n_samples[row]), r.dt
    y, I = r.V[row, :n].astype(np.float64) + 65.0, r.I[row, :n].astype(np.float64)
    free = ~(r.spikes[row, :n] | r.refractory[row, :n])
    k = np.arange(LAG, n - 1)
    k = k[free[k] & free[k + 1] & free[k - LAG]]
    jump = (I[k + 1] - I[k]) / dt
    x = np.stack([np.ones(len(k)), y[k], I[k], jump])
    z = np.stack([x[0], y[k - LAG], I[k], jump])
    slope = (y[k + 1] - y[k]) / dt
    return z @ x.T, z @ slope, float(np.var(slope) * len(k)) if len(k) else 0.0


def guess(recordings: Batch, prior: Prior) -> Float64[np.ndarray, "cell param"]:
    """Prior scores near which the posterior of each cell may be, for a search to begin with."""
    passive = passive_fit(recordings)
    first = np.searchsorted(recordings.cell, np.arange(recordings.n_cells))
    guesses = {name: value[first] for name, value in passive._asdict().items()} | {"V_th": _threshold(recordings)}
    out = np.zeros((recordings.n_cells, prior.n_inferred))
    for axis, (name, distribution) in enumerate(prior.distributions.items()):
        if name in guesses:
            out[:, axis] = np.clip(score_of(distribution, guesses[name]), -3.0, 3.0)
    return out


def _threshold(recordings: Batch) -> Float64[np.ndarray, " cell"]:
    """Mean voltage of each cell before its spikes; without any, a little above all that it survived."""
    before = np.roll(recordings.spikes & recordings.valid, -1, axis=1)
    n = recordings.per_cell(before.sum(1).astype(np.float64))
    total = recordings.per_cell(np.where(before, recordings.V.astype(np.float64), 0.0).sum(1))
    highest = np.full(recordings.n_cells, -np.inf)
    np.maximum.at(highest, recordings.cell, np.where(recordings.free, recordings.V, -np.inf).max(1))
    return np.where(n > 0, total / np.maximum(n, 1.0), highest + 3.0)
