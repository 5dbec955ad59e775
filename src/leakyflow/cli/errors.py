"""What goes wrong, on one screen, and how to go on after an interruption."""

import errno
import os
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import typer
from rich import box
from rich.panel import Panel
from rich.text import Text

from leakyflow.cli.console import err
from leakyflow.errors import LeakyflowError

__all__ = ["FAILED", "INTERRUPTED", "UNSOUND", "one_screen", "resumable"]

UNSOUND, FAILED, INTERRUPTED = 1, 2, 130
BACKENDS = ("jax", "torch", "tensorflow")
PACKAGE = Path(__file__).parents[1]


@contextmanager
def one_screen(parameters: Callable[[], Sequence[Any]]) -> Iterator[None]:
    """Show an error of ours, or of the system, without its traceback, and end as a failure.

    Args:
        parameters: Gives those of the command that runs.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except (ValueError, OSError, ImportError) as error:
        fail(error, parameters())
    except KeyboardInterrupt:
        err.print("Interrupted.")
        raise typer.Exit(INTERRUPTED) from None


@contextmanager
def resumable(command: str) -> Iterator[None]:
    """Say how to continue when interrupted.

    Args:
        command: From `again`, quoted.
    """
    try:
        yield
    except KeyboardInterrupt:
        err.print("\nInterrupted; what is finished is kept. Continue with:")
        err.print(f"  {command}", soft_wrap=True)
        raise typer.Exit(INTERRUPTED) from None


def fail(error: Exception, parameters: Sequence[Any]) -> None:
    """Print an error on one screen and end."""
    if os.environ.get("LEAKYFLOW_TRACEBACK"):
        raise error
    told = "\n\n".join(filter(None, (explained(error), options_at_fault(error, parameters))))
    text = Text(Text.from_ansi(told).plain)
    err.print(Panel(text, title="Error", title_align="left", border_style="red", box=box.ROUNDED))
    raise typer.Exit(FAILED) from None


def explained(error: Exception) -> str:
    """What to tell of an error; those of the system have only an errno and a file."""
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        hint = "Free some space, or pass another folder as --out." if is_about_space(error) else "Check the path."
        return f"{place}{error.strerror}. {hint}"
    if not is_ours(error):
        if missing := missing_backend():
            return missing
        return f"{error}\n\nThis was not foreseen. Set LEAKYFLOW_TRACEBACK=1 to see where it happened."
    return str(error)


def options_at_fault(error: Exception, parameters: Sequence[Any]) -> str:
    """Which options of the command set the arguments that an error is about; nothing where none does."""
    if not isinstance(error, LeakyflowError):
        return ""
    options = {parameter.name: parameter.opts[0] for parameter in parameters if parameter.param_type_name == "option"}
    named = [f"`{name}` by {options[name]}" for name in error.arguments if name in options]
    return f"On the command line, set {' and '.join(named)}." if named else ""


def is_ours(error: BaseException) -> bool:
    """Whether an error was raised by this package, rather than by a library that it calls."""
    if isinstance(error, LeakyflowError):
        return True
    frames = list(traceback.walk_tb(error.__traceback__))
    return Path(frames[-1][0].f_code.co_filename).is_relative_to(PACKAGE)


def missing_backend() -> str:
    """What to say where the backend that is asked for cannot be had; nothing where it can."""
    name = os.environ["KERAS_BACKEND"]
    must = f"KERAS_BACKEND must name a backend ({', '.join(BACKENDS)}) that is installed, got {name!r}, which is"
    if name not in BACKENDS:
        return f"{must} none. Set it to one of them, or unset it to use JAX."
    if find_spec(name) is None:
        return f"{must} not installed. Run pip install 'leakyflow[{name}]', or unset KERAS_BACKEND to use JAX."
    return ""


def is_about_space(error: OSError) -> bool:
    """Whether a disk is full, a quota used up or a file too large."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
