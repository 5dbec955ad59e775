"""The one place where the explorer infers a neuron. It runs in the worker, and loads what it needs there."""

import pickle
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from leakyflow.app.choice import Choice
from leakyflow.app.result import Answered, Curve, Early, Parameter, Predicted, Rates, Result

if TYPE_CHECKING:
    import pandas as pd

    from leakyflow.diagnostics.adequacy import Adequacy
    from leakyflow.diagnostics.prediction.measured import Prediction
    from leakyflow.likelihood.draws import Draws
    from leakyflow.models.posterior import Posterior
    from leakyflow.recordings.cell import Cell
    from leakyflow.simulator.prior import Prior

__all__ = ["Progress", "infer", "network", "prepare", "summarized"]

N_TRAINS = 25
PRIOR_TAILS = (0.01, 0.99)


@runtime_checkable
class Progress(Protocol):
    """Is told what is going on, which share of it all is done, and what is known so far."""

    def __call__(self, message: str, share: float, so_far: Early | None = None, /) -> None:
        """Take note of it."""


@lru_cache(maxsize=4)
def network(source: str) -> "Posterior":
    """A network, loaded once in each process."""
    from leakyflow.training.run import load_posterior

    return load_posterior(source)


def prepare(progress: Progress, source: str) -> None:
    """Load a network and what judges by it, before anybody asks.

    Args:
        progress: Is told what is loaded.
        source: The network.
    """
    progress(f"Loading the network {Path(source).name}", 0.0)
    import leakyflow.diagnostics.adequacy  # noqa: F401

    network(source)


def infer(progress: Progress, path: Path, file: str, choice: Choice) -> Result:
    """Infer the neuron behind one sweep, or behind all of a file.

    Args:
        progress: Is told how far it is.
        path: The file.
        file: Its name.
        choice: Sweeps, window, network, draws.

    Raises:
        LeakyflowError: If the file, the window or the network do not do.
    """
    progress("Reading the sweeps", 0.0)
    if not network.cache_info().currsize:
        _cell(path, choice, None)  # what is wrong with them is said before a network is loaded
    progress(f"Loading the network {Path(choice.network).name}", 0.1)
    posterior = network(choice.network)
    cell = _cell(path, choice, posterior.dt)
    found = _judged(progress, posterior, cell, choice)
    progress("Drawing it", 0.95)
    return summarized(found, file, choice, posterior.prior)


def _cell(path: Path, choice: Choice, dt: float | None) -> "Cell":
    from leakyflow.recordings.read_cell import read_cell

    return read_cell(path, choice.numbers, dt=dt, **choice.reading)


def _judged(progress: Progress, posterior: "Posterior", cell: "Cell", choice: Choice) -> "Adequacy":
    """The posterior of the sweeps that are not kept back, and what it is worth."""
    from leakyflow.diagnostics.adequacy import adequacy_of
    from leakyflow.diagnostics.hold_out import kept_back, parted

    held = [] if choice.amortized else kept_back(len(cell))
    used, _ = parted(cell, held)
    progress(_drawing(posterior, used), 0.3)
    draws = posterior.sample(
        used[0] if len(used) == 1 else used,
        n_draws=choice.n_draws,
        seed=choice.seed,
        correct=False if choice.amortized else "auto",
    )
    early = Early(_title(cell), choice.network, _parameters(draws.summary(), draws, posterior.prior))
    progress("Predicting the sweeps, and comparing with simulations", 0.6, early)
    return adequacy_of(posterior, cell, hold_out=held, draws=draws, seed=choice.seed)


def _drawing(posterior: "Posterior", used: "Cell") -> str:
    """What is going on while the posterior is found, and how long that may take."""
    from leakyflow.diagnostics.typicality_of_cells import fitting

    n = f"{len(used)} sweep{'s' if len(used) != 1 else ''}"
    if posterior.network.takes_cells:
        return f"Drawing from the posterior of {n}, and correcting the draws, which takes seconds to minutes"
    if len(used) == 1 and fitting(posterior, used):
        return f"Drawing from the posterior of {n}"
    shortest, longest = posterior.duration
    what = f"{n} together" if len(used) > 1 else f"a sweep of {used[0].duration:g} ms"
    return (
        f"{posterior.name} knows single sweeps of {shortest:g} to {longest:g} ms. The posterior of {what} is searched "
        "by the likelihood, which takes seconds to minutes"
    )


def summarized(found: "Adequacy", file: str, choice: Choice, prior: "Prior") -> Result:
    """What is shown of it.

    Args:
        found: Everything.
        file: Name of the file.
        choice: By which it was made.
        prior: Of the network.
    """
    draws, curve = found.draws, found.prediction.f_I
    return Result(
        name=found.prediction.cell.name,
        file=file,
        choice=choice,
        sweeps=tuple(_predicted(found.prediction, k) for k in range(len(found.prediction.cell))),
        rates=None if curve is None else Rates(*curve),
        parameters=_parameters(found.spread.summary(found.draws, prior, seed=choice.seed), draws, prior),
        draws=draws.array,
        given={name: float(np.mean(value)) for name, value in (draws.given or {}).items()},
        answers=tuple(Answered(*answer) for answer in found.answers()),
        whole=pickle.dumps(found),
    )


def _predicted(prediction: "Prediction", k: int) -> Predicted:
    sweep, row = prediction.cell[k], prediction.table.iloc[k]
    return Predicted(
        name=sweep.name,
        unseen=bool(row.unseen),
        dt=sweep.dt,
        V=sweep.V,
        I=sweep.I,
        spikes=sweep.t[sweep.spikes],
        V_predicted=prediction.V[k],
        half_width=prediction.band.half_width,
        trains=prediction.trains[k][:N_TRAINS],
        n_spikes=(int(row.spikes_low), int(row.spikes_predicted), int(row.spikes_high)),
        eps_V=float(row.eps_V),
        inside=float(row.inside),
    )


def _title(cell: "Cell") -> str:
    return cell[0].name if len(cell) == 1 else f"{cell.name}, {len(cell)} sweeps"


def _parameters(table: "pd.DataFrame", draws: "Draws", prior: "Prior") -> tuple[Parameter, ...]:
    """Rows of a summary, with what else is shown of each."""
    return tuple(_parameter(str(name), row, draws, prior) for name, row in table.iterrows())


def _parameter(name: str, row: Any, draws: "Draws", prior: "Prior") -> Parameter:
    from leakyflow.likelihood.draws import n_decimals
    from leakyflow.neuron.parameters import MEANINGS
    from leakyflow.report.settings import described

    distribution = prior.distributions[name]
    low, high = (float(np.asarray(distribution.quantile(tail))) for tail in PRIOR_TAILS)
    return Parameter(
        name=name,
        unit=row["unit"],
        meaning=MEANINGS[name],
        mean=row["mean"],
        sd=row["sd"],
        between=row.get("between", np.nan),
        low=row["q05"],
        high=row["q95"],
        decimals=n_decimals(max(row["sd"], np.nan_to_num(row.get("between", 0.0)))),
        prior=described(distribution),
        prior_range=(low, high),
        curve=_curve(draws[name], (row["q05"], row["q95"]), distribution),
    )


def _curve(values: np.ndarray, interval: tuple[float, float], prior: Any) -> Curve:
    """The prior's density around the draws and the interval, within its support."""
    low, high = np.quantile(values, (0.001, 0.999))
    low, high = min(low, interval[0]), max(high, interval[1])
    room = 0.4 * (high - low)
    x = np.linspace(max(low - room, prior.support[0] + 1e-9), min(high + room, prior.support[1] - 1e-9), 120)
    return Curve(x, np.exp(np.asarray(prior.log_prob(x))))
