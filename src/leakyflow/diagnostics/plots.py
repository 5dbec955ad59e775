"""Figures of finished numbers: each function takes values, returns a Figure and never shows it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import scipy.stats
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from leakyflow.diagnostics.calibration import Ranks
from leakyflow.diagnostics.convergence import measure_convergence
from leakyflow.diagnostics.predictive import Predictive
from leakyflow.diagnostics.recovery import Recovery
from leakyflow.recordings.recording import Recording
from leakyflow.reference.draws import Draws
from leakyflow.simulator.distributions import AbstractDistribution
from leakyflow.simulator.parameters import UNITS, Parameters
from leakyflow.simulator.prior import Prior
from leakyflow.simulator.prior_predictive import FASTEST, HIGHEST, LOWEST, PriorPredictive

__all__ = [
    "plot_history",
    "plot_prior_predictive",
    "plot_ranks",
    "plot_recording_posterior",
    "plot_recovery",
    "save_figure",
]

# Okabe & Ito (2008), distinct to colour-blind eyes and in grey.
BLACK, GREY, BLUE, ORANGE, GREEN = "#1a1a1a", "#8c8c8c", "#0072B2", "#D55E00", "#009E73"
STYLE: dict[Any, Any] = {
    "font.size": 9.0,
    "axes.titlesize": 9.0,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "svg.fonttype": "none",
    "svg.hashsalt": "leakyflow",
}
SYMBOLS = {
    "tau": r"$\tau$",
    "V_rest": r"$V_\mathrm{rest}$",
    "C": "$C$",
    "V_th": r"$V_\mathrm{th}$",
    "threshold_noise": "threshold noise",
    "membrane_noise": "membrane noise",
    "measurement_noise": "measurement noise",
    "V_reset": r"$V_\mathrm{reset}$",
    "reset_noise": "reset noise",
    "t_ref": r"$t_\mathrm{ref}$",
}
N_RASTER = 25  # predicted spike trains shown
N_EXAMPLES = 8  # recordings shown of a prior
N_POINTS = 300  # recordings shown in a recovery plot
BAND = 0.99  # of rank counts


def save_figure(figure: Figure, path: str | Path) -> Path:
    """Write a figure; the suffix says the format. The same figure gives the same file.

    Raises:
        OSError: If it cannot be written.
    """
    path = Path(path)
    metadata = {"Date": None} if path.suffix == ".svg" else None
    with mpl.rc_context(STYLE):
        figure.savefig(path, dpi=160, metadata=metadata)
    return path


def plot_recording_posterior(
    recording: Recording,
    predictive: Predictive,
    draws: Draws,
    prior: Prior,
    *,
    truth: Parameters | None = None,
) -> Figure:
    """Draw a recording, what its posterior predicts, and the posterior of each parameter.

    Args:
        recording: What was measured.
        predictive: Simulations of neurons drawn from its posterior.
        draws: The posterior.
        prior: Drawn faintly behind the posterior.
        truth: True parameters of a simulated recording, drawn as lines.
    """
    with _figure(width=10.0, height=5.6) as figure:
        columns = figure.add_gridspec(1, 2, width_ratios=[2.1, 1.0])
        rows = columns[0].subgridspec(3, 1, height_ratios=[3.2, 1.2, 1.0])
        trace = figure.add_subplot(rows[0])
        raster, current = (figure.add_subplot(rows[i], sharex=trace) for i in (1, 2))
        _draw_trace(trace, recording, predictive)
        _draw_raster(raster, recording, predictive)
        _draw_current(current, recording)
        n_columns = 1 if len(draws) <= 4 else 2
        cells = columns[1].subgridspec(-(-len(draws) // n_columns), n_columns)
        for i, (name, distribution) in enumerate(prior.distributions.items()):
            axes = figure.add_subplot(cells[i // n_columns, i % n_columns])
            true = None if truth is None else float(getattr(truth, name))
            _draw_marginal(axes, name, draws[name], distribution, true, legend=i == 0, wide=n_columns == 1)
        figure.suptitle(recording.name, fontsize=10, x=0.01, ha="left")
    return figure


def plot_history(history: pd.DataFrame) -> Figure:
    """Draw the losses of a run; one row per epoch, with the columns `loss` and `val_loss`, in nats."""
    at = measure_convergence(history)
    with _figure(width=5.0, height=3.2) as figure:
        axes = figure.add_subplot()
        marker = "o" if len(history) == 1 else None
        axes.plot(history.index, history["loss"], color=GREY, marker=marker, label="training")
        axes.plot(history.index, history["val_loss"], color=BLUE, marker=marker, label="validation")
        label = f"best: {at.val_loss:.2f} at epoch {at.best_epoch}"
        axes.plot(at.best_epoch, at.val_loss, "o", color=ORANGE, label=label)
        axes.set(xlabel="epoch", ylabel="loss (nats)")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend()
    return figure


def plot_recovery(recovery: Recovery) -> Figure:
    """Draw posterior mean and 90 % interval against the true value, one panel per parameter."""
    table = recovery.table()
    shown = slice(N_POINTS)
    with _panels(recovery.names) as (figure, panels):
        for i, (name, axes) in enumerate(panels):
            truth, mean = recovery.truth[shown, i], recovery.mean[shown, i]
            ends = np.stack([mean - recovery.low[shown, i], recovery.high[shown, i] - mean]).clip(min=0.0)
            axes.errorbar(truth, mean, ends, fmt="none", ecolor=BLUE, elinewidth=0.7, alpha=0.3)
            axes.plot(truth, mean, ".", color=BLUE, markersize=3)
            axes.axline((truth[0], truth[0]), slope=1.0, color=BLACK, linewidth=0.8, linestyle="--")
            row = table.loc[name]
            axes.set_title(
                f"RMSE {row.rmse:.2g} {unit(name)}, prior SD {row.prior_sd:.2g}\n"
                f"90 % intervals hold {100 * row.coverage90:.0f} %: {row.verdict}"
            )
            axes.set(xlabel=f"true {label(name)}", ylabel=f"inferred {label(name)}")
    return figure


def plot_ranks(ranks: Ranks) -> Figure:
    """Draw the histogram of ranks of each parameter, with the band that an exact posterior keeps to."""
    counts, p_values = ranks.counts(), ranks.p_values()
    n_bins = len(counts)
    low, high = scipy.stats.binom.interval(BAND, len(ranks.ranks), 1.0 / n_bins)
    edges = np.linspace(0.0, 1.0, n_bins + 1)
    with _panels(ranks.names) as (figure, panels):
        for i, (name, axes) in enumerate(panels):
            axes.axhspan(low, high, color=GREY, alpha=0.3, linewidth=0, label=f"{100 * BAND:.0f} % of bins, if exact")
            axes.stairs(counts[:, i], edges, fill=True, color=BLUE, alpha=0.6)
            axes.axhline(len(ranks.ranks) / n_bins, color=BLACK, linewidth=0.8, linestyle="--")
            axes.set_title(f"{SYMBOLS[name]}:  chi-square p = {p_values.chi2_p[name]:.2g}")
            axes.set(xlabel="rank of the true value", ylabel="recordings", xlim=(0, 1), ylim=(0, None))
        figure.legend(*panels[0][1].get_legend_handles_labels(), loc="outside lower left")
    return figure


def plot_prior_predictive(found: PriorPredictive) -> Figure:
    """Draw what neurons drawn from the prior do: firing rates, ranges of voltage, and a few recordings."""
    with _figure(width=10.0, height=5.6) as figure:
        columns = figure.add_gridspec(1, 2, width_ratios=[1.0, 1.8])
        cells = columns[0].subgridspec(2, 1)
        _draw_rates(figure.add_subplot(cells[0]), found)
        _draw_extremes(figure.add_subplot(cells[1]), found)
        examples = list(found.examples)[:N_EXAMPLES]
        cells = columns[1].subgridspec(-(-len(examples) // 2), 2)
        longest = max(recording.duration for recording in examples)
        shared: dict[str, Axes] = {}
        for i, recording in enumerate(examples):
            axes = figure.add_subplot(cells[i // 2, i % 2], **shared)
            shared = shared or {"sharex": axes, "sharey": axes}
            _draw_example(axes, recording, found.stimuli[found.stimulus[i]])
            axes.set(xlim=(0, longest))
            axes.label_outer()
    return figure


def label(name: str) -> str:
    """Symbol of a parameter with its unit."""
    return f"{SYMBOLS[name]} ({unit(name)})"


def unit(name: str) -> str:
    """Unit of a parameter, typeset."""
    return UNITS[name].replace("sqrt(ms)", "√ms")


@contextmanager
def _figure(*, width: float, height: float) -> Iterator[Figure]:
    """Give a figure in inches that belongs to no window and no global state."""
    with mpl.rc_context(STYLE):
        yield Figure(figsize=(width, height), layout="constrained")


@contextmanager
def _panels(names: tuple[str, ...]) -> Iterator[tuple[Figure, list[tuple[str, Axes]]]]:
    """Give a figure with one square panel for each parameter."""
    n_columns = len(names) if len(names) < 4 else -(-len(names) // 2)
    n_rows = -(-len(names) // n_columns)
    with _figure(width=3.3 * n_columns, height=3.1 * n_rows) as figure:
        grid = figure.subplots(n_rows, n_columns, squeeze=False)
        for axes in grid.flat[len(names) :]:
            axes.set_visible(False)
        yield figure, list(zip(names, grid.flat, strict=False))


def _draw_trace(axes: Axes, recording: Recording, predictive: Predictive) -> None:
    low, median, high = predictive.band
    axes.fill_between(recording.t, low, high, color=BLUE, alpha=0.25, linewidth=0, label="predicted, 5 to 95 %")
    axes.plot(recording.t, median, color=BLUE, linewidth=0.8, label="predicted, median")
    axes.plot(recording.t, recording.V, color=BLACK, linewidth=0.7, label="recorded")
    axes.set(ylabel="V (mV)", xlim=(0, recording.duration))
    axes.tick_params(labelbottom=False)
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3, borderaxespad=0.0)


def _draw_raster(axes: Axes, recording: Recording, predictive: Predictive) -> None:
    trains = [recording.t[row] for row in predictive.spikes[:N_RASTER]]
    axes.eventplot(trains, lineoffsets=list(range(len(trains))), linelengths=0.8, colors=BLUE, linewidths=1.2)
    top = len(trains) * 1.12
    axes.eventplot(recording.t[recording.spikes], lineoffsets=top, linelengths=0.15 * len(trains), colors=BLACK)
    axes.set(yticks=[len(trains) / 2, top], ylim=(-1, 1.1 * top), yticklabels=["predicted", "recorded"])
    axes.tick_params(left=False, labelbottom=False)
    axes.set_ylabel("spikes")


def _draw_current(axes: Axes, recording: Recording) -> None:
    axes.step(recording.t, recording.I, where="post", color=GREEN, linewidth=0.9)
    axes.set(xlabel="time (ms)", ylabel="I (pA)")
    axes.margins(y=0.15)


def _draw_marginal(
    axes: Axes,
    name: str,
    values: np.ndarray,
    prior: AbstractDistribution,
    true: float | None,
    *,
    legend: bool,
    wide: bool,
) -> None:
    low, high = np.quantile(values, [0.001, 0.999])
    room = 0.25 * (high - low)
    low, high = max(low - room, prior.support[0]), min(high + room, prior.support[1])
    x = np.linspace(low, high, 200)
    axes.hist(values, bins=40, range=(low, high), density=True, color=BLUE, alpha=0.75, label="posterior")
    axes.plot(x, np.exp(prior.log_prob(x)), color=GREY, linewidth=1.0, label="prior")
    if true is not None:
        axes.axvline(true, color=ORANGE, linewidth=1.2, label="true")
    axes.set(xlabel=label(name).replace("noise (", "noise\n("), yticks=[], xlim=(low, high))
    axes.xaxis.set_major_locator(MaxNLocator(4 if wide else 2))
    axes.spines["left"].set_visible(False)
    if legend:
        axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3, borderaxespad=0.0, handlelength=1.2)


def _draw_rates(axes: Axes, found: PriorPredictive) -> None:
    silent, slow = 100 * found.everything.silent, 100 * found.everything.slow
    axes.hist(found.rate[found.rate > 0], bins=50, color=BLUE, alpha=0.75)
    axes.axvline(FASTEST, color=BLACK, linewidth=0.8, linestyle="--")
    axes.set_title(f"{silent:.0f} % silent (not shown), {slow:.0f} % below {FASTEST:g} Hz")
    axes.set(xlabel="firing rate (Hz)", ylabel="recordings", xlim=(0, None))


def _draw_extremes(axes: Axes, found: PriorPredictive) -> None:
    low, high = np.quantile([found.lowest, found.highest], [0.001, 0.999])
    bins = np.linspace(float(low), float(high), 60).tolist()
    axes.hist(found.lowest, bins, color=BLUE, alpha=0.6, label="least")
    axes.hist(found.highest, bins, color=ORANGE, alpha=0.6, label="greatest")
    for bound in (LOWEST, HIGHEST):
        axes.axvline(bound, color=BLACK, linewidth=0.8, linestyle="--")
    axes.set_title(f"{100 * found.everything.inside:.1f} % stay between {LOWEST:g} and {HIGHEST:g} mV")
    axes.set(xlabel="subthreshold V (mV)", ylabel="recordings")
    axes.legend(loc="upper left")


def _draw_example(axes: Axes, recording: Recording, stimulus: str) -> None:
    axes.plot(recording.t, recording.V, color=BLACK, linewidth=0.6)
    axes.plot(recording.t[recording.spikes], np.zeros(recording.spikes.sum()), "|", color=BLUE, markersize=5)
    axes.set_title(stimulus.replace("_", "-"), fontsize=8)
    axes.set(xlabel="time (ms)", ylabel="V (mV)")
