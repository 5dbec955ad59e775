"""What is on the page, as files. It runs in the worker."""

import io
import pickle
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from leakyflow.app.inference import Progress, network
from leakyflow.app.result import Result
from leakyflow.errors import LeakyflowError

if TYPE_CHECKING:
    from leakyflow.diagnostics.adequacy import Adequacy
    from leakyflow.models.posterior import Posterior

__all__ = ["KINDS", "SIMULATORS", "Export", "exported"]

KINDS = {
    "nc": "Draws (NetCDF, ArviZ)",
    "csv": "Draws (CSV)",
    "png": "Figure (PNG)",
    "svg": "Figure (SVG)",
    "pairs": "Pair plot (PNG)",
    "html": "Report (HTML)",
}
SIMULATORS = {"nest": "NEST", "brian2": "Brian2", "neuroml": "NeuroML", "allen": "Allen JSON", "pynn": "PyNN"}


class Export(NamedTuple):
    """A file to download."""

    name: str
    content: bytes
    notes: tuple[str, ...] = ()


def exported(progress: Progress, result: Result, kind: str, without: Sequence[str] = ()) -> Export:
    """Write one file.

    Args:
        progress: Is told what is written.
        result: Of `infer`.
        kind: One of `KINDS`, or of `SIMULATORS`, which give an archive.
        without: Parts of the neuron that a simulator may leave out.

    Raises:
        LeakyflowError: If there is no such kind, or the simulator cannot express the neuron.
    """
    if kind not in KINDS | SIMULATORS:
        raise LeakyflowError(f"`kind` must be one of {', '.join(KINDS | SIMULATORS)}, got {kind!r}.", argument="kind")
    progress(f"Writing {(KINDS | SIMULATORS)[kind]}", 0.5)
    found: Adequacy = pickle.loads(result.whole)
    numbers = result.choice.numbers
    stem = Path(result.file).stem + ("" if numbers is None else f"_sweep{numbers[0]}")
    with tempfile.TemporaryDirectory() as folder:
        if kind in SIMULATORS:
            return _for_simulator(Path(folder), found, kind, stem, without)
        path = Path(folder, f"{stem}_pairs.png" if kind == "pairs" else f"{stem}.{kind}")
        _write(path, found, kind, result)
        return Export(path.name, path.read_bytes())


def _write(path: Path, found: "Adequacy", kind: str, result: Result) -> None:
    if kind == "nc":
        from leakyflow.likelihood.write_draws import write_draws

        names = ", ".join(sweep.name for sweep in found.used)
        about = {"recording": found.used.name, "sweeps": names, "seed": result.choice.seed, "file": result.file}
        write_draws(found.draws, path, **about)
    elif kind == "csv":
        found.draws.to_dataframe().to_csv(path)
    elif kind == "html":
        _report(path, found, result)
    else:
        _figure(path, found, kind, network(result.choice.network))


def _figure(path: Path, found: "Adequacy", kind: str, posterior: "Posterior") -> None:
    from leakyflow.diagnostics.plots.cells import plot_cell
    from leakyflow.diagnostics.plots.posteriors import plot_pairs
    from leakyflow.diagnostics.plots.style import save_figure

    if kind == "pairs":
        figure = plot_pairs(found.draws, posterior.prior)
    else:
        figure = plot_cell(found.prediction, found.draws, posterior.prior, found.spread)
    save_figure(figure, path)


def _report(path: Path, found: "Adequacy", result: Result) -> None:
    from leakyflow.report.cell import cell_page

    choice = result.choice
    posterior = network(choice.network)
    page = cell_page(found, posterior, seed=choice.seed, command=choice.command(result.file))
    page.write_html(path)


def _for_simulator(folder: Path, found: "Adequacy", target: str, stem: str, without: Sequence[str]) -> Export:
    from leakyflow.exports.export import export

    written = export(found.draws, target, out=folder / f"{stem}.json", without=without)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in written.files:
            archive.write(path, path.name)
    notes = tuple(f"Without {name}: {why}." for name, why in written.left_out.items()) + tuple(written.notes)
    return Export(f"{stem}_{target}.zip", packed.getvalue(), notes)
