"""What an inference found, in numbers and words: whatever shows it need know no network."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from leakyflow.app.choice import Choice

__all__ = ["Answered", "Curve", "Early", "Parameter", "Predicted", "Rates", "Result", "Simulated"]


class Answered(NamedTuple):
    """One answer of the verdict, in the words of the command line."""

    question: str
    short: str
    text: str
    good: bool


class Curve(NamedTuple):
    """A density."""

    x: Float[np.ndarray, " point"]
    density: Float[np.ndarray, " point"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Parameter:
    """One inferred parameter.

    Attributes:
        name: As everywhere.
        unit: Of all its numbers.
        meaning: In words.
        mean: Of the posterior, like `sd`.
        between: SD between the sweeps of the cell; NaN where too few tell.
        low: Of the 90 % interval of both, like `high`.
        decimals: That are worth showing.
        prior: The prior in words.
        prior_range: Its 1 and 99 % quantiles.
        curve: Its density where the posterior is.
    """

    name: str
    unit: str
    meaning: str
    mean: float
    sd: float
    between: float
    low: float
    high: float
    decimals: int
    prior: str
    prior_range: tuple[float, float]
    curve: Curve

    def shown(self, value: float) -> str:
        """A number with the digits that are worth showing."""
        return f"{value:.{self.decimals}f}"

    def exactly(self, sd: float) -> str:
        """An SD, with two digits, and without a power of ten."""
        return np.format_float_positional(float(f"{sd:.2g}"), trim="-")


@dataclass(frozen=True, eq=False, kw_only=True)
class Simulated:
    """What neurons do under a current.

    Attributes:
        dt: In ms.
        I: The current, in pA.
        band: 5 %, 50 % and 95 % quantiles of V, in mV; of one neuron its V three times.
        trains: Times of spikes of some of them, in ms.
        n_spikes: 5 %, 50 % and 95 % quantiles of their number.
    """

    dt: float
    I: Float[np.ndarray, " time"]
    band: Float[np.ndarray, "3 time"]
    trains: tuple[np.ndarray, ...]
    n_spikes: tuple[int, int, int]


@dataclass(frozen=True, eq=False, kw_only=True)
class Predicted:
    """One sweep, and what is predicted of it.

    Attributes:
        name: Of the sweep.
        unseen: Whether it had no part in the inference.
        dt: In ms.
        V: Recorded, as the model sees it, in mV.
        I: In pA.
        spikes: Times of those recorded, in ms.
        V_predicted: With the recorded spikes given, in mV.
        half_width: Of the band that holds 90 % of the errors, in mV.
        trains: Times of spikes of simulated neurons, in ms.
        n_spikes: 5 %, 50 % and 95 % quantiles of their number.
        eps_V: Share of the variance of V that is explained.
        inside: Share of V in the band.
    """

    name: str
    unseen: bool
    dt: float
    V: Float[np.ndarray, " time"]
    I: Float[np.ndarray, " time"]
    spikes: Float[np.ndarray, " spike"]
    V_predicted: Float[np.ndarray, " time"]
    half_width: float
    trains: tuple[np.ndarray, ...]
    n_spikes: tuple[int, int, int]
    eps_V: float
    inside: float

    @property
    def t(self) -> Float[np.ndarray, " time"]:
        """Time of each sample, in ms."""
        return np.arange(len(self.V)) * self.dt


class Rates(NamedTuple):
    """Firing rates under steps, by increasing current."""

    current: Float[np.ndarray, " sweep"]  # pA
    recorded: Float[np.ndarray, " sweep"]  # Hz
    predicted: Float[np.ndarray, "3 sweep"]  # 5 %, 50 % and 95 % quantiles, Hz
    unseen: Bool[np.ndarray, " sweep"]


class Early(NamedTuple):
    """What is known of a posterior before it is known what it is worth."""

    title: str
    network: str
    parameters: tuple[Parameter, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Result:
    """A posterior, and what it is worth.

    Attributes:
        name: Of the recording or the cell.
        file: Name of its file.
        choice: By which it was made.
        sweeps: With what is predicted of them.
        rates: Where the sweeps are steps.
        parameters: Those inferred.
        draws: Of the posterior, in the order of `parameters`.
        given: Values that were not inferred.
        answers: The verdict.
        whole: Everything, packed, for exports; only the process that packed it opens it.
    """

    name: str
    file: str
    choice: Choice
    sweeps: tuple[Predicted, ...]
    rates: Rates | None
    parameters: tuple[Parameter, ...]
    draws: Float[np.ndarray, "draw param"]
    given: dict[str, float]
    answers: tuple[Answered, ...]
    whole: bytes

    @property
    def title(self) -> str:
        """What it is of: the sweep and its window, or the cell and how many sweeps."""
        return self.sweeps[0].name if len(self.sweeps) == 1 else f"{self.name}, {len(self.sweeps)} sweeps"

    @property
    def several(self) -> bool:
        """Whether several sweeps were used."""
        return sum(not sweep.unseen for sweep in self.sweeps) > 1

    @property
    def mean(self) -> dict[str, float]:
        """A whole neuron: the posterior mean, with what was not inferred."""
        return self.given | {parameter.name: parameter.mean for parameter in self.parameters}

    def neurons(self, n: int) -> dict[str, float | np.ndarray]:
        """The first n draws, with what was not inferred."""
        drawn = {parameter.name: self.draws[:n, i] for i, parameter in enumerate(self.parameters)}
        return {**self.given, **drawn}
