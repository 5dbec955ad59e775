"""A user at a terminal: what is typed, what is printed, and a file at hand."""

import re
from pathlib import Path

import numpy as np
from typer.testing import CliRunner, Result

from leakyflow import cli


def leakyflow_(*arguments: object) -> Result:
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


def said(result: Result) -> str:
    """Everything printed, as one line of words without the frame of a panel."""
    return " ".join(re.sub("[│╭╮╰╯─]", " ", result.stdout + result.stderr).split())


def is_one_screen(result: Result) -> bool:
    """Whether a command failed as it should: exit status 2, a short panel, no traceback, no control characters."""
    text = result.stdout + result.stderr
    return (
        result.exit_code == 2
        and "Error" in result.stderr
        and "Traceback" not in text
        and not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text)
        and result.stderr.count("\n") < 24
    )


def stop(*args, **kwargs):
    """What Ctrl-C does."""
    raise KeyboardInterrupt


def rows(**changed: float) -> np.ndarray:
    """Time, voltage and current of a cell that does not spike, in ms, mV, pA."""
    duration = changed.get("duration", 400.0)
    t = np.arange(0.0, duration, 0.1)
    I = np.where(t >= 50.0, 40.0, 0.0)
    V = -70.0 + np.where(t >= 50.0, 8.0 * (1.0 - np.exp(-(t - 50.0) / 20.0)), 0.0)
    V += 0.1 * np.random.default_rng(1).standard_normal(len(t))
    return np.stack([t, V * changed.get("V_scale", 1.0), I * changed.get("I_scale", 1.0)], axis=-1)


def write_csv(path: Path, table: np.ndarray, header: str = "t_ms,V_mV,I_pA") -> Path:
    np.savetxt(path, table, delimiter=",", header=header, comments="", fmt="%.6g")
    return path
