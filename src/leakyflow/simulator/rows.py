"""Some rows of a dataset, simulated: each depends on the header and its own place alone."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from leakyflow.neuron.parameters import Parameters
from leakyflow.recordings.batch import Batch
from leakyflow.simulator.cells import simulate_sweeps, sweep_parameters
from leakyflow.simulator.simulate import check_parameters, simulate_traces
from leakyflow.simulator.stimulus_prior import draw_stimuli
from leakyflow.simulator.store import TRACES, Header

__all__ = ["as_batch", "draw_parameters", "simulate_rows"]


def draw_parameters(header: Header) -> Parameters:
    """Parameters of all recordings of a dataset, or of all sweeps of its cells; arrays of shape (row,).

    Raises:
        LeakyflowError: If a drawn one is out of range.
    """
    simulator, seed = header.simulator, header.seed
    parameters = simulator.prior.sample(header.n, seed)
    check_parameters(parameters, simulator.dt)
    return parameters if header.plan is None else sweep_parameters(simulator, parameters, header.plan, seed)


def simulate_rows(header: Header, parameters: Parameters, rows: slice) -> dict[str, np.ndarray]:
    """Simulate some rows of a dataset.

    Args:
        header: Of the dataset.
        parameters: Of all its rows, from `draw_parameters`.
        rows: Which of them.

    Returns:
        What the arrays of the dataset hold of them.
    """
    simulated = _recordings if header.plan is None else _cells
    columns = np.stack([np.asarray(getattr(parameters, name))[rows] for name in header.parameters], axis=-1)
    return simulated(header, parameters, rows) | {"parameters": columns}


def as_batch(header: Header, arrays: Mapping[str, np.ndarray], rows: slice, numbers: range) -> Batch:
    """Recordings, or all sweeps of some cells, with their names.

    Args:
        header: Of the dataset.
        arrays: Traces and lengths of these rows.
        rows: Which they are.
        numbers: Of the recordings, or of the cells, for their names.
    """
    more: dict[str, Any] = {"names": tuple(f"simulation {i}" for i in numbers)}
    if header.plan is not None:
        cell, sweep = header.plan.cell[rows], header.plan.sweep[rows]
        cell = cell - cell[:1]
        names = tuple(f"{more['names'][i]}, sweep {k}" for i, k in zip(cell, sweep, strict=True))
        more = {"cell": cell, "cell_names": more["names"], "names": names}
    traces: dict[str, Any] = {name: arrays[name] for name in TRACES}
    return Batch(**traces, n_samples=arrays["n_samples"], dt=header.simulator.dt, **more)


def _recordings(header: Header, parameters: Parameters, rows: slice) -> dict[str, np.ndarray]:
    """Recordings that are each of another neuron."""
    config, seed, index = header.simulator, header.seed, np.arange(rows.start, rows.stop)
    n_samples = config.draw_n_samples(header.n, seed)[rows]
    own = parameters.map(lambda value: np.asarray(value)[rows])
    I, which = draw_stimuli(
        config.stimuli, index=index, n_samples=n_samples, n_time=config.n_time, dt=config.dt, seed=seed
    )
    traces = simulate_traces(own, I, config.dt, seed=seed, index=index)
    for row, n in enumerate(n_samples.tolist()):
        for values in traces:
            values[row, n:] = 0
    return traces._asdict() | {"I": I, "n_samples": n_samples, "stimulus": which}


def _cells(header: Header, parameters: Parameters, rows: slice) -> dict[str, np.ndarray]:
    """Sweeps of cells."""
    plan = header.plan
    assert plan is not None
    sweeps = simulate_sweeps(header.simulator, parameters, plan, np.arange(rows.start, rows.stop), header.seed)
    cell = plan.cell[rows]
    own = {"I": sweeps.I, "n_samples": sweeps.n_samples, "stimulus": plan.protocol[cell], "cell": cell}
    return sweeps.traces._asdict() | own
