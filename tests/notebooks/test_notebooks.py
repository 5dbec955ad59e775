"""The notebooks run from top to bottom, call the package, define nothing, and are kept as they were executed."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
ALLOWED = {"leakyflow", "brian2", "matplotlib", "numpy", "pandas"}
ALLOWED |= {"dataclasses", "importlib", "os", "pathlib", "sys", "tempfile"}
METADATA = {"kernelspec", "language_info"}
REAL = "LEAKYFLOW_RECORDINGS"  # names the folder of real recordings to a notebook
LONGEST = 120  # seconds, of a cell
OWN = re.compile(r"/(?:tmp|home|root|Users|work)/|0x[0-9a-f]{8}")  # of one machine, or of one run


def source(notebook: NotebookNode) -> str:
    """Its code, without what is IPython's own."""
    lines = [line for cell in notebook.cells if cell.cell_type == "code" for line in cell.source.splitlines()]
    return "\n".join(line for line in lines if not line.startswith("%"))


def shown(output: NotebookNode) -> Iterator[str]:
    """What should not be seen of an output."""
    if output.output_type == "error" or output.get("name") == "stderr":
        yield "failed, or warned: mend it"
    text = output.get("text", "") + "".join(
        output.get("data", {}).get(kind, "") for kind in ("text/plain", "text/html")
    )
    if OWN.search(text):
        yield f"shows {OWN.search(text)}, which is of one machine"


def violations(notebook: NotebookNode) -> Iterator[str]:
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if [cell.execution_count for cell in cells] != list(range(1, len(cells) + 1)):
        yield "it is not as it was executed from top to bottom: python docs/_site/tutorials.py"
    for cell in cells:
        yield from (f"cell {cell.id} {wrong}" for output in cell.outputs for wrong in shown(output))
    for cell in notebook.cells:
        if cell.metadata:
            yield f"cell {cell.id} holds metadata {sorted(cell.metadata)}: remove them"
    if set(notebook.metadata) - METADATA:
        yield f"metadata {sorted(set(notebook.metadata) - METADATA)} are of one machine: remove them"
    for node in ast.walk(ast.parse(source(notebook))):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef() | ast.Lambda():
                yield f"line {node.lineno} defines something: it belongs into the package"
            case ast.Import(names=names):
                roots = [name.name.split(".")[0] for name in names]
                yield from (f"imports {root}" for root in roots if root not in ALLOWED)
            case ast.ImportFrom(module=module) if str(module).split(".")[0] not in ALLOWED:
                yield f"imports {module}"


def execute(notebook: NotebookNode, folder: Path) -> list[str]:
    """Run all cells in a folder; return what they wrote to the standard error."""
    NotebookClient(notebook, timeout=LONGEST, kernel_name="python3", resources={"metadata": {"path": folder}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return [output.text for output in outputs if output.output_type == "stream" and output.name == "stderr"]


def of(*cells: NotebookNode, **metadata: str) -> NotebookNode:
    return nbformat.v4.new_notebook(cells=list(cells), metadata=metadata)


def code(text: str, **more: object) -> NotebookNode:
    return nbformat.v4.new_code_cell(text, **more)


def test_there_are_six_in_order():
    assert [path.name[:3] for path in NOTEBOOKS] == ["01_", "02_", "03_", "04_", "05_", "06_"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_calls_the_package_and_defines_nothing(path):
    notebook = nbformat.read(path, 4)
    nbformat.validate(notebook)
    assert list(violations(notebook)) == []


@pytest.mark.parametrize(
    ("notebook", "message"),
    [
        (of(code("1 + 1")), "not as it was executed"),
        (of(code("1", execution_count=2), code("2", execution_count=1)), "not as it was executed"),
        (of(code("1", outputs=[nbformat.v4.new_output("stream", name="stderr", text="careful")])), "failed, or warned"),
        (of(code("1", outputs=[nbformat.v4.new_output("stream", text="/tmp/x/run")])), "of one machine"),
        (of(code("1", metadata={"tags": ["x"]})), "holds metadata"),
        (of(code("1"), widgets="x"), "of one machine"),
        (of(code("def f():\n    pass")), "defines something"),
        (of(code("%matplotlib inline\nclass A:\n    pass")), "line 1 defines something"),
        (of(code("f = lambda x: x")), "defines something"),
        (of(code("import scipy.stats")), "imports scipy"),
        (of(code("from keras import ops")), "imports keras"),
    ],
)
def test_a_broken_rule_is_seen(notebook, message):
    assert any(message in line for line in violations(notebook)), list(violations(notebook))


def test_a_notebook_that_fails_is_seen(tmp_path):
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        execute(of(code("1 / 0")), tmp_path)


def test_a_warning_is_seen(tmp_path):
    (written,) = execute(of(code("import warnings\nwarnings.warn('careful')")), tmp_path)
    assert "careful" in written


@pytest.mark.nightly
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_top_to_bottom_without_a_warning(path, tmp_path, monkeypatch, request):
    notebook = nbformat.read(path, 4)
    if REAL in source(notebook):
        monkeypatch.setenv(REAL, str(request.getfixturevalue("real_recordings")))
    assert execute(notebook, tmp_path) == []
