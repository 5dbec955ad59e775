"""Cells made ready for their likelihood, once, by whichever way is exact and fast."""

from collections.abc import Sequence

from leakyflow.errors import LeakyflowError
from leakyflow.likelihood.regression import Regression, regression_is_exact
from leakyflow.likelihood.scanned import Scanned
from leakyflow.likelihood.target import Target
from leakyflow.neuron.parameters import TABLE
from leakyflow.recordings.batch import Batch
from leakyflow.recordings.cell import Cell
from leakyflow.recordings.recording import Recording
from leakyflow.simulator.prior import Prior

__all__ = ["has_exact_likelihood", "has_likelihood", "prepare"]

NOISES = ("membrane_noise", "current_noise", "measurement_noise")


def has_likelihood(prior: Prior) -> bool:
    """Whether recordings have a density: some noise is on."""
    return any(name in prior.root for name in NOISES)


def has_exact_likelihood(prior: Prior) -> bool:
    """Whether that density takes noises for what they are, not for what the rest of a recording shows of them."""
    return has_likelihood(prior) and not any(TABLE[name].reader == "rest" for name in prior.read_off)


def prepare(cells: Recording | Cell | Batch | Sequence[Recording | Cell], prior: Prior) -> Target:
    """The exact posteriors of cells.

    Args:
        cells: One or many; a recording is a cell of one sweep.
        prior: With some noise.

    Raises:
        LeakyflowError: If there is no noise, or there are no recordings.
    """
    if isinstance(cells, Sequence | Batch) and not len(cells):
        raise LeakyflowError("At least one recording is needed, got none.")
    if not has_likelihood(prior):
        raise LeakyflowError(
            f"The likelihood needs some noise, got a prior with none of {', '.join(NOISES)}. Give one of them."
        )
    batch = Batch.of(cells)
    return Regression.of(batch, prior) if regression_is_exact(prior) else Scanned.of(batch, prior)
