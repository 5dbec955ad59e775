r"""A first look at the membrane: a regression that noise on the voltage does not bias.

.. math:: (y_{k+1} - y_k) / dt = c_0 + c_1 y_k + c_2 I_k + c_3 (I_{k+1} - I_k) / dt + e_k

with c_1 = -1 / tau, c_2 = 1 / C + R_s / tau and c_3 = R_s. Noise on y biases least squares, for it is on both sides.
At first the voltages some samples earlier serve as instruments, which white noise on y does not reach (Reiersol 1941);
then the voltage that the membrane so found would have without any noise, which none reaches, of whatever colour
(refined instruments; Young & Jakeman 1979, International Journal of Control 29).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float64, Int

from leakyflow.layout import double_precision
from leakyflow.likelihood.scan import Trace, trace_of
from leakyflow.likelihood.target import score_of
from leakyflow.neuron.membrane import Membrane
from leakyflow.neuron.parameters import Parameters
from leakyflow.recordings.batch import Batch
from leakyflow.recordings.rest import STILL
from leakyflow.simulator.prior import Prior

__all__ = ["Passive", "guess", "on_grid", "passive_fit"]

# Samples by which the instruments lie back.
LAG = 2
# Times that the instruments are refined.
N_REFINED = 2
ORIGIN = -65.0  # mV, from which voltages are counted
LEAST_STIMULATED = 50.0  # ms for which the current differs where a sweep says what the membrane is
# Precision of a wide prior, which keeps what a recording does not show finite: of c_0 about the origin, c_1, c_2, c_3.
CENTRE, SPREAD = np.array([0.0, -0.05, 0.012, 0.008]), np.array([1.0, 0.05, 0.012, 0.015])
TAU, C = (2.0, 300.0), (10.0, 2000.0)  # ms and pF within which a first look is believed


class Passive(NamedTuple):
    """A membrane, for each recording."""

    tau: Float64[np.ndarray, " dataset"]  # ms
    V_rest: Float64[np.ndarray, " dataset"]  # mV
    C: Float64[np.ndarray, " dataset"]  # pF
    R_s: Float64[np.ndarray, " dataset"]  # GOhm


def passive_fit(recordings: Batch, trace: Trace | None = None) -> Passive:
    """Fit the membrane of each cell, by its silent sweeps if it has any; every sweep is given that of its cell.

    A spike leaves currents behind that a membrane by itself has not.

    Args:
        recordings: Sweeps of cells.
        trace: Theirs, where they were laid out before.
    """
    trace = trace_of(recordings) if trace is None else trace
    rows = [_telling(recordings, np.flatnonzero(recordings.cell == i)) for i in range(recordings.n_cells)]
    passive = _regressed(recordings, rows, trace, np.roll(trace.y, LAG, axis=0))
    for _ in range(N_REFINED):
        with double_precision():
            passive = _regressed(recordings, rows, trace, np.asarray(_noiseless(_silent(passive), trace)))
    return passive


def _telling(recordings: Batch, rows: Int[np.ndarray, " row"]) -> Int[np.ndarray, " some"]:
    """Those of a cell's sweeps that are silent under a current that changes, or all."""
    changes = (np.abs(recordings.I[rows] - recordings.I[rows, :1]) > STILL) & recordings.valid[rows]
    silent = (recordings.n_spikes[rows] == 0) & (changes.sum(1) * recordings.dt > LEAST_STIMULATED)
    return rows[silent] if silent.any() else rows


def _silent(passive: Passive) -> Parameters:
    """The membrane, of which only the step is asked."""
    return Parameters(**passive._asdict(), V_th=0.0, V_reset=0.0)


@jax.jit
def _noiseless(p: Parameters, trace: Trace) -> Array:
    """The voltage of a membrane without noise, through its electrode, from rest and from where each spike leaves it."""
    membrane = Membrane.of(p, trace.dt)
    released = trace.y - p.R_s * trace.electrode

    def step(v: Array, x: tuple[Array, ...]) -> tuple[Array, Array]:
        I, free, at = x
        v = jnp.where(free > 0, membrane.step((), v, I), at)
        return v, v

    first = membrane.rest(trace.I[0])
    _, later = jax.lax.scan(step, first, (trace.I[:-1], trace.free[1:], released[1:]))
    return jnp.concatenate([first[None], later]) + p.R_s * trace.electrode


def _regressed(
    recordings: Batch,
    rows: list[Int[np.ndarray, " _"]],
    trace: Trace,
    instrument: Float64[np.ndarray, "time dataset"],
) -> Passive:
    """The membranes that a regression by an instrument for the voltage gives, from some rows for each cell."""
    found = np.empty((recordings.n_cells, 4))
    for i, own in enumerate(rows):
        zx, zy, scale = np.zeros((4, 4)), np.zeros(4), 0.0
        for row in own:
            n = int(recordings.n_samples[row])
            y, I, free, z = (x[:n, row] for x in (trace.y, trace.I, trace.free, instrument))
            one = _moments(y, I, free, z, recordings.dt)
            zx, zy, scale = zx + one[0], zy + one[1], scale + one[2]
        # Of the same order as the data's own, as if so much had been seen before.
        n = max(zx[0, 0], 1.0)
        ridge = np.diag(max(scale / n, 1e-8) / SPREAD**2)
        found[i] = np.linalg.solve(zx + ridge, zy + ridge @ CENTRE)
    c = found[recordings.cell]
    tau = 1.0 / np.clip(-c[:, 1], 1.0 / TAU[1], 1.0 / TAU[0])
    R_s = np.clip(c[:, 3], -0.05, 0.2)
    capacitance = 1.0 / np.clip(c[:, 2] - R_s / tau, 1.0 / C[1], 1.0 / C[0])
    return Passive(tau, ORIGIN + c[:, 0] * tau, capacitance, R_s)


def _moments(
    y: Float64[np.ndarray, " time"],
    I: Float64[np.ndarray, " time"],
    free: Float64[np.ndarray, " time"],
    instrument: Float64[np.ndarray, " time"],
    dt: float,
) -> tuple[Float64[np.ndarray, "4 4"], Float64[np.ndarray, " 4"], float]:
    """Products of instruments and columns, of instruments and slopes, and the squares of the residual's scale."""
    k = np.arange(LAG, len(y) - 1)
    k = k[(free[k] > 0) & (free[k + 1] > 0) & (free[k - LAG] > 0)]
    jump = (I[k + 1] - I[k]) / dt
    x = np.stack([np.ones(len(k)), y[k] - ORIGIN, I[k], jump])
    z = np.stack([x[0], instrument[k] - ORIGIN, I[k], jump])
    slope = (y[k + 1] - y[k]) / dt
    return z @ x.T, z @ slope, float(np.var(slope) * len(k)) if len(k) else 0.0


def guess(recordings: Batch, prior: Prior, passive: Passive) -> Float64[np.ndarray, "cell param"]:
    """Prior scores near which the posterior of each cell may be, for a search to begin with."""
    first = np.searchsorted(recordings.cell, np.arange(recordings.n_cells))
    guesses = {name: value[first] for name, value in passive._asdict().items()}
    guesses |= _threshold(recordings, passive) | _released(recordings, passive)
    guesses["membrane_noise"] = _unexplained(recordings, passive)
    out = np.zeros((recordings.n_cells, prior.n_inferred))
    for axis, (name, distribution) in enumerate(prior.distributions.items()):
        if name in guesses:
            score = np.clip(score_of(distribution, guesses[name]), -3.0, 3.0)
            out[:, axis] = np.where(np.isnan(guesses[name]), 0.0, score)
    return out


def _threshold(recordings: Batch, passive: Passive) -> dict[str, Float64[np.ndarray, " cell"]]:
    """Mean and SD of each cell's voltages before its spikes; without any, a little above all that it survived."""
    before = np.roll(recordings.spikes & recordings.valid, -1, axis=1)
    V = recordings.V - passive.R_s[:, None] * recordings.I.astype(np.float64)
    n, mean, sd = _moments_of(recordings, before, V)
    highest = np.full(recordings.n_cells, -np.inf)
    np.maximum.at(highest, recordings.cell, np.where(recordings.free, recordings.V, -np.inf).max(1))
    return {"V_th": np.where(n > 0, mean, highest + 3.0), "threshold_noise": np.where(n > 1, sd, np.nan)}


def _released(recordings: Batch, passive: Passive) -> dict[str, Float64[np.ndarray, " cell"]]:
    """Mean and SD of the voltages at which spikes release each cell; of fewer than two, nothing."""
    V = recordings.V - passive.R_s[:, None] * recordings.I.astype(np.float64)
    n, mean, sd = _moments_of(recordings, recordings.spikes & recordings.valid, V)
    return {"V_reset": np.where(n > 1, mean, np.nan), "reset_noise": np.where(n > 1, sd, np.nan)}


def _moments_of(
    recordings: Batch, at: Bool[np.ndarray, "dataset time"], V: Float64[np.ndarray, "dataset time"]
) -> tuple[Float64[np.ndarray, " cell"], Float64[np.ndarray, " cell"], Float64[np.ndarray, " cell"]]:
    """Number, mean and SD of some of each cell's voltages; the last two mean nothing where there are none."""
    n = recordings.per_cell(at.sum(1).astype(np.float64))
    own = np.where(at, V - ORIGIN, 0.0)
    mean, square = (recordings.per_cell(x.sum(1)) / np.maximum(n, 1.0) for x in (own, own**2))
    return n, mean + ORIGIN, np.sqrt(np.maximum(square - mean**2, 0.0))


def _unexplained(recordings: Batch, passive: Passive) -> Float64[np.ndarray, " cell"]:
    """Size of white noise, in mV/sqrt(ms), that leaves what the membrane does not explain from step to step."""
    dt, I = recordings.dt, recordings.I.astype(np.float64)
    tau, V_rest, C, R_s = (value[:, None] for value in passive)
    V = recordings.V - R_s * I
    left = np.diff(V) - dt * ((V_rest - V[:, :-1]) / tau + I[:, :-1] / C)
    free = recordings.free[:, :-1] & recordings.free[:, 1:]
    n, _, sd = _moments_of(recordings, free, left + ORIGIN)
    return np.where(n > 1, sd / np.sqrt(dt), np.nan)


def on_grid(recordings: Batch, prior: Prior, z: Float64[np.ndarray, "cell param"]) -> Batch:
    """The current through the electrode as it is on the grid, by the series resistance of neurons with these scores."""
    if recordings.I_electrode is None or "R_s" not in prior.inferred:
        return recordings
    R_s = prior.natural(z)[:, prior.inferred.index("R_s")]
    return recordings.on_grid(R_s[recordings.cell])
