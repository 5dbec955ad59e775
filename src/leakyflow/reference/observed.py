"""What is read off a recording instead of being inferred: the reset and the refractory period."""

from itertools import pairwise

import numpy as np
from jaxtyping import Float64

from leakyflow.recordings.recording import Recording, Recordings
from leakyflow.simulator.prior import Observed, Prior

__all__ = ["observed_parameters", "refractory_period"]


def observed_parameters(recordings: Recordings, prior: Prior) -> dict[str, Float64[np.ndarray, " dataset"]]:
    """Read the prior's observed parameters off recordings.

    The mean and SD of the voltages of release, and the longest refractory period. What a recording does not
    show, for lack of spikes, is at its prior median.

    Args:
        recordings: One or many.
        prior: Says which parameters are observed.

    Returns:
        A number for each recording, in the parameter's unit.
    """
    medians = {
        name: float(entry.observed.from_unconstrained(0.0))
        for name, entry in prior.root.items()
        if isinstance(entry, Observed)
    }
    shown = [_shown(recording) for recording in recordings] if medians else []
    return {name: np.array([one.get(name, median) for one in shown]) for name, median in medians.items()}


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
