"""What is shown of a recording and of its posterior."""

from pathlib import Path
from typing import TYPE_CHECKING

from leakyflow import __version__
from leakyflow.cli.console import out, timed, warn
from leakyflow.cli.tables import posterior_table

if TYPE_CHECKING:
    from leakyflow.diagnostics.predictive import Predictive
    from leakyflow.diagnostics.typicality import Typicality, Verdict
    from leakyflow.diagnostics.wording import Answer
    from leakyflow.likelihood.draws import Draws
    from leakyflow.models.posterior import Posterior
    from leakyflow.neuron.parameters import Parameters
    from leakyflow.recordings.recording import Recording
    from leakyflow.recordings.sweeps import Sweep

__all__ = ["channels", "load_typicality", "show", "show_posterior", "show_simulations"]


def load_typicality(posterior: "Posterior") -> "Typicality":
    """Load what is typical to a network, or simulate it."""
    from leakyflow.diagnostics.typicality import TYPICALITY, typicality_of

    if posterior.folder is not None and (posterior.folder / TYPICALITY).is_file():
        return typicality_of(posterior)
    with timed("Simulating what is typical to this network"):
        return typicality_of(posterior)


def channels(sweep: "Sweep") -> str:
    """Where voltage and current come from."""
    return f"V from {sweep.voltage}, I from {sweep.current}"


def show_simulations(verdict: "Verdict") -> None:
    """Say first whether the network can know such a recording."""
    from leakyflow.diagnostics.wording import about_simulations

    show(about_simulations(verdict))


def show(answer: "Answer") -> None:
    """Print the answer to a question, so that a bad one is seen."""
    (out.print if answer.good else warn)(str(answer))


def show_posterior(
    recording: "Recording",
    draws: "Draws",
    posterior: "Posterior",
    stem: Path,
    *,
    seed: int,
    truth: "Parameters | None" = None,
    source: Path | None = None,
) -> "Predictive":
    """Print the table of a posterior; write its figure and draws; give what it predicts.

    Args:
        recording: What was measured.
        draws: From its posterior.
        posterior: Of the network.
        stem: Path of the files to write, without their suffixes.
        seed: Of the predictions.
        truth: True parameters of a simulated recording.
        source: The file that the recording was read from.
    """
    from leakyflow.diagnostics.plots.recordings import plot_recording_posterior
    from leakyflow.diagnostics.plots.style import save_figure
    from leakyflow.diagnostics.predictive import posterior_predictive
    from leakyflow.diagnostics.wording import about_draws, about_model
    from leakyflow.likelihood.write_draws import write_draws

    assert draws.diagnostics is not None
    out.print(posterior_table(draws.summary(), truth))
    show(about_draws(draws.diagnostics.iloc[0].to_dict()))
    predictive = posterior_predictive(recording, draws, posterior.prior, seed=seed)
    show(about_model(predictive.check(recording), predictive.p_values(recording)))
    figure = plot_recording_posterior(recording, predictive, draws, posterior.prior, truth=truth)
    for suffix in (".png", ".svg"):
        save_figure(figure, stem.with_name(stem.name + suffix))
        figure.set_layout_engine(None)  # to lay it out takes as long as to draw it, and is done
    attributes = {"recording": recording.name, "seed": seed, "leakyflow": __version__}
    write_draws(draws, stem.with_name(f"{stem.name}.nc"), **attributes, **({"file": str(source)} if source else {}))
    return predictive
