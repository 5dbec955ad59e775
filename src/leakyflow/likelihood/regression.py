"""The fast path: cells whose likelihood a few hundred sufficient statistics hold."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float64, Int

from leakyflow.layout import double_precision
from leakyflow.likelihood.read_off import read_off_parameters
from leakyflow.likelihood.sufficient import Sufficient, compress, compressed_log_likelihood, spike_columns
from leakyflow.likelihood.target import Density, Target, score_of
from leakyflow.recordings.batch import Batch
from leakyflow.simulator.prior import Prior

__all__ = ["Regression", "regression_is_exact", "threshold_bound"]

# Of the neurons that the regression knows; all else of a prior must be off.
KNOWN_TO_IT = {"tau", "V_rest", "C", "V_th", "threshold_noise", "membrane_noise", "V_reset", "reset_noise", "t_ref"}
# Nodes of the grid of survived voltages: see `compressed_log_likelihood` for its error.
N_DEPTHS = 128
# A bound below the first excludes nothing, and one above the second leaves 1e-12 of the prior.
NEAREST_BOUND, FARTHEST_BOUND = -30.0, 7.0
# Sweeps x draws evaluated at a time.
ROWS = 2**16


def regression_is_exact(prior: Prior) -> bool:
    """Whether neurons of the prior are linear in (1, V, I), with a constant threshold and V observed."""
    return "membrane_noise" in prior.root and set(prior.root) <= KNOWN_TO_IT


@dataclass(frozen=True, eq=False)
class Regression(Target):
    """Targets by sufficient statistics; make them with `of`.

    Attributes:
        data: Statistics of the sweeps.
        read_off: Parameters read off each sweep.
        cell: Number of the cell of each sweep.
    """

    prior: Prior
    bound: Float64[np.ndarray, "cell param"]
    possible: Bool[np.ndarray, " cell"]
    data: Sufficient
    read_off: Mapping[str, Float64[np.ndarray, " sweep"]]
    cell: Int[np.ndarray, " sweep"]

    @classmethod
    def of(cls, batch: Batch, prior: Prior) -> "Regression":
        """Compress the sweeps of cells."""
        soft = "threshold_noise" in prior.root
        columns = spike_columns(int(batch.n_spikes.max()))
        data = compress(batch.roomy(), n_spikes=columns, n_depths=N_DEPTHS if soft else 4)
        bound, possible = np.full((batch.n_cells, prior.n_inferred), -np.inf), np.ones(batch.n_cells, bool)
        if not soft and "V_th" in prior.inferred:
            own = bound[:, prior.inferred.index("V_th")]
            np.maximum.at(own, batch.cell, threshold_bound(prior, data))
            possible &= own < FARTHEST_BOUND
        elif not soft:
            np.logical_and.at(possible, batch.cell, (data.n_steps == 0) | (data.V_max < prior.known["V_th"]))
        return cls(prior, bound, possible, data, read_off_parameters(batch, prior), batch.cell)

    def one(self, index: int) -> "Regression":  # noqa: D102
        rows, own = np.flatnonzero(self.cell == index), slice(index, index + 1)
        data, read_off = self._given(rows)
        cell = np.zeros(len(rows), np.int64)
        return Regression(self.prior, self.bound[own], self.possible[own], data, read_off, cell)

    def density(self) -> Density:  # noqa: D102
        return Density(_density(self.prior), self._given(np.flatnonzero(self.cell == 0)))

    def guess(self) -> Float64[np.ndarray, "cell param"]:  # noqa: D102
        return np.zeros(self.bound.shape)

    def _given(self, rows: Any) -> tuple[Sufficient, dict[str, Any]]:
        """Statistics and read-off parameters of some sweeps."""
        return self.data.at(rows).narrow(), {name: value[rows] for name, value in self.read_off.items()}

    def _evaluate(self, z: Float64[np.ndarray, "cell draw param"]) -> Float64[np.ndarray, "cell draw"]:
        n, n_draws = len(self.cell), z.shape[1]
        step = min(n, max(1, ROWS // n_draws))
        values = np.zeros(z.shape[:2])
        # Those with like numbers of spikes together: no more columns than they need.
        order = np.argsort((self.data.weight > 0).sum(1))
        for first in range(0, n, step):
            rows = order[first : first + step]
            padded = np.pad(rows, (0, step - len(rows)), mode="edge")  # one compiled shape
            with double_precision():
                block = _of_sweeps(self.prior, *self._given(padded), z[self.cell[padded]])
            np.add.at(values, self.cell[rows], np.asarray(block)[: len(rows)])
        return values


def threshold_bound(prior: Prior, s: Sufficient) -> Float64[np.ndarray, " dataset"]:
    """Prior score that V_th exceeds where the threshold is hard: that of the largest voltage survived."""
    score = np.clip(score_of(prior.distributions["V_th"], s.V_max), NEAREST_BOUND, FARTHEST_BOUND)
    # Without a free step nothing was survived.
    return np.where(s.n_steps > 0, score, NEAREST_BOUND)


def _of_sweep(prior: Prior, z: Array, data: Sufficient, read_off: Mapping[str, Array]) -> Array:
    return compressed_log_likelihood(prior.from_unconstrained(z, read_off=read_off), data)


def _axes(data: Sufficient) -> Sufficient:
    return Sufficient._make([*[0] * (len(data) - 1), None])


@partial(jax.jit, static_argnums=0)
def _of_sweeps(prior: Prior, data: Sufficient, read_off: Mapping[str, Array], z: Array) -> Array:
    of_draws = jax.vmap(partial(_of_sweep, prior), in_axes=(0, None, None))
    return jax.vmap(of_draws, in_axes=(0, _axes(data), 0))(z, data, read_off)


@lru_cache(maxsize=8)
def _density(prior: Prior) -> Callable[[Array, Any], Array]:
    def log_likelihood(z: Array, given: Any) -> Array:
        data, read_off = given
        return jnp.sum(jax.vmap(partial(_of_sweep, prior, z), in_axes=(_axes(data), 0))(data, read_off))

    return log_likelihood
