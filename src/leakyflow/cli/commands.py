"""All commands together, and what surrounds each."""

import gc
import logging
import os
import sys
import warnings
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from leakyflow import __version__
from leakyflow.cli import comparison, diagnosis, exploring, exporting, inference, many, presets, training
from leakyflow.cli.console import out
from leakyflow.cli.errors import one_screen
from leakyflow.cli.options import examples

__all__ = ["app", "main"]

# What libraries import where it is installed, for a twelfth of the time of `infer`: ArviZ to draw by, xarray to write
# lazily. The commands that need one of them.
OPTIONAL, THEIRS = ("bokeh", "dask", "distributed"), ("arviz", "xarray")
NEED_OPTIONAL = ("app", "batch", "summarize")


class Commands(TyperGroup):
    """All commands; what goes wrong in one becomes one screen."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        with one_screen(lambda: self.commands[ctx.invoked_subcommand].params):
            return super().invoke(ctx)


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples("run", "presets", "infer cell.abf --sweep 3"),
)
for part in (training, diagnosis, inference, comparison, many, exporting, exploring, presets):
    app.add_typer(part.commands)


def main() -> None:
    """Entry point of the `leakyflow` command."""
    # The terminal is the user's: libraries neither warn nor log there. Errors still surface, as exceptions.
    warnings.simplefilter("ignore")
    logging.getLogger().addHandler(logging.NullHandler())
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it has a handler of its own
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL", "1") == "1":  # what JAX sets, where it was imported first
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    # Imports and traces make many objects, hardly any of them garbage; to look for it as often as Python does by
    # default takes a tenth of a command's time.
    gc.set_threshold(50_000)
    spare(sys.argv[1:])
    app()


def spare(arguments: list[str]) -> None:
    """Let libraries take for absent, in this process, what a command does not need.

    Where they were imported already they have looked, and rely on what they found.

    Example:
        >>> spare(["batch", "cells", "--out", "results"])  # needs it
        >>> "dask" in sys.modules and sys.modules["dask"] is None
        False
    """
    if not set(arguments) & set(NEED_OPTIONAL) and not set(THEIRS) & set(sys.modules):
        for name in OPTIONAL:
            sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # what makes an import fail


def show_version(wanted: bool) -> bool:
    """Print the version and end, if that is wanted."""
    if wanted:
        out.print(__version__)
        raise typer.Exit
    return wanted


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=show_version, help="Show the version.")
    ] = False,
) -> None:
    """Bayesian inference of leaky integrate-and-fire neurons from current-clamp recordings."""
