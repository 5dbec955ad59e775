"""How a posterior does on simulations that differ from those it was trained on."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from leakyflow.diagnostics.recovery import measure_recovery
from leakyflow.likelihood.importance import LARGEST_K_HAT
from leakyflow.likelihood.prepare import has_likelihood, prepare
from leakyflow.models.posterior import Posterior
from leakyflow.neuron.parameters import Parameters
from leakyflow.recordings.batch import Batch

__all__ = ["Conditions", "measure_conditions"]

# Of the table of a recovery.
COLUMNS = ["rmse", "prior_sd", "contraction", "coverage90", "verdict"]


class Conditions(NamedTuple):
    """How a posterior does on simulations that differ from those it was trained on.

    Attributes:
        parameters: One row per condition, posterior ("amortized", "corrected") and parameter: rmse, prior_sd,
            contraction, coverage90 and verdict, as in `Recovery.table`, relative_rmse, over the prior SD, and bias, the
            mean error in posterior SDs.
        recordings: One row per condition and posterior: n, gain (mean log density of the truth over that under the
            prior, in nats), and of the weights the median k_hat and efficiency, and the share_failed with k_hat above
            0.7.
    """

    parameters: pd.DataFrame
    recordings: pd.DataFrame


def measure_conditions(
    posterior: Posterior, conditions: Iterator[tuple[str, Batch, Parameters]], *, n_draws: int, seed: int
) -> Conditions:
    """Try a posterior under each condition, the network's own draws and those that `sample` gives, "corrected".

    Where noises are read off, the latter are the network's but for recordings whose posterior it missed.

    Args:
        posterior: Of a trained network.
        conditions: Name, recordings and true parameters of each.
        n_draws: Draws per recording.
        seed: Of the draws.
    """
    corrections: dict[str, bool | Literal["auto"]] = {"amortized": False}
    corrections |= {"corrected": "auto"} if has_likelihood(posterior.prior) else {}
    parameters: list[pd.DataFrame] = []
    recordings: list[dict[str, object]] = []
    for condition, some, truth in conditions:
        columns = {name: np.asarray(getattr(truth, name))[:, None] for name in posterior.names}
        log_q = {"amortized": posterior.log_prob(some, columns)[:, 0]}
        weights = {"k_hat": np.nan, "efficiency": np.nan, "share_failed": np.nan}
        draws = {
            which: posterior.sample(some, n_draws=n_draws, seed=seed, correct=correct)
            for which, correct in corrections.items()
        }
        if "corrected" in draws and (table := draws["corrected"].diagnostics) is not None:
            # A k-hat that is missing is of weights that were never made.
            failed = ~(table.k_hat <= LARGEST_K_HAT)
            weights = {"k_hat": table.k_hat.median(), "efficiency": table.efficiency.median()}
            weights |= {"share_failed": failed.mean()}
            z = posterior.prior.to_unconstrained(truth)
            evidence = table.log_evidence.to_numpy()
            log_likelihood = prepare(some, posterior.prior).log_likelihood(z[:, None])[:, 0]
            exact = log_likelihood - evidence + np.asarray(posterior.prior.log_prob(truth))
            log_q["corrected"] = np.where(table.method == "amortized", log_q["amortized"], exact)
        for which, some_draws in draws.items():
            recovery = measure_recovery(some_draws, truth, posterior.prior, log_q[which])
            head = {"condition": condition, "posterior": which}
            rows = recovery.table()[COLUMNS].reset_index()
            rows["relative_rmse"] = rows.rmse / rows.prior_sd
            rows["bias"] = np.mean((recovery.mean - recovery.truth) / recovery.sd, axis=0)
            parameters.append(rows.assign(**head))
            recordings.append({**head, "n": some.n_cells, "gain": recovery.mean_gain, **weights})
    return Conditions(pd.concat(parameters, ignore_index=True), pd.DataFrame(recordings))
