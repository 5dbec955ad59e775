"""The prior predictive check: do neurons and stimuli drawn from the prior do what real ones do?"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int32

from leakyflow.recordings.batch import Batch
from leakyflow.simulator.cell_activity import cell_activity, like_cells
from leakyflow.simulator.dataset import HasSimulator, make_dataset

__all__ = ["Activity", "PriorPredictive", "prior_predictive"]

QUANTILES = (0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999)
# Hz and mV: a cortical neuron rarely fires faster, or leaves this range below its spikes.
FASTEST = 100.0
LOWEST, HIGHEST = -120.0, 0.0
N_EXAMPLES = 12


@dataclass(frozen=True, kw_only=True)
class Activity:
    """How recordings are spread; quantiles are keyed by their level, from 0.001 to 0.999.

    Attributes:
        n: Number of recordings.
        silent: Share without a spike.
        slow: Share that fire at less than 100 Hz.
        inside: Share whose subthreshold voltage stays between -120 and 0 mV.
        rate: Quantiles of the firing rate, in Hz; each recording's is its spike count over its duration.
        lowest: Quantiles of the least subthreshold voltage of each recording, in mV.
        highest: Quantiles of the greatest subthreshold voltage of each recording, in mV.
    """

    n: int
    silent: float
    slow: float
    inside: float
    rate: Mapping[float, float]
    lowest: Mapping[float, float]
    highest: Mapping[float, float]


@dataclass(frozen=True, eq=False, kw_only=True)
class PriorPredictive:
    """What neurons drawn from the prior do under stimuli drawn from theirs.

    Attributes:
        everything: All recordings.
        by_stimulus: Those of each stimulus prior, in the order of the configuration.
        stimuli: Kind of each stimulus prior, or name of each protocol.
        rate: Firing rate of each recording, in Hz.
        lowest: Least subthreshold voltage of each recording, in mV.
        highest: Greatest subthreshold voltage of each recording, in mV.
        stimulus: Place of the stimulus prior of each recording.
        examples: The first dozen recordings, or cells, to look at.
        cells: `CELL_FEATURES` of each cell, where the configuration has protocols.
        like_cells: Share of the cells in the range of each, and in all of them.
    """

    everything: Activity
    by_stimulus: tuple[Activity, ...]
    stimuli: tuple[str, ...]
    rate: Float[np.ndarray, " dataset"]
    lowest: Float[np.ndarray, " dataset"]
    highest: Float[np.ndarray, " dataset"]
    stimulus: Int32[np.ndarray, " dataset"]
    examples: Batch
    cells: Mapping[str, Float[np.ndarray, " cell"]] = field(default_factory=dict)
    like_cells: Mapping[str, float] = field(default_factory=dict)


def prior_predictive(config: HasSimulator, *, n: int = 1000, seed: int) -> PriorPredictive:
    """Simulate neurons and stimuli drawn from their priors, and count what they do.

    Subthreshold is every sample that is neither a spike nor refractory.

    Args:
        config: A `Config`, or anything with a `simulator`.
        n: Number of recordings, or of cells where there are protocols.
        seed: From 0 to 2^63 - 1; the recordings are those of `make_dataset` with the same n and seed.

    Returns:
        Shares and quantiles, over all recordings and for each stimulus prior.

    Raises:
        ValueError: If n, seed or a drawn parameter is out of range.

    Example:
        >>> import leakyflow as lf
        >>> found = lf.prior_predictive(lf.load_config("standard"), n=200, seed=1)
        >>> 0.15 < found.everything.silent < 0.5
        True
    """
    dataset = make_dataset(config, n, seed=seed)
    parts, of_cells = [], []
    for _, recordings in dataset.chunks():
        parts.append(_measure(recordings))
        if dataset.config.protocols:
            of_cells.append(cell_activity(recordings))
    rate, lowest, highest = (np.concatenate(column) for column in zip(*parts, strict=True))
    cells = {name: np.concatenate([part[name] for part in of_cells]) for name in (of_cells[0] if of_cells else ())}
    stimulus = dataset.stimulus()

    def activity(members: Bool[np.ndarray, " dataset"]) -> Activity:
        return _activity(rate[members], lowest[members], highest[members])

    return PriorPredictive(
        everything=activity(np.ones(len(rate), bool)),
        by_stimulus=tuple(activity(stimulus == place) for place in range(len(dataset.config.kinds))),
        stimuli=dataset.config.kinds,
        rate=rate,
        lowest=lowest,
        highest=highest,
        stimulus=stimulus,
        examples=dataset.recordings(slice(min(n, N_EXAMPLES))),
        cells=cells,
        like_cells=like_cells(cells) if cells else {},
    )


def _measure(recordings: Batch) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Firing rate, in Hz, and least and greatest subthreshold voltage, in mV, of each recording."""
    free = recordings.free
    rate = 1000.0 * recordings.n_spikes / (recordings.n_samples * recordings.dt)
    # The first sample is always free, so that no recording is left without a voltage.
    V = recordings.V.astype(float)
    return rate, np.where(free, V, np.inf).min(axis=1), np.where(free, V, -np.inf).max(axis=1)


def _activity(rate: np.ndarray, lowest: np.ndarray, highest: np.ndarray) -> Activity:
    return Activity(
        n=len(rate),
        silent=_share(rate == 0),
        slow=_share(rate < FASTEST),
        inside=_share((lowest > LOWEST) & (highest < HIGHEST)),
        rate=_quantiles(rate),
        lowest=_quantiles(lowest),
        highest=_quantiles(highest),
    )


def _share(members: Bool[np.ndarray, " dataset"]) -> float:
    return float(members.mean()) if len(members) else np.nan


def _quantiles(values: Float[np.ndarray, " dataset"]) -> dict[float, float]:
    """A stimulus prior of small weight may not have been drawn at all; its quantiles are NaN."""
    levels = np.quantile(values, QUANTILES) if len(values) else np.full(len(QUANTILES), np.nan)
    return dict(zip(QUANTILES, levels.tolist(), strict=True))
