"""The page of a recording: what was measured, its posterior, and whether to believe it, in plain words."""

import json
from typing import Any

import pandas as pd

from leakyflow import __version__
from leakyflow.diagnostics.plots import plot_pairs, plot_recording_posterior
from leakyflow.diagnostics.predictive import FEATURES, LEAST_INSIDE, SMALL, Predictive, posterior_predictive
from leakyflow.diagnostics.typicality import ATYPICAL, Verdict
from leakyflow.models.correction import LARGEST_K_HAT
from leakyflow.models.posterior import Posterior
from leakyflow.recordings.recording import Recording
from leakyflow.reference.draws import Draws, n_decimals
from leakyflow.reference.observed import observed_parameters
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
    """
    prior = posterior.prior
    predicted = predictive or posterior_predictive(recording, draws, prior, seed=seed)
    assert draws.diagnostics is not None
    record = {} if posterior.folder is None else read_record(posterior.folder)
    p_values = pd.DataFrame({"feature": list(FEATURES), "p": [*predicted.p_values(recording).values()]})
    values: dict[str, Any] = {
        "recording": recording,
        "n_spikes": int(recording.spikes.sum()),
        "observed": _observed(recording, posterior),
        "source": source,
        "I_range": (float(recording.I.min()), float(recording.I.max())),
        "V_range": (float(recording.V.min()), float(recording.V.max())),
        "verdict": verdict,
        "ATYPICAL": ATYPICAL,
        "row": draws.diagnostics.iloc[0].to_dict(),
        "LARGEST_K_HAT": LARGEST_K_HAT,
        "check": predicted.check(recording),
        "LEAST_INSIDE": LEAST_INSIDE,
        "SMALL": SMALL,
        "p_values": p_values.assign(meaning=[text.split(" [")[0] for text in FEATURES.values()]),
        "small": p_values[p_values.p < SMALL],
        "features": {name: text.split(" [")[0] for name, text in FEATURES.items()},
        "summary": _rounded(draws.summary(), posterior),
        "n_draws": draws.n_draws,
        "seed": seed,
        "command": command,
        "network": posterior.name,
        "record": json.loads(json.dumps(record)),
        "versions": versions(),
        "n_predicted": len(predicted.simulations),
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


def _observed(recording: Recording, posterior: Posterior) -> pd.DataFrame:
    """Parameters that were read off the recording or known before."""
    from leakyflow.recordings.recording import Recordings

    read = observed_parameters(Recordings.from_list([recording]), posterior.prior)
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
