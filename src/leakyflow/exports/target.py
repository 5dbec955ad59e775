"""The contract of a target: what its neurons can express, and how they are written."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from leakyflow.errors import LeakyflowError
from leakyflow.exports.population import Population
from leakyflow.neuron.parameters import TABLE, needed

__all__ = ["ELECTRODE", "Target", "expressed"]

# What every target leaves out, and names.
ELECTRODE = {
    "measurement_noise": "belongs to the recording, not to the neuron",
    "R_s": "belongs to the electrode, not to the neuron",
}


@dataclass(frozen=True, kw_only=True)
class Target:
    """A simulator, or a format, that neurons are written for.

    Attributes:
        name: As it is asked for.
        meaning: In a few words.
        expresses: Optional parts of a neuron that it has, by the parameter that switches each on.
        lacks: Why it has not the others; `otherwise` where a part is not named.
        otherwise: Reason for what `lacks` does not name.
        native: (population) -> the neurons in the target's own names and units, for the JSON file.
        files: (population, stem) -> text of each further file, by its name.
        notes: What one must know to use them.
        check: Refuses values that the target cannot take.
    """

    name: str
    meaning: str
    expresses: frozenset[str]
    otherwise: str
    native: Callable[[Population], dict[str, Any]]
    files: Callable[[Population, str], dict[str, str]]
    lacks: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    check: Callable[[Population], None] = lambda population: None

    def why_not(self, name: str) -> str:
        """Why it has no such part."""
        return self.lacks.get(name, self.otherwise)


def expressed(target: Target, population: Population, without: Sequence[str]) -> tuple[Population, dict[str, str]]:
    """The neurons as the target can express them, and why each other parameter was left out.

    Raises:
        LeakyflowError: If it lacks a part of the neurons that was not to be left out, or `without` names none.
    """
    parts = optional_parts(population)
    _check_names(without, parts)
    lacking = [name for name in parts if name not in {*target.expresses, *ELECTRODE, *without}]
    if lacking:
        reasons = "; ".join(f"{name} ({target.why_not(name)})" for name in lacking)
        asked = ", ".join(f'"{name}"' for name in lacking)
        raise LeakyflowError(
            f"{target.meaning} cannot express {reasons}. Export to another target (brian2 has everything), or leave it "
            f"out, which changes the neuron: without=({asked},).",
            argument="without",
        )
    left = {name: ELECTRODE.get(name, "left out as asked") for name in parts if name in {*ELECTRODE, *without}}
    gone = [name for switch in left for name in (switch, *parts[switch])]
    kept = population.without(*gone)
    target.check(kept)
    return kept, {name: left.get(name, "goes with it") for name in gone}


def optional_parts(population: Population) -> dict[str, tuple[str, ...]]:
    """Parameters that are on and need not be, each with those that belong to it."""
    p = population.parameters
    switches = [name for name in p if TABLE[name].off is not None]
    return {name: tuple(x for x in needed({name: 0}) if x not in needed({})) for name in switches}


def _check_names(without: Sequence[str], parts: Mapping[str, Any]) -> None:
    for name in without:
        if name not in parts:
            raise LeakyflowError(
                f"`without` must name a part of these neurons ({', '.join(parts) or 'they have none'}), got {name!r}.",
                argument="without",
            )
