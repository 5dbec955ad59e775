"""What cells do, in the numbers by which electrophysiologists know one: from steps, whoever recorded or simulated them.

Sag ratio and adaptation index as in the Allen Cell Types Database (Teeter et al. 2018, Nature Communications 9:709).
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from leakyflow.recordings.batch import Batch
from leakyflow.recordings.cell import Cell
from leakyflow.recordings.recording import Recording

__all__ = ["CELL_FEATURES", "CellFeature", "cell_activity", "like_cells"]


class CellFeature(NamedTuple):
    """A number that describes a cell.

    Attributes:
        label: In words, with its unit.
        low: Least value of a cell that looks like one.
        high: Greatest.
    """

    label: str
    low: float
    high: float


# Ranges set by hand, wide, around the percentiles that Teeter et al. publish and the cells of our own recordings: to
# tell what no neuron does, not what is rare.
CELL_FEATURES = {
    "V_rest": CellFeature("V before the stimulus (mV)", -95.0, -40.0),
    "resistance": CellFeature("input resistance (MOhm)", 20.0, 1500.0),
    "sag": CellFeature("sag ratio", -0.05, 0.6),
    "rheobase": CellFeature("rheobase (pA)", 2.0, 1000.0),
    "rate": CellFeature("highest rate in a step (Hz)", 1.0, 150.0),
    "adaptation": CellFeature("adaptation index", -0.1, 0.4),
    "isi_cv": CellFeature("CV of intervals in a step", 0.0, 1.0),
    "lowest": CellFeature("lowest V (mV)", -140.0, -45.0),
    "highest": CellFeature("highest V, spikes aside (mV)", -75.0, 0.0),
}
STILL = 1.0  # pA by which a current differs where it differs
SHORTEST_STEP = 50.0  # ms
LEAST_SAG = 5.0  # mV by which a step must move the voltage before its sag is measured
LEAST_SPIKES = 5
SMOOTH = 5.0  # ms


class _Step(NamedTuple):
    """A step of the current in one sweep."""

    amplitude: float  # pA
    rest: float  # mV, before it
    peak: float  # mV, farthest down, smoothed
    end: float  # mV, median of its last third
    spikes: Float[np.ndarray, " spike"]  # ms
    duration: float  # ms


def cell_activity(recordings: Batch) -> dict[str, Float[np.ndarray, " cell"]]:
    """The `CELL_FEATURES` of each cell; NaN where its sweeps do not show one.

    Args:
        recordings: Sweeps of one or many cells.

    Example:
        >>> import leakyflow as lf
        >>> neuron = lf.Parameters(tau=20.0, V_rest=-70.0, C=100.0, V_th=-50.0, V_reset=-60.0, t_ref=3.0)
        >>> steps = [lf.square(amplitude=A, onset=100.0, duration=300.0, t_max=400.0, dt=0.5) for A in (-50.0, 150.0)]
        >>> sweeps = [lf.simulate(neuron, step, seed=1) for step in steps]
        >>> found = cell_activity(Batch.of(lf.Cell(sweeps)))
        >>> float(found["resistance"][0].round()), float(found["rheobase"][0])
        (200.0, 150.0)
    """
    rows = [_of_cell(cell) for cell in recordings.cells()]
    return {name: np.array([row.get(name, np.nan) for row in rows]) for name in CELL_FEATURES}


def like_cells(activity: Mapping[str, Float[np.ndarray, " cell"]]) -> dict[str, float]:
    """Share of the cells within the range of each of the `CELL_FEATURES`, of those that show it; and in `all`."""
    shares, inside = {}, np.ones(len(activity["V_rest"]), bool)
    for name, feature in CELL_FEATURES.items():
        value = activity[name]
        shown, good = np.isfinite(value), (value >= feature.low) & (value <= feature.high)
        shares[name] = float(good[shown].mean()) if shown.any() else np.nan
        inside &= good | ~shown
    return shares | {"all": float(inside.mean())}


def _of_cell(cell: Cell) -> dict[str, float]:
    V = [sweep.V[~(sweep.spikes | sweep.refractory)].astype(float) for sweep in cell]
    out = {
        "lowest": min(float(np.min(own)) for own in V),
        "highest": max(float(np.max(own)) for own in V),
        "V_rest": float(np.median([sweep.V[0] for sweep in cell])),
    }
    steps = [step for step in map(_step_of, cell) if step is not None]
    return out | _passive(steps) | _spiking(steps)


def _step_of(sweep: Recording) -> _Step | None:
    """The longest stretch of a constant current that is not that of the beginning."""
    bounds = np.flatnonzero(np.abs(np.diff(sweep.I)) > STILL) + 1
    starts, stops = np.append(0, bounds), np.append(bounds, sweep.n_samples)
    other = np.abs(sweep.I[starts] - sweep.I[0]) > STILL
    if not other.any():
        return None
    longest = np.argmax(np.where(other, stops - starts, 0))
    start, stop = int(starts[longest]), int(stops[longest])
    if (stop - start) * sweep.dt < SHORTEST_STEP or np.ptp(sweep.I[start:stop]) > STILL:
        return None
    V, width = sweep.V.astype(float), max(1, round(SMOOTH / sweep.dt))
    smooth = np.convolve(V[start:stop], np.full(width, 1.0 / width), mode="valid")
    spikes = np.flatnonzero(sweep.spikes[start:stop]) * sweep.dt
    rest, end = np.median(V[: int(starts[1])]), np.median(V[start + 2 * (stop - start) // 3 : stop])
    amplitude = float(sweep.I[start] - sweep.I[0])
    return _Step(amplitude, float(rest), float(smooth.min()), float(end), spikes, (stop - start) * sweep.dt)


def _passive(steps: list[_Step]) -> dict[str, float]:
    silent = [step for step in steps if not len(step.spikes)]
    below = [step for step in silent if step.amplitude < 0]
    out = {}
    if silent:
        moved = np.array([[step.amplitude, step.end - step.rest] for step in below or silent])
        out["resistance"] = 1e3 * float(moved[:, 0] @ moved[:, 1] / (moved[:, 0] @ moved[:, 0]))
    ratios = [(step.end - step.peak) / (step.rest - step.peak) for step in below if step.rest - step.peak > LEAST_SAG]
    return out | ({"sag": float(np.median(ratios))} if ratios else {})


def _spiking(steps: list[_Step]) -> dict[str, float]:
    firing = [step for step in steps if len(step.spikes) and step.amplitude > 0]
    if not firing:
        return {}
    most = max(firing, key=lambda step: len(step.spikes) / step.duration)
    rate = 1e3 * len(most.spikes) / most.duration
    out = {"rheobase": min(step.amplitude for step in firing), "rate": rate}
    if len(most.spikes) >= LEAST_SPIKES:
        isi = np.diff(most.spikes)
        index = float(np.mean(np.diff(isi) / (isi[1:] + isi[:-1])))
        out |= {"adaptation": index, "isi_cv": float(isi.std() / isi.mean())}
    return out
