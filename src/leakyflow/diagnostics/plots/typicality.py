"""Figures of typicality."""

from matplotlib.figure import Figure

from leakyflow.diagnostics.cloud import ATYPICAL
from leakyflow.diagnostics.plots.style import BLUE, GREY, ORANGE, new_figure
from leakyflow.diagnostics.typicality import Projection

__all__ = ["plot_typicality"]


def plot_typicality(projection: Projection) -> Figure:
    """Draw recordings on the cloud of simulations, coloured by whether they are typical.

    Example:
        >>> import leakyflow as lf
        >>> posterior, config = lf.load_posterior("standard"), lf.load_config("standard")
        >>> dataset = lf.make_dataset(config, 20, seed=7)
        >>> projection = lf.typicality_of(posterior).projection(dataset.recordings())
        >>> plot_typicality(projection).axes[0].get_xlabel()
        'principal component 1 (... % of the variance)'
    """
    typical = projection.p >= ATYPICAL
    groups = {f"typical (p ≥ {ATYPICAL:g})": (typical, BLUE, "o"), "atypical": (~typical, ORANGE, "D")}
    size = 5.0 if typical.size < 100 else 2.5  # points
    with new_figure(width=5.0, height=4.2) as figure:
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
