"""Cells of a dataset: how many sweeps each has, what it is given in them, and what it does."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32, Int, Int32

from leakyflow.neuron.parameters import TABLE, Parameters
from leakyflow.seeds import stream
from leakyflow.simulator import search
from leakyflow.simulator.config import SimulatorConfig
from leakyflow.simulator.prior import ReadOff
from leakyflow.simulator.protocols import MOST_SWEEPS, draw_scores
from leakyflow.simulator.simulate import Traces, simulate_traces

__all__ = ["Plan", "Sweeps", "draw_cells", "simulate_sweeps", "sweep_parameters"]

# Noise streams of a cell: a sweep more in one leaves those of the next alone.
STREAMS = 32


class Plan(NamedTuple):
    """What is known of a dataset's sweeps before any is simulated; cells one after the other."""

    protocol: Int32[np.ndarray, " cell"]  # place among the protocols
    n_sweeps: Int[np.ndarray, " cell"]
    n_samples: Int32[np.ndarray, " cell"]  # of every sweep but the search, which is as long as may be
    searched: Int[np.ndarray, " cell"]  # 1 where the first sweep is a search

    @property
    def ends(self) -> Int[np.ndarray, " cell"]:
        """Row after the last of each cell."""
        return np.cumsum(self.n_sweeps)

    @property
    def cell(self) -> Int[np.ndarray, " sweep"]:
        """Number of the cell of each row."""
        return np.repeat(np.arange(len(self.n_sweeps)), self.n_sweeps)

    @property
    def sweep(self) -> Int[np.ndarray, " sweep"]:
        """Number of each row within its cell."""
        return np.arange(self.n_sweeps.sum()) - (self.ends - self.n_sweeps)[self.cell]

    def rows(self, cells: slice) -> slice:
        """All sweeps of some cells that follow each other."""
        first, last, step = cells.indices(len(self.n_sweeps))
        if step != 1:
            raise ValueError(f"Cells must follow each other, got a step of {step}.")
        bounds = np.append(0, self.ends)
        return slice(int(bounds[first]), int(bounds[max(first, last)]))


class Sweeps(NamedTuple):
    """Some sweeps as they were simulated; what lies beyond `n_samples` is padding."""

    I: Float32[np.ndarray, "sweep time"]
    traces: Traces
    n_samples: Int32[np.ndarray, " sweep"]


def draw_cells(config: SimulatorConfig, n: int, seed: int) -> Plan:
    """Draw the protocol, the number of sweeps and their length; cell i is the same whatever n is."""
    assert config.protocols is not None
    uniform = np.random.default_rng(stream(seed, "cells")).random((n, 3))
    upper = np.cumsum([protocol.weight for protocol in config.protocols])
    which = np.searchsorted(upper, uniform[:, 0] * upper[-1], side="right").astype(np.int32)
    fewest, most = np.array([protocol.n_sweeps for protocol in config.protocols])[which].T
    n_sweeps = fewest + np.floor(uniform[:, 1] * (most - fewest + 1)).astype(int)
    searched = (uniform[:, 2] < config.search_or_default.share) & (n_sweeps > 1)
    return Plan(which, n_sweeps, config.draw_n_samples(n, seed), searched.astype(int))


def sweep_parameters(config: SimulatorConfig, parameters: Parameters, plan: Plan, seed: int) -> Parameters:
    """Parameters of each sweep: those of its cell, but for what each sweep has for itself and is read off.

    These are drawn from their prior, too, and correlate between the sweeps of a cell.
    """
    alike, cell, sweep = config.search_or_default.alike, plan.cell, plan.sweep
    values = parameters.map(lambda value: np.asarray(value)[cell])
    for name, entry in config.prior.root.items():
        if isinstance(entry, ReadOff) and TABLE[name].scope == "sweep":
            of_cell = np.asarray(entry.read_off.to_unconstrained(np.asarray(parameters[name])))
            rng = np.random.default_rng(stream(seed, f"sweeps.{name}"))
            own = rng.standard_normal((len(of_cell), MOST_SWEEPS))
            scores = np.sqrt(alike) * of_cell[cell] + np.sqrt(1.0 - alike) * own[cell, sweep]
            values = values.replace(**{name: np.asarray(entry.read_off.from_unconstrained(scores))})
    return values


def simulate_sweeps(
    config: SimulatorConfig, parameters: Parameters, plan: Plan, rows: Int[np.ndarray, " sweep"], seed: int
) -> Sweeps:
    """Simulate some sweeps of a dataset; each is the same whatever others are simulated with it.

    Args:
        config: Of the dataset.
        parameters: Of all its sweeps.
        plan: Of the same.
        rows: Which of them, in order.
        seed: Of the dataset.
    """
    cell, sweep = plan.cell, plan.sweep
    cells = np.unique(cell[rows])
    units, searches = _search(config, parameters, plan, cells, seed)
    out = Sweeps(
        np.zeros((len(rows), config.n_time), np.float32),
        Traces(*(np.zeros((len(rows), config.n_time), dtype) for dtype in (np.float32, bool, bool))),
        plan.n_samples[cell[rows]],
    )
    first = (sweep[rows] == 0) & (plan.searched[cell[rows]] == 1)
    for place, unit in zip(cells.tolist(), units.tolist(), strict=True):
        _give(config, plan, place, unit, np.flatnonzero((cell[rows] == place) & ~first), sweep[rows], out, seed)
    others = np.flatnonzero(~first)
    traces = _simulated(config, parameters, cell, sweep, rows[others], out.I[others], seed)
    kept = np.flatnonzero(np.isin(cells[plan.searched[cells] == 1], cell[rows][first]))
    _fill(out, others, out.I[others], traces, out.n_samples[others])
    _fill(out, np.flatnonzero(first), searches.I[kept], _taken(searches.traces, kept), searches.n_samples[kept])
    return out


def _search(
    config: SimulatorConfig, parameters: Parameters, plan: Plan, cells: Int[np.ndarray, " cell"], seed: int
) -> tuple[Float[np.ndarray, " cell"], Sweeps]:
    """What each of some cells needs, in pA, and the searches of those that have one."""
    settings = config.search_or_default
    scores = [draw_scores(seed, int(cell)).search for cell in cells]
    units, seen = np.array([settings.unseen(own) for own in scores]), plan.searched[cells] == 1
    I = np.zeros((seen.sum(), config.n_time), np.float32)
    for row, place in zip(I, np.flatnonzero(seen), strict=True):
        row[:] = settings.current(scores[place], config.n_time)
    rows = (plan.ends - plan.n_sweeps)[cells[seen]]
    traces = _simulated(config, parameters, plan.cell, plan.sweep, rows, I, seed)
    units[seen] = search.needed_currents(I, traces)
    return units, Sweeps(I, traces, search.ends(traces, config.dt).astype(np.int32))


def _give(
    config: SimulatorConfig,
    plan: Plan,
    cell: int,
    unit: float,
    places: Int[np.ndarray, " place"],
    sweep: Int[np.ndarray, " sweep"],
    out: Sweeps,
    seed: int,
) -> None:
    """Write a cell's currents to the places of its sweeps."""
    assert config.protocols is not None
    n, searched = int(plan.n_samples[cell]), int(plan.searched[cell])
    protocol = config.protocols[plan.protocol[cell]]
    currents = protocol.currents(draw_scores(seed, cell), int(plan.n_sweeps[cell]) - searched, n, config.dt)
    for place in places.tolist():
        out.I[place, :n] = unit * currents[sweep[place] - searched]


def _simulated(
    config: SimulatorConfig,
    parameters: Parameters,
    cell: Int[np.ndarray, " row"],
    sweep: Int[np.ndarray, " row"],
    rows: Int[np.ndarray, " sweep"],
    I: Float32[np.ndarray, "sweep time"],
    seed: int,
) -> Traces:
    own = parameters.map(lambda value: np.asarray(value)[rows])
    return simulate_traces(own, I, config.dt, seed=seed, index=cell[rows] * STREAMS + sweep[rows])


def _fill(out: Sweeps, places: Int[np.ndarray, " place"], I: np.ndarray, traces: Traces, n_samples: np.ndarray) -> None:
    """Write sweeps to their places, zero where they are padded."""
    padding = np.arange(I.shape[1]) >= n_samples[:, None]
    out.n_samples[places] = n_samples
    for target, values in zip((out.I, *out.traces), (I, *traces), strict=True):
        target[places] = np.where(padding, 0, values)


def _taken(traces: Traces, places: Int[np.ndarray, " sweep"]) -> Traces:
    return Traces(*(values[places] for values in traces))
