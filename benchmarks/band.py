"""How wide the band around a predicted voltage must be: what bands of three kinds of errors hold of a sweep kept back.

    python benchmarks/band.py
    python benchmarks/band.py --cells 171116sh

Cells of few sweeps are drawn from real families of steps; the middle one is kept back, and a neuron with an electrode
and after-spike currents is fitted to the others, at its mode. Its 90 % band is made of the errors of those sweeps as
they were fitted, of each as the others predict it by one step of Newton, and of each as a new fit to the others
predicts it. Results go to benchmarks/results/band.json after each; interrupted, the same command continues.
"""

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import leakyflow as lf
from leakyflow.diagnostics.hold_out import kept_back, parted
from leakyflow.diagnostics.prediction.error_band import ErrorBand
from leakyflow.diagnostics.prediction.free_running import free_running
from leakyflow.diagnostics.prediction.leave_one_out import without_own_sweep
from leakyflow.files import replacing
from leakyflow.likelihood.climb_ladder import Fit, climb_ladder
from leakyflow.likelihood.draws import Draws

FOLDER = Path(__file__).parents[2] / "shared" / "recordings"
RESULTS = Path(__file__).parent / "results" / "band.json"
RUNG = "after-spike currents"
N_SWEEPS, N_CELLS = (4, 7), 6
CELLS: dict[str, tuple[str, dict[str, Any]]] = {
    "171116sh": ("steps_171116sh_0018.abf", {"start": 900, "stop": 2900}),
    "18711001": ("steps_18711001.abf", {}),
    "2019_07_24_0055_fsi": ("steps_2019_07_24_0055_fsi.abf", {"start": 900, "stop": 2900}),
}
Errors = list[np.ndarray]  # mV, of each sweep


def main() -> None:
    """Measure what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", nargs="+", default=list(CELLS), choices=list(CELLS))
    for name in parser.parse_args().cells:
        file, window = CELLS[name]
        family = lf.read_cell(FOLDER / file, dt=0.2, **window)
        for n in N_SWEEPS:
            for number, cell in enumerate(drawn(family, n)):
                key = f"{name}, {n} sweeps, {number}"
                if key in finished():
                    continue
                begun = time.perf_counter()
                row = {"cell": name, "n_sweeps": n} | measured(cell)
                keep(key, row | {"seconds": round(time.perf_counter() - begun)})
                print(key, finished()[key], flush=True)


def drawn(family: lf.Cell, n_sweeps: int) -> Iterator[lf.Cell]:
    """Cells of some sweeps of a family, in its order."""
    rng = np.random.default_rng(n_sweeps)
    for _ in range(N_CELLS):
        yield lf.Cell([family[k] for k in sorted(rng.choice(len(family), n_sweeps, replace=False))])


def measured(cell: lf.Cell) -> dict[str, Any]:
    """Share of the voltage of the sweep kept back in the band of each kind of errors, and half its width."""
    used, unseen = parted(cell, kept_back(len(cell)))
    assert unseen is not None
    fit = fitted(used)
    (own,) = errors(fit.neuron, unseen)
    kinds = {"as fitted": errors(fit.neuron, used), "one step": by_one_step(fit, used), "new fit": by_new_fits(used)}
    bands = {kind: ErrorBand.of(found).half_width for kind, found in kinds.items()}
    return {
        "sweeps": [sweep.name for sweep in cell],
        "kept_back": unseen[0].name,
        "holds": {kind: float(np.mean(np.abs(own) <= width)) for kind, width in bands.items()},
        "half_width": bands,
    }


def fitted(cell: lf.Cell) -> Fit:
    """The most probable neuron."""
    (fit,) = climb_ladder(cell, [RUNG])
    return fit


def errors(neuron: lf.Parameters, cell: lf.Cell) -> Errors:
    """Recorded less predicted voltage between spikes, running free."""
    V = free_running(neuron, cell).reshape(len(cell), -1)
    return [(sweep.V - own[: sweep.n_samples])[sweep.free] for sweep, own in zip(cell, V, strict=True)]


def by_one_step(fit: Fit, cell: lf.Cell) -> Errors:
    """Each sweep by what the others say, nearly."""
    mode = Draws(fit.prior.inferred, np.asarray(fit.prior.natural(fit.mode.centre[None])), source="exact", dt=cell.dt)
    theta = without_own_sweep(cell, mode, fit.prior)
    return errors(fit.neuron.replace(**{name: theta[..., i] for i, name in enumerate(fit.prior.inferred)}), cell)


def by_new_fits(cell: lf.Cell) -> Errors:
    """Each sweep by a fit to the others."""
    found = []
    for k in range(len(cell)):
        others, one = parted(cell, [k])
        assert one is not None
        found += errors(fitted(others).neuron, one)
    return found


def finished() -> dict[str, Any]:
    """All results so far."""
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


def keep(key: str, row: dict[str, Any]) -> None:
    """Write one beside the others."""
    with replacing(RESULTS) as scratch:
        scratch.write_text(json.dumps(finished() | {key: row}, indent=1) + "\n")


if __name__ == "__main__":
    main()
