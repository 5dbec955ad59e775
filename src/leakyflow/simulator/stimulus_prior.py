"""Stimulus priors: each draws the arguments of a stimulus, so that a dataset holds many protocols.

Recordings differ in length, so onset and duration are fractions: `onset_fraction` of the recording comes
before the stimulus, which then lasts `duration_fraction` of what remains. Both are rounded to the grid, so
that every draw is a valid stimulus at any length and sampling interval.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import cached_property
from typing import Annotated, Any, Literal

import numpy as np
from jaxtyping import Float, Float32, Int, Int32
from pydantic import ConfigDict, Discriminator, Field, Tag
from pydantic.dataclasses import dataclass

from leakyflow.errors import LeakyflowError
from leakyflow.simulator import waveforms
from leakyflow.simulator.distributions import AbstractDistribution, Distribution, Number, Uniform, check_spread
from leakyflow.simulator.stimuli import check_frequency

__all__ = [
    "AbstractStimulusPrior",
    "Argument",
    "ArrayPrior",
    "ChirpPrior",
    "ModulatedNoisePrior",
    "OrnsteinUhlenbeckPrior",
    "RampPrior",
    "SinusoidPrior",
    "SquarePrior",
    "StimulusPrior",
    "argument_value",
    "draw_stimuli",
]

CONFIG = ConfigDict(extra="forbid")
# Random numbers set aside for the arguments of each draw.
N_SCORES = 12
SHORTEST_INTERVAL = 1e-3  # ms
NOT_DRAWN = ("weight", "waveform", "I", "sampling_interval")
ANY_PHASE = Uniform(low=0.0, high=2 * math.pi)
RANGES = {
    "onset_fraction": (0.0, 1.0),
    "duration_fraction": (0.0, 1.0),
    "frequency": (0.0, math.inf),
    "start_frequency": (0.0, math.inf),
    "stop_frequency": (0.0, math.inf),
    "sd": (0.0, math.inf),
    "correlation_time": (0.0, math.inf),
    "modulation": (0.0, 1.0),
    "modulation_frequency": (0.0, math.inf),
}


def _form(argument: Any) -> str:
    return "distribution" if isinstance(argument, AbstractDistribution | Mapping) else "number"


Argument = Annotated[
    Annotated[Number, Tag("number")] | Annotated[Distribution, Tag("distribution")], Discriminator(_form)
]


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class AbstractStimulusPrior(ABC):
    """What all stimulus priors share; a final class adds the arguments of its stimulus.

    Every argument is a number or a distribution. Other arguments are named and measured as in the stimulus.

    Attributes:
        weight: How often it is drawn, relative to the other priors of a dataset.
        onset_fraction: Share of the recording before the stimulus, from 0 to 1.
        duration_fraction: Share of the rest that the stimulus lasts, from 0 to 1; at least one sample.
        holding: Current before, under and after the stimulus, in pA.

    Raises:
        ValueError: If a number is not finite, the weight is not positive, or an argument can leave its range.
    """

    weight: Number = 1.0
    onset_fraction: Argument = Uniform(low=0.05, high=0.3)
    duration_fraction: Argument = Uniform(low=0.4, high=1.0)
    holding: Argument = 0.0

    def __post_init__(self) -> None:
        if self.weight <= 0:
            raise LeakyflowError(f"`weight` must be positive, got {self.weight:g}. Leave out a prior not wanted.")
        for name in self.argument_names():
            _check_range(name, getattr(self, name), *RANGES.get(name, (-math.inf, math.inf)))

    @classmethod
    def argument_names(cls) -> tuple[str, ...]:
        """Names of the arguments that are drawn, in the order in which they take their random numbers."""
        return tuple(field.name for field in fields(cls) if field.name not in NOT_DRAWN)

    def draw(self, rng: np.random.Generator, n_time: int, dt: float) -> Float32[np.ndarray, " time"]:
        """Draw one current.

        Args:
            rng: Where the random numbers come from.
            n_time: Length, in samples.
            dt: Sampling interval, in ms.

        Returns:
            Current, in pA.
        """
        scores, seed = rng.standard_normal(N_SCORES), int(rng.integers(2**63))
        (arguments,) = self.arguments(scores[None])
        return self.current(arguments, seed, n_time, dt)

    def arguments(self, scores: Float[np.ndarray, "draw score"]) -> list[dict[str, float]]:
        """Arguments of many draws at once, which costs no more than those of one.

        Args:
            scores: Standard normal; argument k takes score k of its draw.

        Returns:
            One table of arguments for each draw.
        """
        names = self.argument_names()
        columns = [
            np.broadcast_to(argument_value(getattr(self, name), score), len(scores)).tolist()
            for name, score in zip(names, scores.T, strict=False)
        ]
        return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]

    def current(self, arguments: dict[str, float], seed: int, n_time: int, dt: float) -> Float32[np.ndarray, " time"]:
        """The current with these arguments, in pA; `seed` is for what is random about the waveform itself."""
        currents = np.zeros((1, n_time), np.float32)
        self.place(currents, [0], [arguments], n_samples=[n_time], seeds=[seed], dt=dt)
        return currents[0]

    def place(
        self,
        currents: Float32[np.ndarray, "draw time"],
        rows: Sequence[int],
        arguments: Sequence[dict[str, float]],
        *,
        n_samples: Sequence[int],
        seeds: Sequence[int],
        dt: float,
    ) -> None:
        """Write the currents of some draws, in pA, over zeros; what one gives does not depend on the others.

        Args:
            currents: Of all draws.
            rows: Where to write.
            arguments: Of each of the rows.
            n_samples: Its length; what lies beyond stays as it is.
            seeds: For what is random about its waveform itself.
            dt: Sampling interval, in ms.

        Raises:
            LeakyflowError: If the grid is too coarse for a frequency.
        """
        self._check_frequencies(arguments, dt)
        t = np.arange(currents.shape[1]) * dt
        for row, own, n, seed in zip(rows, arguments, n_samples, seeds, strict=True):
            own = dict(own)
            start = min(int(own.pop("onset_fraction") * n), n - 1)
            n_on = max(round(own.pop("duration_fraction") * (n - start)), 1)
            holding = own.pop("holding")
            if holding:
                currents[row, :n] = holding
            currents[row, start : start + n_on] = holding + self._waveform(t[:n_on], dt, own, seed)

    @abstractmethod
    def _waveform(
        self, t: Float[np.ndarray, " on"], dt: float, arguments: dict[str, float], seed: int
    ) -> float | Float[np.ndarray, " on"]:
        """The current above the holding current while the stimulus is on, t ms after its onset."""

    def _check_frequencies(self, arguments: Sequence[dict[str, float]], dt: float) -> None:
        for name in self.argument_names():
            if name.endswith("frequency") and arguments:
                check_frequency(name, max(own[name] for own in arguments), dt)


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class SquarePrior(AbstractStimulusPrior):
    """Draws the arguments of `square`.

    Example:
        >>> prior = SquarePrior(amplitude=Uniform(low=-100.0, high=400.0), onset_fraction=0.2)
        >>> prior.draw(np.random.default_rng(1), n_time=1000, dt=0.2).shape
        (1000,)
    """

    waveform: Literal["square"] = "square"
    amplitude: Argument

    def _waveform(self, t: Float[np.ndarray, " on"], dt: float, arguments: dict[str, float], seed: int) -> float:
        return arguments["amplitude"]


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class SinusoidPrior(AbstractStimulusPrior):
    """Draws the arguments of `sinusoid`; the phase is uniform unless given."""

    waveform: Literal["sinusoid"] = "sinusoid"
    mean: Argument = 0.0
    amplitude: Argument
    frequency: Argument
    phase: Argument = ANY_PHASE

    def _waveform(
        self, t: Float[np.ndarray, " on"], dt: float, arguments: dict[str, float], seed: int
    ) -> Float[np.ndarray, " on"]:
        return waveforms.sinusoid(t, **arguments)


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class RampPrior(AbstractStimulusPrior):
    """Draws the arguments of `ramp`."""

    waveform: Literal["ramp"] = "ramp"
    start: Argument = 0.0
    stop: Argument

    def _waveform(
        self, t: Float[np.ndarray, " on"], dt: float, arguments: dict[str, float], seed: int
    ) -> Float[np.ndarray, " on"]:
        return waveforms.ramp(t, **arguments, duration=len(t) * dt)


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class ChirpPrior(AbstractStimulusPrior):
    """Draws the arguments of `chirp`; the phase is uniform unless given."""

    waveform: Literal["chirp"] = "chirp"
    mean: Argument = 0.0
    amplitude: Argument
    start_frequency: Argument
    stop_frequency: Argument
    phase: Argument = ANY_PHASE

    def _waveform(
        self, t: Float[np.ndarray, " on"], dt: float, arguments: dict[str, float], seed: int
    ) -> Float[np.ndarray, " on"]:
        return waveforms.chirp(t, **arguments, duration=len(t) * dt)


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class OrnsteinUhlenbeckPrior(AbstractStimulusPrior):
    """Draws the arguments of `ornstein_uhlenbeck`, its seed included."""

    waveform: Literal["ornstein_uhlenbeck"] = "ornstein_uhlenbeck"
    mean: Argument = 0.0
    sd: Argument
    correlation_time: Argument

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.correlation_time == 0:
            raise LeakyflowError(
                "`correlation_time` must be positive, got 0 ms. The shortest that is resolved is about dt."
            )

    def _waveform(
        self, t: Float[np.ndarray, " on"], dt: float, arguments: dict[str, float], seed: int
    ) -> Float[np.ndarray, " on"]:
        return waveforms.noise(t, **arguments, seed=seed, dt=dt)


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class ModulatedNoisePrior(AbstractStimulusPrior):
    """Draws the arguments of `modulated_noise`, its seed included; the phase is uniform unless given."""

    waveform: Literal["modulated_noise"] = "modulated_noise"
    mean: Argument = 0.0
    sd: Argument
    correlation_time: Argument
    modulation: Argument
    modulation_frequency: Argument
    phase: Argument = ANY_PHASE

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.correlation_time == 0:
            raise LeakyflowError(
                "`correlation_time` must be positive, got 0 ms. The shortest that is resolved is about dt."
            )

    def _waveform(
        self, t: Float[np.ndarray, " on"], dt: float, arguments: dict[str, float], seed: int
    ) -> Float[np.ndarray, " on"]:
        return waveforms.modulated_noise(t, **arguments, seed=seed, dt=dt)


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class ArrayPrior(AbstractStimulusPrior):
    """Draws a stretch of a given current, scaled.

    The stretch starts at a random sample of the array, each held until the next where the grids differ. An
    array shorter than the stretch is taken from its first sample, and the holding current follows.

    Attributes:
        I: Current, in pA above the holding current; several arrays are several priors.
        sampling_interval: Sampling interval of the array, in ms.
        gain: Factor on the array.
    """

    waveform: Literal["array"] = "array"
    I: tuple[Number, ...]
    sampling_interval: Number
    gain: Argument = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.I or self.sampling_interval < SHORTEST_INTERVAL:
            raise LeakyflowError(
                f"`I` must hold samples and `sampling_interval` must be at least {SHORTEST_INTERVAL:g} ms, got "
                f"{len(self.I)} samples, sampling_interval={self.sampling_interval:g} ms."
            )

    def _waveform(
        self, t: Float[np.ndarray, " on"], dt: float, arguments: dict[str, float], seed: int
    ) -> Float[np.ndarray, " on"]:
        # A sample belongs to the interval that it opens, also where its quotient is rounded down.
        stretch = np.floor(np.arange(len(t)) * (dt / self.sampling_interval) + 1e-6).astype(int)
        stretch += seed % max(len(self.I) - stretch[-1], 1)
        stretch, waveform = stretch[stretch < len(self.I)], np.zeros(len(t))
        waveform[: len(stretch)] = arguments["gain"] * self._samples[stretch]
        return waveform

    @cached_property
    def _samples(self) -> Float[np.ndarray, " sample"]:
        return np.array(self.I)


StimulusPrior = Annotated[
    SquarePrior | SinusoidPrior | RampPrior | ChirpPrior | OrnsteinUhlenbeckPrior | ModulatedNoisePrior | ArrayPrior,
    Field(discriminator="waveform"),
]


def draw_stimuli(
    priors: Sequence[AbstractStimulusPrior],
    *,
    index: Sequence[int] | Int[np.ndarray, " dataset"],
    n_samples: Int[np.ndarray, " dataset"],
    n_time: int,
    dt: float,
    seed: int,
) -> tuple[Float32[np.ndarray, "dataset time"], Int32[np.ndarray, " dataset"]]:
    """Draw the currents of a dataset, or of any part of it.

    Draw i depends on the seed, i and its own length only, so chunks of any size make the same dataset.

    Args:
        priors: What to draw from, each in proportion to its weight.
        index: Places of the draws in the dataset.
        n_samples: Length of each draw, in samples.
        n_time: Length to pad to, in samples; the padding is 0 pA.
        dt: Sampling interval, in ms.
        seed: Not negative.

    Returns:
        Currents, in pA, and the place in `priors` of the one that each was drawn from.

    Raises:
        ValueError: If there is no prior, `index` and `n_samples` differ in length, a length is not between 2
            and `n_time`, or the seed or an index is negative.

    Example:
        >>> priors = [SquarePrior(amplitude=100.0), SinusoidPrior(amplitude=50.0, frequency=10.0, weight=3.0)]
        >>> I, which = draw_stimuli(
        ...     priors, index=range(4), n_samples=np.array([500, 1000, 800, 600]), n_time=1000, dt=0.2, seed=1
        ... )
        >>> I.shape, which.shape
        ((4, 1000), (4,))
    """
    index = np.asarray(index)
    _check_draws(priors, index, n_samples, n_time)
    uniform, scores, seeds = _random_numbers(seed, index)
    upper = np.cumsum([prior.weight for prior in priors])
    which = np.searchsorted(upper, uniform * upper[-1], side="right").astype(np.int32)
    currents = np.zeros((len(index), n_time), np.float32)
    for place, prior in enumerate(priors):
        rows = np.flatnonzero(which == place)
        own = prior.arguments(scores[rows])
        prior.place(currents, rows.tolist(), own, n_samples=n_samples[rows].tolist(), seeds=seeds[rows].tolist(), dt=dt)
    _check_finite(currents, index)
    return currents, which


def _check_finite(currents: Float32[np.ndarray, "dataset time"], index: Int[np.ndarray, " dataset"]) -> None:
    bad = ~np.isfinite(currents.sum(axis=1, dtype=np.float64))
    if bad.any():
        raise LeakyflowError(
            f"Currents must be finite, got NaN or infinite ones in {bad.sum()} of {bad.size} draws (first: draw "
            f"{index[bad.argmax()]}). Narrow the priors of the arguments; values are in pA."
        )


def _random_numbers(
    seed: int, index: Int[np.ndarray, " dataset"]
) -> tuple[Float[np.ndarray, " dataset"], Float[np.ndarray, "dataset score"], Int[np.ndarray, " dataset"]]:
    """The random numbers of each draw: for its prior, for its arguments, and a seed for its waveform."""
    uniform, scores = np.empty(len(index)), np.empty((len(index), N_SCORES))
    seeds = np.empty(len(index), np.int64)
    generator = np.random.Philox(key=np.array([_stream(seed), 0], np.uint64))
    rng, start = np.random.Generator(generator), generator.state
    for row, i in enumerate(index):
        # Another key is another stream; a generator is rewound in a fifth of the time that a new one takes.
        start["state"]["key"][1] = i
        generator.state = start
        uniform[row], scores[row], seeds[row] = (
            rng.random(),
            rng.standard_normal(N_SCORES),
            rng.integers(2**63),
        )
    return uniform, scores, seeds


def _check_draws(
    priors: Sequence[AbstractStimulusPrior],
    index: Int[np.ndarray, " index"],
    n_samples: Int[np.ndarray, " dataset"],
    n_time: int,
) -> None:
    if not priors:
        raise LeakyflowError("At least one stimulus prior is needed, got none.")
    if len(index) != len(n_samples):
        raise LeakyflowError(f"`index` and `n_samples` must have one length, got {len(index)} and {len(n_samples)}.")
    if (index < 0).any():
        raise LeakyflowError(f"`index` must not be negative, got {index.min()}. Count draws from 0.")
    bad = (n_samples < 2) | (n_samples > n_time)
    if bad.any():
        first = bad.argmax()
        raise LeakyflowError(
            f"`n_samples` must lie between 2 and n_time={n_time}, got {n_samples[first]} in draw "
            f"{index[first]} ({bad.sum()} of {bad.size} draws). Raise n_time or shorten the recordings."
        )


def _stream(seed: int) -> int:
    if seed < 0:
        raise LeakyflowError(f"`seed` must not be negative, got {seed}.")
    # Hashed with the name, so that no other use of the same seed meets these random numbers.
    return int(np.random.SeedSequence(seed, spawn_key=tuple(b"stimulus")).generate_state(1, np.uint64)[0])


def argument_value(argument: Argument, score: float | Float[np.ndarray, "*draw"]) -> float | Float[np.ndarray, "*draw"]:
    """The value of an argument that has this normal score; a number is itself."""
    return argument.from_unconstrained(score) if isinstance(argument, AbstractDistribution) else argument


def _check_range(name: str, argument: Argument, low: float, high: float) -> None:
    if isinstance(argument, AbstractDistribution):
        check_spread(name, argument)
    least, greatest = argument.support if isinstance(argument, AbstractDistribution) else (argument, argument)
    if least < low or greatest > high:
        raise LeakyflowError(
            f"`{name}` must lie between {low:g} and {high:g}, got {least:g} to {greatest:g}. "
            "Use Uniform or TruncatedNormal, or LogNormal where there is no upper limit."
        )
