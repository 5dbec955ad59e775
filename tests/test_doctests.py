"""Every example in a docstring runs, and prints what it says; every public function has one."""

import ast
import doctest
import importlib
import inspect
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
import pytest

import leakyflow as lf

PACKAGE = Path(lf.__file__).parent
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def documented(path: Path) -> Iterator[tuple[str, str, int]]:
    """Name, docstring and line of everything in a module that has examples, decorated or not."""
    module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")

    def visit(node: ast.AST, name: str) -> Iterator[tuple[str, str, int]]:
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            text = ast.get_docstring(node, clean=True) or ""
            if ">>>" in text:
                yield name, text, getattr(node, "lineno", 1)
            for child in node.body:
                if isinstance(child, ast.ClassDef | ast.FunctionDef):
                    yield from visit(child, f"{name}.{child.name}")

    return visit(ast.parse(path.read_text()), module)


# From the source: doctest's own finder, and that of pytest, pass over what a decorator or jaxtyping has wrapped.
EXAMPLES = {name: (path, text, line) for path in sorted(PACKAGE.rglob("*.py")) for name, text, line in documented(path)}


@pytest.fixture
def reader(monkeypatch, tmp_path):
    """One who tries the examples in an empty folder; a network that was loaded once is loaded."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(vars(lf), "load_posterior", loaded)
    monkeypatch.setattr("leakyflow.diagnostics.typicality.N_SIMULATIONS", 800)
    monkeypatch.setattr("leakyflow.training.run.load_posterior", loaded)
    with np.printoptions(legacy=False), matplotlib.rc_context():
        yield


@cache
def loaded(source: str) -> lf.Posterior:
    return ORIGINAL(source)


ORIGINAL = lf.load_posterior


def run(name: str, text: str, globs: dict, path: Path, line: int) -> tuple[doctest.TestResults, str]:
    test = doctest.DocTestParser().get_doctest(text, globs, name, str(path), line)
    said: list[str] = []
    return doctest.DocTestRunner(optionflags=FLAGS).run(test, out=said.append), "".join(said)


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_prints_what_it_says(name):
    path, text, line = EXAMPLES[name]
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    globs = dict(vars(importlib.import_module(".".join(parts).removesuffix(".__init__"))))
    results, said = run(name, text, globs, path, line)
    assert results.attempted > 0
    assert results.failed == 0, said


def test_a_wrong_example_would_be_seen():
    results, said = run("wrong", ">>> 1 + 1\n3\n", {}, Path("a.py"), 1)
    assert results.failed == 1
    assert "Got:\n    2" in said


@pytest.mark.parametrize("name", [name for name in lf.__all__ if inspect.isfunction(getattr(lf, name))])
def test_every_public_function_has_an_example(name):
    assert ">>>" in (inspect.getdoc(getattr(lf, name)) or "")


def test_examples_behind_decorators_are_found_too():
    assert "leakyflow.diagnostics.wording.percent" in EXAMPLES
    assert "leakyflow.recordings.cell.Cell" in EXAMPLES
