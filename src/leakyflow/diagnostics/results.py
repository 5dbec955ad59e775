"""Numbers and figures of a diagnosis, in its folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from leakyflow.diagnostics.plots.style import save_figure
from leakyflow.errors import LeakyflowError
from leakyflow.files import replacing
from leakyflow.schema import reading

__all__ = ["CURE", "Results", "numbers_of", "read_tables"]

CURE = "Run `leakyflow diagnose` again."
LARGEST = 2**27  # bytes of a table


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


def read_tables(folder: Path) -> dict[str, pd.DataFrame]:
    """All tables of a folder, by name; the index is a column.

    Raises:
        ValueError: If one cannot be read, or is larger than 128 MiB.
    """
    tables = {}
    for path in sorted(folder.glob("*.csv")):
        with reading(path, "the table", CURE):
            if path.stat().st_size > LARGEST:
                raise LeakyflowError(f"{path} must have at most {LARGEST:,} bytes. {CURE}")
            tables[path.stem] = pd.read_csv(path)
    return tables


def numbers_of(table: pd.DataFrame, columns: Sequence[str], path: Path) -> pd.DataFrame:
    """The table, refused where one of these columns is missing or holds something else than finite numbers.

    Raises:
        ValueError: If so.
    """
    for name in columns:
        good = name in table and pd.api.types.is_numeric_dtype(table[name]) and np.isfinite(table[name]).all()
        if not good or table.empty:
            raise LeakyflowError(f"{path} must hold finite numbers in the column {name}, and does not. {CURE}")
    return table
