"""Sequential Monte Carlo: particles go from where they begin to the posterior of one cell, by random walks."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from blackjax.mcmc import random_walk
from blackjax.smc import adaptive_tempered, resampling, solver
from blackjax.smc.tempered import TemperedSMCState
from jaxtyping import Array

from leakyflow.cpu import shared
from leakyflow.layout import double_precision
from leakyflow.likelihood.draws import import_arviz
from leakyflow.likelihood.populations import N_POPULATIONS, Populations, Start, largest_r_hat
from leakyflow.likelihood.target import Target, above, log_mass_above
from leakyflow.simulator.distributions import normal_log_prob

__all__ = ["tempered_populations"]

# The fewest particles of each population.
N_PARTICLES = 500
# Effective share of the particles that a step of the temperature leaves, moves in a step, and steps at the end.
LEAST_SHARE = 0.5
N_MOVES, N_LAST_STEPS = 20, 5
# More steps than any posterior within the prior's reach takes.
MOST_STEPS = 200


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
        with double_precision():
            found = _temper(
                jax.random.key(key), *arguments, log_likelihood=density.log_likelihood, n_particles=n_particles
            )
            return tuple(np.asarray(value) for value in found)

    parts = shared(population, seed.generate_state(N_POPULATIONS).tolist())
    z, log_ratio, acceptance = (np.stack(values) for values in zip(*parts, strict=True))
    if not np.isfinite(z).all() or not np.isfinite(log_ratio).any():
        return None
    az = import_arviz()
    ess = min(float(az.ess(z[..., i])) for i in range(z.shape[-1]))
    log_evidence = log_ratio + log_mass_above(target.bound)[0]
    return Populations(z, log_evidence, float(acceptance.mean()), largest_r_hat(z), ess)


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
