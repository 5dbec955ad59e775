"""Figures of finished numbers: each function takes values, returns a Figure and never shows it."""

import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import scipy.stats
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from leakyflow.diagnostics.calibration import BAND, GRID, Ranks
from leakyflow.diagnostics.contraction import RATIO_BAND, Contraction
from leakyflow.diagnostics.convergence import measure_convergence
from leakyflow.diagnostics.predictive import SMALL, Predictive
from leakyflow.diagnostics.recovery import INTERVAL, Recovery, coverage_band
from leakyflow.diagnostics.sensitivity import SENSITIVE, Conditions
from leakyflow.diagnostics.typicality import ATYPICAL, Projection
from leakyflow.models.correction import LARGEST_K_HAT
from leakyflow.recordings.recording import Recording
from leakyflow.reference.draws import Draws
from leakyflow.simulator.distributions import AbstractDistribution
from leakyflow.simulator.parameters import UNITS, Parameters
from leakyflow.simulator.prior import Prior
from leakyflow.simulator.prior_predictive import FASTEST, HIGHEST, LOWEST, PriorPredictive

__all__ = [
    "plot_contraction",
    "plot_ecdf",
    "plot_history",
    "plot_pairs",
    "plot_posteriors",
    "plot_predictive_p_values",
    "plot_prior_predictive",
    "plot_prior_sensitivity",
    "plot_ranks",
    "plot_recording_posterior",
    "plot_recordings",
    "plot_recovery",
    "plot_sensitivity",
    "plot_typicality",
    "plot_z_scores",
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
SPIKE_TOP = 20.0  # mV, to which the tick of a spike is drawn
PAGE = 7.2  # inches, the width of a page: what is wider is printed smaller than 9 points
MOST_COLUMNS = 3  # panels beside each other on a page


def save_figure(figure: Figure, path: str | Path) -> Path:
    """Write a figure; the suffix says the format. The same figure gives the same file.

    Raises:
        OSError: If it cannot be written.
    """
    path = Path(path)
    metadata = {"Date": None} if path.suffix == ".svg" else None
    with mpl.rc_context(STYLE):
        figure.savefig(path, dpi=200, metadata=metadata)
    return path


def plot_recordings(recordings: Mapping[str, Recording]) -> Figure:
    """Draw a few recordings side by side on common axes: voltage with its spikes as ticks, and current.

    Args:
        recordings: By the titles to give them; four fit a page.

    Raises:
        ValueError: If there is none.
    """
    if not recordings:
        raise ValueError("There must be a recording to draw, got none.")
    longest = max(recording.duration for recording in recordings.values())
    with _figure(width=min(max(3.3 * len(recordings), 6.0), PAGE), height=3.6) as figure:
        grid = figure.subplots(
            2, len(recordings), squeeze=False, sharex=True, sharey="row", gridspec_kw={"height_ratios": [3.0, 1.0]}
        )
        for (title, recording), (upper, lower) in zip(recordings.items(), grid.T, strict=True):
            upper.plot(recording.t, recording.V, color=BLACK, linewidth=0.8)
            times, V = recording.t[recording.spikes], recording.V[recording.spikes]
            upper.vlines(times, V, SPIKE_TOP, color=BLACK, linewidth=0.8)
            upper.set(title=title, ylabel="V (mV)", xlim=(0, longest))
            _draw_current(lower, recording)
            for axes in (upper, lower):
                axes.label_outer()
    return figure


def plot_posteriors(posteriors: Mapping[str, Draws], prior: Prior, *, truth: Parameters | None = None) -> Figure:
    """Draw several posteriors of the same parameters over each other, one panel per parameter.

    Args:
        posteriors: Draws of one recording each, by the name to give them; five have colours of their own.
        prior: Drawn as a dotted line.
        truth: True parameters of a simulated recording, drawn as dashed lines.

    Raises:
        ValueError: If there is none, or they are of many recordings or of other parameters than the prior's.
    """
    bad = [name for name, draws in posteriors.items() if draws.array.ndim != 2 or draws.names != prior.inferred]
    if bad or not posteriors:
        raise ValueError(
            f"Posteriors must each be of one recording and of {', '.join(prior.inferred)}, got others: "
            f"{', '.join(bad) or 'none at all'}. Pass `draws.of(i)`, and the prior that they were drawn under."
        )
    with _panels(prior.inferred) as (figure, panels):
        for name, axes in panels:
            ends = np.array([np.quantile(draws[name], [0.002, 0.998]) for draws in posteriors.values()])
            room = 0.05 * np.ptp(ends)
            low, high = ends.min() - room, ends.max() + room
            x = np.linspace(low, high, 200)
            for (of, draws), own, colour in zip(posteriors.items(), ends, cycle(PARAMETER_COLORS), strict=False):
                density, edges = np.histogram(draws[name], bins=25, range=(own[0], own[1]), density=True)
                axes.stairs(density, edges, color=colour, label=of)
            axes.plot(x, np.exp(prior.distributions[name].log_prob(x)), ":", color=GREY, linewidth=1.2, label="prior")
            if truth is not None:
                axes.axvline(float(getattr(truth, name)), color=BLACK, linewidth=1.0, linestyle="--", label="true")
            axes.set(xlabel=label(name), yticks=[], xlim=(low, high))
            axes.xaxis.set_major_locator(MaxNLocator(4))
            axes.spines["left"].set_visible(False)
        figure.legend(*panels[0][1].get_legend_handles_labels(), loc="outside lower left", ncols=7)
    return figure


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
    with _figure(width=8.6, height=5.2) as figure:
        columns = figure.add_gridspec(1, 2, width_ratios=[1.9, 1.0])
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


def plot_pairs(draws: Draws, prior: Prior, *, truth: Parameters | None = None) -> Figure:
    """Draw the posterior of each pair of parameters, and of each alone with its prior.

    The axes show where the posterior is; BayesFlow's and ArviZ's pair plots show the whole prior, in which it is a dot.

    Args:
        draws: Of one recording.
        prior: Drawn as a line behind each histogram.
        truth: True parameters of a simulated recording, drawn as lines.
    """
    names = draws.names
    true = {} if truth is None else {name: float(getattr(truth, name)) for name in names}
    limits = {name: _limits(draws[name], prior.distributions[name]) for name in names}
    with _figure(width=PAGE, height=PAGE) as figure:
        grid = figure.subplots(len(names), len(names), squeeze=False, sharex="col")
        for i, (y, row) in enumerate(zip(names, grid, strict=True)):
            for j, (x, axes) in enumerate(zip(names, row, strict=True)):
                if i < j:
                    axes.set_visible(False)
                elif i == j:
                    _draw_marginal(axes, x, draws[x], prior.distributions[x], true.get(x), legend=False, wide=False)
                    axes.set_title(SYMBOLS[x], fontsize=8)
                else:
                    axes.plot(draws[x], draws[y], ".", color=BLUE, markersize=2, alpha=0.3, rasterized=True)
                    for draw, name in ((axes.axvline, x), (axes.axhline, y)):
                        if name in true:
                            draw(true[name], color=ORANGE, linewidth=0.8)
                    axes.set(xlim=limits[x], ylim=limits[y], ylabel=_wrapped(y) if j == 0 else "")
                    axes.yaxis.set_major_locator(MaxNLocator(3))
                    axes.tick_params(labelleft=j == 0)
                axes.set_xlabel(label(x).replace(" ", "\n") if i == len(names) - 1 else "")
                axes.tick_params(labelsize=7)
        figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside upper left", ncols=3)
        figure.align_ylabels(grid[:, 0])
    return figure


def plot_history(history: pd.DataFrame) -> Figure:
    """Draw the losses of a run against epoch and wall time, and the learning rate.

    Args:
        history: One row per epoch: loss and val_loss in nats, learning_rate, and the seconds that the epoch took.
    """
    at = measure_convergence(history)
    marker = "o" if len(history) == 1 else None
    minutes = history["seconds"].cumsum() / 60
    with _figure(width=PAGE, height=2.7) as figure:
        by_epoch, by_time, rate = figure.subplots(1, 3)
        for axes, x in ((by_epoch, history.index.to_series()), (by_time, minutes)):
            axes.plot(x, history["loss"], color=GREY, marker=marker, label="training")
            axes.plot(x, history["val_loss"], color=BLUE, marker=marker, label="validation")
            best = f"best: {at.val_loss:.2f} at epoch {at.best_epoch}"
            axes.plot(x[at.best_epoch], at.val_loss, "o", color=ORANGE, label=best)
        by_epoch.set(xlabel="epoch", ylabel="loss (nats)")
        figure.legend(*by_epoch.get_legend_handles_labels(), loc="outside lower left", ncols=3)
        by_time.set(xlabel="wall time (minutes)", ylabel="loss (nats)", xlim=(0, None))
        rate.plot(history.index, history["learning_rate"], color=GREEN, marker=marker)
        rate.set(xlabel="epoch", ylabel="learning rate at its end", ylim=(0, None))
        for axes in (by_epoch, rate):
            axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
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
                f"{100 * row.coverage90:.0f} % in 90 % intervals:\n{row.verdict}"
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
            axes.set_title(f"{symbol(name)}:  $\\chi^2$ p = {p_values.chi2_p[name]:.2g}")
            axes.set(xlabel="rank of the true value", ylabel="recordings", xlim=(0, 1), ylim=(0, None))
        figure.legend(*panels[0][1].get_legend_handles_labels(), loc="outside lower left")
    return figure


def plot_ecdf(ranks: Ranks) -> Figure:
    """Draw how far the ECDF of the ranks strays, with the band that an exact posterior keeps to everywhere."""
    low, high = ranks.ecdf_band()
    inside, difference = ranks.inside_band(), ranks.ecdf_difference()
    with _panels(ranks.names) as (figure, panels):
        for i, (name, axes) in enumerate(panels):
            axes.fill_between(
                GRID, low, high, color=GREY, alpha=0.3, linewidth=0, label=f"all, in {100 * BAND:.0f} of 100, if exact"
            )
            axes.plot(GRID, difference[:, i], color=BLUE if inside[i] else ORANGE)
            axes.axhline(0.0, color=BLACK, linewidth=0.8, linestyle="--")
            axes.set_title(f"{symbol(name)}:  {'inside' if inside[i] else 'outside'}")
            axes.set(xlabel="rank of the true value", ylabel="ECDF less uniform", xlim=(0, 1))
        figure.legend(*panels[0][1].get_legend_handles_labels(), loc="outside lower left")
    return figure


def plot_z_scores(recovery: Recovery) -> Figure:
    """Draw the error of each posterior mean, in posterior SDs, against what the recording told of the parameter."""
    contraction = 1.0 - (recovery.sd / recovery.prior_sd) ** 2
    with _panels(recovery.names) as (figure, panels):
        for i, (name, axes) in enumerate(panels):
            axes.axhspan(-2.0, 2.0, color=GREY, alpha=0.2, linewidth=0)
            axes.plot(contraction[:, i], recovery.z_score[:, i], ".", color=BLUE, markersize=3, alpha=0.5)
            spread = recovery.z_score[:, i].std()
            axes.set_title(f"{SYMBOLS[name]}:  SD of z {spread:.2f}")
            axes.set(xlabel="contraction of the variance", ylabel="posterior z-score")
            axes.set_xlim(min(0.0, float(np.quantile(contraction[:, i], 0.01))), 1.02)
    return figure


def plot_predictive_p_values(p_values: pd.DataFrame, labels: Mapping[str, str]) -> Figure:
    """Draw histograms of posterior predictive p-values; one row per recording, one column per feature."""
    with _panels(tuple(p_values.columns)) as (figure, panels):
        for name, axes in panels:
            p = p_values[name]
            axes.hist(p, bins=np.linspace(0.0, 1.0, 21).tolist(), color=BLUE, alpha=0.6)
            axes.axhline(len(p) / 20, color=BLACK, linewidth=0.8, linestyle="--")
            small = f"{100 * np.mean(p < SMALL):.1f} % below {SMALL:g}"
            title = textwrap.fill(labels[name].split(" [")[0], 30)
            axes.set_title(f"{title}\n{small}", fontsize=8)
            axes.set(xlabel="two-sided p-value", ylabel="recordings", xlim=(0, 1))
    return figure


def plot_prior_predictive(found: PriorPredictive) -> Figure:
    """Draw what neurons drawn from the prior do: firing rates, ranges of voltage, and a few recordings."""
    with _figure(width=PAGE, height=5.0) as figure:
        columns = figure.add_gridspec(1, 2, width_ratios=[1.0, 1.7])
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


def plot_typicality(projection: Projection) -> Figure:
    """Draw recordings on the cloud of simulations, coloured by whether they are typical."""
    typical = projection.p >= ATYPICAL
    groups = {f"typical (p ≥ {ATYPICAL:g})": (typical, BLUE, "o"), "atypical": (~typical, ORANGE, "D")}
    size = 5.0 if typical.size < 100 else 2.5  # points
    with _figure(width=5.0, height=4.2) as figure:
        axes = figure.add_subplot()
        axes.plot(*projection.cloud.T, ".", color=GREY, markersize=2, alpha=0.4, label="simulations")
        for name, (rows, colour, marker) in groups.items():
            if rows.any():
                axes.plot(*projection.points[rows].T, marker, color=colour, markersize=size, label=name)
        first, second = (f"{100 * share:.0f} % of the variance" for share in projection.share)
        axes.set(xlabel=f"principal component 1 ({first})", ylabel=f"principal component 2 ({second})")
        axes.set_title(f"{(~typical).sum()} of {typical.size} recordings atypical")
        axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.06), ncols=3, borderaxespad=0.0)
    return figure


def symbol(name: str) -> str:
    """Symbol of a parameter, or the name of another quantity."""
    return SYMBOLS.get(name, name.replace("_", " "))


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
    n_columns = 2 if len(names) == 4 else min(len(names), MOST_COLUMNS)
    n_rows = -(-len(names) // n_columns)
    size = min(PAGE / n_columns, 3.3)
    with _figure(width=size * n_columns, height=size * n_rows) as figure:
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
    low, high = _limits(values, prior)
    x = np.linspace(low, high, 200)
    axes.hist(values, bins=40, range=(low, high), density=True, color=BLUE, alpha=0.75, label="posterior")
    axes.plot(x, np.exp(prior.log_prob(x)), color=GREY, linewidth=1.0, label="prior")
    if true is not None:
        axes.axvline(true, color=ORANGE, linewidth=1.2, label="true")
    axes.set(xlabel=_wrapped(name), yticks=[], xlim=(low, high))
    axes.xaxis.set_major_locator(MaxNLocator(4 if wide else 2))
    axes.spines["left"].set_visible(False)
    if legend:
        axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3, borderaxespad=0.0, handlelength=1.2)


def _limits(values: np.ndarray, prior: AbstractDistribution) -> tuple[float, float]:
    """Where an axis begins and ends: around nearly all draws, within the prior's support."""
    low, high = np.quantile(values, [0.001, 0.999])
    room = 0.25 * (high - low)
    return max(low - room, prior.support[0]), min(high + room, prior.support[1])


def _wrapped(name: str) -> str:
    return label(name).replace("noise (", "noise\n(")


def _draw_rates(axes: Axes, found: PriorPredictive) -> None:
    silent, slow = 100 * found.everything.silent, 100 * found.everything.slow
    axes.hist(found.rate[found.rate > 0], bins=50, color=BLUE, alpha=0.75)
    axes.axvline(FASTEST, color=BLACK, linewidth=0.8, linestyle="--")
    axes.set_title(f"{silent:.0f} % silent (not shown),\n{slow:.0f} % below {FASTEST:g} Hz")
    axes.set(xlabel="firing rate (Hz)", ylabel="recordings", xlim=(0, None))


def _draw_extremes(axes: Axes, found: PriorPredictive) -> None:
    low, high = np.quantile([found.lowest, found.highest], [0.001, 0.999])
    bins = np.linspace(float(low), float(high), 60).tolist()
    axes.hist(found.lowest, bins, color=BLUE, alpha=0.6, label="least")
    axes.hist(found.highest, bins, color=ORANGE, alpha=0.6, label="greatest")
    for bound in (LOWEST, HIGHEST):
        axes.axvline(bound, color=BLACK, linewidth=0.8, linestyle="--")
    axes.set_title(
        f"{100 * found.everything.inside:.1f} % stay between\n{LOWEST:g} and {HIGHEST:g} mV".replace("-", "−")
    )
    axes.set(xlabel="subthreshold V (mV)", ylabel="recordings")
    axes.legend(loc="upper left")


def _draw_example(axes: Axes, recording: Recording, stimulus: str) -> None:
    axes.plot(recording.t, recording.V, color=BLACK, linewidth=0.6)
    axes.plot(recording.t[recording.spikes], np.zeros(recording.spikes.sum()), "|", color=BLUE, markersize=5)
    axes.set_title(stimulus.replace("_", "-"), fontsize=8)
    axes.set(xlabel="time (ms)", ylabel="V (mV)")


KIND_COLORS = {"raw": BLUE, "corrected": ORANGE, "reference": BLACK}
GROUP_LINES = {"spiking": "-", "silent": ":"}
PARAMETER_COLORS, MARKERS = (BLUE, ORANGE, GREEN, BLACK, GREY), "os^Dv<>P"
LEAST_SENSITIVITY = 1e-3  # of the log scale; what is less is drawn there


def plot_contraction(contraction: Contraction) -> Figure:
    """Draw the posterior SD against duration and spike count, and beside the exact one; a row per parameter.

    The grey line falls with the square root of the duration, through the last point of the spiking neurons. Medians,
    and quartiles of the corrected posteriors' SDs and of the ratios. The reference, of few neurons, enters the ratios
    only.
    """
    names, ratios, slopes = contraction.names, contraction.ratios(), contraction.slopes()
    tables = contraction.by_duration(), contraction.by_spikes()
    by_duration, by_spikes = (table[table.kind != "reference"] for table in tables)
    n_columns = 2 + bool(len(ratios))
    with _figure(width=PAGE, height=1.45 * len(names) + 1.0) as figure:
        grid = figure.subplots(len(names), n_columns, squeeze=False, sharex="col")
        for name, row in zip(names, grid, strict=True):
            _draw_contraction(row[0], by_duration[by_duration.parameter == name], slopes[slopes.parameter == name])
            row[0].set_ylabel(f"{SYMBOLS[name]}: SD")
            _draw_spike_groups(row[1], by_spikes[by_spikes.parameter == name])
            if len(ratios):
                _draw_ratios(row[2], ratios[ratios.parameter == name])
            for axes in row:
                axes.label_outer(remove_inner_ticks=False)
                axes.set_ylabel(axes.get_ylabel())
        for axes, text in zip(grid[0], ("SD / prior SD", "SD / prior SD", "SD / exact SD"), strict=False):
            axes.set_title("\n".join(filter(None, (text, axes.get_title(loc="left")))), fontsize=8)
        figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower left", ncols=3)
    return figure


def plot_sensitivity(conditions: Conditions) -> Figure:
    """Draw coverage and error of each parameter under each condition, and what the density and the weights say."""
    parameters, recordings = conditions
    names, places = parameters.parameter.unique().tolist(), recordings.condition.unique().tolist()
    band = coverage_band(int(recordings.n.iloc[0]))
    # Panels come in pairs, one above the other; the last pair is of all parameters together.
    n_columns = min(len(names) + 1, MOST_COLUMNS)
    n_pairs = -(-(len(names) + 1) // n_columns)
    with _figure(width=PAGE, height=0.5 + 2 * n_pairs * (0.55 + 0.19 * len(places))) as figure:
        grid = figure.subplots(2 * n_pairs, n_columns, squeeze=False, sharey=True)
        pairs = grid.reshape(n_pairs, 2, n_columns).transpose(0, 2, 1).reshape(-1, 2)
        for name, (upper, lower) in zip([*names, None], pairs, strict=False):
            if name is None:
                _draw_conditions(upper, recordings, "gain", places)
                upper.set(xlabel="gain over the prior (nats)")
                _draw_conditions(lower, recordings[recordings.kind == "raw"], "share_failed", places)
                lower.set(xlabel=rf"share with $\hat{{k}}$ > {LARGEST_K_HAT:g}", xlim=(-0.02, 1.02))
                continue
            rows = parameters[parameters.parameter == name]
            upper.axvspan(*band, color=GREY, alpha=0.3, linewidth=0, label="99 % of times, if exact")
            _draw_conditions(upper, rows, "coverage90", places)
            _draw_conditions(lower, rows, "relative_rmse", places)
            upper.set(xlabel=f"{SYMBOLS[name]}: coverage of {100 * INTERVAL:.0f} %", xlim=(None, 1.02))
            lower.set(xlabel=f"{SYMBOLS[name]}: RMSE / prior SD", xlim=(0, 1.15 * rows.relative_rmse.max()))
        for axes in pairs[len(names) + 1 :].flat:
            axes.set_visible(False)
        grid[0, 0].invert_yaxis()
        figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower left", ncols=3)
    return figure


def plot_prior_sensitivity(table: pd.DataFrame) -> Figure:
    """Draw sensitivity to the prior against sensitivity to the likelihood, a point per recording and parameter."""
    names = table.index.get_level_values("parameter")
    with _figure(width=4.6, height=4.0) as figure:
        axes = figure.add_subplot()
        for i, name in enumerate(dict.fromkeys(names)):
            x, y = (table.loc[names == name, column].clip(LEAST_SENSITIVITY) for column in ("likelihood", "prior"))
            color, marker = PARAMETER_COLORS[i % len(PARAMETER_COLORS)], MARKERS[i % len(MARKERS)]
            axes.plot(x, y, marker, color=color, markersize=4, alpha=0.7, label=SYMBOLS[name])
        for draw in (axes.axhline, axes.axvline):
            draw(SENSITIVE, color=BLACK, linewidth=0.8, linestyle="--")
        for x, text in ((0.02, "weak likelihood"), (0.98, "prior-data conflict")):
            axes.text(x, 0.98, text, transform=axes.transAxes, ha="left" if x < 0.5 else "right", va="top", color=GREY)
        axes.set(xlabel="sensitivity to the likelihood", ylabel="sensitivity to the prior")
        axes.set(xscale="log", yscale="log", xlim=(0.9 * LEAST_SENSITIVITY, 1), ylim=(0.9 * LEAST_SENSITIVITY, 1))
        for scale in (axes.xaxis, axes.yaxis):
            scale.set_major_formatter("{x:g}")
        axes.legend(loc="lower left")
    return figure


def _draw_contraction(axes: Axes, by_duration: pd.DataFrame, slopes: pd.DataFrame) -> None:
    for kind, of_kind in _of_each(by_duration, "kind"):
        for group, rows in _of_each(of_kind, "group"):
            style: dict[str, Any] = {"color": KIND_COLORS[kind], "linestyle": GROUP_LINES[group]}
            label = f"{kind}, {group} (n = {rows.n.iloc[0]})"
            axes.plot(rows.duration, rows["median"], marker=".", markersize=4, label=label, **style)
    # Of the last kind, the first group.
    rows = by_duration[by_duration.kind == by_duration.kind.iloc[-1]]
    kind, group = rows.kind.iloc[0], rows.group.iloc[0]
    rows = rows[rows.group == group]
    law = rows["median"].iloc[-1] * np.sqrt(rows.duration.iloc[-1] / rows.duration)
    axes.plot(rows.duration, law, color=GREY, linewidth=3, alpha=0.5, zorder=0, label="square-root law")
    row = slopes[(slopes.group == group) & (slopes.kind == kind)].iloc[0]
    axes.set_title(f"slope {row.slope:.2f} ± {row.error:.2f}, {group}".replace("-", "−"), fontsize=8)
    axes.set(xlabel="duration (ms)", yscale="log")
    _plain_log(axes)
    _duration_scale(axes, rows.duration)


def _draw_spike_groups(axes: Axes, by_spikes: pd.DataFrame) -> None:
    groups = by_spikes[["fewest", "most"]].drop_duplicates().sort_values("fewest")
    places = {fewest: place for place, fewest in enumerate(groups.fewest)}
    for kind, rows in _of_each(by_spikes, "kind"):
        at = [places[fewest] for fewest in rows.fewest]
        axes.plot(at, rows["median"], marker=".", markersize=4, color=KIND_COLORS[kind])
        if kind == by_spikes.kind.iloc[-1]:
            axes.fill_between(at, rows.q25, rows.q75, color=KIND_COLORS[kind], alpha=0.2, linewidth=0)
    texts = [_range(float(fewest), float(most)) for fewest, most in groups.to_numpy()]
    axes.set_xticks(list(places.values()), texts, fontsize=7)
    axes.set(xlabel="spikes", yscale="log")
    _plain_log(axes)


def _range(fewest: float, most: float) -> str:
    if np.isinf(most):
        return f"{fewest:g}+"
    return f"{fewest:g}" if fewest == most else f"{fewest:g}–{most:g}"


def _draw_ratios(axes: Axes, ratios: pd.DataFrame) -> None:
    axes.axhspan(*RATIO_BAND, color=GREY, alpha=0.3, linewidth=0)
    axes.axhline(1.0, color=BLACK, linewidth=0.8, linestyle="--")
    for kind, rows in _of_each(ratios, "kind"):
        ends = np.stack([rows["median"] - rows.q25, rows.q75 - rows["median"]])
        axes.errorbar(rows.duration, rows["median"], ends, color=KIND_COLORS[kind], marker=".", markersize=4)
    low, high = axes.get_ylim()
    axes.set(xlabel=f"duration (ms); n = {ratios.n.iloc[0]}", ylim=(min(low, 0.8), max(high, 1.2)))
    _duration_scale(axes, ratios.duration)


def _duration_scale(axes: Axes, durations: pd.Series) -> None:
    values = np.unique(durations)
    # The longest is labelled, and what is too near to it is not.
    labels = [f"{value:g}" if value * 1.4 < values[-1] or value == values[-1] else "" for value in values]
    axes.set_xscale("log")
    axes.set_xticks(values, labels)
    axes.xaxis.minorticks_off()


def _plain_log(axes: Axes) -> None:
    """Numbers as they are written in text, also between the powers of 10."""
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())


def _draw_conditions(axes: Axes, table: pd.DataFrame, column: str, places: list[str]) -> None:
    for kind, rows in _of_each(table, "kind"):
        at = [places.index(condition) for condition in rows.condition]
        color, size = KIND_COLORS[kind], 7 if kind == "raw" else 4
        face = "none" if kind == "raw" else color
        axes.plot(rows[column], at, "o", color=color, markersize=size, markerfacecolor=face, label=kind)
    axes.set_yticks(range(len(places)), places)
    axes.grid(axis="y", alpha=0.3)
    axes.set_ylim(-0.5, len(places) - 0.5)


def _of_each(table: pd.DataFrame, column: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """Rows of each value of a column, in order of appearance."""
    for value in dict.fromkeys(table[column].to_list()):
        yield value, table[table[column] == value]
