"""Figures of contraction with more data."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from leakyflow.diagnostics.contraction import RATIO_BAND, Contraction
from leakyflow.diagnostics.plots.style import BLACK, GREY, PAGE, POSTERIOR_COLORS, new_figure, of_each, symbol

__all__ = ["plot_contraction"]

GROUP_LINES = {"spiking": "-", "silent": ":"}


def plot_contraction(contraction: Contraction) -> Figure:
    """Draw the posterior SD against duration and spike count, and beside the exact one; a row per parameter.

    The grey line falls with the square root of the duration, through the last point of the spiking neurons. Medians,
    and quartiles of the corrected posteriors' SDs and of the ratios. The exact posteriors, of few neurons, enter the
    ratios only.

    Example:
        >>> import leakyflow as lf
        >>> posterior = lf.load_posterior("standard")
        >>> found = lf.measure_contraction(posterior, durations=[100.0, 200.0], n=2, n_exact=0, n_draws=50)
        >>> len(plot_contraction(found).axes)
        12
    """
    names, ratios, slopes = contraction.names, contraction.ratios(), contraction.slopes()
    tables = contraction.by_duration(), contraction.by_spikes()
    by_duration, by_spikes = (table[table.posterior != "exact"] for table in tables)
    n_columns = 2 + bool(len(ratios))
    with new_figure(width=PAGE, height=1.45 * len(names) + 1.0) as figure:
        grid = figure.subplots(len(names), n_columns, squeeze=False, sharex="col")
        for name, row in zip(names, grid, strict=True):
            _draw_contraction(row[0], by_duration[by_duration.parameter == name], slopes[slopes.parameter == name])
            row[0].set_ylabel(f"{symbol(name)}: SD")
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


def _draw_contraction(axes: Axes, by_duration: pd.DataFrame, slopes: pd.DataFrame) -> None:
    for which, of_posterior in of_each(by_duration, "posterior"):
        for group, rows in of_each(of_posterior, "group"):
            style: dict[str, Any] = {"color": POSTERIOR_COLORS[which], "linestyle": GROUP_LINES[group]}
            label = f"{which}, {group} (n = {rows.n.iloc[0]})"
            axes.plot(rows.duration, rows["median"], marker=".", markersize=4, label=label, **style)
    # Of the last posterior, the first group.
    rows = by_duration[by_duration.posterior == by_duration.posterior.iloc[-1]]
    which, group = rows.posterior.iloc[0], rows.group.iloc[0]
    rows = rows[rows.group == group]
    law = rows["median"].iloc[-1] * np.sqrt(rows.duration.iloc[-1] / rows.duration)
    axes.plot(rows.duration, law, color=GREY, linewidth=3, alpha=0.5, zorder=0, label="square-root law")
    row = slopes[(slopes.group == group) & (slopes.posterior == which)].iloc[0]
    axes.set_title(f"slope {row.slope:.2f} ± {row.error:.2f}, {group}".replace("-", "−"), fontsize=8)
    axes.set(xlabel="duration (ms)", yscale="log")
    _plain_log(axes)
    _duration_scale(axes, rows.duration)


def _draw_spike_groups(axes: Axes, by_spikes: pd.DataFrame) -> None:
    groups = by_spikes[["fewest", "most"]].drop_duplicates().sort_values("fewest")
    places = {fewest: place for place, fewest in enumerate(groups.fewest)}
    for which, rows in of_each(by_spikes, "posterior"):
        at = [places[fewest] for fewest in rows.fewest]
        axes.plot(at, rows["median"], marker=".", markersize=4, color=POSTERIOR_COLORS[which])
        if which == by_spikes.posterior.iloc[-1]:
            axes.fill_between(at, rows.q25, rows.q75, color=POSTERIOR_COLORS[which], alpha=0.2, linewidth=0)
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
    for which, rows in of_each(ratios, "posterior"):
        ends = np.stack([rows["median"] - rows.q25, rows.q75 - rows["median"]])
        axes.errorbar(rows.duration, rows["median"], ends, color=POSTERIOR_COLORS[which], marker=".", markersize=4)
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
