"""Protocols: what one cell is given, sweep after sweep, as laboratories do it.

A protocol is one kind of stimulus of which an argument, such as the amplitude of a step, moves in equal steps from the
first sweep to the last. Currents are in units of what the cell needs, about its rheobase; the unit is found by a search
(`leakyflow.simulator.search`), as an experimenter would.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from leakyflow.errors import LeakyflowError
from leakyflow.seeds import stream
from leakyflow.simulator.distributions import Number
from leakyflow.simulator.stimulus_prior import N_SCORES, Argument, StimulusPrior, argument_value

__all__ = ["MOST_SWEEPS", "Protocol", "Scores", "draw_scores"]

MOST_SWEEPS = 24
# Where in the time before the stimulus a prepulse begins and ends, as a share of it.
PREPULSE = (0.5, 0.9)


class Scores(NamedTuple):
    """The random numbers of one cell, whatever its protocol."""

    stimulus: Float[np.ndarray, " score"]  # standard normal, for the arguments of the stimulus
    own: Float[np.ndarray, " score"]  # standard normal: first, last, prepulse; unit, step and top of the search
    uniform: Float[np.ndarray, " number"]  # whether noise is frozen, whether there is a prepulse, place of a lone sweep
    seeds: Int[np.ndarray, " sweep"]  # of what is random about each sweep's waveform

    @property
    def search(self) -> Float[np.ndarray, " score"]:
        """Those of the search."""
        return self.own[3:]


def draw_scores(seed: int, cell: int) -> Scores:
    """The random numbers of a cell: they depend on the seed and its number alone."""
    rng = np.random.default_rng(stream(seed, "protocol", cell))
    scores = rng.standard_normal(N_SCORES), rng.standard_normal(6), rng.random(3)
    return Scores(*scores, rng.integers(2**63, size=MOST_SWEEPS))


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Protocol:
    """Sweeps with one kind of stimulus.

    Attributes:
        name: In tables and figures.
        stimulus: Its prior, with all currents in units of what the cell needs; drawn once for the cell.
        weight: How often it is drawn, relative to the other protocols.
        n_sweeps: Fewest and most sweeps, uniform between them.
        vary: Argument of the stimulus that moves in equal steps from sweep to sweep; none does when None.
        first: Its value in the first sweep.
        last: Its value in the last.
        frozen: Share of cells in which all sweeps repeat the same noise.
        prepulse: Current of a pulse before the stimulus, in units of what the cell needs.
        prepulse_share: Share of cells that get it.

    Raises:
        ValueError: If a number is out of range, or `vary` is no argument of the stimulus.

    Example:
        >>> from leakyflow.simulator.stimulus_prior import SquarePrior
        >>> steps = Protocol(name="steps", stimulus=SquarePrior(amplitude=0.0, onset_fraction=0.5,
        ...     duration_fraction=1.0), n_sweeps=(3, 3), vary="amplitude", first=-1.0, last=3.0)
        >>> [float(I[-1]) for I in steps.currents(draw_scores(1, 0), 3, n_time=10, dt=0.5)]
        [-1.0, 1.0, 3.0]
    """

    name: str
    stimulus: StimulusPrior
    weight: Number = Field(default=1.0, gt=0)
    n_sweeps: tuple[int, int] = (1, MOST_SWEEPS)
    vary: str | None = None
    first: Argument = 0.0
    last: Argument = 0.0
    frozen: Number = Field(default=0.0, ge=0, le=1)
    prepulse: Argument = 0.0
    prepulse_share: Number = Field(default=0.0, ge=0, le=1)

    def __post_init__(self) -> None:
        fewest, most = self.n_sweeps
        if not 1 <= fewest <= most <= MOST_SWEEPS:
            raise LeakyflowError(
                f"`n_sweeps` must be [fewest, most] with 1 <= fewest <= most <= {MOST_SWEEPS}, got [{fewest}, {most}].",
                argument="n_sweeps",
            )
        names = type(self.stimulus).argument_names()
        if self.vary is not None and self.vary not in names:
            raise LeakyflowError(
                f"`vary` must be an argument of a {self.stimulus.waveform} ({', '.join(names)}), got {self.vary!r}.",
                argument="vary",
            )

    def currents(self, scores: Scores, n_sweeps: int, n_time: int, dt: float) -> list[Float[np.ndarray, " time"]]:
        """The currents of a cell's sweeps, in units of what it needs.

        Args:
            scores: Its random numbers.
            n_sweeps: How many sweeps.
            n_time: Length of each, in samples.
            dt: Sampling interval, in ms.
        """
        (arguments,) = self.stimulus.arguments(scores.stimulus[None])
        first, last, prepulse = (
            float(argument_value(argument, score))
            for argument, score in zip((self.first, self.last, self.prepulse), scores.own, strict=False)
        )
        frozen, before = scores.uniform[:2] < (self.frozen, self.prepulse_share)
        places = np.linspace(0.0, 1.0, n_sweeps) if n_sweeps > 1 else scores.uniform[2:]
        currents = []
        for place, seed in zip(places.tolist(), scores.seeds.tolist(), strict=False):
            own = arguments if self.vary is None else arguments | {self.vary: first + place * (last - first)}
            I = self.stimulus.current(own, int(scores.seeds[0]) if frozen else seed, n_time, dt).astype(float)
            if before:
                start, stop = (int(share * own["onset_fraction"] * n_time) for share in PREPULSE)
                I[start:stop] += prepulse
            currents.append(I)
        return currents
