"""What a model lacks, in millivolts: patterns in the errors of its free-running voltage that have a name."""

from typing import NamedTuple

import numpy as np
import scipy.signal
from jaxtyping import Float64

from leakyflow.diagnostics.prediction.measured import Prediction

__all__ = ["PATTERNS", "Lack", "lacks_of"]

# ms: of a current after a spike, of one that adds up over spikes, and of one that follows the voltage.
AFTER, ADDING, SLOW = 30.0, 200.0, 100.0
# Of the errors' variance; less is not worth a word.
LEAST_SHARE = 0.1
SIZE = 0.95  # quantile of a pattern's absolute values that is its size

PATTERNS = ("after_spikes", "adding_up", "sag", "rectification")


class Lack(NamedTuple):
    """A pattern in the errors."""

    name: str
    size: float  # mV, signed: positive where the recorded voltage is higher, or further from rest
    share: float  # of the errors' variance that it explains by itself


def lacks_of(prediction: Prediction) -> tuple[Lack, ...]:
    """Named patterns in the errors of all sweeps, those that explain most first.

    Each is what a mechanism of another model would add: a current after spikes, one that adds up over spikes, one that
    follows the voltage (sag), a conductance that changes with it. They overlap, and each is asked by itself.

    Args:
        prediction: Of a cell.

    Example:
        >>> import leakyflow as lf
        >>> from leakyflow.diagnostics.prediction.measured import measure_prediction
        >>> from leakyflow.recordings.cell import Cell
        >>> prior = lf.load_config("standard").simulator.prior
        >>> neuron = prior.sample(1, seed=1).map(lambda value: value[0])
        >>> step = lf.square(amplitude=-200.0, onset=20.0, duration=160.0, t_max=200.0, dt=0.2)
        >>> recording = lf.simulate(neuron.replace(sag=1.5, sag_tau=60.0), step, seed=1)
        >>> draws = lf.reference_posterior(recording, prior, n_draws=200, seed=0)
        >>> [lack.name for lack in lacks_of(measure_prediction(draws, prior, Cell([recording])))][:1]
        ['sag']
    """
    errors = np.concatenate(prediction.errors)
    total = float(np.sum(errors**2))
    found = []
    for name, parts in _columns(prediction).items():
        x = np.concatenate(parts)
        if not np.any(x) or total <= 0.0:
            continue
        weight = float(errors @ x / (x @ x))
        share = weight * float(errors @ x) / total
        if share >= LEAST_SHARE:
            found.append(Lack(name, float(np.sign(weight) * np.quantile(np.abs(weight * x[x != 0]), SIZE)), share))
    return tuple(sorted(found, key=lambda lack: -lack.share))


def _columns(prediction: Prediction) -> dict[str, list[Float64[np.ndarray, " _"]]]:
    """Each pattern at the samples that count."""
    columns: dict[str, list[np.ndarray]] = {name: [] for name in PATTERNS}
    for sweep, V in zip(prediction.cell, prediction.V, strict=True):
        d = V.astype(np.float64) - float(V[0])
        spikes = sweep.spikes.astype(np.float64)
        own = {
            "after_spikes": _decaying(spikes, AFTER / sweep.dt),
            "adding_up": _decaying(spikes, ADDING / sweep.dt),
            # Against the voltage at first, and with it later: what settles in between is the resistance's.
            "sag": (1.0 - np.exp(-sweep.dt / SLOW)) * _decaying(d, SLOW / sweep.dt) - d / 2.0,
            "rectification": d * np.abs(d),
        }
        for name, x in own.items():
            columns[name].append(x[sweep.free])
    return columns


def _decaying(x: Float64[np.ndarray, " time"], tau: float) -> Float64[np.ndarray, " time"]:
    """Sum of the past, forgotten over tau samples."""
    return scipy.signal.lfilter([1.0], [1.0, -np.exp(-1.0 / tau)], x)
