"""Figures of predictive checks."""

import textwrap
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from leakyflow.diagnostics.plots.style import BLACK, BLUE, ORANGE, PAGE, new_figure, new_panels
from leakyflow.diagnostics.predictive import SMALL
from leakyflow.recordings.recording import Recording
from leakyflow.simulator.cell_activity import CELL_FEATURES
from leakyflow.simulator.prior_predictive import FASTEST, HIGHEST, LOWEST, PriorPredictive

__all__ = ["plot_cell_activity", "plot_predictive_p_values", "plot_prior_predictive"]

N_EXAMPLES = 8  # recordings shown of a prior


def plot_predictive_p_values(p_values: pd.DataFrame, labels: Mapping[str, str]) -> Figure:
    r"""Draw histograms of posterior predictive p-values; one row per recording, one column per feature.

    Example:
        >>> import pandas as pd
        >>> p_values = pd.DataFrame({"latency": [0.01, 0.4, 0.7, 0.9]})
        >>> plot_predictive_p_values(p_values, {"latency": "latency of the first spike"}).axes[0].get_title(loc="left")
        'latency of the first spike\n25.0 % below 0.05'
    """
    with new_panels(tuple(p_values.columns)) as (figure, panels):
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
    """Draw what neurons drawn from the prior do: firing rates, ranges of voltage, and a few recordings.

    Example:
        >>> import leakyflow as lf
        >>> found = lf.prior_predictive(lf.load_config("quick"), n=20, seed=1)
        >>> plot_prior_predictive(found).axes[0].get_xlabel()
        'firing rate (Hz)'
    """
    with new_figure(width=PAGE, height=5.0) as figure:
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


def plot_cell_activity(
    simulated: Mapping[str, np.ndarray], real: Mapping[str, np.ndarray], *, shares: Mapping[str, float]
) -> Figure:
    """Draw histograms of what simulated cells do, with a line for each real one.

    Args:
        simulated: From `cell_activity`; NaN where a cell does not show it.
        real: The same of real cells.
        shares: From `like_cells`, of the simulated ones.

    Example:
        >>> import numpy as np
        >>> from leakyflow.simulator.cell_activity import CELL_FEATURES, like_cells
        >>> cells = {name: np.array([-50.0, 0.1, 10.0]) for name in CELL_FEATURES}
        >>> len(plot_cell_activity(cells, cells, shares=like_cells(cells)).axes)
        9
    """
    with new_figure(width=PAGE, height=5.5) as figure:
        grid = figure.add_gridspec(3, 3)
        for i, (name, feature) in enumerate(CELL_FEATURES.items()):
            axes = figure.add_subplot(grid[i // 3, i % 3])
            shown = simulated[name][np.isfinite(simulated[name])]
            ends = np.append(np.quantile(shown, [0.005, 0.995]) if len(shown) else [], real[name])
            bins = np.linspace(np.nanmin(ends), np.nanmax(ends) + 1e-6, 40)
            axes.hist(np.clip(shown, bins[0], bins[-1]), bins.tolist(), color=BLUE, alpha=0.75)
            for value in real[name][np.isfinite(real[name])]:
                axes.axvline(value, color=ORANGE, linewidth=1.0)
            for bound in (feature.low, feature.high):
                if bins[0] < bound < bins[-1]:
                    axes.axvline(bound, color=BLACK, linewidth=0.8, linestyle="--")
            axes.set_title(f"{100 * shares[name]:.0f} % of {len(shown)} in range", fontsize=8)
            axes.set(xlabel=feature.label, ylabel="cells")
    return figure


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
