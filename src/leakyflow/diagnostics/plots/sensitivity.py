"""Figures of sensitivity to the prior, to stimuli and to the sampling interval."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leakyflow.diagnostics.conditions import Conditions
from leakyflow.diagnostics.plots.style import (
    BLACK,
    GREY,
    MARKERS,
    MOST_COLUMNS,
    PAGE,
    PARAMETER_COLORS,
    POSTERIOR_COLORS,
    new_figure,
    of_each,
    symbol,
)
from leakyflow.diagnostics.power_scaling import SENSITIVE
from leakyflow.diagnostics.recovery import INTERVAL, coverage_band
from leakyflow.likelihood.importance import LARGEST_K_HAT

__all__ = ["plot_prior_sensitivity", "plot_sensitivity"]

LEAST_SENSITIVITY = 1e-3  # of the log scale; what is less is drawn there


def plot_sensitivity(conditions: Conditions) -> Figure:
    r"""Draw coverage and error of each parameter under each condition, and what the density and the weights say.

    Example:
        >>> import leakyflow as lf
        >>> found = lf.dt_sensitivity(lf.load_posterior("standard"), n=4, n_draws=50)
        >>> plot_sensitivity(found).axes[0].get_xlabel()
        '$\\tau$: coverage of 90 %'
    """
    parameters, recordings = conditions
    names, places = parameters.parameter.unique().tolist(), recordings.condition.unique().tolist()
    band = coverage_band(int(recordings.n.iloc[0]))
    # Panels come in pairs, one above the other; the last pair is of all parameters together.
    n_columns = min(len(names) + 1, MOST_COLUMNS)
    n_pairs = -(-(len(names) + 1) // n_columns)
    with new_figure(width=PAGE, height=0.5 + 2 * n_pairs * (0.55 + 0.19 * len(places))) as figure:
        grid = figure.subplots(2 * n_pairs, n_columns, squeeze=False, sharey=True)
        pairs = grid.reshape(n_pairs, 2, n_columns).transpose(0, 2, 1).reshape(-1, 2)
        for name, (upper, lower) in zip([*names, None], pairs, strict=False):
            if name is None:
                _draw_conditions(upper, recordings, "gain", places)
                upper.set(xlabel="gain over the prior (nats)")
                _draw_conditions(lower, recordings[recordings.posterior == "amortized"], "share_failed", places)
                lower.set(xlabel=rf"share with $\hat{{k}}$ > {LARGEST_K_HAT:g}", xlim=(-0.02, 1.02))
                continue
            rows = parameters[parameters.parameter == name]
            upper.axvspan(*band, color=GREY, alpha=0.3, linewidth=0, label="99 % of times, if exact")
            _draw_conditions(upper, rows, "coverage90", places)
            _draw_conditions(lower, rows, "relative_rmse", places)
            upper.set(xlabel=f"{symbol(name)}: coverage of {100 * INTERVAL:.0f} %", xlim=(None, 1.02))
            lower.set(xlabel=f"{symbol(name)}: RMSE / prior SD", xlim=(0, 1.15 * rows.relative_rmse.max()))
        for axes in pairs[len(names) + 1 :].flat:
            axes.set_visible(False)
        grid[0, 0].invert_yaxis()
        figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower left", ncols=3)
    return figure


def plot_prior_sensitivity(table: pd.DataFrame) -> Figure:
    """Draw sensitivity to the prior against sensitivity to the likelihood, a point per recording and parameter.

    Example:
        >>> import leakyflow as lf
        >>> posterior, config = lf.load_posterior("standard"), lf.load_config("standard")
        >>> dataset = lf.make_dataset(config, 20, seed=7)
        >>> recording = dataset.recordings()[4]
        >>> draws = posterior.sample(recording, n_draws=200, seed=0)
        >>> table = lf.prior_sensitivity(draws, recording, posterior.prior)
        >>> plot_prior_sensitivity(table).axes[0].get_xlabel()
        'sensitivity to the likelihood'
    """
    names = table.index.get_level_values("parameter")
    with new_figure(width=4.6, height=4.0) as figure:
        axes = figure.add_subplot()
        for i, name in enumerate(dict.fromkeys(names)):
            x, y = (table.loc[names == name, column].clip(LEAST_SENSITIVITY) for column in ("likelihood", "prior"))
            color, marker = PARAMETER_COLORS[i % len(PARAMETER_COLORS)], MARKERS[i % len(MARKERS)]
            axes.plot(x, y, marker, color=color, markersize=4, alpha=0.7, label=symbol(name))
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


def _draw_conditions(axes: Axes, table: pd.DataFrame, column: str, places: list[str]) -> None:
    for which, rows in of_each(table, "posterior"):
        at = [places.index(condition) for condition in rows.condition]
        color, size = POSTERIOR_COLORS[which], 7 if which == "amortized" else 4
        face = "none" if which == "amortized" else color
        axes.plot(rows[column], at, "o", color=color, markersize=size, markerfacecolor=face, label=which)
    axes.set_yticks(range(len(places)), places)
    axes.grid(axis="y", alpha=0.3)
    axes.set_ylim(-0.5, len(places) - 0.5)
