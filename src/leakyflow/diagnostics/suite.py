"""All checks of a trained network, one after the other: numbers first, figures from them, verdicts last."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from typing_extensions import TypedDict

from leakyflow.diagnostics import parts
from leakyflow.diagnostics.subject import Subject
from leakyflow.diagnostics.verdicts import Check
from leakyflow.files import replacing
from leakyflow.likelihood.prepare import has_likelihood
from leakyflow.revision import revisions
from leakyflow.schema import load_json
from leakyflow.training.run import NETWORK

__all__ = ["CHECKS", "DIAGNOSTICS", "Kept", "Suite", "read_checks"]

DIAGNOSTICS = "diagnostics"  # within a run's folder
CHECKS = "checks.json"  # within that
LARGEST_CHECKS = 2**22  # bytes


class Kept(TypedDict):
    """What is kept of the verdicts."""

    fingerprint: str  # of the network, the formulas, and what it was tested on
    n: int
    seed: int
    parts: dict[str, list[Check]]


class Part(NamedTuple):
    """One diagnostic."""

    name: str
    title: str
    work: Callable[[Subject], list[Check]]
    held_out: bool = True  # whether it takes all held-out simulations
    of_cells: bool = True  # whether it can be asked of cells of many sweeps


PARTS = (
    Part("convergence", "Convergence of training", parts.convergence, held_out=False),
    Part("amortized", "Calibration and recovery of the network's own draws", partial(parts.held_out, correct=False)),
    Part("corrected", "Calibration and recovery of corrected draws", partial(parts.held_out, correct=True)),
    Part("predictive", "Posterior predictive checks", parts.predictive, held_out=False, of_cells=False),
    Part("typicality", "False alarms of the verdict on typicality", parts.typicality, of_cells=False),
    Part("contraction", "Contraction with more data", parts.contraction, held_out=False, of_cells=False),
    Part("sensitivity", "Sensitivity to stimuli, dt and the prior", parts.sensitivity, held_out=False),
)


@dataclass(frozen=True, eq=False)
class Suite(Subject):
    """The checks of the network in a run's folder.

    Each part writes its numbers (CSV), its figures (PNG and SVG) and its verdicts when it is done; started again with
    the same network, seed and number of recordings, finished parts are not done again.

    Attributes:
        only: Names of the parts to do; all where it is empty. The others are those of `Subject`.
    """

    only: tuple[str, ...] = ()

    @property
    def parts(self) -> list[Part]:
        """What is to be done, cheapest first."""
        simulator = self.config.simulator
        found = [part for part in PARTS if part.name != "corrected" or has_likelihood(simulator.prior)]
        found = [part for part in found if part.of_cells or not simulator.protocols]
        return [part for part in found if not self.only or part.name in self.only]

    def finished(self) -> dict[str, list[Check]]:
        """Verdicts of the parts that were done for this very network, by today's formulas."""
        kept = read_checks(self.out)
        return kept["parts"] if kept and kept["fingerprint"] == self._fingerprint else {}

    def remaining(self) -> Iterator[tuple[Part, Callable[[], list[Check]]]]:
        """Go through the parts that are not done; calling the second of a pair does one and keeps its verdicts."""
        for part in self.parts:
            if part.name not in self.finished():
                yield part, partial(self._do, part)

    def _do(self, part: Part) -> list[Check]:
        self.out.mkdir(parents=True, exist_ok=True)
        found = part.work(self)
        with replacing(self.out / CHECKS) as path:
            parts = {**self.finished(), part.name: found}
            kept = {"fingerprint": self._fingerprint, "n": self.n, "seed": self.seed, "parts": parts}
            path.write_text(json.dumps(kept, indent=1) + "\n")
        return found

    @cached_property
    def _fingerprint(self) -> str:
        """Of the weights, the settings, what they are tested on, and the formulas of it all."""
        given = json.dumps([self.config.hash, self.n, self.seed, revisions("diagnostics")]).encode()
        return sha256((self.run / NETWORK).read_bytes() + given).hexdigest()[:16]


def read_checks(out: Path) -> Kept | None:
    """The verdicts in a folder; None where there are none.

    Raises:
        ValueError: If the file holds something else.
    """
    path = out / CHECKS
    if not path.is_file():
        return None
    return load_json(path, Kept, most=LARGEST_CHECKS, cure="Delete it, and run `leakyflow diagnose` again.")
