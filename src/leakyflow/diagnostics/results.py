"""Numbers and figures of a diagnosis, in its folder."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from leakyflow.diagnostics.plots.style import save_figure
from leakyflow.files import replacing

__all__ = ["Results"]


@dataclass(frozen=True)
class Results:
    """What is found by one diagnosis: a table in CSV, a figure as PNG and SVG, each whole or not there.

    Attributes:
        folder: Where they are.
    """

    folder: Path

    def keep(self, name: str, table: pd.DataFrame) -> None:
        """Write a table."""
        with replacing(self.folder / f"{name}.csv") as path:
            table.to_csv(path)

    def draw(self, name: str, figure: Figure) -> None:
        """Write a figure."""
        for suffix in (".png", ".svg"):
            with replacing(self.folder / f"{name}{suffix}") as path:
                save_figure(figure, path)
