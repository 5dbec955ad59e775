"""Which mechanisms a cell needs: the ladder of neurons, judged by evidence and by sweeps that were kept back.

Evidence is the density of what was recorded, step by step, averaged over the prior: it knows each neuron's price. A
prediction runs free, and shows what a neuron is good for. Both are shown, for real cells have more in them than any
neuron of the ladder, and then a better density need not predict better.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float64

from leakyflow.diagnostics.hold_out import LEAST_SWEEPS, parted
from leakyflow.diagnostics.prediction.free_running import free_running
from leakyflow.diagnostics.prediction.voltage import explained_variance
from leakyflow.likelihood.climb_ladder import Fit, climb_ladder
from leakyflow.likelihood.scanned import Scanned
from leakyflow.recordings.batch import Batch
from leakyflow.recordings.cell import Cell
from leakyflow.simulator.simulate import simulate
from leakyflow.simulator.stimuli import Stimulus

__all__ = ["Compared", "Prediction", "best_of", "compare", "compared", "keep_back", "predicted", "table_of", "verdict"]

EVERY = 3  # of so many sweeps one is kept back
# Simulations of each sweep, whose spikes are counted.
N_SIMULATIONS = 20
# Nats by which a richer neuron must be better: Jeffreys' decisive evidence, a hundred to one.
DECISIVE = float(np.log(100.0))


class Prediction(NamedTuple):
    """Of sweeps that took no part."""

    explained: float  # share of the variance of V, running free with the recorded spikes
    log_density: float  # nats, step by step
    recorded: Float64[np.ndarray, " sweep"]  # number of spikes
    simulated: Float64[np.ndarray, " sweep"]  # mean number of spikes of simulations

    @property
    def count_error(self) -> float:
        """Spikes by which a sweep's count is missed, on average."""
        return float(np.abs(self.recorded - self.simulated).mean())


class Compared(NamedTuple):
    """A rung with its prediction, where sweeps were kept back."""

    fit: Fit
    prediction: Prediction | None


def compare(
    cell: Cell, held_out: Cell | None = None, *, rungs: Sequence[str] | None = None, seed: int = 0
) -> pd.DataFrame:
    """Compare neurons with more and more mechanisms for one cell.

    Args:
        cell: Sweeps that parameters are inferred from.
        held_out: Sweeps that are predicted.
        rungs: Names of rungs, in any order; all when None.
        seed: Of the simulations.

    Returns:
        One row for each rung: log evidence, and what a step up gained, in nats; of the sweeps kept back the log
        density, explained variance and the error of spike counts; the most probable tau (ms) and C (pF).

    Raises:
        LeakyflowError: If there is no such rung, or dt differs.

    Example:
        >>> import leakyflow as lf
        >>> neuron = lf.Parameters(tau=17.0, V_rest=-70.0, C=90.0, V_th=-45.0, V_reset=-60.0, t_ref=3.0,
        ...     threshold_noise=1.0, membrane_noise=0.1, measurement_noise=0.05)
        >>> step = lf.square(amplitude=120.0, onset=50.0, duration=100.0, t_max=180.0, dt=0.2)
        >>> cell = Cell([lf.simulate(neuron, step, seed=seed) for seed in range(2)])
        >>> list(compare(cell, rungs=["lif"]).columns[:3])
        ['log_evidence', 'gained', 'log_density']
    """
    return table_of([compared(fit, held_out, seed=seed) for fit in climb_ladder(cell, rungs)])


def compared(fit: Fit, held_out: Cell | None, *, seed: int = 0) -> Compared:
    """A rung with its prediction."""
    return Compared(fit, None if held_out is None else predicted(fit, held_out, seed=seed))


def table_of(found: Sequence[Compared]) -> pd.DataFrame:
    """What `compare` gives."""
    evidence = np.array([one.fit.log_evidence for one in found])
    rows = {
        "log_evidence": evidence,
        "gained": np.diff(evidence, prepend=np.nan),
        "log_density": [np.nan if one.prediction is None else one.prediction.log_density for one in found],
        "explained": [np.nan if one.prediction is None else one.prediction.explained for one in found],
        "count_error": [np.nan if one.prediction is None else one.prediction.count_error for one in found],
        "tau": [float(one.fit.neuron.tau) for one in found],
        "C": [float(one.fit.neuron.C) for one in found],
    }
    return pd.DataFrame(rows, index=pd.Index([one.fit.rung for one in found], name="rung"))


def best_of(table: pd.DataFrame) -> str:
    """The plainest rung that none above it beats decisively (Jeffreys 1961: a hundred to one)."""
    evidence = table["log_evidence"]
    return str(evidence.index[(evidence > evidence.max() - DECISIVE).argmax()])


def verdict(table: pd.DataFrame) -> list[str]:
    """What to make of it, in words.

    Args:
        table: From `compare`.

    Returns:
        A line on evidence and, where sweeps were kept back, one on prediction.
    """
    best, evidence = best_of(table), table["log_evidence"]
    more = evidence[best] - evidence.iloc[0]
    said = f"{more:.3g} nats more than {table.index[0]}" if more else "no richer neuron is worth its price"
    lines = [f"By evidence: {best} ({said})."]
    if table["explained"].notna().any():
        first = str(table["explained"].idxmax())
        lines.append(
            f"By prediction: {first} (eps_V {table['explained'][first]:.3f}, {table.index[0]} "
            f"{table['explained'].iloc[0]:.3f}; spikes of a sweep off by {table['count_error'][first]:.1f})."
        )
    return lines


def keep_back(cell: Cell) -> tuple[Cell, Cell | None]:
    """Every third sweep is kept back, where there are at least four; else none."""
    return parted(cell, range(EVERY - 1, len(cell), EVERY) if len(cell) >= LEAST_SWEEPS else [])


def predicted(fit: Fit, held_out: Cell, *, seed: int = 0) -> Prediction:
    """How a fit predicts sweeps that took no part in it.

    Args:
        fit: Of the same cell.
        held_out: Other sweeps.
        seed: Of the simulations.
    """
    batch = Batch.of(held_out)
    V = free_running(fit.neuron, batch)
    explained = explained_variance(
        [sweep.V for sweep in held_out],
        [own[: sweep.n_samples] for own, sweep in zip(V, held_out, strict=True)],
        [sweep.free for sweep in held_out],
    )
    many = fit.neuron.map(lambda value: np.full(N_SIMULATIONS, value))
    simulated = [
        float(simulate(many, Stimulus(I=sweep.I, dt=sweep.dt), seed=seed + i).spikes.sum(-1).mean())
        for i, sweep in enumerate(held_out)
    ]
    log_density = float(Scanned.of(batch, fit.prior).log_likelihood(fit.mode.centre[None, None])[0, 0])
    return Prediction(explained, log_density, batch.n_spikes.astype(np.float64), np.array(simulated))
