"""What is read off a recording instead of being inferred: the reset, the refractory period, and the noises at rest.

What the response to a stimulus does not fit must not be called noise, so the noises come from the stretch before the
first change of the current: their mode, given the resistance and the capacitance that a regression finds, and under the
prior that simulations have. Where there is no such stretch, that is the prior's median.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float64, Int, Int32

from leakyflow.likelihood.instrument import Passive, passive_fit
from leakyflow.likelihood.laplace import climb
from leakyflow.likelihood.scan import trace_of
from leakyflow.likelihood.sweeps import of_rows
from leakyflow.neuron.parameters import TABLE, Parameters
from leakyflow.recordings.batch import Batch
from leakyflow.recordings.recording import Recording
from leakyflow.recordings.rest import LEAST_SAMPLES, samples_before_change
from leakyflow.simulator.distributions import AbstractDistribution
from leakyflow.simulator.prior import Prior, ReadOff

__all__ = ["read_off_for", "read_off_parameters", "refractory_period", "samples_at_rest"]

# Samples of rest that are looked at, at most.
MOST_SAMPLES = 2048
# What a voltage at rest shows of the current noise is current_noise / C. Under this name goes the capacitance, in pF,
# for which a value was read: a neuron of another has the noise that looks the same, so that noise never decides C.
READ_WITH_C = "C at reading"
DAMPING = np.array([1e-3, 0.1, 3.0, 100.0])
MOST_STEPS = 8


def read_off_parameters(
    recordings: Batch, prior: Prior, passive: Passive | None = None
) -> dict[str, Float64[np.ndarray, " dataset"]]:
    """Read those of the prior's parameters off recordings that it does not infer.

    The mean and SD of the voltages of release, the longest refractory period, and the noises at rest. What a recording
    does not show, for lack of spikes or of rest, is at its prior median. The noises of the cell are those of all its
    sweeps.

    Args:
        recordings: One or many.
        prior: Says which parameters are read off.
        passive: The membranes, where they were fitted before.

    Returns:
        A number for each recording, in the parameter's unit; beside a current noise that of a neuron whose capacitance
        is inferred, for which `read_off_for` gives it.
    """
    wanted = {name: entry.read_off for name, entry in prior.root.items() if isinstance(entry, ReadOff)}
    out = {name: np.full(len(recordings), float(entry.from_unconstrained(0.0))) for name, entry in wanted.items()}
    if any(TABLE[name].reader == "spikes" for name in wanted):
        for row, recording in enumerate(recordings):
            for name, value in _shown(recording).items():
                if name in out:
                    out[name][row] = value
    noises = {name: entry for name, entry in wanted.items() if TABLE[name].reader == "rest"}
    if not noises:
        return out
    passive = passive_fit(recordings) if passive is None else passive
    return out | _noises(recordings, passive, noises, _other_noises(prior))


def read_off_for(values: Mapping[str, Any], read_off: Mapping[str, Any]) -> dict[str, Any]:
    """What was read off, as neurons have it whose other parameters are these, of shapes that broadcast."""
    if READ_WITH_C not in read_off:
        return dict(read_off)
    own = {name: value for name, value in read_off.items() if name != READ_WITH_C}
    return own | {"current_noise": own["current_noise"] * (values["C"] / read_off[READ_WITH_C])}


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


def samples_at_rest(recordings: Batch) -> Int32[np.ndarray, " dataset"]:
    """Samples of each recording before its current changes or its first spike, as far as they are looked at.

    None where they are too few to say anything.
    """
    n = samples_before_change(recordings)
    return np.where(n < LEAST_SAMPLES, 0, np.minimum(n, MOST_SAMPLES)).astype(np.int32)


def _noises(
    recordings: Batch, passive: Passive, priors: Mapping[str, AbstractDistribution], others: Mapping[str, float]
) -> dict[str, Float64[np.ndarray, " dataset"]]:
    """The mode of the noises of each cell at rest, given its passive membrane and the other noises."""
    n, names = samples_at_rest(recordings), tuple(priors)
    z = np.zeros((recordings.n_cells, len(names)))
    if (n > 0).any():
        rows = np.flatnonzero(n)
        rest = recordings.take(rows).cut(n[rows])
        own = Passive(*(value[rows] for value in passive))
        z[np.unique(recordings.cell[rows])] = _noises_at_rest(rest, own, priors, others)
    found = {
        name: np.asarray(priors[name].from_unconstrained(z[:, i]))[recordings.cell] for i, name in enumerate(names)
    }
    return found | ({READ_WITH_C: passive.C} if "current_noise" in names else {})


def _noises_at_rest(
    rest: Batch, passive: Passive, priors: Mapping[str, AbstractDistribution], others: Mapping[str, float]
) -> Float64[np.ndarray, "cell noise"]:
    """Prior scores of the noises of cells of which all samples are at rest."""
    trace, names = trace_of(rest), tuple(priors)
    V = np.array([row[:k].mean() for row, k in zip(rest.V, rest.n_samples, strict=True)], np.float64)
    silent = _silent(passive, V, rest.I[:, 0].astype(np.float64)).replace(**others)
    sweeps = [np.flatnonzero(rest.cell == cell) for cell in range(rest.n_cells)]

    def log_density(
        z: Float64[np.ndarray, "row point param"], cells: Int[np.ndarray, " row"]
    ) -> Float64[np.ndarray, "row point"]:
        rows, n_sweeps = np.concatenate([sweeps[cell] for cell in cells]), [len(sweeps[cell]) for cell in cells]
        scores = np.repeat(z, n_sweeps, axis=0)
        values = {name: priors[name].from_unconstrained(scores[..., i].T) for i, name in enumerate(names)}
        own = silent.map(lambda value: value[rows] if np.ndim(value) else value)
        of_sweeps = of_rows(own.replace(**values), trace, rows, silent=True).T
        return np.add.reduceat(of_sweeps, np.cumsum([0, *n_sweeps[:-1]]), axis=0) - 0.5 * (z**2).sum(-1)

    start = np.zeros((rest.n_cells, len(names)))
    if "measurement_noise" in names:
        # The fastest differences of the voltage are those of the measurement.
        fastest = np.array([_fastest(rest, rows) for rows in sweeps])
        scores = priors["measurement_noise"].to_unconstrained(np.clip(fastest, 1e-4, 5.0))
        start[:, names.index("measurement_noise")] = np.clip(scores, -3.0, 3.0)
    return climb(log_density, start, most_steps=MOST_STEPS, every=2, damping=DAMPING).centre


def _silent(passive: Passive, V: Float64[np.ndarray, " row"], I: Float64[np.ndarray, " row"]) -> Parameters:
    """A neuron that rests at V under I, and never fires."""
    rest = V - passive.tau / passive.C * I
    return Parameters(tau=passive.tau, C=passive.C, V_rest=rest, V_th=1e3, V_reset=0.0, threshold_noise=1.0)


def _fastest(rest: Batch, rows: Int[np.ndarray, " row"]) -> float:
    """SD of white noise with such second differences, in mV."""
    squares = [np.diff(rest.V[row, : rest.n_samples[row]].astype(np.float64), 2) ** 2 for row in rows]
    return float(np.sqrt(np.concatenate(squares).mean() / 6.0))
