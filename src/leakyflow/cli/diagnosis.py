"""The commands that test a network, and that write the page of a run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leakyflow.cli.console import out, show_files, timed
from leakyflow.cli.errors import UNSOUND, resumable
from leakyflow.cli.options import SeedOption, again, examples, group
from leakyflow.cli.tables import checks_table
from leakyflow.files import filling

if TYPE_CHECKING:
    from leakyflow.diagnostics.suite import Suite

__all__ = ["commands", "do_checks"]

commands = group()


@commands.command(
    epilog=examples("diagnose runs/mine", "diagnose runs/mine --n 5000 --seed 1 --out more", "diagnose lif")
)
def diagnose(
    network: Annotated[
        str, typer.Argument(metavar="RUN", help="Folder of a run, finished or not, or name of a network that ships.")
    ],
    n: Annotated[int, typer.Option(min=100, help="Held-out simulations.")] = 1000,
    seed: SeedOption = 0,
    to: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for numbers and figures.  \\[default: diagnostics, in RUN if a folder]"),
    ] = None,
) -> None:
    """Check a network on simulations that it has not seen: numbers, figures, and a table of verdicts.

    Interrupted, the same command continues. Ends with status 1 where a check fails.
    """
    from leakyflow.diagnostics.suite import DIAGNOSTICS, Suite
    from leakyflow.training.run import trained

    place = results_of(network) / DIAGNOSTICS if to is None else to
    suite = Suite(trained(network), place, n=n, seed=seed, progress=out.is_terminal)
    with resumable(again("diagnose", network, n=n, seed=seed, out=to)):
        do_checks(suite)
    found = suite.finished()
    out.print(checks_table(found))
    show_files(suite.out, sorted(path.name for path in suite.out.iterdir() if path.suffix in (".csv", ".json", ".png")))
    if any(check.passed is False for part in found.values() for check in part):
        raise typer.Exit(UNSOUND)


@commands.command(
    epilog=examples("report runs/mine", "report runs/mine --out pages --diagnostics more_checks"),
)
def report(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="Folder of a finished run, or name of a network that ships.")
    ],
    folder: Annotated[
        Path | None, typer.Option("--out", help="Folder for the pages.  \\[default: RUN, if a folder]")
    ] = None,
    diagnostics: Annotated[
        Path | None, typer.Option(help="From `leakyflow diagnose`.  \\[default: diagnostics, in RUN if a folder]")
    ] = None,
) -> None:
    """Write the page of a run, as HTML and PDF: settings, network, training, and everything that was checked."""
    from leakyflow.diagnostics.suite import DIAGNOSTICS
    from leakyflow.report.run import run_page

    to = results_of(run) if folder is None else folder
    with timed(f"Reading {run}"):
        page = run_page(run, results_of(run) / DIAGNOSTICS if diagnostics is None else diagnostics)
    with timed("Writing the pages"), filling(to) as scratch:
        page.write_html(scratch / "report.html")
        page.write_pdf(scratch / "report.pdf")
    show_files(to, ["report.html", "report.pdf"])


def results_of(network: str) -> Path:
    """Where results about a network belong: with its run, or here, where it ships with the package."""
    from leakyflow.training.run import trained

    folder = trained(network)
    return folder if folder == Path(network) else Path()


def do_checks(suite: "Suite") -> None:
    """Do what is left of the diagnostics of a network."""
    for part, work in suite.remaining():
        with timed(f"{part.title} ({suite.n:,} held-out simulations)" if part.held_out else part.title):
            work()
