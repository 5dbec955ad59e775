"""What a dataset is drawn from: the prior, the stimuli, the sampling interval and the durations."""

from typing import Any

import numpy as np
from pydantic import ConfigDict, Field, TypeAdapter, field_validator, model_validator
from pydantic.dataclasses import dataclass

from leakyflow.errors import LeakyflowError
from leakyflow.simulator.distributions import Number
from leakyflow.simulator.grid import n_steps
from leakyflow.simulator.prior import Prior
from leakyflow.simulator.protocols import Protocol
from leakyflow.simulator.search import Search
from leakyflow.simulator.stimulus_prior import StimulusPrior

__all__ = ["SHORTEST", "SimulatorConfig"]

# ms. Shorter recordings hold less than a few membrane time constants.
SHORTEST = 100.0
FINEST, COARSEST = 1e-3, 10.0  # ms, between two samples, as in files
MOST_SAMPLES = 2**19  # so that a thousand recordings, which are simulated together, stay below 2 GiB


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid", arbitrary_types_allowed=True))
class SimulatorConfig:
    """Neurons, stimuli and recordings of a dataset.

    Attributes:
        dt: Sampling interval, from 0.001 to 10 ms.
        duration: Shortest and longest recording, in ms; durations are uniform between them, on the grid.
        prior: Of the parameters.
        stimuli: Priors of the injected current of single recordings, drawn in proportion to their weights.
        protocols: Instead of `stimuli`: what cells of many sweeps are given, drawn in proportion to their weights.
        search: How the currents of protocols are scaled; `Search()` when None.

    Raises:
        ValueError: If a duration is off the grid or shorter than 100 ms, they are out of order, a recording would have
            more than 524,288 samples, or there are neither stimuli nor protocols, or both.
    """

    dt: Number = Field(ge=FINEST, le=COARSEST)
    duration: tuple[Number, Number]
    prior: Prior
    stimuli: tuple[StimulusPrior, ...] = ()
    # None, so that a configuration without them is what it was before there were any.
    protocols: tuple[Protocol, ...] | None = None
    search: Search | None = None

    @field_validator("duration", mode="before")
    @classmethod
    def _from_toml(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value

    @model_validator(mode="after")
    def _check(self) -> "SimulatorConfig":
        shortest, longest = self.duration
        n_steps(shortest, self.dt, name="duration"), n_steps(longest, self.dt, name="duration")
        if not SHORTEST <= shortest <= longest:
            raise LeakyflowError(
                f"`duration` must be [shortest, longest] with {SHORTEST:g} <= shortest <= longest, got "
                f"[{shortest:g}, {longest:g}] ms."
            )
        if self.n_time > MOST_SAMPLES:
            raise LeakyflowError(
                f"A recording must have at most {MOST_SAMPLES:,} samples, got {self.n_time:,}. Shorten `duration`, or "
                "raise `dt`."
            )
        if bool(self.stimuli) == bool(self.protocols):
            raise LeakyflowError(
                f"Either `stimuli`, of single recordings, or `protocols`, of cells, must be given, got "
                f"{len(self.stimuli)} and {len(self.protocols or ())}. At least one stimulus prior is needed, or one "
                "protocol, and not both."
            )
        if self.search is not None and not self.protocols:
            raise LeakyflowError("`search` belongs to protocols, got it without any. Leave it out.")
        return self

    @property
    def search_or_default(self) -> Search:
        """How the currents of protocols are scaled."""
        return self.search or Search()

    @property
    def kinds(self) -> tuple[str, ...]:
        """Name of each stimulus prior, or of each protocol."""
        if self.protocols:
            return tuple(protocol.name for protocol in self.protocols)
        return tuple(prior.waveform for prior in self.stimuli)

    @property
    def n_time(self) -> int:
        """Samples of the longest recording."""
        return n_steps(self.duration[1], self.dt)

    def draw_n_samples(self, n: int, seed: int) -> np.ndarray:
        """Draw the length of each recording, in samples; draw i is the same whatever n is."""
        shortest = n_steps(self.duration[0], self.dt)
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=tuple(b"duration")))
        uniform = rng.random(n)
        return (shortest + np.floor(uniform * (self.n_time - shortest + 1))).astype(np.int32)

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, tables and numbers, as in TOML."""
        return TypeAdapter(SimulatorConfig).dump_python(self, mode="json", exclude_none=True)
