"""The ladder of neurons fitted to one cell, each rung from where the one before arrived and from a regression."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from leakyflow.errors import LeakyflowError
from leakyflow.likelihood.cell_mode import cell_mode
from leakyflow.likelihood.laplace import Laplace
from leakyflow.likelihood.read_off import read_off_for
from leakyflow.likelihood.scanned import Scanned
from leakyflow.neuron.parameters import TABLE, Parameters
from leakyflow.recordings.batch import Batch
from leakyflow.recordings.cell import Cell
from leakyflow.simulator.ladder import LADDER, ladder_prior
from leakyflow.simulator.prior import Prior

__all__ = ["Fit", "climb_ladder", "fit_from"]


class Fit(NamedTuple):
    """A neuron of the ladder at the mode of its posterior."""

    rung: str
    prior: Prior
    mode: Laplace
    neuron: Parameters
    log_evidence: float  # nats, by Laplace's method


def climb_ladder(cell: Cell, rungs: Sequence[str] | None = None) -> Iterator[Fit]:
    """Fit the rungs one after the other, each from where the one before arrived and from a regression.

    Args:
        cell: One cell.
        rungs: Names, in any order; all when None.
    """
    names = _in_order(rungs)
    before: Fit | None = None
    for name in names:
        prior = ladder_prior(name)
        target = Scanned.of(Batch.of(cell), prior)
        starts = [target.guess()[0]] if before is None else [_extended(before, prior), target.guess()[0]]
        before = max((fit_from(start, target, cell, name) for start in starts), key=lambda fit: fit.mode.log_density)
        yield before


def fit_from(start: Float64[np.ndarray, " param"], target: Scanned, cell: Cell, rung: str) -> Fit:
    """Climb to the mode of a cell's posterior, where Laplace's method gives the evidence."""
    mode = cell_mode(target, start)
    volume = 0.5 * (len(start) * np.log(2.0 * np.pi) + np.linalg.slogdet(mode.covariance)[1])
    return Fit(rung, target.prior, mode, _neuron(target, mode.centre, cell), mode.log_density + float(volume))


def _in_order(rungs: Sequence[str] | None) -> list[str]:
    names = [rung.name for rung in LADDER]
    if rungs is None:
        return names
    if not rungs:
        raise LeakyflowError(f"`rungs` must name at least one of {', '.join(names)}, got none.", argument="rungs")
    for name in rungs:
        ladder_prior(name)
    return [name for name in names if name in rungs]


def _extended(before: Fit, prior: Prior) -> Float64[np.ndarray, " param"]:
    """The scores of the rung before, and the prior's median of what is new."""
    known = dict(zip(before.prior.inferred, before.mode.centre, strict=True))
    return np.array([known.get(name, 0.0) for name in prior.inferred])


def _neuron(target: Scanned, z: Float64[np.ndarray, " param"], cell: Cell) -> Parameters:
    """With these scores; what is read off spikes is the mean over them, what is read off the rest that over sweeps."""
    spikes = np.array([sweep.spikes.sum() for sweep in cell], np.float64)
    weights = {"spikes": spikes if spikes.any() else np.ones(len(cell)), "rest": np.ones(len(cell))}
    inferred = dict(zip(target.prior.inferred, np.asarray(target.prior.natural(z)).tolist(), strict=True))
    known = {**target.prior.known, **inferred}
    read_off = {
        name: float(np.average(value, weights=weights[TABLE[name].reader or "rest"]))
        for name, value in read_off_for(known, target.read_off).items()
    }
    return Parameters(**known, **read_off)
