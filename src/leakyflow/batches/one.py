"""What is found of one file: a row of the table, draws, and a picture."""

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from leakyflow.batches.picture import picture
from leakyflow.batches.settings import Settings
from leakyflow.diagnostics.adequacy import Adequacy, adequacy_of
from leakyflow.diagnostics.hold_out import places_of
from leakyflow.diagnostics.typicality import Typicality, typicality_of
from leakyflow.likelihood.draws import Draws
from leakyflow.models.posterior import Posterior
from leakyflow.recordings.cell import Cell
from leakyflow.recordings.read_cell import numbers_of, read_cell
from leakyflow.simulator.prior import Prior
from leakyflow.training.run import load_posterior

__all__ = ["Found", "Judge", "infer_file", "judge"]


class Judge(NamedTuple):
    """A network, and what is typical of it, if it knows single sweeps."""

    posterior: Posterior
    typicality: Typicality | None


class Found(NamedTuple):
    """What there is to know of one cell."""

    row: dict[str, Any]
    draws: Draws
    picture: str


@cache
def judge(network: str, network_hash: str) -> Judge:
    """Load a network, once in each process.

    Args:
        network: Folder of a run, or name of a network that ships.
        network_hash: Of its settings and weights, so that another one in this place is not taken for it.
    """
    posterior = load_posterior(network)
    return Judge(posterior, None if posterior.network.takes_cells else typicality_of(posterior))


def infer_file(path: Path, settings: Settings, judge: Judge, *, seed: int) -> Found:
    """Read a cell from a file, infer its neuron, and say what that is worth, as `leakyflow infer` does.

    Args:
        path: The file.
        settings: How.
        judge: By which network.
        seed: Of the draws.

    Raises:
        LeakyflowError: If the file, or what is in it, cannot be used.
    """
    posterior = judge.posterior
    cell = read_cell(path, settings.sweeps, dt=posterior.dt, **settings.reading)
    verdict = adequacy_of(
        posterior,
        cell,
        hold_out=places_of(settings.hold_out, numbers_of(cell, settings.sweeps)),
        correct="auto" if settings.correct else False,
        typicality=judge.typicality,
        n_draws=settings.n_draws,
        seed=seed,
    )
    row = _of_cell(verdict, cell) | _of_verdict(verdict) | _of_draws(verdict, posterior.prior, seed)
    return Found(row, verdict.draws, picture(cell))


def _of_cell(verdict: Adequacy, cell: Cell) -> dict[str, Any]:
    left_out = [f"Sweep {number}: {' '.join(reason.split())}" for number, reason in verdict.left_out.items()]
    return {
        "cell": cell.name,
        "n_sweeps": len(cell),
        "n_held_out": len(cell) - len(verdict.used),
        "n_spikes": cell.n_spikes,
        "duration_ms": cell.duration,
        "V_first_mV": float(np.mean([sweep.V[0] for sweep in cell])),
        "findings": " ".join(verdict.findings),
        "left_out": " ".join(left_out),
    }


def _of_verdict(verdict: Adequacy) -> dict[str, Any]:
    """The four questions, in numbers and in words."""
    prediction, typical = verdict.prediction, verdict.typical
    return {
        "kind": verdict.kind,
        "verdict": str(verdict),
        "predicted": prediction.how,
        "eps_V": prediction.eps_V,
        "spikes_missed": prediction.spikes_missed,
        "latency_error_ms": prediction.latency_error,
        "coverage": prediction.coverage,
        "conflicts": " ".join(conflict.name for conflict in verdict.conflicts),
        "lacks": " ".join(lack.name for lack in verdict.lacks),
        "typical": None if typical is None else typical.typical,
        "p_typical": None if typical is None else typical.p,
    }


def _of_draws(verdict: Adequacy, prior: Prior, seed: int) -> dict[str, Any]:
    """How the draws were made, and mean, SD and 90 % interval of each parameter, in its unit."""
    draws, row = verdict.draws, {}
    if draws.diagnostics is not None:
        first = draws.diagnostics.iloc[0]
        row = {name: first.get(name) for name in ("method", "reliable", "k_hat", "ess", "log_evidence", "note")}
    table = verdict.summary(prior, seed=seed)
    for name, values in table.iterrows():
        row |= {f"{name}_{column}": float(values[column]) for column in table.columns if column != "unit"}
    return row
