"""Cells of any neuron, by the scan over their samples."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from jaxtyping import Array, Bool, Float64, Int

from leakyflow.cpu import n_cpu, shared
from leakyflow.layout import double_precision, layout
from leakyflow.likelihood.instrument import guess, passive_fit
from leakyflow.likelihood.mechanism_fit import mechanism_start
from leakyflow.likelihood.read_off import read_off_for, read_off_parameters
from leakyflow.likelihood.remaining import Remaining
from leakyflow.likelihood.scan import Trace, scan_log_likelihood, trace_of
from leakyflow.likelihood.sweeps import SIDE_BY_SIDE, cut, doubled, lengths_of, log_likelihood_of
from leakyflow.likelihood.target import Density, Target
from leakyflow.neuron.parameters import Parameters
from leakyflow.recordings.batch import Batch, room
from leakyflow.simulator.prior import Prior

__all__ = ["Scanned", "evaluate", "parameters_of"]


@dataclass(frozen=True, eq=False)
class Scanned(Target):
    """Targets by the scan; make them with `of`.

    Attributes:
        trace: Of all sweeps.
        read_off: Parameters read off each sweep.
        cell: Number of the cell of each sweep.
        start: Scores at which a regression, which knows no mechanism, finds each cell; the coordinates of networks are
            those of a search from there, so it is not what `guess` gives.
    """

    prior: Prior
    trace: Trace
    read_off: Mapping[str, Float64[np.ndarray, " sweep"]]
    cell: Int[np.ndarray, " sweep"]
    start: Float64[np.ndarray, "cell param"]
    bound: Float64[np.ndarray, "cell param"] = field(init=False)
    possible: Bool[np.ndarray, " cell"] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "bound", np.full(self.start.shape, -np.inf))
        object.__setattr__(self, "possible", np.ones(len(self.start), bool))

    @classmethod
    def of(cls, batch: Batch, prior: Prior) -> "Scanned":
        """Lay out the sweeps of cells."""
        trace = trace_of(batch)
        passive = passive_fit(batch, trace)
        read_off = read_off_parameters(batch, prior, passive)
        return cls(prior, trace, read_off, batch.cell, guess(batch, prior, passive))

    def one(self, index: int) -> "Scanned":  # noqa: D102
        trace, read_off = self._of(index)
        cell = np.zeros(trace.y.shape[1], np.int64)
        return Scanned(self.prior, trace, read_off, cell, self.start[index : index + 1])

    def density(self) -> Density:  # noqa: D102
        return Density(_density(self.prior), self._of(0))

    def guess(self) -> Float64[np.ndarray, "cell param"]:  # noqa: D102
        return self._guess

    @cached_property
    def _guess(self) -> Float64[np.ndarray, "cell param"]:
        return mechanism_start(self.prior, self.trace, self.lengths, self.cell, self.start)

    @cached_property
    def lengths(self) -> Int[np.ndarray, " sweep"]:
        """Samples of each sweep that are not padding."""
        return lengths_of(self.trace)

    def n_samples(self, index: int = 0) -> int:
        """Samples of one of the cells, that are not padding."""
        return int(self.lengths[self.cell == index].sum())

    @cached_property
    def remaining(self) -> Remaining | None:  # noqa: D102
        n_spikes = self.trace.spikes.sum()
        held = self.trace.dt * (self.n_samples() - self.trace.free.sum()) / n_spikes if n_spikes else 0.0
        return Remaining.of(self.prior, float(held))

    def _of(self, index: int) -> tuple[Trace, dict[str, Float64[np.ndarray, " sweep"]]]:
        rows = np.flatnonzero(self.cell == index)
        trace = cut(self.trace, rows, room(int(self.lengths[rows].max())))
        return trace, {name: value[rows] for name, value in self.read_off.items()}

    def _evaluate(self, z: Float64[np.ndarray, "cell draw param"]) -> Float64[np.ndarray, "cell draw"]:
        # What overflows is as unlikely as anything can be.
        with np.errstate(over="ignore"):
            theta = np.asarray(self.prior.natural(z))
        rows = []
        for index, values in enumerate(theta):
            trace, read_off = self._of(index)
            rows.append(evaluate(parameters_of(self.prior, values[:, None], read_off), trace).sum(-1))
        return np.stack(rows)


def evaluate(p: Parameters, trace: Trace) -> Float64[np.ndarray, "draw sweep"]:
    """Log likelihood of each sweep, draws in blocks that the processors share.

    Args:
        p: Arrays of shape (draw, 1) or (draw, sweep), and what all draws share of shape (sweep,) or ().
        trace: Sweeps.
    """
    n_draws = max(np.shape(value)[0] if np.ndim(value) == 2 else 1 for value in p.values())
    n_sweeps = trace.y.shape[1]
    way = layout()
    size = min(max(1, SIDE_BY_SIDE // n_sweeps), max(8, -(-n_draws // n_cpu())))
    size = 1 << ((n_draws if way.wide else size) - 1).bit_length()
    n_steps = None
    if not way.wide:
        length = int(lengths_of(trace).max())
        trace, n_steps = cut(trace, np.arange(n_sweeps), doubled(length)), length - 1

    def block(first: int) -> Float64[np.ndarray, "draw sweep"]:
        rows = np.minimum(np.arange(first, first + size), n_draws - 1)
        own = p.map(lambda value: value[rows] if np.ndim(value) == 2 else value)
        with double_precision(wide=way.wide):
            return np.asarray(log_likelihood_of(own, trace, unroll=way.unroll, n_steps=n_steps))

    return np.concatenate(shared(block, range(0, n_draws, size)))[:n_draws]


def parameters_of(prior: Prior, theta: Any, read_off: Mapping[str, Any]) -> Parameters:
    """Neurons with the inferred parameters theta, along its last axis, and all else known or read off."""
    inferred = {name: theta[..., i] for i, name in enumerate(prior.inferred)}
    given = {**prior.known, **inferred}
    return Parameters(**given, **read_off_for(given, read_off))


@lru_cache(maxsize=8)
def _density(prior: Prior) -> Callable[[Array, Any], Array]:
    def log_likelihood(z: Array, given: Any) -> Array:
        trace, read_off = given
        return scan_log_likelihood(parameters_of(prior, prior.natural(z), read_off), trace).sum()

    return log_likelihood
