"""The command line: `leakyflow --help`.

Heavy libraries are imported inside the commands, so that help comes at once.
"""

from leakyflow.cli.commands import app, main

__all__ = ["app", "main"]
