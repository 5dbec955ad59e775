"""What simulations that a network was not trained on say about it."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from leakyflow.diagnostics.calibration import Ranks, sbc_ranks
from leakyflow.diagnostics.recovery import Recovery, measure_recovery
from leakyflow.models.posterior import Posterior
from leakyflow.simulator.dataset import Dataset

__all__ = ["Diagnosis", "diagnose"]


class Diagnosis(NamedTuple):
    """Recovery and calibration on the same held-out simulations."""

    recovery: Recovery
    ranks: Ranks

    def table(self) -> pd.DataFrame:
        """One row per parameter: the columns of `Recovery.table` and of `Ranks.p_values`."""
        return self.recovery.table().join(self.ranks.p_values())


def diagnose(
    posterior: Posterior, dataset: Dataset, *, n_draws: int = 500, seed: int = 0, correct: bool = False
) -> Diagnosis:
    """Test a posterior on simulations that it was not trained on.

    Args:
        posterior: Of a trained network.
        dataset: From the same simulator settings, under another seed than the training set.
        n_draws: Draws per recording.
        seed: Of the draws.
        correct: Test the draws corrected by the likelihood, not the network's own. The log density is the network's.

    Raises:
        ValueError: If the dataset was drawn from another prior, or a recording does not suit the network.
    """
    if dataset.config.parameters != posterior.prior:
        raise ValueError(
            "Held-out simulations must be drawn from the prior that the network was trained under, and were "
            "drawn from another. Make them with make_dataset and the configuration of the run."
        )
    recordings, truth = dataset.recordings(), dataset.parameters()
    draws = posterior.sample(recordings, n_draws=n_draws, seed=seed, correct=correct)
    columns = {name: np.asarray(getattr(truth, name))[:, None] for name in posterior.names}
    log_q = posterior.log_prob(recordings, columns)[:, 0]
    return Diagnosis(measure_recovery(draws, truth, posterior.prior, log_q), sbc_ranks(draws, truth, seed=seed))
