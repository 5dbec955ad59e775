"""A model whose posterior is known: a normal prior, one measurement with normal noise for each parameter."""

from typing import NamedTuple

import numpy as np
import scipy.stats

from leakyflow.likelihood.draws import Draws
from leakyflow.neuron.parameters import Parameters
from leakyflow.simulator.distributions import Normal
from leakyflow.simulator.prior import Prior

NOISE = 3.0  # mV, of the measurement
PRIOR = Prior(
    {
        "tau": 17.0,
        "V_rest": Normal(mean=-72.0, sd=6.0),
        "C": 90.0,
        "V_th": Normal(mean=-45.0, sd=4.0),
        "threshold_noise": 0.0,
        "membrane_noise": 0.3,
        "measurement_noise": 0.0,
        "V_reset": -60.0,
        "reset_noise": 5.0,
        "t_ref": 3.0,
    }
)
MEAN, SD = np.array([-72.0, -45.0]), np.array([6.0, 4.0])
EXACT_SD = SD * NOISE / np.hypot(SD, NOISE)


class Case(NamedTuple):
    draws: Draws
    truth: Parameters
    log_q: np.ndarray  # (dataset,)


def conjugate(n: int = 1000, *, n_draws: int = 200, width: float = 1.0, shift: float = 0.0, seed: int = 1) -> Case:
    """Posteriors of n measurements; exact, unless stretched by `width` or moved by `shift` of their SD."""
    rng = np.random.default_rng(seed)
    truth = PRIOR.sample(n, seed)
    theta = np.stack([truth.V_rest, truth.V_th], axis=-1)
    measured = theta + NOISE * rng.standard_normal(theta.shape)
    gain = SD**2 / (SD**2 + NOISE**2)
    centre = MEAN + gain * (measured - MEAN) + shift * EXACT_SD
    sd = width * EXACT_SD
    values = centre[:, None] + sd * rng.standard_normal((n, n_draws, 2))
    log_q = scipy.stats.norm.logpdf(theta, centre, sd).sum(axis=-1)
    names = tuple(str(i) for i in range(n))
    return Case(Draws(PRIOR.inferred, values, names), truth, log_q)


def prior_as_posterior(n: int = 1000, *, n_draws: int = 200, seed: int = 1) -> Case:
    """Nothing learned: draws from the prior, whatever was measured."""
    truth = PRIOR.sample(n, seed)
    values = MEAN + SD * np.random.default_rng(seed).standard_normal((n, n_draws, 2))
    names = tuple(str(i) for i in range(n))
    return Case(Draws(PRIOR.inferred, values, names), truth, np.asarray(PRIOR.log_prob(truth)))
