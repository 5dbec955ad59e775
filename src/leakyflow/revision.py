"""Revisions of the formulas that stored numbers depend on: another revision, and they are made again or refused.

A number for each formula, raised by whoever changes what it gives. A hash over the source of the functions would change
with each new name, comment or line, and with it every network would have to be trained again for nothing; and it would
not change where a function that they call does. That nobody forgets to raise one is the business of
`tests/test_revision.py`, which keeps the values that each formula gave in its revision.
"""

from collections.abc import Mapping
from typing import Any, Literal

__all__ = ["REVISIONS", "outdated", "revisions"]

REVISIONS: dict[str, int] = {
    "neuron": 1,  # the equations: what a neuron does, and its likelihood
    "prior": 1,  # distributions, and their normal scores
    "simulations": 1,  # stimuli, durations, and which random numbers drive what
    "statistics": 1,  # of recordings, as the network reads them
    "trace": 1,  # recordings themselves, as the network reads them
    "coordinates": 1,  # in which the network describes the posterior
    "checks": 2,  # numbers by which typicality is judged, beside the statistics
    "typicality": 1,  # the score and its calibration
    "correction": 1,  # of draws by the likelihood
    "diagnostics": 1,  # what `leakyflow diagnose` measures, and its verdicts
}
DATASET = ("neuron", "prior", "simulations")
NETWORK = ("neuron", "prior", "statistics", "trace", "coordinates")
TYPICALITY = (*NETWORK, "simulations", "checks", "typicality")
STORED = {
    "dataset": DATASET,
    "summaries": (*DATASET, "statistics"),
    "network": NETWORK,
    "typicality": TYPICALITY,
    "diagnostics": (*TYPICALITY, "correction", "diagnostics"),
}
Stored = Literal["dataset", "summaries", "network", "typicality", "diagnostics"]


def revisions(stored: Stored) -> dict[str, int]:
    """Revisions of all that such a thing depends on, to be stored with it.

    Example:
        >>> sorted(revisions("dataset"))
        ['neuron', 'prior', 'simulations']
    """
    return {name: REVISIONS[name] for name in STORED[stored]}


def outdated(stored: Stored, found: Any) -> str:
    """What differs between the revisions stored with something and today's, in words; nothing where all agree.

    Args:
        stored: What it is.
        found: Its revisions, as they were read; anything else is none.

    Example:
        >>> outdated("dataset", revisions("dataset") | {"neuron": 0})
        'neuron (revision 0, here 1)'
    """
    found = found if isinstance(found, Mapping) else {}
    differing = {name: now for name, now in revisions(stored).items() if found.get(name) != now}
    return ", ".join(f"{name} (revision {found.get(name, 'unknown')}, here {now})" for name, now in differing.items())
