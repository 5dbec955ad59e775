"""The command that opens the explorer in the browser."""

from pathlib import Path
from typing import Annotated

import typer

from leakyflow.cli.console import out
from leakyflow.cli.options import examples, group

__all__ = ["commands"]

commands = group()


@commands.command(
    name="app", epilog=examples("app", "app recordings", "app cell.abf --port 8000 --no-browser --network my_run")
)
def explore(
    start: Annotated[Path | None, typer.Argument(metavar="[FILE or FOLDER]", help="To open, or to browse.")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port.  \\[default: a free one]")] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the browser.")] = True,
    network: Annotated[
        list[Path] | None, typer.Option(help="Folder of a run to choose from, too; repeat for more.")
    ] = None,
) -> None:
    """Look at recordings in the browser, infer their neurons, and ask what if. On this machine only; Ctrl-C ends it."""
    from leakyflow.app.server import serve

    networks = {path.name: str(path.resolve()) for path in network or []}
    serve(start, port=port, show=browser, networks=networks, listening=_listening)


def _listening(address: str) -> None:
    out.print(f"The explorer is at {address} on this machine only. Ctrl-C ends it.", soft_wrap=True)
