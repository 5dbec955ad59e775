"""Executes the notebooks, and keeps what they show in them: the site renders that, and executes nothing.

LEAKYFLOW_RECORDINGS=FOLDER python docs/_site/tutorials.py [notebooks/01_*.ipynb ...]
"""

import base64
import io
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from PIL import Image

FOLDER = Path(__file__).parents[2] / "notebooks"
LONGEST = 1200  # seconds, of a cell
COLORS = 128  # of a figure: what it loses cannot be seen


def execute(path: Path) -> None:
    """Run all cells in a folder that goes away, and write the notebook with what they gave."""
    notebook = nbformat.read(path, 4)
    metadata = notebook.metadata
    with tempfile.TemporaryDirectory() as place:
        resources = {"metadata": {"path": place}}
        NotebookClient(
            notebook, timeout=LONGEST, kernel_name="python3", resources=resources, record_timing=False
        ).execute()
    notebook.metadata = metadata
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            _tidy(output)
    nbformat.write(notebook, path)


def _tidy(output: NotebookNode) -> None:
    """A figure of fewer colours, without what is said of its size."""
    output.pop("metadata", None) if output.output_type == "stream" else output.update(metadata={})
    picture = output.get("data", {}).get("image/png")
    if picture is not None:
        small = io.BytesIO()
        image = (
            Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB").quantize(COLORS, dither=Image.Dither.NONE)
        )
        image.save(small, "png", optimize=True)
        output.data["image/png"] = base64.b64encode(small.getvalue()).decode()


if __name__ == "__main__":
    for name in sys.argv[1:] or sorted(FOLDER.glob("*.ipynb")):
        execute(Path(name))
        print(name, flush=True)
