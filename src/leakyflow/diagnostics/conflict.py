"""Where a posterior left what its prior had believed: a value many prior SDs out is seldom that of a neuron."""

from typing import NamedTuple

import numpy as np

from leakyflow.likelihood.draws import Draws
from leakyflow.likelihood.target import score_of
from leakyflow.neuron.parameters import UNITS
from leakyflow.simulator.prior import Prior, ReadOff

__all__ = ["FAR", "Conflict", "prior_conflicts"]

# Prior SDs; of ten parameters of a neuron of the prior, one in 37 has one so far out.
FAR = 3.0


class Conflict(NamedTuple):
    """A parameter far out in its prior."""

    name: str
    value: float  # posterior mean, or what was read off
    score: float  # prior SDs from the median; infinite outside of what the prior allows

    @property
    def unit(self) -> str:
        """Of the value."""
        return UNITS[self.name]


def prior_conflicts(draws: Draws, prior: Prior, *, far: float = FAR) -> tuple[Conflict, ...]:
    """Parameters, inferred or read off, that lie far out in their prior; the farthest first.

    A prior SD is one of the normal score, which every prior has: for a lognormal one it is a factor.

    Args:
        draws: From the posterior of one recording or cell.
        prior: Of the draws.
        far: Least number of prior SDs.

    Example:
        >>> import leakyflow as lf
        >>> prior = lf.load_config("standard").simulator.prior  # tau: median 17 ms, a factor of e^0.5 an SD
        >>> draws = Draws(("tau", "V_rest", "C", "V_th"), np.array([[170.0, -72.0, 90.0, -45.0]]))
        >>> [(name, round(score, 1)) for name, _, score in prior_conflicts(draws, prior)]
        [('tau', 4.6)]
    """
    z, _ = prior.scores(draws.array)
    means = zip(draws.names, draws.array.mean(axis=0), z.mean(axis=0), strict=True)
    found = [Conflict(name, float(value), float(score)) for name, value, score in means]
    for name, entry in prior.root.items():
        value = None if draws.given is None else draws.given.get(name)
        if isinstance(entry, ReadOff) and value is not None:
            score = score_of(entry.read_off, np.array([value], np.float64))[0]
            found.append(Conflict(name, float(value), float(score)))
    return tuple(sorted((c for c in found if abs(c.score) >= far), key=lambda c: -abs(c.score)))
