"""What a user meets first: a quiet import, names that resolve, help at once."""

import importlib
import inspect
import pkgutil
from typing import get_args, get_type_hints

import pytest

import leakyflow
from leakyflow.simulator.distributions import AbstractDistribution
from tests.fresh import run_python

HEAVY = {"bayesflow", "keras", "jax", "jaxlib", "torch", "tensorflow"}
LOADED = f"print(*sorted({HEAVY} & set(sys.modules)))"


def test_import_prints_nothing():
    result = run_python("import leakyflow")
    assert (result.stdout, result.stderr) == ("", "")


def test_import_loads_no_network_library():
    assert run_python(f"import sys, leakyflow; {LOADED}").stdout.split() == []


def test_a_loaded_network_library_is_seen():
    assert "jax" in run_python(f"import sys, leakyflow, jax; {LOADED}").stdout.split()


LOGGING_CHANGES = """
import logging, leakyflow
def state():
    loggers = logging.getLogger(), logging.getLogger("bayesflow")
    return [(logger.handlers[:], logger.level, logger.propagate) for logger in loggers]
before = state()
{}
print(state() != before)
"""


def test_the_whole_public_interface_leaves_logging_alone():
    code = LOGGING_CHANGES.format("for name in leakyflow.__all__: getattr(leakyflow, name)")
    assert run_python(code).stdout.split() == ["False"]


def test_bayesflow_by_itself_would_not_leave_logging_alone():
    code = LOGGING_CHANGES.format("import bayesflow")
    assert run_python(code).stdout.split() == ["True"]


@pytest.mark.parametrize("name", leakyflow.__all__)
def test_every_public_name_resolves(name):
    assert getattr(leakyflow, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="simulat_"):
        _ = leakyflow.simulat_


BACKEND = "import leakyflow, keras; print(keras.backend.backend())"


@pytest.mark.parametrize("given", [None, ""])
def test_jax_is_the_default_backend_even_where_another_is_installed(given, tmp_path):
    # A package that a finder takes for PyTorch, and that fails when it is imported.
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise ImportError('PyTorch was imported')\n")
    code = f"""
import importlib.util, sys
sys.path.insert(0, {str(tmp_path)!r})
assert importlib.util.find_spec("torch").origin.startswith({str(tmp_path)!r})
{BACKEND}
"""
    assert run_python(code, KERAS_BACKEND=given).stdout.split() == ["jax"]


def test_the_environment_overrides_the_backend():
    assert run_python(BACKEND, KERAS_BACKEND="numpy").stdout.split() == ["numpy"]


COMMAND = """
import sys
from importlib.machinery import PathFinder
find = PathFinder.find_spec
PathFinder.find_spec = lambda name, *where: None if name == "torch" else find(name, *where)  # as if not installed
sys.argv = ["leakyflow", {command!r}, {argument!r}, "--out", {out!r}]
from leakyflow.cli import main
try:
    main()
except SystemExit as end:
    print(end.code)
"""


@pytest.mark.parametrize(
    ("command", "argument", "backend", "cure"),
    [
        ("infer", "cell.csv", "torch", "pip install 'leakyflow[torch]', or unset KERAS_BACKEND to use JAX"),
        ("train", "--config=quick", "torch", "pip install 'leakyflow[torch]', or unset KERAS_BACKEND to use JAX"),
        ("infer", "cell.csv", "pytorch", "got 'pytorch', which is none. Set it to one of them"),
        ("train", "--config=quick", "numpy", "got 'numpy', which is none. Set it to one of them"),
    ],
)
def test_a_backend_that_cannot_be_had_is_an_error_of_one_screen(command, argument, backend, cure, tmp_path):
    code = COMMAND.format(command=command, argument=argument, out=str(tmp_path / "run"))
    result = run_python(code, KERAS_BACKEND=backend, COLUMNS="80", LEAKYFLOW_TRACEBACK=None)
    said = " ".join(result.stderr.replace("│", " ").split())
    assert result.stdout.split() == ["2"]
    assert cure in said
    assert "must name a backend (jax, torch, tensorflow)" in said
    assert "Traceback" not in said
    assert result.stderr.count("\n") < 8
    assert not (tmp_path / "run").exists()


HELP = """
import sys
sys.argv = ["leakyflow", "--help"]
from leakyflow.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
"""


def test_help_loads_no_network_library():
    text, _, loaded = run_python(f"{HELP}\n{LOADED}").stdout.removesuffix("\n").rpartition("\n")
    assert "Usage" in text
    assert loaded.split() == []


TYPES = {
    "recordings": ("Recording", "Cell", "Batch", "Finding", "Sweep"),
    "neurons and their priors": ("Parameters", "Prior", "Normal", "LogNormal", "Uniform", "TruncatedNormal", "ReadOff"),
    "stimuli and their priors": (
        "Stimulus",
        "SquarePrior",
        "SinusoidPrior",
        "RampPrior",
        "ChirpPrior",
        "OrnsteinUhlenbeckPrior",
        "ModulatedNoisePrior",
        "ArrayPrior",
        "Protocol",
    ),
    "settings": ("Config", "SimulatorConfig", "NetworkConfig", "SummaryConfig", "FlowConfig", "TrainingConfig"),
    "simulations": ("Dataset", "PriorPredictive", "Summaries"),
    "inference": ("Posterior", "Draws", "Run"),
    "what to believe": (
        "Typicality",
        "Verdict",
        "Projection",
        "Predictive",
        "PredictiveCheck",
        "Diagnosis",
        "Ranks",
        "Recovery",
        "Contraction",
        "Conditions",
        "Convergence",
        "Adequacy",
        "Prediction",
        "Spread",
    ),
    "other simulators": ("Exported",),
    "pages": ("Page",),
    "errors": ("LeakyflowError",),
}
# Contracts and bases, which a user meets in none but a signature.
BASES = {"HasSimulator", "AbstractDistribution", "AbstractStimulusPrior"}


def test_the_types_that_a_user_needs_are_public_and_no_others():
    listed = {name for names in TYPES.values() for name in names}
    assert {name for name in leakyflow.__all__ if inspect.isclass(getattr(leakyflow, name))} == listed


def own_types(hint: object) -> set[type]:
    """Classes of this package in a type hint, wherever in it."""
    found = set().union(*(own_types(part) for part in get_args(hint)))
    return found | ({hint} if inspect.isclass(hint) and hint.__module__.startswith("leakyflow.") else set())


FUNCTIONS = [name for name in leakyflow.__all__ if inspect.isfunction(getattr(leakyflow, name))]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_whatever_a_public_function_takes_or_gives_is_public(name):
    hints = get_type_hints(getattr(leakyflow, name))
    types = {found.__name__ for hint in hints.values() for found in own_types(hint)}
    assert types <= {*leakyflow.__all__, *BASES}


def test_a_type_that_is_not_public_would_be_seen():
    assert {found.__name__ for found in own_types(dict[str, AbstractDistribution | None])} == {"AbstractDistribution"}


def test_figures_are_public():
    plots = importlib.import_module("leakyflow.diagnostics.plots")
    modules = [
        importlib.import_module(f"{plots.__name__}.{found.name}") for found in pkgutil.iter_modules(plots.__path__)
    ]
    drawn = {name for module in modules for name in module.__all__ if name.startswith("plot_")}
    assert drawn
    assert drawn <= set(leakyflow.__all__)
