"""What is printed, and what it took."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

__all__ = ["err", "out", "show_files", "timed", "warn"]

# Text is text: a file may be called `cell[a].abf` or `cell:dog:.abf`.
out = Console(highlight=False, markup=False, emoji=False)
err = Console(stderr=True, highlight=False, markup=False, emoji=False)


def warn(text: str) -> None:
    """Print what a reader must not miss."""
    out.print(text, style="yellow")


def show_files(folder: Path, names: Sequence[str]) -> None:
    """Say where files are."""
    out.print(f"Written to {folder}{os.sep}: {', '.join(names)}", soft_wrap=True)


@contextmanager
def timed(task: str) -> Iterator[list[str]]:
    """Print what begins and, when it ends, how long it took; notes put into the list are printed with it."""
    began = time.perf_counter()
    notes: list[str] = []
    out.print(f"{task} ...", soft_wrap=True)
    yield notes
    out.print("  " + "; ".join([f"{time.perf_counter() - began:.1f} s", *notes]), soft_wrap=True)
