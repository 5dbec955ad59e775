"""The ladder of neurons, each with one more mechanism than the one before, and what is believed of each parameter.

Priors around 645 mouse cortical cells (Teeter et al. 2018, Nature Communications 9:709), widened for serotonergic and
other neurons. Noises, the reset and the refractory period are read off each recording: what the response to a stimulus
does not fit must not be called noise, or the noise explains all that a mechanism could.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from leakyflow.errors import LeakyflowError
from leakyflow.simulator.distributions import LogNormal, Normal, Uniform
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
        "leaky membrane, noisy threshold, noises read off the rest",
        {
            "tau": LogNormal(median=25.0, sigma=0.6),
            "V_rest": Normal(mean=-67.0, sd=8.0),
            "C": LogNormal(median=100.0, sigma=0.6),
            "V_th": Normal(mean=-42.0, sd=9.0),
            "threshold_noise": LogNormal(median=1.5, sigma=0.6),
            "membrane_noise": ReadOff(LogNormal(median=0.03, sigma=1.0)),
            "measurement_noise": ReadOff(LogNormal(median=0.05, sigma=0.7)),
            "V_reset": ReadOff(Normal(mean=-55.0, sd=8.0)),
            "reset_noise": ReadOff(LogNormal(median=4.0, sigma=0.5)),
            "t_ref": ReadOff(Uniform(low=1.0, high=14.0)),
            "current_noise": ReadOff(LogNormal(median=6.0, sigma=0.7)),
            "current_noise_tau": ReadOff(LogNormal(median=5.0, sigma=0.5)),
        },
    ),
    Rung("electrode", "series resistance that the bridge left", {"R_s": Normal(mean=0.01, sd=0.012)}),
    Rung(
        "after-spike currents",
        "two currents that decay after each spike",
        {
            "ahp_fast": Normal(mean=-50.0, sd=150.0),
            "ahp_fast_tau": LogNormal(median=10.0, sigma=0.6),
            "ahp_slow": Normal(mean=-20.0, sd=50.0),
            "ahp_slow_tau": LogNormal(median=150.0, sigma=0.5),
        },
    ),
    Rung(
        "moving threshold",
        "each spike raises the threshold",
        {
            "threshold_jump": Normal(mean=3.0, sd=3.0),
            "threshold_jump_tau": LogNormal(median=20.0, sigma=0.8),
        },
    ),
    Rung(
        "coupled threshold",
        "the threshold follows the voltage",
        {
            "threshold_coupling": Normal(mean=0.3, sd=0.3),
            "threshold_coupling_tau": LogNormal(median=8.0, sigma=0.8),
        },
    ),
    Rung(
        "sag",
        "slow current against the voltage",
        {"sag": LogNormal(median=0.3, sigma=0.8), "sag_tau": LogNormal(median=60.0, sigma=0.7)},
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
        ('tau', 'V_rest', 'C', 'V_th', 'threshold_noise', 'R_s')
        >>> ladder_prior("dendrite").n_inferred
        18
    """
    names = [rung.name for rung in LADDER]
    if name not in names:
        raise LeakyflowError(f"The ladder has no rung `{name}`, it has: {', '.join(names)}.", argument="rungs")
    return Prior({key: entry for rung in LADDER[: names.index(name) + 1] for key, entry in rung.adds.items()})
