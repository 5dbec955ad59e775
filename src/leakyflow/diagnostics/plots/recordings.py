"""Figures of recordings: traces, spikes, and what a posterior predicts of them."""

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leakyflow.diagnostics.plots.posteriors import draw_marginal
from leakyflow.diagnostics.plots.style import BLACK, BLUE, GREEN, PAGE, new_figure
from leakyflow.diagnostics.predictive import Predictive
from leakyflow.errors import LeakyflowError
from leakyflow.likelihood.draws import Draws
from leakyflow.neuron.parameters import Parameters
from leakyflow.recordings.recording import Recording
from leakyflow.simulator.prior import Prior

__all__ = ["plot_recording_posterior", "plot_recordings"]

N_RASTER = 25  # predicted spike trains shown
SPIKE_TOP = 20.0  # mV, to which the tick of a spike is drawn


def plot_recordings(recordings: Mapping[str, Recording]) -> Figure:
    """Draw a few recordings side by side on common axes: voltage with its spikes as ticks, and current.

    Args:
        recordings: By the titles to give them; four fit a page.

    Raises:
        ValueError: If there is none.

    Example:
        >>> import leakyflow as lf
        >>> recordings = lf.make_dataset(lf.load_config("quick"), 2, seed=1).recordings()
        >>> [axes.get_ylabel() for axes in plot_recordings({"a": recordings[0], "b": recordings[1]}).axes]
        ['V (mV)', '', 'I (pA)', '']
    """
    if not recordings:
        raise LeakyflowError("There must be a recording to draw, got none.")
    longest = max(recording.duration for recording in recordings.values())
    with new_figure(width=min(max(3.3 * len(recordings), 6.0), PAGE), height=3.6) as figure:
        grid = figure.subplots(
            2, len(recordings), squeeze=False, sharex=True, sharey="row", gridspec_kw={"height_ratios": [3.0, 1.0]}
        )
        for (title, recording), (upper, lower) in zip(recordings.items(), grid.T, strict=True):
            upper.plot(recording.t, recording.V, color=BLACK, linewidth=0.8)
            times, V = recording.t[recording.spikes], recording.V[recording.spikes]
            upper.vlines(times, V, SPIKE_TOP, color=BLACK, linewidth=0.8)
            upper.set(title=title, ylabel="V (mV)", xlim=(0, longest))
            draw_current(lower, recording)
            for axes in (upper, lower):
                axes.label_outer()
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

    Example:
        >>> import leakyflow as lf
        >>> posterior, config = lf.load_posterior("standard"), lf.load_config("standard")
        >>> dataset = lf.make_dataset(config, 20, seed=7)
        >>> recording = dataset.recordings()[4]
        >>> draws = posterior.sample(recording, n_draws=200, seed=0)
        >>> predictive = lf.posterior_predictive(recording, draws, posterior.prior, n_draws=50)
        >>> figure = plot_recording_posterior(recording, predictive, draws, posterior.prior)
        >>> [axes.get_ylabel() for axes in figure.axes[:3]]
        ['V (mV)', 'spikes', 'I (pA)']
    """
    with new_figure(width=8.6, height=5.2) as figure:
        columns = figure.add_gridspec(1, 2, width_ratios=[1.9, 1.0])
        rows = columns[0].subgridspec(3, 1, height_ratios=[3.2, 1.2, 1.0])
        trace = figure.add_subplot(rows[0])
        raster, current = (figure.add_subplot(rows[i], sharex=trace) for i in (1, 2))
        _draw_trace(trace, recording, predictive)
        _draw_raster(raster, recording, predictive)
        draw_current(current, recording)
        n_columns = 1 if len(draws) <= 4 else 2
        cells = columns[1].subgridspec(-(-len(draws) // n_columns), n_columns)
        for i, (name, distribution) in enumerate(prior.distributions.items()):
            axes = figure.add_subplot(cells[i // n_columns, i % n_columns])
            true = None if truth is None else float(getattr(truth, name))
            draw_marginal(axes, name, draws[name], distribution, true, legend=i == 0, wide=n_columns == 1)
        figure.suptitle(recording.name, fontsize=10, x=0.01, ha="left")
    return figure


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


def draw_current(axes: Axes, recording: Recording) -> None:
    axes.step(recording.t, recording.I, where="post", color=GREEN, linewidth=0.9)
    axes.set(xlabel="time (ms)", ylabel="I (pA)")
    axes.margins(y=0.15)
