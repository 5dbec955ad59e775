"""What a posterior owes to its prior and to the likelihood: each raised to powers around 1."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float64

from leakyflow.errors import LeakyflowError
from leakyflow.likelihood.draws import Draws, import_arviz
from leakyflow.likelihood.importance import LARGEST_K_HAT
from leakyflow.likelihood.prepare import prepare
from leakyflow.recordings.batch import Batch
from leakyflow.recordings.recording import Recording
from leakyflow.simulator.prior import Prior

__all__ = ["SENSITIVE", "cjs_distance", "power_scaling", "prior_sensitivity"]

# Powers of the prior or the likelihood.
ALPHAS = (0.8, 1.25)
# Of the distance for each doubling of the power (Kallioinen et al. 2024).
SENSITIVE = 0.05


def prior_sensitivity(draws: Draws, recording: Recording | Batch, prior: Prior) -> pd.DataFrame:
    """Say for each parameter whether its posterior depends on the prior, and whether on the data.

    The prior or the likelihood is raised to powers around 1, by importance weights on the draws: no network is asked
    again. A power alpha of the prior is taken in normal scores, where it makes N(0, 1) into N(0, 1 / alpha): for every
    prior it is the same neuron that is in the middle, and the others are believed more or less.

    Args:
        draws: From the posterior, corrected or exact; a few thousand.
        recording: What they are the posterior of.
        prior: That they were drawn under, with a likelihood.

    Returns:
        One row per parameter, or per recording and parameter: the sensitivities to the whole `prior`, to this
        parameter's `own_prior` and to the `likelihood` (see `power_scaling`); `k_hat`, the largest of the weights;
        and the `diagnosis`: "prior-data conflict" where the posterior depends on both, "weak likelihood" where on the
        prior alone, "unknown" where the weights cannot be trusted, else "none". A sensitivity to the likelihood is
        what data usually bring about; one to the prior says: look whether it is what was meant.

    Raises:
        ValueError: If the draws are of other recordings or parameters, one of them could not have produced its
            recording, or the likelihood is not known.

    Example:
        >>> import leakyflow as lf
        >>> posterior, config = lf.load_posterior("standard"), lf.load_config("standard")
        >>> dataset = lf.make_dataset(config, 20, seed=7)
        >>> recording = dataset.recordings()[4]
        >>> draws = posterior.sample(recording, n_draws=200, seed=0)
        >>> table = prior_sensitivity(draws, recording, posterior.prior)
        >>> list(table.diagnosis)
        ['none', 'none', 'none', 'none']

    References:
        Kallioinen, Paananen, Buerkner & Vehtari (2024), Detecting and diagnosing prior and likelihood sensitivity
        with power-scaling, Statistics and Computing 34:57.
    """
    recordings = Batch.of(recording)
    values = draws.array if draws.array.ndim == 3 else draws.array[None]
    if draws.names != prior.inferred or len(values) != recordings.n_cells:
        raise LeakyflowError(
            f"Draws must be of {', '.join(prior.inferred)} from the posteriors of {recordings.n_cells} recordings, got "
            f"{', '.join(draws.names)} of {len(values)}. Pass the recordings and the prior of the draws."
        )
    z, supported = prior.scores(values)
    log_likelihood = prepare(recordings, prior).log_likelihood(z)
    bad = ~(np.isfinite(log_likelihood) & supported)
    if bad.any():
        raise LeakyflowError(
            f"Every draw must be able to produce its recording, {bad.sum()} of {bad.size} cannot. Pass corrected or "
            "exact draws, not the network's own."
        )
    names = recordings.cell_names if draws.recordings is None else draws.recordings
    parts = [
        power_scaling(v, -0.5 * own**2, log, names=draws.names)
        for v, own, log in zip(values, z, log_likelihood, strict=True)
    ]
    return parts[0] if draws.array.ndim == 2 else pd.concat(parts, keys=names, names=["recording"])


def power_scaling(
    values: Float64[np.ndarray, "draw param"],
    log_prior: Float64[np.ndarray, "draw param"],
    log_likelihood: Float64[np.ndarray, " draw"],
    *,
    names: tuple[str, ...],
) -> pd.DataFrame:
    """Sensitivities of a posterior to powers of its prior and its likelihood.

    A sensitivity is the cumulative Jensen-Shannon distance between the draws and the reweighted draws, averaged over
    alpha = 0.8 and 1.25 and divided by log2(1.25): for each doubling. ArviZ's `psens` computes the same of one
    component; here the weights are judged, too.

    Args:
        values: Draws.
        log_prior: Log prior density of each parameter at its draws.
        log_likelihood: Log likelihood of each draw.
        names: Of the parameters.

    Returns:
        One row per parameter: see `prior_sensitivity`.
    """
    found = {"prior": _scaled(values, log_prior.sum(1)), "likelihood": _scaled(values, log_likelihood)}
    own = [_scaled(values[:, [i]], log_prior[:, i]) for i in range(len(names))]
    rows = []
    for i, name in enumerate(names):
        row = {"prior": found["prior"].sensitivity[i], "own_prior": own[i].sensitivity[0]}
        row |= {"likelihood": found["likelihood"].sensitivity[i]}
        row["k_hat"] = max(found["prior"].k_hat, found["likelihood"].k_hat, own[i].k_hat)
        rows.append({"parameter": name} | row | {"diagnosis": _diagnosis(**row)})
    return pd.DataFrame(rows).set_index("parameter")


class _Scaled(NamedTuple):
    sensitivity: Float64[np.ndarray, " param"]
    k_hat: float


def _scaled(values: Float64[np.ndarray, "draw param"], log_component: Float64[np.ndarray, " draw"]) -> _Scaled:
    """Sensitivity to powers of one component of the posterior."""
    psislw = import_arviz().psislw
    distances, k_hats = [], [0.0]
    for alpha in ALPHAS:
        log_weight = (alpha - 1.0) * log_component
        # A constant component has no say, and no tail to fit.
        if np.ptp(log_weight) > 1e-9:
            log_weight, k_hat = psislw(log_weight)
            k_hats.append(float(k_hat))
        distances.append([cjs_distance(column, np.exp(log_weight - log_weight.max())) for column in values.T])
    per_doubling = np.mean(distances, axis=0) / np.log2(ALPHAS[1])
    return _Scaled(per_doubling, max(k_hats))


def cjs_distance(values: Float64[np.ndarray, " draw"], weight: Float64[np.ndarray, " draw"]) -> float:
    r"""Cumulative Jensen-Shannon distance between draws and the same draws with weights, from 0 to 1.

    With P and Q the cumulative distribution functions and M = (P + Q) / 2,

    .. math:: \sqrt{\int P \log_2 (P / M) + Q \log_2 (Q / M) \; dx \; / \int P + Q \; dx}

    or the same of 1 - P and 1 - Q, whichever is larger.

    Args:
        values: Draws.
        weight: Not negative; need not sum to 1.

    References:
        Nguyen & Vreeken (2015), Non-parametric Jensen-Shannon divergence, ECML PKDD. Kallioinen et al. (2024).
    """
    order = np.argsort(values)
    width = np.diff(values[order])
    p = np.arange(1, len(values)) / len(values)
    q = np.cumsum(weight[order])[:-1] / weight.sum()
    return max(_cjs(p, q, width), _cjs(1.0 - p, np.clip(1.0 - q, 0.0, 1.0), width))


def _cjs(p: np.ndarray, q: np.ndarray, width: np.ndarray) -> float:
    m = 0.5 * (p + q)
    divergence = p * np.log2(p / m) + q * np.log2(np.where(q > 0, q, m) / m)
    total = width @ (p + q)
    return float(np.sqrt(max(width @ divergence, 0.0) / total)) if total > 0 else 0.0


def _diagnosis(*, prior: float, own_prior: float, likelihood: float, k_hat: float) -> str:
    if k_hat > LARGEST_K_HAT:
        return "unknown"
    if max(prior, own_prior) < SENSITIVE:
        return "none"
    return "prior-data conflict" if likelihood >= SENSITIVE else "weak likelihood"
