"""What simulations that a network was not trained on say about it."""

from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool

from leakyflow.diagnostics.calibration import Quantity, Ranks, calibration_table, sbc_ranks, strata
from leakyflow.diagnostics.recovery import Recovery, measure_recovery
from leakyflow.errors import LeakyflowError
from leakyflow.likelihood.draws import Draws
from leakyflow.likelihood.prepare import has_likelihood, prepare
from leakyflow.models.posterior import Posterior
from leakyflow.neuron.parameters import Parameters
from leakyflow.recordings.batch import Batch
from leakyflow.simulator.dataset import Dataset

__all__ = ["Diagnosis", "diagnose"]

# Recordings whose likelihood is evaluated together; cells of many sweeps go by one.
BLOCK = 250


class Diagnosis(NamedTuple):
    """Recovery and calibration on the same held-out simulations."""

    draws: Draws
    recovery: Recovery
    ranks: Ranks  # of the parameters, and of the log likelihood where it is known
    strata: dict[str, Bool[np.ndarray, " dataset"]]

    def calibration(self) -> pd.DataFrame:
        """One row per stratum and ranked quantity: see `calibration_table`."""
        return calibration_table(self.ranks, self.strata)


def diagnose(
    posterior: Posterior,
    dataset: Dataset,
    *,
    n_draws: int = 500,
    seed: int = 0,
    correct: bool | Literal["auto"] = False,
    progress: bool = False,
) -> Diagnosis:
    """Test a posterior on simulations that it was not trained on.

    Args:
        posterior: Of a trained network.
        dataset: From the same simulator settings, under another seed than the training set.
        n_draws: Draws per recording.
        seed: Of the draws.
        correct: As for `Posterior.sample`. The log density is the network's, whichever draws are tested.
        progress: Show a bar on the terminal.

    Raises:
        ValueError: If the dataset was drawn from another prior, or a recording does not suit the network.

    Example:
        >>> import leakyflow as lf
        >>> posterior, config = lf.load_posterior("standard"), lf.load_config("standard")
        >>> dataset = lf.make_dataset(config, 20, seed=7)
        >>> found = diagnose(posterior, dataset, n_draws=50, seed=0)
        >>> found.ranks.names
        ('tau', 'V_rest', 'C', 'V_th', 'log_likelihood')
        >>> bool((found.recovery.rmse < found.recovery.prior_sd).all())
        True
    """
    if dataset.config.prior != posterior.prior:
        raise LeakyflowError(
            "Held-out simulations must be drawn from the prior that the network was trained under, and were "
            "drawn from another. Make them with make_dataset and the configuration of the run."
        )
    recordings, truth = dataset.recordings(), dataset.parameters()
    # Of cells the features, a search for each mode, take longer than the draws.
    blocks = list(posterior.blocks(recordings, progress=progress)) if posterior.network.takes_cells else None
    draws = posterior.sample(recordings, n_draws=n_draws, seed=seed, correct=correct, progress=progress, blocks=blocks)
    columns = {name: np.asarray(getattr(truth, name))[:, None] for name in posterior.names}
    log_q = posterior.log_prob(recordings, columns, blocks=blocks)[:, 0]
    more = (
        {"log_likelihood": _log_likelihoods(posterior, recordings, draws, truth)}
        if has_likelihood(posterior.prior)
        else {}
    )
    first = np.searchsorted(recordings.cell, np.arange(recordings.n_cells))
    kinds = tuple(dataset.config.kinds[place] for place in dataset.stimulus()[first])
    return Diagnosis(
        draws,
        measure_recovery(draws, truth, posterior.prior, log_q),
        sbc_ranks(draws, truth, seed=seed, more=more),
        strata(recordings, kinds),
    )


def _log_likelihoods(posterior: Posterior, recordings: Batch, draws: Draws, truth: Parameters) -> Quantity:
    """Of each recording, at its draws and at its true parameters; read_off parameters as read off."""
    prior = posterior.prior
    blocks = []
    size = BLOCK if recordings.n_cells == len(recordings) else 1
    for first in range(0, recordings.n_cells, size):
        rows = slice(first, first + size)
        true = np.stack([np.asarray(getattr(truth, name))[rows] for name in draws.names], axis=-1)[:, None]
        z, _ = prior.scores(np.concatenate([draws.array[rows], true], axis=1))
        blocks.append(prepare(recordings.of_cells(rows), prior).log_likelihood(z))
    values = np.concatenate(blocks)
    return values[:, :-1], values[:, -1]
