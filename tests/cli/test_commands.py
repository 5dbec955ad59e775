"""All commands: help and examples."""

import re
import shlex

import pytest
import typer.main

from leakyflow import __version__, cli
from leakyflow.cli.commands import NEED_OPTIONAL
from tests.cli.terminal import leakyflow_
from tests.fresh import run_python

COMMANDS = typer.main.get_command(cli.app).commands  # type: ignore[attr-defined]


def examples_of(epilog: str | None) -> list[str]:
    return re.findall(r"leakyflow ([^\[]+)\[", epilog or "")


EXAMPLES = [example for command in COMMANDS.values() for example in examples_of(command.epilog)]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_examples_in_its_help(name):
    assert any(example.startswith(name) for example in examples_of(COMMANDS[name].epilog))
    assert "Examples" in leakyflow_(name, "--help").stdout


@pytest.mark.parametrize("example", [*EXAMPLES, *examples_of(typer.main.get_command(cli.app).epilog)])
def test_every_example_is_understood(example):
    # Help comes after the options are parsed: an unknown one would end with status 2.
    assert leakyflow_(*shlex.split(example), "--help").exit_code == 0
    assert len(f" leakyflow {example}") <= 80


def test_an_example_with_a_typo_would_be_seen():
    assert leakyflow_("infer", "cell.abf", "--swep", "3", "--help").exit_code == 2


HELP = """
import sys
sys.argv = ["leakyflow", "--help"]
from leakyflow.cli import main
try:
    main()
except SystemExit:
    heavy = {"jax", "keras", "bayesflow", "numpy", "matplotlib"}
    print("loaded", *sorted(heavy & set(sys.modules)))
"""


def test_help_loads_nothing_that_takes_time():
    assert run_python(HELP).stdout.splitlines()[-1].split() == ["loaded"]


def test_version_is_shown():
    assert leakyflow_("--version").stdout.strip() == __version__


def test_no_command_shows_help():
    assert "Examples" in leakyflow_().stdout + leakyflow_().stderr


@pytest.mark.parametrize(("command", "found"), [("infer", False), ("batch", True)])
def test_what_only_some_commands_need_is_absent_from_the_others(command, found):
    code = f"""
import importlib.util, sys
from leakyflow.cli.commands import spare
spare(["{command}", "cell.abf"])
print(importlib.util.find_spec("bokeh") is not None, importlib.util.find_spec("dask") is not None)
"""
    assert run_python(code).stdout.split() == [str(found)] * 2


def test_what_a_library_has_found_is_not_hidden_from_it():
    code = """
import sys, numpy, xarray
from leakyflow.cli.commands import spare
spare(["infer", "cell.abf"])
print(xarray.DataArray(numpy.arange(3)).sum().item(), "dask" in sys.modules and sys.modules["dask"] is None)
"""
    assert run_python(code).stdout.split() == ["3", "False"]


def test_a_network_is_loaded_without_another_backend():
    """Keras imports TensorFlow, for two seconds, where a layer's configuration is asked for."""
    code = """
import sys, leakyflow as lf
lf.load_posterior('lif')
print(*({'tensorflow', 'torch', 'blackjax'} & set(sys.modules)))
"""
    assert run_python(code, KERAS_BACKEND="jax").stdout.split() == []


def test_what_is_hidden_from_most_commands_is_there_for_those_that_need_it():
    assert set(NEED_OPTIONAL) <= set(COMMANDS)
