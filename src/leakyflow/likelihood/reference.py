"""The exact posterior of a recording or cell: importance sampling around the mode, or sequential Monte Carlo."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from blackjax.mcmc import random_walk
from blackjax.smc import adaptive_tempered, resampling, solver
from blackjax.smc.tempered import TemperedSMCState
from jaxtyping import Array, Float64

from leakyflow.cpu import n_cpu
from leakyflow.errors import LeakyflowError
from leakyflow.likelihood.cell_mode import cell_mode, find_mode
from leakyflow.likelihood.draws import Draws, import_arviz
from leakyflow.likelihood.importance import ABOVE, Sampled, adaptive_importance, resample
from leakyflow.likelihood.laplace import Laplace
from leakyflow.likelihood.prepare import prepare
from leakyflow.likelihood.read_off import with_capacitance
from leakyflow.likelihood.scanned import Scanned
from leakyflow.likelihood.target import Target, above, log_mass_above
from leakyflow.recordings.cell import Cell, as_cell
from leakyflow.recordings.recording import Recording
from leakyflow.simulator.distributions import normal_log_prob
from leakyflow.simulator.prior import Prior

__all__ = ["Populations", "Start", "around_the_mode", "reference_posterior", "tempered_populations"]

# Independent populations, whose agreement is the check, and the fewest particles of each.
N_POPULATIONS = 4
N_PARTICLES = 500
# Effective share of the particles that a step of the temperature leaves, moves in a step, and steps at the end.
LEAST_SHARE = 0.5
N_MOVES, N_LAST_STEPS = 20, 5
# More steps than any posterior within the prior's reach takes.
MOST_STEPS = 200
# Agreement of the populations (Vehtari et al. 2021 ask for less than 1.01 of long chains), and share of moves taken.
LARGEST_R_HAT, LEAST_ACCEPTANCE = 1.05, 0.05
# Rounds of draws from better and better modes.
MOST_SEARCHES = 6
# Samples of a cell, beyond which particles (a million evaluations) would take more than three minutes on two cores.
MOST_SAMPLES = 30_000
# Effective draws that weights must have, and how much wider than what they found the particles begin.
MOST_EFFECTIVE, SPREAD = 1000, 2.0


class Start(NamedTuple):
    """Where the particles begin: the prior, mixed with a normal distribution."""

    share: float | Float64[np.ndarray, ""]  # of the normal distribution
    mean: Float64[np.ndarray, " param"]
    root: Float64[np.ndarray, "param param"]  # lower Cholesky factor of its covariance


class Populations(NamedTuple):
    """Particles of independent populations, and what says whether to believe them."""

    z: Float64[np.ndarray, "population particle param"]  # prior scores
    log_evidence: Float64[np.ndarray, " population"]
    acceptance: float  # share of the last moves that were taken
    r_hat: float  # the largest of the parameters
    ess: float  # the least of the parameters, of all particles together

    @property
    def reliable(self) -> bool:
        """Whether the populations arrived, agree and moved."""
        arrived = np.isfinite(self.log_evidence).all()
        return bool(arrived and self.r_hat < LARGEST_R_HAT and self.acceptance > LEAST_ACCEPTANCE)

    def combined(self, n_draws: int) -> Float64[np.ndarray, "draw param"]:
        """Particles taken from the populations in turn."""
        return self.z.swapaxes(0, 1).reshape(-1, self.z.shape[-1])[:n_draws]

    def diagnostics(self) -> dict[str, Any]:
        """What `Draws.diagnostics` says of them."""
        return {
            "reliable": self.reliable,
            "ess": self.ess,
            "r_hat": self.r_hat,
            "acceptance": self.acceptance,
            "log_evidence": float(np.logaddexp.reduce(self.log_evidence) - np.log(N_POPULATIONS)),
        }


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
    z, _, weights, proposal = _from_the_best(target, found.modes, min(n_draws, MOST_EFFECTIVE), rng)
    if not weights.reliable and target.lengths.sum() <= MOST_SAMPLES:
        start = Start(0.9, proposal.centre, np.linalg.cholesky(SPREAD**2 * proposal.covariance))
        return _by_populations(target, start, n_draws=n_draws, seed=seed)
    n = -(-n_draws // N_POPULATIONS)
    parts = [slice(i, None, N_POPULATIONS) for i in range(N_POPULATIONS)]
    own = np.stack([z[part][resample(weights.weight[part], n, rng)] for part in parts])
    r_hat = _largest_r_hat(own)
    row = {
        "reliable": bool(weights.reliable and r_hat < LARGEST_R_HAT and found.agreed),
        "ess": weights.ess,
        "r_hat": r_hat,
        "k_hat": weights.k_hat,
        "log_evidence": weights.log_evidence,
        "log_evidence_error": 1.0 / np.sqrt(max(weights.ess, 1.0)),
    }
    return own.swapaxes(0, 1).reshape(-1, z.shape[1])[:n_draws], row


def _from_the_best(
    target: Scanned, modes: tuple[Laplace, ...], n_effective: float, rng: np.random.Generator
) -> Sampled:
    """Draws around the modes; where these find, or lead to, a better mode, around that."""
    for _ in range(MOST_SEARCHES):
        sampled = adaptive_importance(target, modes, n_effective=n_effective, rng=rng)
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
    populations = tempered_populations(target, start, n_draws=n_draws, seed=seed)
    if populations is None:
        return None
    error = float(populations.log_evidence.std(ddof=1) / np.sqrt(N_POPULATIONS))
    return populations.combined(n_draws), populations.diagnostics() | {"log_evidence_error": error}


def _given(target: Target, draws: Draws) -> dict[str, Any]:
    """Parameters that were not inferred; of those read off, the mean over the sweeps."""
    C = draws["C"].mean() if "C" in draws.names else target.prior.known["C"]
    read_off = with_capacitance(target.read_off, C)
    return {**target.prior.known, **{name: float(np.mean(value)) for name, value in read_off.items()}}


def _largest_r_hat(z: Float64[np.ndarray, "population particle param"]) -> float:
    return max(float(import_arviz().rhat(z[..., i])) for i in range(z.shape[-1]))


def _highest(recording: Recording | Cell) -> float:
    return max(float(sweep.V[sweep.free].max()) for sweep in as_cell(recording))


def tempered_populations(
    target: Target, start: Start, *, n_draws: int, seed: np.random.SeedSequence
) -> Populations | None:
    """Particles of the exact posterior of one cell.

    Args:
        target: Of one cell.
        start: In coordinates that are standard normal under the prior truncated at the target's bound.
        n_draws: Least number of particles, over all populations.
        seed: Of everything random.

    Returns:
        None where no neuron within the prior could have produced it.
    """
    if not target.possible[0]:
        return None
    n_particles = max(N_PARTICLES, -(-n_draws // N_POPULATIONS))
    density = target.density()
    arguments = Start._make(np.asarray(value, np.float64) for value in start), density.data, target.bound[0]

    def population(key: int) -> tuple[np.ndarray, ...]:
        # Set here because a thread of its own does not inherit it.
        with jax.enable_x64(True):
            found = _temper(
                jax.random.key(key), *arguments, log_likelihood=density.log_likelihood, n_particles=n_particles
            )
            return tuple(np.asarray(value) for value in found)

    with ThreadPoolExecutor(n_cpu()) as pool:
        parts = list(pool.map(population, seed.generate_state(N_POPULATIONS).tolist()))
    z, log_ratio, acceptance = (np.stack(values) for values in zip(*parts, strict=True))
    if not np.isfinite(z).all() or not np.isfinite(log_ratio).any():
        return None
    az = import_arviz()
    ess = min(float(az.ess(z[..., i])) for i in range(z.shape[-1]))
    log_evidence = log_ratio + log_mass_above(target.bound)[0]
    return Populations(z, log_evidence, float(acceptance.mean()), _largest_r_hat(z), ess)


# On one thread: XLA would share each small operation between all, and they would mostly wait for each other.
@partial(
    jax.jit,
    static_argnames=("log_likelihood", "n_particles"),
    compiler_options={"xla_cpu_multi_thread_eigen": False},
)
def _temper(
    key: Array,
    start: Start,
    data: Any,
    bound: Array,
    *,
    log_likelihood: Callable[[Array, Any], Array],
    n_particles: int,
) -> tuple[Array, Array, Array]:
    """Scores, log of the evidence, and the acceptance, of one population."""
    n = bound.shape[0]
    # Once: a solver for each particle would have BLAS' threads wait for each other.
    to_standard = jax.scipy.linalg.solve_triangular(start.root, jnp.eye(n), lower=True)

    def log_standard(u: Array) -> Array:
        return jnp.sum(normal_log_prob(u))

    def log_start(u: Array) -> Array:
        local = to_standard @ (u - start.mean)
        near = log_standard(local) - jnp.sum(jnp.log(jnp.diag(start.root)))
        return jnp.logaddexp(jnp.log(start.share) + near, jnp.log1p(-start.share) + log_standard(u))

    def log_ratio(u: Array) -> Array:
        value = log_likelihood(above(bound, u), data)
        # What overflows is as unlikely as anything can be.
        return jnp.nan_to_num(log_standard(u) + value - log_start(u), nan=-1e30, posinf=-1e30, neginf=-1e30)

    def move(key: Array, state: random_walk.RWState, log_density: Any, root: Array) -> tuple:
        def step(key: Array, position: Array) -> Array:
            return root @ jax.random.normal(key, (n,))

        return random_walk.build_additive_step()(key, state, log_density, step)

    kernel = adaptive_tempered.build_kernel(
        log_start, log_ratio, move, random_walk.init, resampling.systematic, LEAST_SHARE, solver.dichotomy
    )

    def walk(state: TemperedSMCState) -> dict[str, Array]:
        """Steps as Roberts, Gelman & Gilks (1997) found best for a normal distribution."""
        covariance = jnp.cov(state.particles.T, aweights=state.weights).reshape(n, n) + 1e-12 * jnp.eye(n)
        return {"root": 2.38 / jnp.sqrt(n) * jnp.linalg.cholesky(covariance)[None]}

    key, for_start, for_share = jax.random.split(key, 3)
    standard = jax.random.normal(for_start, (n_particles, n))
    near = jax.random.uniform(for_share, (n_particles, 1)) < start.share
    particles = jnp.where(near, start.mean + standard @ start.root.T, standard)

    def unfinished(carry: tuple) -> Array:
        _, _, _, _, i, n_last = carry
        return (n_last < N_LAST_STEPS) & (i < MOST_STEPS)

    def cool(carry: tuple) -> tuple:
        state, log_evidence, _, key, i, n_last = carry
        key, own = jax.random.split(key)
        n_last = n_last + (state.tempering_param == 1.0)
        state, info = kernel(own, state, N_MOVES, walk(state))
        acceptance = info.update_info.acceptance_rate.mean()
        return state, log_evidence + info.log_likelihood_increment, acceptance, key, i + 1, n_last

    zero = jnp.asarray(0.0)
    state = TemperedSMCState(particles, jnp.full(n_particles, 1.0 / n_particles), zero)
    state, log_evidence, acceptance, _, _, n_last = jax.lax.while_loop(unfinished, cool, (state, zero, zero, key, 0, 0))
    z = jax.vmap(partial(above, bound))(state.particles)
    # A population that did not arrive has no part in the posterior.
    return z, jnp.where(n_last < N_LAST_STEPS, -jnp.inf, log_evidence), acceptance
