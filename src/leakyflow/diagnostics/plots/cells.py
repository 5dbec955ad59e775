"""The figure of a cell: all sweeps with what is predicted of them, firing rates, and the posterior."""

import re

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpecBase, SubplotSpec
from matplotlib.patches import Patch

from leakyflow.diagnostics.plots.posteriors import draw_marginal
from leakyflow.diagnostics.plots.style import BLACK, BLUE, GREY, ORANGE, new_figure
from leakyflow.diagnostics.prediction.measured import FICurve, Prediction
from leakyflow.diagnostics.spread import Spread
from leakyflow.likelihood.draws import Draws
from leakyflow.simulator.prior import Prior

__all__ = ["plot_cell"]

N_RASTER = 5  # predicted spike trains shown above each sweep
TICK = 3.0  # mV from one to the next
MOST_POINTS = 1500  # of a trace: a panel shows no more
WIDTH, ROW = 11.0, 1.15  # inches


def plot_cell(prediction: Prediction, draws: Draws, prior: Prior, spread: Spread | None = None) -> Figure:
    """Draw all sweeps of a cell with what is predicted of them, its firing rates, and the posterior of each parameter.

    Sweeps that were kept back from the inference have an orange title. Each has the recorded voltage, and the predicted
    one with the recorded spikes given, in a band that holds 90 % of the errors; above them are the recorded spikes
    (black) and those of simulated neurons (blue).

    Args:
        prediction: Of the cell.
        draws: From its posterior.
        prior: Drawn faintly behind the posterior.
        spread: Between sweeps, drawn as a wider posterior.

    Example:
        >>> import leakyflow as lf
        >>> from leakyflow.diagnostics.prediction.measured import measure_prediction
        >>> from leakyflow.recordings.cell import Cell
        >>> prior = lf.load_config("standard").simulator.prior
        >>> neuron = prior.sample(1, seed=1).map(lambda value: value[0])
        >>> steps = [lf.square(amplitude=I, onset=20.0, duration=60.0, t_max=100.0, dt=0.2) for I in (-60.0, 40.0)]
        >>> cell = Cell([lf.simulate(neuron, step, seed=i) for i, step in enumerate(steps)])
        >>> draws = lf.reference_posterior(cell, prior, n_draws=200, seed=0)
        >>> figure = plot_cell(measure_prediction(draws, prior, cell), draws, prior)
        >>> len(figure.axes) - len(draws.names)
        2
    """
    n = len(prediction.cell)
    n_columns = min(n, 2 if n <= 8 else 3 if n <= 21 else 4)
    n_rows = -(-n // n_columns)
    curve = prediction.f_I
    n_right = -(-len(draws.names) // 2) + (2 if curve is not None else 0)
    with new_figure(width=WIDTH, height=max(4.2, ROW * max(n_rows, n_right))) as figure:
        columns = figure.add_gridspec(1, 2, width_ratios=[2.2, 1.0])
        _draw_sweeps(figure, columns[0].subgridspec(n_rows, n_columns), prediction, n_columns)
        _draw_right(figure, columns[1], prediction, draws, prior, spread)
        figure.suptitle(prediction.cell.name, fontsize=10, x=0.01, ha="left")
    return figure


def _draw_sweeps(figure: Figure, grid: GridSpecBase, prediction: Prediction, n_columns: int) -> None:
    first: Axes | None = None
    n = len(prediction.cell)
    for k in range(n):
        axes = figure.add_subplot(grid[k // n_columns, k % n_columns], sharex=first, sharey=first)
        first = first or axes
        _draw_sweep(axes, prediction, k)
        axes.tick_params(labelleft=k % n_columns == 0, labelbottom=k + n_columns >= n)
        if k % n_columns == 0:
            axes.set_ylabel("V (mV)")
        if k // n_columns == (n - 1) // n_columns:
            axes.set_xlabel("time (ms)")
    if first is not None:
        handles, names = first.get_legend_handles_labels()
        if prediction.unseen.any():
            handles.append(Patch(color=ORANGE))
            names.append("title of a sweep kept back")
        figure.legend(handles, names, loc="upper right", ncols=4)


def _draw_sweep(axes: Axes, prediction: Prediction, k: int) -> None:
    sweep, V, half = prediction.cell[k], prediction.V[k], prediction.band.half_width
    shown = slice(None, None, max(1, sweep.n_samples // MOST_POINTS))
    low, high = (V - half)[shown], (V + half)[shown]
    axes.fill_between(sweep.t[shown], low, high, color=BLUE, alpha=0.25, linewidth=0, label="90 % band")
    axes.plot(sweep.t[shown], V[shown], color=BLUE, linewidth=0.7, label="predicted, recorded spikes given")
    axes.plot(sweep.t[shown], sweep.V[shown], color=BLACK, linewidth=0.6, label="recorded")
    top = max(float(own.V.max()) for own in prediction.cell) + 2.0 * TICK
    trains = list(prediction.trains[k][:N_RASTER])
    offsets = [top + TICK * (i + 1) for i in range(len(trains))]
    axes.eventplot(trains, lineoffsets=offsets, linelengths=0.8 * TICK, colors=BLUE, linewidths=0.6)
    axes.eventplot(
        sweep.t[sweep.spikes],
        lineoffsets=offsets[-1] + 2.0 * TICK,
        linelengths=2.0 * TICK,
        colors=BLACK,
        linewidths=0.6,
    )
    row = prediction.table.iloc[k]
    numbered = re.search(r"sweep (\d+)", sweep.name)
    named = f"sweep {numbered[1] if numbered else k}"
    title = f"{named}: {row.spikes} spike{'s' if row.spikes != 1 else ''}, predicted {row.spikes_predicted}"
    axes.set_title(title, fontsize=7.5, color=ORANGE if row.unseen else BLACK, pad=2.0)


def _draw_right(
    figure: Figure, place: SubplotSpec, prediction: Prediction, draws: Draws, prior: Prior, spread: Spread | None
) -> None:
    n = -(-len(draws.names) // 2)
    curve = prediction.f_I
    rows = place.subgridspec(n + (2 if curve is not None else 0), 2)
    if curve is not None:
        _draw_curve(figure.add_subplot(rows[:2, :]), curve)
    wide = None if spread is None or not np.any(np.nan_to_num(spread.between)) else spread.widened(draws, prior)
    for i, (name, distribution) in enumerate(prior.distributions.items()):
        axes = figure.add_subplot(rows[i // 2 + (2 if curve is not None else 0), i % 2])
        draw_marginal(axes, name, draws[name], distribution, None, legend=False, wide=False)
        axes.ticklabel_format(axis="x", useOffset=False)
        if wide is not None:
            low, high = np.quantile(wide[name], (0.05, 0.95))
            axes.axvspan(low, high, color=GREY, alpha=0.25, linewidth=0)
            axes.set_xlim(*_room(wide[name]))


def _room(values: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(values, (0.01, 0.99))
    return low - 0.1 * (high - low), high + 0.1 * (high - low)


def _draw_curve(axes: Axes, curve: FICurve) -> None:
    axes.fill_between(curve.current, curve.predicted[0], curve.predicted[2], color=BLUE, alpha=0.25, linewidth=0)
    axes.plot(curve.current, curve.predicted[1], color=BLUE, linewidth=0.9, label="predicted, 5 to 95 %")
    used = ~curve.unseen
    axes.plot(curve.current[used], curve.recorded[used], "o", color=BLACK, markersize=3.5, label="recorded")
    if curve.unseen.any():
        kept = curve.unseen
        axes.plot(curve.current[kept], curve.recorded[kept], "o", color=ORANGE, markersize=4.5, label="kept back")
    axes.set(xlabel="I (pA)", ylabel="rate (Hz)")
    axes.legend(loc="upper left")
