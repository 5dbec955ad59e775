"""Imports point one way, and heavy libraries stay where they belong."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import leakyflow
from tests.fresh import run_python

PACKAGE = Path(leakyflow.__file__).parent
ORDER = (
    "errors",
    "again",
    "cpu",
    "layout",
    "compilation",
    "files",
    "seeds",
    "revision",
    "schema",
    "neuron",
    "recordings",
    "simulator",
    "likelihood",
    "models",
    "training",
    "diagnostics",
    "exports",
    "batches",
    "report",
    "app",
    "cli",
)
NETWORKS = {"bayesflow", "keras", "tensorflow", "torch"}
# A method that is a door to a later part: what it calls is imported when it is called.
DOORS = {("models/posterior.py", "leakyflow.diagnostics.adequacy")}
FORBIDDEN: dict[str, set[str]] = {
    "recordings": NETWORKS | {"jax", "jaxlib"},
    "simulator": NETWORKS,
    "likelihood": NETWORKS,
}


def imported_names(path: Path) -> Iterator[str]:
    """Dotted names that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module), names=names, level=0):
                yield from (f"{module}.{alias.name}" for alias in names)
            case ast.ImportFrom():
                raise ValueError(f"{path.name}:{node.lineno}: import by the full name, from leakyflow.")
            case ast.Call(func=ast.Attribute(attr="import_module"), args=[ast.Constant(value=str(name)), *_]):
                yield name


def part_of(name: str) -> str:
    """The part of the package to which a name below `leakyflow` belongs, such as "models"."""
    first = name.split(".")[1]
    return leakyflow._HOME.get(first, first).split(".")[0]


def violations(package: Path) -> list[str]:
    """Every import that breaks a rule, as one line each."""
    found = []
    for path in sorted(package.rglob("*.py")):
        part = path.relative_to(package).with_suffix("").parts[0]
        if part == "__init__":
            continue
        if part not in ORDER:
            found.append(f"{part} has no place in ORDER: give it one")
            continue
        for name in imported_names(path):
            root = name.split(".")[0]
            if root in FORBIDDEN.get(part, set()):
                found.append(f"{part}/{path.name} imports {root}")
            if root == "bayesflow" and path.relative_to(package) != Path("models", "backend.py"):
                found.append(f"{part}/{path.name} imports bayesflow: take it from models/backend.py")
            if root == "leakyflow" and "." in name:
                target = part_of(name)
                if (path.relative_to(package).as_posix(), name.rsplit(".", 1)[0]) in DOORS:
                    continue
                if target in ORDER and ORDER.index(target) > ORDER.index(part):
                    found.append(f"{part}/{path.name} imports {target}")
            elif root == "leakyflow":
                found.append(f"{part}/{path.name} imports the whole package: name the module")
    return found


def test_imports_point_one_way():
    assert violations(PACKAGE) == []


@pytest.mark.parametrize(
    ("path", "code", "message"),
    [
        ("recordings/a.py", "import leakyflow.simulator.simulate", "recordings/a.py imports simulator"),
        ("likelihood/a.py", "def f():\n    import leakyflow.models.flow", "likelihood/a.py imports models"),
        ("simulator/a.py", "from leakyflow import Posterior", "simulator/a.py imports models"),
        ("simulator/a.py", "from leakyflow import training", "simulator/a.py imports training"),
        ("models/posterior.py", "from leakyflow.diagnostics.sets import Sets", "models/posterior.py imports diagnos"),
        ("training/a.py", "import leakyflow.diagnostics.sbc", "training/a.py imports diagnostics"),
        ("models/a.py", "importlib.import_module('leakyflow.cli')", "models/a.py imports cli"),
        ("models/a.py", "import leakyflow as lf", "models/a.py imports the whole package"),
        ("recordings/a.py", "if True:\n    import jax.numpy as jnp", "recordings/a.py imports jax"),
        ("likelihood/a.py", "from keras import ops", "likelihood/a.py imports keras"),
        ("diagnostics/a.py", "import leakyflow.report.page", "diagnostics/a.py imports report"),
        ("training/a.py", "import bayesflow as bf", "training/a.py imports bayesflow"),
        ("elsewhere.py", "", "elsewhere has no place"),
    ],
)
def test_a_wrong_import_is_seen(path, code, message, tmp_path):
    (tmp_path / path).parent.mkdir(exist_ok=True)
    (tmp_path / path).write_text(code)
    assert any(line.startswith(message) for line in violations(tmp_path)), violations(tmp_path)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("simulator/lif.py", "import jax\nfrom leakyflow.recordings.recording import Recording"),
        ("models/backend.py", "import bayesflow as bf"),
        ("cli/a.py", "from leakyflow import __version__, load_posterior"),
    ],
)
def test_a_right_import_passes(path, code, tmp_path):
    (tmp_path / path).parent.mkdir(exist_ok=True)
    (tmp_path / path).write_text(code)
    assert violations(tmp_path) == []


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("recordings.read", FORBIDDEN["recordings"]),
        ("recordings.files.saved", FORBIDDEN["recordings"]),
        ("simulator.dataset", FORBIDDEN["simulator"]),
        ("likelihood.log_likelihood", FORBIDDEN["likelihood"]),
    ],
)
def test_no_library_brings_a_forbidden_one_along(module, unwanted):
    code = f"import sys, leakyflow.{module}; print(*sorted({unwanted} & set(sys.modules)))"
    assert run_python(code).stdout.split() == []
