"""What goes wrong ends on one screen."""

from pathlib import Path

import numpy as np
import pytest
import typer.main

from leakyflow import cli
from leakyflow.cli.errors import options_at_fault
from leakyflow.cli.options import again
from leakyflow.errors import LeakyflowError
from tests.cli.terminal import leakyflow_, said


def test_a_mistake_of_a_library_says_where_to_look(cell, monkeypatch):
    monkeypatch.setattr("leakyflow.recordings.sweeps.list_sweeps", lambda *a, **k: np.genfromtxt(["1", "1 2"]))
    result = leakyflow_("sweeps", cell)
    assert "LEAKYFLOW_TRACEBACK=1" in said(result)


def test_traceback_is_shown_where_asked_for(monkeypatch):
    monkeypatch.setenv("LEAKYFLOW_TRACEBACK", "1")
    result = leakyflow_("sweeps", "nowhere.abf")
    assert isinstance(result.exception, FileNotFoundError)


def test_a_bug_is_not_hidden(cell, monkeypatch):
    monkeypatch.setattr("leakyflow.recordings.sweeps.list_sweeps", lambda *a, **k: None)
    assert isinstance(leakyflow_("sweeps", cell).exception, TypeError)


INFER = typer.main.get_command(cli.app).commands["infer"].params  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("sweep", "On the command line, set `sweep` by --sweep."),
        ("t_ref", "On the command line, set `t_ref` by --t-ref."),
        (("start", "stop"), "On the command line, set `start` by --start and `stop` by --stop."),
        (("dt", "t_ref"), "On the command line, set `t_ref` by --t-ref."),
        ("dt", ""),  # no option sets it
        (None, ""),
    ],
)
def test_an_error_names_the_options_of_the_arguments_at_fault(argument, expected):
    assert options_at_fault(LeakyflowError("`sweep` must be 0, got stop=2.", argument=argument), INFER) == expected


def test_options_are_those_of_the_command_that_runs():
    presets = typer.main.get_command(cli.app).commands["presets"].params  # type: ignore[attr-defined]
    assert options_at_fault(LeakyflowError("No.", argument="sweep"), presets) == ""


def test_how_to_continue_is_quoted_for_the_shell():
    assert again("train", resume=True, out=Path("my runs/a;b")) == "leakyflow train --resume --out 'my runs/a;b'"
    assert again("diagnose", "lif", n=100, seed=0, out=None) == "leakyflow diagnose lif --n 100 --seed 0"
