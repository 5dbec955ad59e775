"""From Euler's steps, in which neurons are inferred, to exact integration, which other simulators do."""

from typing import NamedTuple

import numpy as np

from leakyflow.exports.population import Population
from leakyflow.layout import double_precision
from leakyflow.neuron.membrane import Membrane

__all__ = ["Passive", "exact", "faded", "input_resistance"]


class Passive(NamedTuple):
    """A membrane that, integrated exactly, does what another does by Euler's steps of the same length."""

    tau: np.ndarray  # ms
    C: np.ndarray  # pF


def exact(population: Population) -> Passive:
    """The passive membrane for exact integration.

    Euler's factor 1 - dt / tau of a step must be exp(-dt / tau'), and its gain dt / C must be
    (1 - exp(-dt / tau')) tau' / C'.
    """
    tau, C, dt = population.parameters.tau, population.parameters.C, population.dt
    other = -dt / np.log1p(-dt / tau)
    return Passive(other, -np.expm1(-dt / other) * other * C / dt)


def faded(population: Population, name: str, n: np.ndarray | int) -> np.ndarray:
    """What is left after n steps of what a spike added, which decays with the time constant of this name."""
    return np.exp(-n * population.dt / population.parameters[name])


def input_resistance(population: Population) -> np.ndarray:
    """Of each neuron, in GOhm."""
    with double_precision():
        return np.asarray(Membrane.of(population.parameters, population.dt).input_resistance((len(population),)))
