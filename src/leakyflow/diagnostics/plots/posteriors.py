"""Figures of posteriors: each parameter, pairs of them, several beside each other."""

from collections.abc import Mapping
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from leakyflow.diagnostics.plots.style import (
    BLACK,
    BLUE,
    GREY,
    ORANGE,
    PAGE,
    PARAMETER_COLORS,
    label,
    new_figure,
    new_panels,
    symbol,
)
from leakyflow.errors import LeakyflowError
from leakyflow.likelihood.draws import Draws
from leakyflow.neuron.parameters import Parameters
from leakyflow.simulator.distributions import AbstractDistribution
from leakyflow.simulator.prior import Prior

__all__ = ["plot_pairs", "plot_posteriors"]


def plot_posteriors(posteriors: Mapping[str, Draws], prior: Prior, *, truth: Parameters | None = None) -> Figure:
    """Draw several posteriors of the same parameters over each other, one panel per parameter.

    Args:
        posteriors: Draws of one recording each, by the name to give them; five have colours of their own.
        prior: Drawn as a dotted line.
        truth: True parameters of a simulated recording, drawn as dashed lines.

    Raises:
        ValueError: If there is none, or they are of many recordings or of other parameters than the prior's.

    Example:
        >>> import leakyflow as lf
        >>> posterior, config = lf.load_posterior("standard"), lf.load_config("standard")
        >>> dataset = lf.make_dataset(config, 20, seed=7)
        >>> recording = dataset.recordings()[4]
        >>> draws = posterior.sample(recording, n_draws=200, seed=0)
        >>> own = posterior.sample(recording, n_draws=200, seed=0, correct=False)
        >>> figure = plot_posteriors({"amortized": own, "corrected": draws}, posterior.prior)
        >>> [text.get_text() for text in figure.legends[0].get_texts()]
        ['amortized', 'corrected', 'prior']
    """
    bad = [name for name, draws in posteriors.items() if draws.array.ndim != 2 or draws.names != prior.inferred]
    if bad or not posteriors:
        raise LeakyflowError(
            f"Posteriors must each be of one recording and of {', '.join(prior.inferred)}, got others: "
            f"{', '.join(bad) or 'none at all'}. Pass `draws.of(i)`, and the prior that they were drawn under."
        )
    with new_panels(prior.inferred) as (figure, panels):
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


def plot_pairs(draws: Draws, prior: Prior, *, truth: Parameters | None = None) -> Figure:
    """Draw the posterior of each pair of parameters, and of each alone with its prior.

    The axes show where the posterior is; BayesFlow's and ArviZ's pair plots show the whole prior, in which it is a dot.

    Args:
        draws: Of one recording.
        prior: Drawn as a line behind each histogram.
        truth: True parameters of a simulated recording, drawn as lines.

    Example:
        >>> import leakyflow as lf
        >>> posterior, config = lf.load_posterior("standard"), lf.load_config("standard")
        >>> dataset = lf.make_dataset(config, 20, seed=7)
        >>> recording = dataset.recordings()[4]
        >>> draws = posterior.sample(recording, n_draws=200, seed=0)
        >>> len(plot_pairs(draws, posterior.prior).axes)
        16
    """
    names = draws.names
    true = {} if truth is None else {name: float(getattr(truth, name)) for name in names}
    limits = {name: _limits(draws[name], prior.distributions[name]) for name in names}
    with new_figure(width=PAGE, height=PAGE) as figure:
        grid = figure.subplots(len(names), len(names), squeeze=False, sharex="col")
        for i, (y, row) in enumerate(zip(names, grid, strict=True)):
            for j, (x, axes) in enumerate(zip(names, row, strict=True)):
                if i < j:
                    axes.set_visible(False)
                elif i == j:
                    draw_marginal(axes, x, draws[x], prior.distributions[x], true.get(x), legend=False, wide=False)
                    axes.set_title(symbol(x), fontsize=8)
                else:
                    axes.plot(draws[x], draws[y], ".", color=BLUE, markersize=2, alpha=0.3, rasterized=True)
                    for draw, name in ((axes.axvline, x), (axes.axhline, y)):
                        if name in true:
                            draw(true[name], color=ORANGE, linewidth=0.8)
                    axes.set(xlim=limits[x], ylim=limits[y], ylabel=label(y) if j == 0 else "")
                    axes.yaxis.set_major_locator(MaxNLocator(3))
                    axes.tick_params(labelleft=j == 0)
                axes.set_xlabel(label(x) if i == len(names) - 1 else "")
                axes.tick_params(labelsize=7)
        figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside upper left", ncols=3)
        figure.align_ylabels(grid[:, 0])
    return figure


def draw_marginal(
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
    axes.set(xlabel=label(name), yticks=[], xlim=(low, high))
    axes.xaxis.set_major_locator(MaxNLocator(4 if wide else 2))
    axes.spines["left"].set_visible(False)
    if legend:
        axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3, borderaxespad=0.0, handlelength=1.2)


def _limits(values: np.ndarray, prior: AbstractDistribution) -> tuple[float, float]:
    """Where an axis begins and ends: around nearly all draws, within the prior's support."""
    low, high = np.quantile(values, [0.001, 0.999])
    room = 0.25 * (high - low)
    return max(low - room, prior.support[0]), min(high + room, prior.support[1])
