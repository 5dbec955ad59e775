"""What is found of one file: a row of the table, draws, and a picture."""

from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from leakyflow.batches.picture import picture
from leakyflow.batches.settings import Settings
from leakyflow.diagnostics.typicality import Typicality, typicality_of
from leakyflow.errors import LeakyflowError
from leakyflow.likelihood.draws import Draws
from leakyflow.models.posterior import Posterior
from leakyflow.recordings.cell import Cell
from leakyflow.recordings.read_cell import read_cell
from leakyflow.training.run import load_posterior

__all__ = ["Found", "Judge", "infer_file", "judge"]


class Judge(NamedTuple):
    """A network, and what is typical of it."""

    posterior: Posterior
    typicality: Typicality


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
    return Judge(posterior, typicality_of(posterior))


def infer_file(path: Path, settings: Settings, judge: Judge, *, seed: int) -> Found:
    """Read a cell from a file, and infer its neuron.

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
    subject = cell[0] if len(cell) == 1 else cell
    correct: bool | Literal["auto"] = "auto" if settings.correct else False
    draws = posterior.sample(subject, n_draws=settings.n_draws, seed=seed, correct=correct)
    row = _of_cell(cell) | _verdict(cell, judge.typicality) | _of_draws(draws)
    return Found(row, draws, picture(cell))


def _of_cell(cell: Cell) -> dict[str, Any]:
    findings = [str(finding) for part in (cell.findings, *(sweep.findings for sweep in cell)) for finding in part]
    return {
        "cell": cell.name,
        "n_sweeps": len(cell),
        "n_spikes": cell.n_spikes,
        "duration_ms": cell.duration,
        "V_first_mV": float(np.mean([sweep.V[0] for sweep in cell])),
        "findings": " ".join(dict.fromkeys(findings)),
    }


def _verdict(cell: Cell, typicality: Typicality) -> dict[str, Any]:
    """Of the sweep that is least like simulations."""
    try:
        verdicts = [typicality.check(sweep) for sweep in cell]
    except LeakyflowError as error:
        return {"typical": None, "p_typical": None, "verdict": f"Not judged. {error}"}
    least = min(verdicts, key=lambda verdict: verdict.p)
    return {"typical": least.typical, "p_typical": least.p, "verdict": least.note}


def _of_draws(draws: Draws) -> dict[str, Any]:
    """How the draws were made, and mean, SD and 90 % interval of each parameter, in its unit."""
    table, row = draws.summary(), {}
    if draws.diagnostics is not None:
        first = draws.diagnostics.iloc[0]
        row = {name: first.get(name) for name in ("method", "reliable", "k_hat", "ess", "log_evidence", "note")}
    for name, values in table.iterrows():
        row |= {f"{name}_{column}": float(values[column]) for column in table.columns if column != "unit"}
    return row
