"""Figures of training."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from leakyflow.diagnostics.convergence import measure_convergence
from leakyflow.diagnostics.plots.style import BLUE, GREEN, GREY, ORANGE, PAGE, new_figure

__all__ = ["plot_history"]


def plot_history(history: pd.DataFrame) -> Figure:
    """Draw the losses of a run against epoch and wall time, and the learning rate.

    Args:
        history: One row per epoch: loss and val_loss in nats, learning_rate, and the seconds that the epoch took.

    Example:
        >>> import pandas as pd
        >>> losses = {"loss": [3.0, 2.0, 1.5], "val_loss": [3.1, 2.2, 2.3]}
        >>> more = {"learning_rate": [1e-3, 5e-4, 1e-4], "seconds": [20.0, 5.0, 5.0]}
        >>> history = pd.DataFrame(losses | more, index=pd.Index([1, 2, 3], name="epoch"))
        >>> [axes.get_xlabel() for axes in plot_history(history).axes]
        ['epoch', 'wall time (minutes)', 'epoch']
    """
    at = measure_convergence(history)
    marker = "o" if len(history) == 1 else None
    minutes = history["seconds"].cumsum() / 60
    with new_figure(width=PAGE, height=2.7) as figure:
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
