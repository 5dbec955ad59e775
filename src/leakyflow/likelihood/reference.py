"""The exact posterior of a recording or cell: importance sampling around the mode, or sequential Monte Carlo."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float64

from leakyflow.errors import LeakyflowError
from leakyflow.likelihood.cell_mode import cell_mode, find_mode
from leakyflow.likelihood.draws import Draws
from leakyflow.likelihood.importance import ABOVE, Effort, Sampled, adaptive_importance, learnt, resample
from leakyflow.likelihood.laplace import Laplace
from leakyflow.likelihood.populations import LARGEST_R_HAT, N_POPULATIONS, Start, largest_r_hat
from leakyflow.likelihood.prepare import prepare
from leakyflow.likelihood.read_off import read_off_for
from leakyflow.likelihood.scanned import Scanned
from leakyflow.likelihood.target import Target
from leakyflow.recordings.cell import Cell, as_cell
from leakyflow.recordings.recording import Recording
from leakyflow.simulator.prior import Prior

__all__ = ["ENOUGH", "around_draws", "around_the_mode", "reference_posterior"]

# Rounds of draws from better and better modes.
MOST_SEARCHES = 6
# Samples of a cell, beyond which particles (a million evaluations) would take more than three minutes on two cores.
MOST_SAMPLES = 30_000
# Effective draws of a long cell without a network, and how much wider than what they found the particles begin.
MOST_EFFECTIVE, SPREAD = 1000, 2.0
# Effective draws that will do of a long cell where a network's draws are corrected, of which weights leave no more.
ENOUGH = 500


def reference_posterior(recording: Recording | Cell, prior: Prior, *, n_draws: int = 1000, seed: int = 0) -> Draws:
    """Draw from the exact posterior of a recording, or of a cell by all its sweeps, without a network.

    Where the likelihood is a scan over samples, the mode is searched, and draws around it are weighted and improved in
    rounds (adaptive importance sampling). Where that does not settle, in cells of up to 30,000 samples, and where a
    regression holds the likelihood, four populations of particles go from what was found, or from the prior, to the
    posterior by random walks whose steps follow the particles' covariance. Seconds to minutes, where an amortized
    posterior takes milliseconds; it is what that is held against.

    Args:
        recording: A trace, or a cell.
        prior: What is believed before; `posterior.prior` of a network.
        n_draws: Draws, taken in equal parts from the populations.
        seed: The same seed gives the same draws.

    Returns:
        Draws, whose `diagnostics` hold the log evidence (the log density of the recording given its stimulus,
        averaged over the prior) with its standard error, the acceptance rate or k-hat, the least effective sample
        size, the largest R-hat between the populations, and by these whether the draws are `reliable`.

    Raises:
        LeakyflowError: If there is no noise, or no neuron within the prior could have produced the recording.

    References:
        Del Moral, Doucet & Jasra (2006), Sequential Monte Carlo samplers, JRSS B 68.

    Example:
        >>> import leakyflow as lf
        >>> prior = lf.load_config("standard").simulator.prior
        >>> step = lf.square(amplitude=50.0, onset=20.0, duration=100.0, t_max=150.0, dt=0.2)
        >>> recording = lf.simulate(prior.sample(1, seed=1).map(lambda value: value[0]), step, seed=1)
        >>> lf.reference_posterior(recording, prior, n_draws=1000, seed=0)["tau"].shape
        (1000,)
    """
    if n_draws < 1 or seed < 0:
        raise LeakyflowError(f"`n_draws` must be positive and `seed` not negative, got {n_draws} and {seed}.")
    target = prepare(recording, prior)
    source = np.random.SeedSequence(seed)
    if isinstance(target, Scanned):
        found = around_the_mode(target, n_draws, source)
    else:
        n = prior.n_inferred
        found = _by_populations(target, Start(0.0, np.zeros(n), np.eye(n)), n_draws=n_draws, seed=source)
    if found is None:
        raise LeakyflowError(
            "No neuron within the prior could have produced this recording: it survived voltages up to "
            f"{_highest(recording):.4g} mV, which exclude every threshold of the prior, or its likelihood is 0 "
            "everywhere. Check units and spikes, or widen the prior."
        )
    z, row = found
    diagnostics = pd.DataFrame([{"method": "exact"} | row], index=pd.Index([recording.name], name="recording"))
    values = np.asarray(prior.natural(z))
    draws = Draws(prior.inferred, values, source="exact", diagnostics=diagnostics, dt=recording.dt)
    return replace(draws, given=_given(target, draws))


def around_the_mode(
    target: Scanned,
    n_draws: int,
    seed: np.random.SeedSequence,
    near: Float64[np.ndarray, "start param"] | None = None,
) -> tuple[Float64[np.ndarray, "draw param"], dict[str, Any]] | None:
    """Adaptive importance sampling from the mode; where that does not settle, sequential Monte Carlo unless too dear.

    Args:
        target: Of one cell.
        n_draws: Draws.
        seed: Of everything random.
        near: Prior scores where the mode may be.

    Returns:
        Prior scores and diagnostics; None where no neuron within the prior could have produced the cell.
    """
    rng = np.random.default_rng(seed)
    found = find_mode(target, rng, near)
    if found is None:
        return None
    n_samples = target.n_samples()
    effort = Effort.of(n_samples, n_draws, MOST_EFFECTIVE if near is None else ENOUGH)
    sampled = _from_the_best(target, found.modes, effort, rng)
    if not sampled.weights.reliable and n_samples <= MOST_SAMPLES:
        proposal = sampled.proposal
        start = Start(0.9, proposal.centre, np.linalg.cholesky(SPREAD**2 * proposal.covariance))
        return _by_populations(target, start, n_draws=n_draws, seed=seed)
    return _drawn(sampled, n_draws, rng, agreed=found.agreed)


def around_draws(
    target: Scanned,
    z: Float64[np.ndarray, "own param"],
    log_ratio: Float64[np.ndarray, " own"],
    n_draws: int,
    seed: np.random.SeedSequence,
) -> tuple[Float64[np.ndarray, "draw param"], dict[str, Any]] | None:
    """Adaptive importance sampling from what draws that lie near the posterior say of it, without a search.

    Args:
        target: Of one cell.
        z: Prior scores of the draws.
        log_ratio: Log joint density less that of the draws.
        n_draws: Draws that are wanted.
        seed: Of everything random.

    Returns:
        Prior scores and diagnostics; None where it does not settle.
    """
    rng, n = np.random.default_rng(seed), z.shape[1]
    begin = learnt(z, log_ratio, Laplace(np.zeros(n), np.eye(n), np.inf))  # no draw is called a better mode
    effort = Effort.of(target.n_samples(), n_draws, ENOUGH)
    found = _drawn(adaptive_importance(target, [begin], effort=effort, rng=rng), n_draws, rng)
    return found if found[1]["reliable"] else None


def _drawn(
    sampled: Sampled, n_draws: int, rng: np.random.Generator, *, agreed: bool = True
) -> tuple[Float64[np.ndarray, "draw param"], dict[str, Any]]:
    """Draw by the weights, in streams of which each has a part of the random numbers."""
    z, weights = sampled.z, sampled.weights
    n = -(-n_draws // N_POPULATIONS)
    parts = [slice(i, None, N_POPULATIONS) for i in range(N_POPULATIONS)]
    own = np.stack([z[part][resample(weights.weight[part], n, rng)] for part in parts])
    r_hat = largest_r_hat(own)
    row = {
        "reliable": bool(weights.reliable and r_hat < LARGEST_R_HAT and agreed),
        "ess": weights.ess,
        "r_hat": r_hat,
        "k_hat": weights.k_hat,
        "log_evidence": weights.log_evidence,
        "log_evidence_error": 1.0 / np.sqrt(max(weights.ess, 1.0)),
    }
    return own.swapaxes(0, 1).reshape(-1, z.shape[1])[:n_draws], row


def _from_the_best(target: Scanned, modes: tuple[Laplace, ...], effort: Effort, rng: np.random.Generator) -> Sampled:
    """Draws around the modes; where these find, or lead to, a better mode, around that."""
    for _ in range(MOST_SEARCHES):
        sampled = adaptive_importance(target, modes, effort=effort, rng=rng)
        best, least = int(sampled.log_joint.argmax()), modes[0].log_density + ABOVE
        if sampled.weights.reliable and sampled.log_joint[best] <= least:
            break
        climbed = cell_mode(target, sampled.z[best])
        if climbed.log_density <= least:
            break
        modes = (climbed,)
    return sampled


def _by_populations(
    target: Target, start: Start, *, n_draws: int, seed: np.random.SeedSequence
) -> tuple[Float64[np.ndarray, "draw param"], dict[str, Any]] | None:
    from leakyflow.likelihood.particles import tempered_populations  # its sampler is rarely needed, and slow to import

    populations = tempered_populations(target, start, n_draws=n_draws, seed=seed)
    if populations is None:
        return None
    error = float(populations.log_evidence.std(ddof=1) / np.sqrt(N_POPULATIONS))
    return populations.combined(n_draws), populations.diagnostics() | {"log_evidence_error": error}


def _given(target: Target, draws: Draws) -> dict[str, Any]:
    """Parameters that were not inferred; of those read off, the mean over the sweeps."""
    means = {name: draws[name].mean() for name in draws.names}
    read_off = read_off_for(target.prior.known | means, target.read_off)
    return {**target.prior.known, **{name: float(np.mean(value)) for name, value in read_off.items()}}


def _highest(recording: Recording | Cell) -> float:
    return max(float(sweep.V[sweep.free].max()) for sweep in as_cell(recording))
