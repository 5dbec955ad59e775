"""What a posterior of a cell, or of a recording, is worth: four questions in the order in which they matter.

Before them, whether the draws are those of the posterior. Then: are the data sound? Are the parameters those of
neurons? Does the model predict what it was not shown? And is the cell this model exactly? The last is a strict test,
which real cells hardly ever pass; it says something beside the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import pandas as pd

from leakyflow.diagnostics.conflict import Conflict, prior_conflicts
from leakyflow.diagnostics.hold_out import HoldOut, kept_back, parted
from leakyflow.diagnostics.prediction.lacks import Lack, lacks_of
from leakyflow.diagnostics.prediction.measured import Prediction, prediction_of
from leakyflow.diagnostics.spread import Spread, each_alone, spread_of
from leakyflow.diagnostics.typicality import Typicality, Verdict
from leakyflow.diagnostics.typicality_of_cells import check_cell, seen
from leakyflow.likelihood.draws import Draws
from leakyflow.models.posterior import Posterior
from leakyflow.recordings.cell import Cell, as_cell
from leakyflow.recordings.recording import Recording
from leakyflow.simulator.prior import Prior

if TYPE_CHECKING:
    from leakyflow.diagnostics.wording import Answer

__all__ = ["COVERAGE", "GOOD_EPS_V", "MOST_MISSED", "Adequacy", "adequacy_of"]

# What a good model of such cells reaches (docs/verdict.md): explained variance, spikes missed at most, and how much of
# V the 90 % band holds.
GOOD_EPS_V, MOST_MISSED, COVERAGE = 0.85, 0.25, (0.8, 0.98)


@dataclass(frozen=True, eq=False, kw_only=True)
class Adequacy:
    """A posterior, and what it is worth.

    Attributes:
        used: Sweeps that it was inferred from.
        left_out: Sweeps of the file that could not be used, by number, with the reason.
        draws: Of the exact posterior, or the network's.
        spread: How far the sweeps differ.
        findings: What the checks of the data warn of, with the number of sweeps that it is about.
        conflicts: Parameters that lie far out in their prior.
        prediction: Of sweeps kept back, and of those used.
        lacks: Patterns in the errors of prediction.
        typical: Whether it could be a simulation, in words; None where the network cannot tell, for `untold`.
        untold: Why the network cannot.
    """

    used: Cell
    left_out: Mapping[int, str] = field(default_factory=dict)
    draws: Draws
    spread: Spread
    findings: Mapping[str, int]
    conflicts: tuple[Conflict, ...]
    prediction: Prediction
    lacks: tuple[Lack, ...]
    typical: Verdict | None
    untold: str = ""

    @property
    def predicts(self) -> bool:
        """Whether it predicts voltage, spikes and its own errors as a good model of such cells does."""
        p = self.prediction
        return p.eps_V >= GOOD_EPS_V and p.spikes_missed <= MOST_MISSED and COVERAGE[0] <= p.coverage <= COVERAGE[1]

    @property
    def reliable(self) -> bool | None:
        """Whether the draws are those of the exact posterior; None where nobody checked."""
        found = None if self.draws.diagnostics is None else self.draws.diagnostics.iloc[0]["reliable"]
        return None if found is None else bool(found)

    @property
    def kind(self) -> Literal["exact", "adequate", "vague", "wrong"]:
        """In a word.

        "exact" where it predicts and is typical, with parameters of neurons and draws to rely on; "adequate" where it
        predicts but not all of this is so, or nobody can tell; "vague" where it is typical, with such parameters and
        draws, but noise leaves little to predict; else "wrong".
        """
        typical = self.typical is not None and self.typical.typical
        plausible = typical and not self.conflicts and self.reliable is not False
        if self.predicts:
            return "exact" if plausible else "adequate"
        return "vague" if plausible else "wrong"

    def answers(self) -> "tuple[Answer, ...]":
        """The verdict in words: whether the draws are right, the four questions, and what follows."""
        from leakyflow.diagnostics.wording_of_cells import answers_of

        return answers_of(self)

    def summary(self, prior: Prior, *, seed: int = 0) -> pd.DataFrame:
        """The table of its posterior: of several sweeps with the spread between them, as in `Spread.summary`.

        Args:
            prior: Of the draws.
            seed: Of what is added to widen them.
        """
        return self.spread.summary(self.draws, prior, seed=seed) if len(self.used) > 1 else self.draws.summary()

    def __str__(self) -> str:
        return "\n".join(str(answer) for answer in self.answers())


def adequacy_of(
    posterior: Posterior,
    cell: Recording | Cell,
    *,
    hold_out: HoldOut = "auto",
    draws: Draws | None = None,
    correct: bool | Literal["auto"] = "auto",
    typicality: Typicality | None = None,
    n_draws: int = 1000,
    seed: int = 0,
) -> Adequacy:
    """Infer a cell from its sweeps, but for some that are kept back, and judge the result by these.

    Args:
        posterior: Of a trained network.
        cell: A recording, or all sweeps of a cell.
        hold_out: Places of the sweeps, from 0, that are kept back; "auto" keeps back one in five, where there are at
            least four.
        draws: From the posterior of the sweeps that are not kept back, where they were drawn before.
        correct: As in `Posterior.sample`.
        typicality: Of the network, where it was loaded before.
        n_draws: Posterior draws.
        seed: Of everything random.

    Raises:
        LeakyflowError: If there is no such sweep, or the network cannot take the recording.

    Example:
        >>> import leakyflow as lf
        >>> posterior = lf.load_posterior("standard")
        >>> recording = lf.make_dataset(lf.load_config("standard"), 20, seed=7).recordings()[4]
        >>> verdict = adequacy_of(posterior, recording, n_draws=200)
        >>> verdict.typical.typical, verdict.conflicts, verdict.prediction.how
        (True, (), 'seen')
    """
    whole = as_cell(cell)
    held = kept_back(len(whole)) if hold_out == "auto" else hold_out
    used, _ = parted(whole, held)
    blocks = seen(posterior, used)
    if draws is None:
        subject = used[0] if len(used) == 1 else used
        draws = posterior.sample(subject, n_draws=n_draws, seed=seed, correct=correct, blocks=blocks)
    alone = each_alone(used, draws, posterior.prior) if len(used) > 1 else None
    prediction = prediction_of(draws, posterior.prior, whole, held, seed=seed, alone=alone)
    typical, untold = check_cell(posterior, used, typicality, blocks)
    return Adequacy(
        used=used,
        left_out=whole.left_out,
        draws=draws,
        spread=spread_of(posterior.prior, alone),
        findings=_findings(whole),
        conflicts=prior_conflicts(draws, posterior.prior),
        prediction=prediction,
        lacks=lacks_of(prediction),
        typical=typical,
        untold=untold,
    )


def _findings(cell: Cell) -> dict[str, int]:
    """What the reader warns of, each once, and of how many sweeps."""
    found = {str(finding): len(cell) for finding in cell.findings}
    for sweep in cell:
        for finding in sweep.findings:
            found[str(finding)] = found.get(str(finding), 0) + 1
    return found
