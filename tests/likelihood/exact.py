"""A neuron whose posterior is known in closed form, and what a sample from a posterior may differ by."""

from typing import NamedTuple

import numpy as np
import scipy.stats

from leakyflow.recordings.recording import Recording
from leakyflow.simulator.distributions import Normal
from leakyflow.simulator.prior import Prior
from tests.cases import NEURON, stimulated

# Only the resting potential is unknown, and the threshold is out of reach: a linear regression.
V_REST = Normal(mean=-72.0, sd=6.0)
LINEAR = Prior(dict(NEURON) | {"V_rest": V_REST, "V_th": 0.0})


def silent(seed: int = 1, **changes: float) -> Recording:
    return stimulated(50.0, seed=seed, t_max=100.0, **({"V_th": 0.0} | changes))


class Posterior(NamedTuple):
    """Of one parameter, in its unit."""

    mean: float
    sd: float
    log_evidence: float
    kurtosis: float = 3.0


def linear_posterior(recording: Recording) -> Posterior:
    """Posterior of V_rest under `LINEAR`, from the regression written out; no spikes."""
    V, I, dt, p = recording.V.astype(float), recording.I.astype(float), recording.dt, NEURON
    # Each observation is a coefficient times V_rest and noise; the first sample is one too.
    y = np.append(V[0] - p.tau / p.C * I[0], V[1:] - V[:-1] * (1 - dt / p.tau) - dt / p.C * I[:-1])
    x = np.append(1.0, np.full(len(V) - 1, dt / p.tau))
    noise = np.append(p.membrane_noise * np.sqrt(p.tau / 2), np.full(len(V) - 1, p.membrane_noise * np.sqrt(dt)))
    precision = 1 / V_REST.sd**2 + np.sum((x / noise) ** 2)
    mean = (V_REST.mean / V_REST.sd**2 + np.sum(x * y / noise**2)) / precision
    posterior = scipy.stats.norm(mean, precision**-0.5)
    # Bayes' rule at any value, solved for the evidence.
    log_joint = scipy.stats.norm.logpdf(y, x * mean, noise).sum() + scipy.stats.norm.logpdf(
        mean, V_REST.mean, V_REST.sd
    )
    return Posterior(mean, precision**-0.5, float(log_joint - posterior.logpdf(mean)))


def quadrature(values: np.ndarray, log_joint: np.ndarray) -> Posterior:
    """Moments and log integral of a density on an even grid."""
    top = log_joint.max()
    weight = np.exp(log_joint - top)
    mean = np.average(values, weights=weight)
    variance, fourth = (np.average((values - mean) ** power, weights=weight) for power in (2, 4))
    log_evidence = top + np.log(weight.sum() * (values[1] - values[0]))
    return Posterior(float(mean), float(np.sqrt(variance)), float(log_evidence), float(fourth / variance**2))


def agree(values: np.ndarray, exact: Posterior, *, ess: float) -> bool:
    """Whether mean and SD of a sample are within 4 standard errors of the exact ones."""
    of_mean = exact.sd / np.sqrt(ess)
    of_sd = exact.sd * np.sqrt((exact.kurtosis - 1) / (4 * ess))
    return bool(abs(values.mean() - exact.mean) < 4 * of_mean and abs(values.std() - exact.sd) < 4 * of_sd)


def displaced(values: np.ndarray) -> np.ndarray:
    """As wrong as a thousand draws can show."""
    return values + 0.25 * values.std()


def shrunk(values: np.ndarray, factor: float = 0.75) -> np.ndarray:
    """Overconfident."""
    mean = values.mean(0)
    return mean + factor * (values - mean)
