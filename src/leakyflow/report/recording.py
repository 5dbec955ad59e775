"""The page of a recording: what was measured, its posterior, and whether to believe it, in plain words."""

import json
from typing import Any

import pandas as pd

from leakyflow import __version__
from leakyflow.diagnostics.plots.posteriors import plot_pairs
from leakyflow.diagnostics.plots.recordings import plot_recording_posterior
from leakyflow.diagnostics.predictive import SMALL, Predictive, posterior_predictive
from leakyflow.diagnostics.typicality import Verdict
from leakyflow.diagnostics.wording import about_draws, about_model, about_simulations, feature
from leakyflow.likelihood.draws import Draws, n_decimals
from leakyflow.likelihood.read_off import read_off_parameters, with_capacitance
from leakyflow.models.posterior import Posterior
from leakyflow.recordings.recording import Recording
from leakyflow.report import settings
from leakyflow.report.page import Page, decimals, render
from leakyflow.report.run import forms
from leakyflow.training.run import read_record, versions

__all__ = ["recording_page"]


def recording_page(
    recording: Recording,
    draws: Draws,
    posterior: Posterior,
    verdict: Verdict,
    *,
    seed: int,
    command: str,
    source: str = "",
    predictive: Predictive | None = None,
) -> Page:
    """The page of one recording.

    Args:
        recording: What was measured.
        draws: From its posterior.
        posterior: The network that gave them.
        verdict: On whether the recording is typical.
        seed: Of the draws.
        command: That makes the page again.
        source: Where voltage and current were read.
        predictive: Simulations from the posterior, where they were made already.

    Example:
        >>> from pathlib import Path
        >>> import leakyflow as lf
        >>> posterior, config = lf.load_posterior("standard"), lf.load_config("standard")
        >>> dataset = lf.make_dataset(config, 20, seed=7)
        >>> recording = dataset.recordings()[4]
        >>> draws = posterior.sample(recording, n_draws=200, seed=0)
        >>> verdict = lf.typicality_of(posterior).check(recording)
        >>> page = recording_page(recording, draws, posterior, verdict, seed=0, command="leakyflow infer cell.abf")
        >>> page.title, sorted(page.figures)
        ('simulation 4', ['pairs', 'recording'])
        >>> page.write_html(Path("cell.html")).name
        'cell.html'
    """
    prior = posterior.prior
    predicted = predictive or posterior_predictive(recording, draws, prior, seed=seed)
    assert draws.diagnostics is not None
    record = {} if posterior.folder is None else read_record(posterior.folder)
    p_values = predicted.p_values(recording)
    row = draws.diagnostics.iloc[0].to_dict()
    values: dict[str, Any] = {
        "recording": recording,
        "n_spikes": int(recording.spikes.sum()),
        "given": _given(recording, draws, posterior),
        "source": source,
        "I_range": (float(recording.I.min()), float(recording.I.max())),
        "V_range": (float(recording.V.min()), float(recording.V.max())),
        "answers": (
            about_simulations(verdict),
            about_draws(row),
            about_model(predicted.check(recording), p_values),
        ),
        "row": row,
        "SMALL": SMALL,
        "p_values": pd.DataFrame([{"meaning": feature(name), "p": p} for name, p in p_values.items()]),
        "summary": _rounded(draws.summary(), posterior),
        "n_draws": draws.n_draws,
        "seed": seed,
        "command": command,
        "network": posterior.name,
        "record": json.loads(json.dumps(record)),
        "versions": versions(),
    }
    figures = {
        "recording": plot_recording_posterior(recording, predicted, draws, prior),
        "pairs": plot_pairs(draws, prior),
    }
    return Page(
        title=recording.name,
        subtitle=f"Leaky integrate-and-fire neuron by the network {posterior.name}, leakyflow {__version__}",
        body=render("recording.md", values | forms() | {"figure": lambda name: settings.Markdown(f"figure:{name}")}),
        figures=figures,
        contents=False,
    )


def _given(recording: Recording, draws: Draws, posterior: Posterior) -> pd.DataFrame:
    """Parameters that were read off the recording or known before."""
    from leakyflow.recordings.batch import Batch

    read = read_off_parameters(Batch.from_list([recording]), posterior.prior)
    read = with_capacitance(read, draws["C"].mean() if "C" in draws.names else posterior.prior.known["C"])
    rows = [(name, float(value[0]), "read off the recording") for name, value in read.items()]
    rows += [(name, value, "set") for name, value in posterior.prior.known.items()]
    frame = pd.DataFrame(rows, columns=["name", "value", "how"])
    return frame.assign(symbol=frame.name.map(settings.symbol), unit=frame.name.map(settings.unit))


def _rounded(summary: pd.DataFrame, posterior: Posterior) -> pd.DataFrame:
    """The posterior beside the prior; two digits of the SD say how many are worth showing."""
    rows = []
    for name, row in summary.iterrows():
        n = n_decimals(row["sd"])
        distribution = posterior.prior.distributions[str(name)]
        shown: dict[str, str] = {key: decimals(row[key], n) for key in ("mean", "sd", "q05", "q95")}
        shown |= {"symbol": settings.symbol(str(name)), "unit": settings.unit(str(name))}
        rows.append(shown | {"prior": settings.described(distribution)})
    return pd.DataFrame(rows)
