"""The exact posterior of a recording, by adaptive tempered sequential Monte Carlo."""

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

from leakyflow.recordings.recording import Recording, Recordings
from leakyflow.reference.draws import Draws, import_arviz
from leakyflow.reference.target import Target, above, log_mass_above, scores_log_likelihood, target_of
from leakyflow.simulator.dataset import HasSimulator
from leakyflow.simulator.distributions import normal_log_prob
from leakyflow.simulator.prior import Prior

__all__ = ["Populations", "Start", "reference_posterior", "tempered_populations"]

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


def reference_posterior(recording: Recording, config: HasSimulator, *, n_draws: int = 1000, seed: int = 0) -> Draws:
    """Draw from the exact posterior of one recording, by the closed-form likelihood and no network.

    Four populations of particles go from the prior to the posterior independently of each other, by random walks
    whose steps follow the particles' covariance. Seconds per recording, where an amortized posterior takes
    milliseconds; it is what that is held against.

    Args:
        recording: One trace.
        config: A `Config`, or anything with a `simulator`; its prior is used.
        n_draws: Draws, taken in equal parts from the populations.
        seed: The same seed gives the same draws.

    Returns:
        Draws, whose `diagnostics` hold the log evidence (the log density of the recording given its stimulus,
        averaged over the prior) with its standard error, the acceptance rate, the least effective sample size, the
        largest R-hat between the populations, and by these whether the draws are `reliable`.

    Raises:
        ValueError: If the likelihood is not known in closed form, or no neuron within the prior could have
            produced the recording.

    References:
        Del Moral, Doucet & Jasra (2006), Sequential Monte Carlo samplers, JRSS B 68.
    """
    if n_draws < 1 or seed < 0:
        raise ValueError(f"`n_draws` must be positive and `seed` not negative, got {n_draws} and {seed}.")
    prior = config.simulator.parameters
    target = target_of(Recordings.from_list([recording]), prior)
    n = prior.n_inferred
    populations = tempered_populations(
        target, Start(0.0, np.zeros(n), np.eye(n)), n_draws=n_draws, seed=np.random.SeedSequence(seed)
    )
    if populations is None:
        raise ValueError(
            "No neuron within the prior could have produced this recording: it survived voltages up to "
            f"{recording.V[recording.free].max():.4g} mV, which exclude every threshold of the prior, or its "
            "likelihood is 0 everywhere. Check units and spikes, or widen the prior."
        )
    array = prior.natural(populations.combined(n_draws))
    error = float(populations.log_evidence.std(ddof=1) / np.sqrt(N_POPULATIONS))
    row = {"method": "reference"} | populations.diagnostics() | {"log_evidence_error": error}
    diagnostics = pd.DataFrame([row], index=pd.Index([recording.name], name="recording"))
    return Draws(prior.inferred, array, source="reference", diagnostics=diagnostics)


def tempered_populations(
    target: Target, start: Start, *, n_draws: int, seed: np.random.SeedSequence
) -> Populations | None:
    """Particles of the exact posterior of one recording.

    Args:
        target: Of one recording.
        start: In coordinates that are standard normal under the prior truncated at the target's bound.
        n_draws: Least number of particles, over all populations.
        seed: Of everything random.

    Returns:
        None where no neuron within the prior could have produced the recording.
    """
    if not target.possible[0]:
        return None
    n_particles = max(N_PARTICLES, -(-n_draws // N_POPULATIONS))
    data, observed = target.given(0)
    with jax.enable_x64(True):
        keys = jax.random.split(jax.random.key(int(seed.generate_state(1)[0])), N_POPULATIONS)
        z, log_ratio, violated, acceptance = (
            np.asarray(value)
            for value in _temper(
                keys,
                Start._make(jnp.asarray(value, jnp.float64) for value in start),
                data,
                observed,
                target.bound[0],
                prior=target.prior,
                n_segments=target.n_segments,
                n_particles=n_particles,
            )
        )
    if violated.all() or not np.isfinite(z).all():
        return None
    if violated.any():
        # Of those that a hard threshold excludes, beside the wall, the others take the place.
        rng, z = np.random.default_rng(seed), z.copy()
        for population, bad in zip(z, violated, strict=True):
            alive = population[~bad] if not bad.all() else z[~violated]
            population[bad] = rng.choice(alive, bad.sum())
        log_ratio = log_ratio + np.log1p(-np.minimum(violated.mean(1), 1 - 1e-12))
    az = import_arviz()
    r_hat = max(float(az.rhat(z[..., i])) for i in range(z.shape[-1]))
    ess = min(float(az.ess(z[..., i])) for i in range(z.shape[-1]))
    log_evidence = log_ratio + log_mass_above(target.bound)[0]
    return Populations(z, log_evidence, float(acceptance.mean()), r_hat, ess)


# On one thread: XLA would share each small operation between all, and they would mostly wait for each other.
@partial(
    jax.jit,
    static_argnames=("prior", "n_segments", "n_particles"),
    compiler_options={"xla_cpu_multi_thread_eigen": False},
)
def _temper(
    keys: Array,
    start: Start,
    data: Any,
    observed: Any,
    bound: Array,
    *,
    prior: Prior,
    n_segments: int,
    n_particles: int,
) -> tuple[Array, Array, Array, Array]:
    """Scores, log of the evidence, what a hard threshold excludes, and the acceptance, for each population."""
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
        value, _ = scores_log_likelihood(prior, n_segments, above(bound, u), data, observed)
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

    def population(key: Array) -> tuple[Array, Array, Array, Array]:
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
        carry = (state, zero, zero, key, 0, 0)
        state, log_evidence, acceptance, _, _, n_last = jax.lax.while_loop(unfinished, cool, carry)
        z = jax.vmap(partial(above, bound))(state.particles)
        _, violated = jax.vmap(lambda z: scores_log_likelihood(prior, n_segments, z, data, observed))(z)
        # A population that did not arrive has no part in the posterior.
        log_evidence = jnp.where(n_last < N_LAST_STEPS, -jnp.inf, log_evidence)
        return z, log_evidence, violated, acceptance

    return jax.lax.map(population, keys)
