"""Scores by what is left of a spike when V is free again, instead of by what it added.

A current that a spike adds and that is over before the refractory period is cannot be told from none. So where data
say that nothing is left of it, the posterior has two arms: nothing was added, and the time constant is any; or the time
constant is short, and anything was added. No ellipsoid has both. By what is left the two are one.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from leakyflow.likelihood.target import score_of
from leakyflow.neuron.mechanisms import MECHANISMS
from leakyflow.simulator.prior import Prior

__all__ = ["Remaining"]

# Time constants by which something may have decayed: beyond them so little is left that nothing can be said of it.
FARTHEST = 20.0


class Remaining(NamedTuple):
    """Coordinates in place of the scores of amplitudes that decay after a spike."""

    prior: Prior
    pairs: tuple[tuple[int, int, float], ...]  # places of an amplitude and its time constant; score of no amplitude
    held: float  # ms from a spike until V is free

    @classmethod
    def of(cls, prior: Prior, held: float) -> "Remaining | None":
        """Those of a prior.

        Args:
            prior: Of the scores.
            held: Time from a spike until V is free, in ms; 0 without spikes.

        Returns:
            None where there is nothing that decays after spikes, or no spike.
        """
        names, pairs = prior.inferred, []
        for amplitude, tau in (one.decay for one in MECHANISMS if one.decay is not None):
            if amplitude in names and tau in names:
                off = float(score_of(prior.distributions[amplitude], np.zeros(1))[0])
                pairs += [(names.index(amplitude), names.index(tau), off)] if np.isfinite(off) else []
        return cls(prior, tuple(pairs), held) if pairs and held > 0.0 else None

    def coordinates(
        self, z: Float64[np.ndarray, "draw param"]
    ) -> tuple[Float64[np.ndarray, "draw param"], Float64[np.ndarray, " draw"]]:
        """The coordinates of scores, and the log of the volume that they make of a unit of these.

        Example:
            >>> from leakyflow.simulator.ladder import ladder_prior
            >>> remaining = Remaining.of(ladder_prior("sag"), held=10.0)
            >>> z = np.full((2, 19), 0.5)
            >>> y, log_volume = remaining.coordinates(z)
            >>> bool(np.allclose(remaining.scores(y), z)), bool((log_volume < 0.0).all())
            (True, True)
        """
        y, log_volume = z.copy(), np.zeros(len(z))
        for amplitude, tau, off in self.pairs:
            decayed = self._decayed(z[:, tau], tau)
            y[:, amplitude] = (z[:, amplitude] - off) * np.exp(-decayed)
            log_volume -= decayed
        return y, log_volume

    def scores(self, y: Float64[np.ndarray, "draw param"]) -> Float64[np.ndarray, "draw param"]:
        """The scores of coordinates."""
        z = y.copy()
        for amplitude, tau, off in self.pairs:
            z[:, amplitude] = y[:, amplitude] * np.exp(self._decayed(y[:, tau], tau)) + off
        return z

    def _decayed(self, score: Float64[np.ndarray, " draw"], place: int) -> Float64[np.ndarray, " draw"]:
        """Time constants that pass until V is free."""
        tau = np.asarray(self.prior.distributions[self.prior.inferred[place]].from_unconstrained(score))
        return np.minimum(self.held / np.maximum(tau, self.held / FARTHEST), FARTHEST)
