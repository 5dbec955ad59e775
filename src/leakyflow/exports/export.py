"""Write neurons for another simulator."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leakyflow import __version__
from leakyflow.errors import LeakyflowError
from leakyflow.exports.population import Population
from leakyflow.exports.target import Target, expressed
from leakyflow.exports.targets import TARGETS
from leakyflow.files import replacing
from leakyflow.likelihood.draws import Draws
from leakyflow.neuron.parameters import MEANINGS, UNITS, Parameters

__all__ = ["Exported", "export"]

FORMAT = "leakyflow neurons"
VERSION = 1  # of the layout


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        files: The data, and what runs or describes the neurons.
        left_out: Parameters of the neurons that are not in the export, each with the reason.
        notes: What one must know to use it.
    """

    files: tuple[Path, ...]
    left_out: Mapping[str, str]
    notes: tuple[str, ...]


def export(
    draws: Draws | Parameters,
    target: str,
    *,
    out: str | Path,
    n: int | None = None,
    seed: int = 0,
    without: Sequence[str] = (),
    dt: float | None = None,
) -> Exported:
    """Write inferred neurons for another simulator: data (JSON), and a script that runs.

    Args:
        draws: From the posterior of one recording, with what was not inferred (`Posterior.sample` gives it); or neurons
            that are known.
        target: "nest", "brian2", "neuroml", "allen" or "pynn".
        out: The JSON file; others are written beside it, with its name and the target's.
        n: How many draws to take, at random and each once, as a heterogeneous population; None takes one neuron, the
            posterior mean.
        seed: Of that choice.
        without: Parts of the neuron, by the parameter that switches each on, that may be left out where the target
            cannot express them ("threshold_noise"). This changes the neuron; the file says so.
        dt: Step in ms; None takes the sampling interval that the draws were inferred at.

    Returns:
        The files, and what is not in them. What belongs to the electrode (`measurement_noise`, `R_s`) never is.

    Raises:
        LeakyflowError: If there is no such target, it cannot express a part of the neurons, the draws are of several
            recordings, or of no known dt.

    Example:
        >>> import leakyflow as lf
        >>> neuron = lf.Parameters(tau=17.0, V_rest=-72.0, C=90.0, V_th=-45.0, V_reset=-60.0, t_ref=3.0, R_s=0.01)
        >>> exported = export(neuron, "nest", out="neuron.json", dt=0.2)
        >>> [path.name for path in exported.files], dict(exported.left_out)
        (['neuron.json', 'neuron_nest.py'], {'R_s': 'belongs to the electrode, not to the neuron'})
        >>> export(neuron.replace(threshold_noise=1.5), "nest", out="neuron.json", dt=0.2)
        Traceback (most recent call last):
        leakyflow.errors.LeakyflowError: NEST cannot express threshold_noise (its neurons have a hard threshold, ...
    """
    if target not in TARGETS:
        raise LeakyflowError(f"`target` must be one of {', '.join(TARGETS)}, got {target!r}.", argument="target")
    out, chosen = Path(out), TARGETS[target]
    if out.suffix.lower() != ".json":
        raise LeakyflowError(f"`out` must be a JSON file, such as neuron.json, got {out.name!r}.", argument="out")
    whole = Population.of(draws, n=n, seed=seed, dt=dt)
    population, left_out = expressed(chosen, whole, without)
    texts = {out.name: _data(chosen, population, whole, left_out)} | chosen.files(population, out.stem)
    out.parent.mkdir(parents=True, exist_ok=True)
    files = tuple(_written(out.with_name(name), text) for name, text in texts.items())
    return Exported(files, left_out, tuple(chosen.notes))


def _written(path: Path, text: str) -> Path:
    with replacing(path) as scratch:
        scratch.write_text(text, encoding="utf-8")
    return path


def _data(target: Target, population: Population, whole: Population, left_out: Mapping[str, str]) -> str:
    """The JSON file: what the neurons are, in leakyflow's names and in the target's, and where they come from."""
    p = whole.parameters
    content = {
        "format": FORMAT,
        "version": VERSION,
        "leakyflow": __version__,
        "target": target.name,
        "n": len(population),
        "dt": {"value": population.dt, "unit": "ms"},
        "parameters": {name: _column(p, name) for name in population.parameters},
        "left_out": {name: _column(p, name) | {"why": why} for name, why in left_out.items()},
        "provenance": population.provenance,
        "notes": list(target.notes),
        "native": target.native(population),
    }
    return json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def _column(p: Parameters, name: str) -> dict[str, Any]:
    return {"unit": UNITS[name], "meaning": MEANINGS[name], "values": p[name].tolist()}
