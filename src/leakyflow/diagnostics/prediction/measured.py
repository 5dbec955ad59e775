"""How well the neurons of a posterior predict sweeps of their cell."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float32, Float64

from leakyflow.diagnostics.hold_out import parted
from leakyflow.diagnostics.prediction.error_band import ErrorBand, cross_validated_share
from leakyflow.diagnostics.prediction.free_running import free_running
from leakyflow.diagnostics.prediction.leave_one_out import without_own_sweep
from leakyflow.diagnostics.prediction.predict import drawn_neurons
from leakyflow.diagnostics.prediction.rates import HZ, step_window
from leakyflow.diagnostics.prediction.voltage import explained_variance
from leakyflow.likelihood.draws import Draws
from leakyflow.likelihood.scanned import Scanned
from leakyflow.neuron.parameters import Parameters
from leakyflow.recordings.batch import room
from leakyflow.recordings.cell import Cell
from leakyflow.simulator.prior import Prior
from leakyflow.simulator.simulate import simulate_traces

__all__ = ["FICurve", "Prediction", "measure_prediction", "prediction_of"]

# Draws whose voltages are averaged, and neurons that are simulated under each current.
N_DRAWS, N_SIMULATED = 20, 100
# Pieces of a sweep that stand for sweeps where there is one.
N_PIECES = 4
# Spikes that a share of missed ones is of, at least.
FEWEST_SPIKES = 2
TAILS = (0.05, 0.5, 0.95)

Trains = tuple[Float64[np.ndarray, " _"], ...]  # spike times of each neuron, in ms


class FICurve(NamedTuple):
    """Firing rates under the steps of a family, by increasing current."""

    current: Float64[np.ndarray, " sweep"]  # pA
    recorded: Float64[np.ndarray, " sweep"]  # Hz
    predicted: Float64[np.ndarray, "3 sweep"]  # 5 %, 50 % and 95 % quantiles, Hz
    unseen: Bool[np.ndarray, " sweep"]  # True of sweeps that had no part in the inference


@dataclass(frozen=True, eq=False, kw_only=True)
class Prediction:
    """Sweeps of a cell beside what the neurons of its posterior predict of them.

    Attributes:
        cell: All sweeps that were predicted.
        unseen: True of sweeps that had no part in the inference.
        V: Voltage of each sweep, with the recorded spikes given and by what the other sweeps say, in mV.
        trains: Spikes of neurons that were simulated under the current of each sweep.
    """

    cell: Cell
    unseen: Bool[np.ndarray, " sweep"]
    V: tuple[Float32[np.ndarray, " _"], ...]
    trains: tuple[Trains, ...]

    @property
    def how(self) -> Literal["kept back", "left out in turn", "seen"]:
        """What was predicted: sweeps kept back, each sweep by the others, or what the inference had seen."""
        if self.unseen.any():
            return "kept back"
        return "left out in turn" if len(self.cell) > 1 else "seen"

    @property
    def scored(self) -> list[int]:
        """Sweeps that the scores are about: those kept back where there are some, else all."""
        return np.flatnonzero(self.unseen if self.unseen.any() else ~self.unseen).tolist()

    @cached_property
    def errors(self) -> list[Float64[np.ndarray, " _"]]:
        """Recorded less predicted voltage between spikes, in mV."""
        return [(s.V - V)[s.free].astype(np.float64) for s, V in zip(self.cell, self.V, strict=True)]

    @cached_property
    def eps_V(self) -> float:
        """Share of the variance of the subthreshold voltage that is explained, of the scored sweeps."""
        return self._explained(self.scored)

    @cached_property
    def band(self) -> ErrorBand:
        """As wide as 90 % of the errors; NaN where there are none."""
        return ErrorBand.of(self.errors) if any(len(own) for own in self.errors) else ErrorBand(float("nan"))

    @cached_property
    def inside(self) -> Float64[np.ndarray, " sweep"]:
        """Share of each sweep's voltage in the 90 % band that the errors of the others make; NaN where none has any."""
        if len(self.errors) > 1:
            return cross_validated_share(self.errors)
        return np.array([_mean(cross_validated_share(np.array_split(self.errors[0], N_PIECES)))])

    @property
    def coverage(self) -> float:
        """Mean of `inside` over all sweeps: in few, it says more of their currents than of the band."""
        return _mean(self.inside)

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row for each sweep: spikes and latency (ms) with the predicted, explained variance, share in the band."""
        rows = []
        for k, (sweep, trains) in enumerate(zip(self.cell, self.trains, strict=True)):
            counts = [len(train) for train in trains]
            low, middle, high = np.quantile(counts, TAILS, method="inverted_cdf")
            first = [train[0] for train in trains if len(train)]
            rows.append(
                {
                    "sweep": sweep.name,
                    "unseen": bool(self.unseen[k]),
                    "spikes": int(sweep.spikes.sum()),
                    "spikes_low": int(low),
                    "spikes_predicted": int(middle),
                    "spikes_high": int(high),
                    "spikes_mean": float(np.mean(counts)),
                    "latency": float(sweep.spikes.argmax() * sweep.dt) if sweep.spikes.any() else np.nan,
                    "latency_predicted": float(np.median(first)) if 2 * len(first) > len(trains) else np.nan,
                    "eps_V": self._explained([k]),
                    "inside": float(self.inside[k]),
                }
            )
        return pd.DataFrame(rows).set_index("sweep")

    @property
    def spikes_missed(self) -> float:
        """Spikes too few and too many, summed over the scored sweeps, as a share of those recorded or predicted.

        What is predicted is the mean of the simulations: of few spikes, a median jumps from one number to the next.
        Fewer than two are taken for two, so that half a spike where there is none is a quarter.
        """
        own = self.table.iloc[self.scored]
        most = max(own.spikes.sum(), own.spikes_mean.sum(), FEWEST_SPIKES)
        return float((own.spikes - own.spikes_mean).abs().sum() / most)

    @property
    def latency_error(self) -> float:
        """Median distance of the first spikes, in ms; NaN where none is both recorded and predicted."""
        own = self.table.iloc[self.scored]
        return float((own.latency - own.latency_predicted).abs().median())

    @cached_property
    def f_I(self) -> FICurve | None:
        """Firing rates of a family of steps; None where the sweeps are none."""
        window = step_window([sweep.I for sweep in self.cell], self.cell.dt)
        if window is None:
            return None
        begin, end = window.samples.start * self.cell.dt, window.samples.stop * self.cell.dt

        def rate(trains: Sequence[np.ndarray]) -> Float64[np.ndarray, " _"]:
            return np.array([((t >= begin) & (t < end)).sum() for t in trains]) / (end - begin) * HZ

        order = np.argsort(window.current, kind="stable")
        recorded = rate([sweep.t[sweep.spikes] for sweep in self.cell])
        predicted = np.stack([np.quantile(rate(trains), TAILS) for trains in self.trains], axis=1)
        return FICurve(window.current[order], recorded[order], predicted[:, order], self.unseen[order])

    def _explained(self, sweeps: list[int]) -> float:
        own = [self.cell[k] for k in sweeps]
        return explained_variance([s.V for s in own], [self.V[k] for k in sweeps], [s.free for s in own])


def _mean(shares: Float64[np.ndarray, " _"]) -> float:
    """Of those that there are; NaN of none."""
    known = shares[~np.isnan(shares)]
    return float(known.mean()) if len(known) else np.nan


def measure_prediction(
    draws: Draws,
    prior: Prior,
    cell: Cell,
    hold_out: Sequence[int] = (),
    *,
    n_draws: int = N_SIMULATED,
    seed: int = 0,
) -> Prediction:
    """Predict sweeps that were kept back from the inference, and those that were used by what the others say.

    Args:
        draws: From the posterior of the sweeps used.
        prior: Of the draws.
        cell: All sweeps.
        hold_out: Places of those that the inference did not have.
        n_draws: Neurons that are simulated, at most as many as there are draws.
        seed: Of their noise.

    Raises:
        LeakyflowError: If the draws are of many cells, or do not say what is known of the neuron besides; or if all
            sweeps were kept back.

    Example:
        >>> import leakyflow as lf
        >>> prior = lf.load_config("standard").simulator.prior
        >>> neuron = prior.sample(1, seed=1).map(lambda value: value[0])
        >>> steps = [lf.square(amplitude=I, onset=20.0, duration=60.0, t_max=100.0, dt=0.2) for I in (-60.0, 40.0)]
        >>> cell = Cell([lf.simulate(neuron, step, seed=i) for i, step in enumerate(steps)])
        >>> draws = lf.reference_posterior(cell[0], prior, n_draws=200, seed=0)
        >>> prediction = measure_prediction(draws, prior, cell, [1])
        >>> prediction.how, int(prediction.table.spikes_predicted.iloc[1])
        ('kept back', 0)
    """
    return prediction_of(draws, prior, cell, hold_out, n_draws=n_draws, seed=seed)


def prediction_of(
    draws: Draws,
    prior: Prior,
    cell: Cell,
    hold_out: Sequence[int],
    *,
    n_draws: int = N_SIMULATED,
    seed: int,
    alone: Scanned | None = None,
) -> Prediction:
    """As `measure_prediction`, from sweeps that were made ready before: `alone`, from `each_alone` of those used."""
    used, kept = parted(cell, hold_out)
    unseen = np.isin(np.arange(len(cell)), list(hold_out))
    by_others = iter(_predicted_by_others(draws, prior, used, alone))
    afresh = iter([] if kept is None else free_running(drawn_neurons(draws, N_DRAWS), kept).mean(axis=0))
    V = [next(afresh if new else by_others) for new in unseen]
    return Prediction(
        cell=cell,
        unseen=unseen,
        V=tuple(own[: sweep.n_samples] for own, sweep in zip(V, cell, strict=True)),
        trains=_simulated(drawn_neurons(draws, n_draws), cell, seed),
    )


def _predicted_by_others(
    draws: Draws, prior: Prior, used: Cell, alone: Scanned | None
) -> Float32[np.ndarray, "sweep time"]:
    neurons = drawn_neurons(draws, N_DRAWS)
    if len(used) > 1:
        theta = without_own_sweep(used, draws, prior, alone=alone)[:N_DRAWS]
        neurons = neurons.replace(**{name: theta[..., i] for i, name in enumerate(draws.names)})
    return free_running(neurons, used).mean(axis=0)


def _simulated(neurons: Parameters, cell: Cell, seed: int) -> tuple[Trains, ...]:
    """Spikes of all neurons under the current of each sweep."""
    n = np.size(neurons.tau)
    arrays = neurons.map(lambda value: np.broadcast_to(np.asarray(value, np.float64), (n,)))
    trains = []
    for k, sweep in enumerate(cell):
        more = room(sweep.n_samples) - sweep.n_samples  # a length that others share, for each is compiled anew
        I = np.broadcast_to(np.pad(sweep.I, (0, more), mode="edge"), (n, sweep.n_samples + more))
        spikes = simulate_traces(arrays, I, sweep.dt, seed=seed, index=k * n + np.arange(n)).spikes
        trains.append(tuple(np.flatnonzero(row[: sweep.n_samples]) * sweep.dt for row in spikes))
    return tuple(trains)
