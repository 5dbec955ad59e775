"""The ladder of neurons, each with one more mechanism than the one before, and what is believed of each parameter.

Priors around 645 mouse cortical cells (Teeter et al. 2018, Nature Communications 9:709), widened for serotonergic and
other neurons. The membrane's noise is white and inferred, as in the preset `cell`: it is what a neuron does not explain
from one sample to the next, like the residual of a regression, and each rung is judged by how much of it is left. Noise
that is read off the rest is far smaller than what any of these neurons leaves under a strong stimulus; the likelihood
then buys what explains the fastest part of that, at the price of tau and C.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from leakyflow.errors import LeakyflowError
from leakyflow.simulator.distributions import LogNormal, Normal, TruncatedNormal, Uniform
from leakyflow.simulator.prior import Prior, ReadOff

__all__ = ["LADDER", "Rung", "ladder_prior"]


class Rung(NamedTuple):
    """A step of the ladder.

    Attributes:
        name: Of the neuron that has all mechanisms up to here.
        meaning: What it adds.
        adds: Priors of the parameters that come with it.
    """

    name: str
    meaning: str
    adds: Mapping[str, Any]


LADDER = (
    Rung(
        "lif",
        "leaky membrane with white noise, noisy threshold and reset",
        {
            "tau": LogNormal(median=25.0, sigma=0.7),
            "V_rest": Normal(mean=-67.0, sd=8.0),
            "C": LogNormal(median=100.0, sigma=0.7),
            "V_th": Normal(mean=-42.0, sd=9.0),
            "threshold_noise": LogNormal(median=1.5, sigma=0.6),
            "membrane_noise": LogNormal(median=0.15, sigma=0.8),
            "V_reset": Normal(mean=-55.0, sd=10.0),
            "reset_noise": LogNormal(median=4.0, sigma=0.5),
            "t_ref": ReadOff(Uniform(low=1.0, high=14.0)),
        },
    ),
    Rung("electrode", "series resistance that the bridge left", {"R_s": Normal(mean=0.01, sd=0.012)}),
    Rung(
        "after-spike currents",
        "two currents that decay after each spike",
        {
            "ahp_fast": Normal(mean=-100.0, sd=100.0),
            "ahp_fast_tau": LogNormal(median=15.0, sigma=0.7),
            "ahp_slow": Normal(mean=-35.0, sd=30.0),
            "ahp_slow_tau": LogNormal(median=200.0, sigma=0.6),
        },
    ),
    Rung(
        "moving threshold",
        "each spike raises the threshold",
        {
            "threshold_jump": Normal(mean=3.0, sd=3.0),
            "threshold_jump_tau": LogNormal(median=30.0, sigma=0.9),
        },
    ),
    Rung(
        "coupled threshold",
        "the threshold follows the voltage",
        {
            # A threshold that follows the voltage by 1 or more is never reached by a slow current.
            "threshold_coupling": TruncatedNormal(mean=0.3, sd=0.3, low=-0.5, high=0.8),
            "threshold_coupling_tau": LogNormal(median=8.0, sigma=0.8),
        },
    ),
    Rung(
        "sag",
        "slow current against the voltage",
        # Bounded: faster, it would be a second membrane, and tau and sag grow without end to make one.
        {"sag": LogNormal(median=0.2, sigma=1.0), "sag_tau": Uniform(low=30.0, high=400.0)},
    ),
    Rung(
        "dendrite",
        "second compartment",
        {"dendrite_share": Uniform(low=0.02, high=0.8), "dendrite_tau": LogNormal(median=2.0, sigma=0.6)},
    ),
)


def ladder_prior(name: str) -> Prior:
    """Prior of the neuron with all mechanisms up to a rung.

    Args:
        name: Of the rung.

    Raises:
        LeakyflowError: If there is no such rung.

    Example:
        >>> ladder_prior("electrode").inferred
        ('tau', 'V_rest', 'C', 'V_th', 'threshold_noise', 'membrane_noise', 'V_reset', 'reset_noise', 'R_s')
        >>> ladder_prior("dendrite").n_inferred
        21
    """
    names = [rung.name for rung in LADDER]
    if name not in names:
        raise LeakyflowError(f"The ladder has no rung `{name}`, it has: {', '.join(names)}.", argument="rungs")
    return Prior({key: entry for rung in LADDER[: names.index(name) + 1] for key, entry in rung.adds.items()})
