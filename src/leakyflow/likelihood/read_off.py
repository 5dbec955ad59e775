"""What is read off a recording instead of being inferred: the reset, the refractory period, and the noises at rest.

What the response to a stimulus does not fit must not be called noise, so the noises come from the stretch before the
first change of the current: their mode, given the resistance and the capacitance that a regression finds, and under the
prior that simulations have. Where there is no such stretch, that is the prior's median.
"""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from jaxtyping import Float64, Int

from leakyflow.likelihood.instrument import Passive, passive_fit
from leakyflow.likelihood.laplace import climb
from leakyflow.likelihood.scan import trace_of
from leakyflow.likelihood.sweeps import of_rows
from leakyflow.neuron.parameters import TABLE, Parameters
from leakyflow.recordings.batch import Batch
from leakyflow.recordings.recording import Recording
from leakyflow.simulator.distributions import AbstractDistribution
from leakyflow.simulator.prior import Prior, ReadOff

__all__ = ["at_rest", "read_off_parameters", "refractory_period"]

# pA by which the current may move while the cell rests, and samples of rest that are looked at, at most.
STILL, MOST_SAMPLES = 2.0, 1024
# Rest from which noise is read, in samples: from less, nothing.
LEAST_SAMPLES = 50
DAMPING = np.array([1e-3, 0.1, 3.0, 100.0])
MOST_STEPS = 8


def read_off_parameters(recordings: Batch, prior: Prior) -> dict[str, Float64[np.ndarray, " dataset"]]:
    """Read those of the prior's parameters off recordings that it does not infer.

    The mean and SD of the voltages of release, the longest refractory period, and the noises at rest. What a recording
    does not show, for lack of spikes or of rest, is at its prior median. The noises of the cell are those of all its
    sweeps.

    Args:
        recordings: One or many.
        prior: Says which parameters are read off.

    Returns:
        A number for each recording, in the parameter's unit.
    """
    wanted = {name: entry.read_off for name, entry in prior.root.items() if isinstance(entry, ReadOff)}
    out = {name: np.full(len(recordings), float(entry.from_unconstrained(0.0))) for name, entry in wanted.items()}
    if any(TABLE[name].reader == "spikes" for name in wanted):
        for row, recording in enumerate(recordings):
            for name, value in _shown(recording).items():
                if name in out:
                    out[name][row] = value
    noises = {name: entry for name, entry in wanted.items() if TABLE[name].reader == "rest"}
    return out | (_noises(recordings, noises, _other_noises(prior)) if noises else {})


def _other_noises(prior: Prior) -> dict[str, float]:
    """Noises that are not read off: as known, or at the prior median where they are inferred."""
    entries = {name: entry for name, entry in prior.root.items() if TABLE[name].reader == "rest"}
    found = {name: entry for name, entry in entries.items() if isinstance(entry, float)}
    inferred = {name: entry for name, entry in entries.items() if isinstance(entry, AbstractDistribution)}
    return found | {name: float(entry.from_unconstrained(0.0)) for name, entry in inferred.items()}


def _shown(recording: Recording) -> dict[str, float]:
    released = recording.V[recording.spikes].astype(np.float64)
    shown: dict[str, float] = {}
    if released.size:
        shown |= {"V_reset": float(released.mean()), "t_ref": refractory_period(recording)}
    if released.size > 1:
        shown["reset_noise"] = float(released.std(ddof=1))
    return shown


def refractory_period(recording: Recording) -> float:
    """Longest run of refractory samples, in ms; the last one may be cut by the end."""
    onsets = np.append(np.flatnonzero(recording.spikes), recording.n_samples)
    runs = [recording.refractory[a:b].sum() for a, b in pairwise(onsets)]
    return float(max(runs) * recording.dt)


def at_rest(recordings: Batch) -> Batch:
    """The stretch of each recording before its current changes or its first spike, cut to what is looked at.

    Of a recording without enough of it, the first two samples, which say next to nothing.
    """
    wide = recordings.roomy()
    moved = (np.abs(wide.I - wide.I[:, :1]) > STILL) | wide.spikes | ~wide.valid
    n = np.where(moved.any(1), moved.argmax(1), wide.V.shape[1])
    n = np.where(n < LEAST_SAMPLES, 2, np.minimum(n, MOST_SAMPLES))
    return recordings.cut(n.astype(np.int32))


def _noises(
    recordings: Batch, priors: Mapping[str, AbstractDistribution], others: Mapping[str, float]
) -> dict[str, Float64[np.ndarray, " dataset"]]:
    """The mode of the noises of each cell, given its passive membrane and the other noises."""
    rest, passive = at_rest(recordings), passive_fit(recordings)
    trace, names = trace_of(rest), tuple(priors)
    V = np.array([row[:k].mean() for row, k in zip(rest.V, rest.n_samples, strict=True)], np.float64)

    silent = _silent(passive, V, rest.I[:, 0].astype(np.float64)).replace(**others)

    def log_density(
        z: Float64[np.ndarray, "row point param"], rows: Int[np.ndarray, " row"]
    ) -> Float64[np.ndarray, "row point"]:
        values = {name: priors[name].from_unconstrained(z[..., i].T) for i, name in enumerate(names)}
        own = silent.map(lambda value: value[rows] if np.ndim(value) else value)
        return of_rows(own.replace(**values), trace, rows).T - 0.5 * (z**2).sum(-1)

    start = np.zeros((len(rest), len(names)))
    # The fastest differences of the voltage are those of the measurement.
    if "measurement_noise" in names:
        own = np.clip(_fastest(rest), 1e-4, 5.0)
        start[:, names.index("measurement_noise")] = np.clip(
            priors["measurement_noise"].to_unconstrained(own), -3.0, 3.0
        )
    modes = climb(log_density, start, most_steps=MOST_STEPS, every=2, damping=DAMPING)
    return {
        name: _of_cells(recordings, name, np.asarray(priors[name].from_unconstrained(modes.centre[:, i])), rest)
        for i, name in enumerate(names)
    }


def _silent(passive: Passive, V: Float64[np.ndarray, " row"], I: Float64[np.ndarray, " row"]) -> Parameters:
    """A neuron that rests at V under I, and never fires."""
    rest = V - passive.tau / passive.C * I
    return Parameters(tau=passive.tau, C=passive.C, V_rest=rest, V_th=1e3, V_reset=0.0, threshold_noise=1.0)


def _fastest(rest: Batch) -> Float64[np.ndarray, " row"]:
    """SD of white noise with such second differences, in mV."""
    out = np.empty(len(rest))
    for i, (row, n) in enumerate(zip(rest.V.astype(np.float64), rest.n_samples, strict=True)):
        out[i] = np.sqrt(np.mean(np.diff(row[:n], 2) ** 2) / 6.0) if n > 3 else 1e-4
    return out


def _of_cells(
    recordings: Batch, name: str, values: Float64[np.ndarray, " dataset"], rest: Batch
) -> Float64[np.ndarray, " dataset"]:
    """What all sweeps of a cell share is their mean, on a logarithmic scale, weighted by their rest."""
    if TABLE[name].scope == "sweep" or recordings.n_cells == len(recordings):
        return values
    weight = rest.n_samples.astype(np.float64)
    mean = recordings.per_cell(weight * np.log(values)) / recordings.per_cell(weight)
    return np.exp(mean)[recordings.cell]
