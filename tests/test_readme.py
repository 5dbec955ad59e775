"""The code of the README runs as it stands."""

import re
import shlex
import shutil
from pathlib import Path

import pytest

import leakyflow as lf
from tests.cli.terminal import leakyflow_, said

README = (Path(__file__).parents[1] / "README.md").read_text()
CELL = "steps_171116sh_0018.abf"  # with a sweep 3 that rests at 900 ms


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    lines = [part for block in blocks("bash") for line in block.splitlines() for part in line.split(" && ")]
    return [line for line in lines if line.startswith("leakyflow ")]


def paragraphs() -> list[str]:
    """Of Python; a later one may use what an earlier one made."""
    return [part for block in blocks("python") for part in block.split("\n\n") if "import leakyflow" not in part]


@pytest.fixture
def reader(real_recordings, tmp_path, monkeypatch):
    """One who has a file of this name."""
    shutil.copy(real_recordings / CELL, tmp_path / "cell.abf")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")


def test_the_readme_has_code():
    assert "leakyflow infer cell.abf" in [line.partition("  #")[0] for line in commands()]
    assert len(paragraphs()) >= 2


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize(
    "command",
    # To train, or to infer a cell from all sweeps of a file, takes a minute where two tests run side by side.
    [pytest.param(line, marks=pytest.mark.slow if {"run", "infer"} & set(line.split()) else ()) for line in commands()],
)
def test_a_command_of_the_readme_ends_well(command):
    result = leakyflow_(*shlex.split(command, comments=True)[1:])
    assert result.exit_code in (0, 1), said(result)


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize(
    "text",
    [
        pytest.param(text, id=text.splitlines()[0][:30], marks=pytest.mark.slow if "lf.train(" in text else ())
        for text in paragraphs()
    ],
)
def test_python_of_the_readme_runs(text):
    names = {"lf": lf}
    exec(compile(text, "README.md", "exec"), names)
    assert len(names) > 2


@pytest.mark.usefixtures("reader")
def test_a_wrong_command_would_be_seen():
    assert leakyflow_("infer", "cell.abf", "--swep", "3").exit_code == 2
