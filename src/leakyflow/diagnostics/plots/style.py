"""How figures look, and what parameters are called in them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.transforms import Bbox

from leakyflow.neuron.parameters import TABLE

__all__ = [
    "BLACK",
    "BLUE",
    "GREEN",
    "GREY",
    "MARKERS",
    "MOST_COLUMNS",
    "ORANGE",
    "PAGE",
    "PARAMETER_COLORS",
    "POSTERIOR_COLORS",
    "STYLE",
    "label",
    "new_figure",
    "new_panels",
    "of_each",
    "save_figure",
    "symbol",
    "unit",
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
PAGE = 7.2  # inches, the width of a page: what is wider is printed smaller than 9 points
MOST_COLUMNS = 3  # panels beside each other on a page
DIGITS = 6  # of places in a figure, as shares of it
PARAMETER_COLORS, MARKERS = (BLUE, ORANGE, GREEN, BLACK, GREY), "os^Dv<>P"
POSTERIOR_COLORS = {"amortized": BLUE, "corrected": ORANGE, "exact": BLACK}


def save_figure(figure: Figure, path: str | Path) -> Path:
    """Write a figure; the suffix says the format. The same figure gives the same file.

    Raises:
        OSError: If it cannot be written.

    Example:
        >>> import leakyflow as lf
        >>> recordings = lf.make_dataset(lf.load_config("quick"), 1, seed=1).recordings()
        >>> save_figure(lf.plot_recordings({"first": recordings[0]}), "first.svg").name
        'first.svg'
    """
    path = Path(path)
    metadata = {"Date": None} if path.suffix == ".svg" else None
    with mpl.rc_context(STYLE):
        figure.savefig(path, dpi=200, metadata=metadata)
    return path


def symbol(name: str) -> str:
    r"""Symbol of a parameter, or the name of another quantity.

    Example:
        >>> symbol("V_th"), symbol("log_likelihood")
        ('$V_{\\mathrm{th}}$', 'log likelihood')
    """
    return f"${TABLE[name].symbol}$" if name in TABLE else name.replace("_", " ")


def unit(name: str) -> str:
    """Unit of a parameter, typeset.

    Example:
        >>> unit("membrane_noise")
        'mV/√ms'
    """
    return TABLE[name].unit.replace("sqrt(ms)", "√ms")


def label(name: str) -> str:
    r"""Symbol of a parameter with its unit.

    Example:
        >>> label("tau")
        '$\\tau$ (ms)'
    """
    return f"{symbol(name)} ({unit(name)})"


class Layout(ConstrainedLayoutEngine):
    """Matplotlib's constrained layout, the same in each run.

    Its solver orders variables by their addresses in memory, so that places differ by some 1e-15 from one drawing to
    the next, which can turn the last digit of a coordinate in a file, or a pixel.
    """

    def execute(self, fig: Figure) -> Any:
        """Place panels, at rounded places."""
        solved = super().execute(fig)
        for axes in fig.axes:
            counted = axes.get_in_layout()
            place = axes.get_position(original=True).bounds
            axes.set_position(Bbox.from_bounds(*(round(float(value), DIGITS) for value in place)))
            axes.set_in_layout(counted)  # which a place that is set takes away
        return solved


@contextmanager
def new_figure(*, width: float, height: float) -> Iterator[Figure]:
    """Give a figure in inches that belongs to no window and no global state."""
    with mpl.rc_context(STYLE):
        yield Figure(figsize=(width, height), layout=Layout())


@contextmanager
def new_panels(names: tuple[str, ...]) -> Iterator[tuple[Figure, list[tuple[str, Axes]]]]:
    """Give a figure with one square panel for each parameter."""
    n_columns = 2 if len(names) == 4 else min(len(names), MOST_COLUMNS)
    n_rows = -(-len(names) // n_columns)
    size = min(PAGE / n_columns, 3.3)
    with new_figure(width=size * n_columns, height=size * n_rows) as figure:
        grid = figure.subplots(n_rows, n_columns, squeeze=False)
        for axes in grid.flat[len(names) :]:
            axes.set_visible(False)
        yield figure, list(zip(names, grid.flat, strict=False))


def of_each(table: pd.DataFrame, column: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """Rows of each value of a column, in order of appearance."""
    for value in dict.fromkeys(table[column].to_list()):
        yield value, table[table[column] == value]
