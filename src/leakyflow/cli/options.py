"""Options that several commands share, and examples for their help."""

from pathlib import Path
from typing import Annotated

import typer

from leakyflow.again import again

__all__ = [
    "DEFAULT_NETWORK",
    "ChannelOption",
    "ColumnsOption",
    "ConfigOption",
    "CurrentOption",
    "FileArgument",
    "HoldOutOption",
    "IntervalOption",
    "SeedOption",
    "StepOption",
    "UnitsOption",
    "again",
    "examples",
    "group",
]

ConfigOption = Annotated[str, typer.Option("--config", "-c", help="A preset's name or a TOML file.")]
DEFAULT_NETWORK = "cell"  # ships with the package

SeedOption = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="The same seed gives the same result.")]
FileArgument = Annotated[Path, typer.Argument(help="ABF, NWB, Igor, a table, MATLAB and more; told apart by content.")]
HoldOutOption = Annotated[
    str, typer.Option(metavar="SWEEPS", help="Numbers of sweeps that are kept back and predicted (5,9), none, or auto.")
]
ChannelOption = Annotated[
    str | None, typer.Option(help="Voltage channel, electrode or column, where the file has several.")
]
CurrentOption = Annotated[
    str | None,
    typer.Option(help="Injected current, where the file leaves it open: channel, 'command', or the other IBW file."),
]
ColumnsOption = Annotated[
    str | None,
    typer.Option(metavar="NAMES", help="Names of all columns of a table: t_ms,V_mV,I_pA (- for one that is not read)."),
]
UnitsOption = Annotated[
    str | None,
    typer.Option(metavar="V,I", help="Units of voltage and current, where the file has none: mV,pA."),
]
IntervalOption = Annotated[
    float | None,
    typer.Option("--dt", metavar="MS", help="Sampling interval of the file, where it has none or a wrong one."),
]
StepOption = Annotated[
    str | None,
    typer.Option(
        metavar="PA,MS,MS",
        help="Amplitude, onset and duration of the injected step, where the file holds the voltage alone: 200,100,500.",
    ),
]


def group() -> typer.Typer:
    """A group of commands."""
    return typer.Typer(rich_markup_mode="rich")


def examples(*lines: str) -> str:
    """Lay out examples below a command's help."""
    return "\n\n".join(["[bold]Examples[/bold]", *(f"  [cyan]leakyflow {line}[/cyan]" for line in lines)])
