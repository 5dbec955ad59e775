"""Populations of particles, what says whether to believe them, and where they begin."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64

from leakyflow.likelihood.draws import import_arviz

__all__ = ["LARGEST_R_HAT", "N_POPULATIONS", "Populations", "Start", "largest_r_hat"]

# Independent populations, whose agreement is the check.
N_POPULATIONS = 4
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


def largest_r_hat(z: Float64[np.ndarray, "population particle param"]) -> float:
    """That of the parameter about which populations agree least."""
    return max(float(import_arviz().rhat(z[..., i])) for i in range(z.shape[-1]))
