"""The page of a cell: its sweeps, its posterior, and what it is worth, in the words of the command line."""

from typing import Any

import numpy as np
import pandas as pd

from leakyflow import __version__
from leakyflow.diagnostics.adequacy import Adequacy
from leakyflow.diagnostics.plots.cells import plot_cell
from leakyflow.diagnostics.plots.posteriors import plot_pairs
from leakyflow.likelihood.draws import n_decimals
from leakyflow.models.posterior import Posterior
from leakyflow.report import settings
from leakyflow.report.page import Page, decimals, render
from leakyflow.report.run import forms
from leakyflow.training.run import versions

__all__ = ["cell_page"]


def cell_page(verdict: Adequacy, posterior: Posterior, *, seed: int, command: str, source: str = "") -> Page:
    """The page of one cell, or of one recording.

    Args:
        verdict: The posterior and what it is worth.
        posterior: The network.
        seed: Of the draws.
        command: That makes the page again.
        source: Where voltage and current were read.

    Example:
        >>> from pathlib import Path
        >>> import leakyflow as lf
        >>> posterior = lf.load_posterior("standard")
        >>> recording = lf.make_dataset(lf.load_config("standard"), 20, seed=7).recordings()[4]
        >>> page = cell_page(posterior.check(recording), posterior, seed=0, command="leakyflow infer cell.abf")
        >>> page.title, sorted(page.figures)
        ('simulation 4', ['cell', 'pairs'])
        >>> page.write_html(Path("cell.html")).name
        'cell.html'
    """
    draws, prediction = verdict.draws, verdict.prediction
    assert draws.diagnostics is not None
    row = draws.diagnostics.iloc[0].to_dict()
    values: dict[str, Any] = {
        "cell": prediction.cell,
        "source": source,
        "answers": verdict.answers(),
        "row": row,
        "several": len(verdict.used) > 1,
        "summary": _rounded(verdict, posterior, seed),
        "sweeps": _of_sweeps(prediction.table),
        "given": _given(verdict),
        "left_out": [f"Sweep {number}: {reason}" for number, reason in verdict.left_out.items()],
        "findings": list(verdict.findings),
        "n_draws": draws.n_draws,
        "seed": seed,
        "command": command,
        "network": posterior.name,
        "versions": versions(),
    }
    figures = {
        "cell": plot_cell(prediction, draws, posterior.prior, verdict.spread),
        "pairs": plot_pairs(draws, posterior.prior),
    }
    return Page(
        title=prediction.cell.name,
        subtitle=f"Integrate-and-fire neuron by the network {posterior.name}, leakyflow {__version__}",
        body=render("cell.md", values | forms() | {"figure": lambda name: settings.Markdown(f"figure:{name}")}),
        figures=figures,
        contents=False,
    )


def _rounded(verdict: Adequacy, posterior: Posterior, seed: int) -> pd.DataFrame:
    """The posterior beside the prior; two digits of the width say how many are worth showing."""
    rows = []
    for name, row in verdict.spread.summary(verdict.draws, posterior.prior, seed=seed).iterrows():
        n = n_decimals(max(row["sd"], np.nan_to_num(row["between"])))
        shown: dict[str, Any] = {key: decimals(row[key], n) for key in ("mean", "q05", "q95")}
        shown["sd"] = decimals(row["sd"], n_decimals(row["sd"]))
        shown["between"] = "?" if np.isnan(row["between"]) else decimals(row["between"], n)
        shown |= {"symbol": settings.symbol(str(name)), "unit": settings.unit(str(name))}
        rows.append(shown | {"prior": settings.described(posterior.prior.distributions[str(name)])})
    return pd.DataFrame(rows, dtype=object)


def _of_sweeps(table: pd.DataFrame) -> pd.DataFrame:
    """What was recorded and predicted of each sweep."""
    predicted = [
        f"{row.spikes_predicted} ({row.spikes_low} to {row.spikes_high})" for row in table.itertuples(index=False)
    ]
    return pd.DataFrame(
        {
            "sweep": table.index,
            "part": np.where(table.unseen, "kept back", "used"),
            "spikes": table.spikes.to_numpy(),
            "predicted": predicted,
            "eps_V": [decimals(value, 3) for value in table.eps_V],
            "inside": [decimals(100.0 * value, 0) for value in table.inside],
        },
        dtype=object,
    )


def _given(verdict: Adequacy) -> pd.DataFrame:
    """Parameters that were read off the sweeps, or known before."""
    frame = pd.DataFrame(list((verdict.draws.given or {}).items()), columns=["name", "value"])
    symbols, units = ([of(name) for name in frame.name] for of in (settings.symbol, settings.unit))
    return frame.astype(object).assign(symbol=pd.Series(symbols, dtype=object), unit=pd.Series(units, dtype=object))
