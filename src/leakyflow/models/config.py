"""Which networks: how a recording is summarized, and which flow learns the posterior."""

from itertools import pairwise
from typing import Any, Literal

from pydantic import ConfigDict, Field, field_validator, model_validator
from pydantic.dataclasses import dataclass

from leakyflow.errors import LeakyflowError

__all__ = ["FlowConfig", "NetworkConfig", "SummaryConfig"]

STRICT = ConfigDict(extra="forbid")


WIDEST, MOST_LAYERS = 2**16, 64  # units of a layer, and layers
MOST_WEIGHTS = 5 * 10**7  # training keeps some eight copies of them
_INPUTS, _PARAMETERS, _BINS = 100, 40, 50  # more than any recording, neuron and spline has


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _check_widths(widths: tuple[int, ...]) -> None:
    if not (1 <= len(widths) <= MOST_LAYERS and min(widths) >= 1 and max(widths) <= WIDEST):
        got = f"{len(widths)} of {min(widths):.4g} to {max(widths):.4g} units" if widths else "none"
        raise LeakyflowError(
            f"`widths` must hold 1 to {MOST_LAYERS} layers of 1 to {WIDEST:,} units, got {got}. Begin with [128, 128]."
        )


def _dense(*widths: int) -> int:
    """Weights of dense layers."""
    return sum((before + 1) * after for before, after in pairwise(widths))


@dataclass(frozen=True, kw_only=True, config=STRICT)
class SummaryConfig:
    """How a recording becomes a vector.

    Attributes:
        variant: "statistics" (MLP on named statistics), "lstm" (on the raw trace) or "both" (concatenated).
        widths: Units of the dense ReLU layers; the last is the length of the summary.
        lstm_units: Units of each of the two LSTM layers.
        patch: Samples grouped into one step of the LSTM; 1 goes sample by sample.
    """

    variant: Literal["statistics", "lstm", "both"] = "statistics"
    widths: tuple[int, ...] = (128, 128)
    lstm_units: int = Field(default=64, ge=1, le=WIDEST)
    patch: int = Field(default=25, ge=1, le=WIDEST)

    _widths = field_validator("widths", mode="before")(_as_tuple)

    @model_validator(mode="after")
    def _check(self) -> "SummaryConfig":
        _check_widths(self.widths)
        return self

    @property
    def statistics(self) -> bool:
        """Whether the statistics are used."""
        return self.variant != "lstm"

    @property
    def trace(self) -> bool:
        """Whether the raw trace is used."""
        return self.variant != "statistics"


@dataclass(frozen=True, kw_only=True, config=STRICT)
class FlowConfig:
    """The coupling flow.

    Attributes:
        depth: Coupling layers.
        transform: "affine" (Dinh et al. 2017) or "spline" (Durkan et al. 2019).
        widths: Hidden units of the network inside each coupling.
        normalization: Between the couplings: "batch" (Dinh et al. 2017), "activation" (ActNorm, Kingma &
            Dhariwal 2018) or "none".
    """

    depth: int = Field(default=6, ge=1, le=MOST_LAYERS)
    transform: Literal["affine", "spline"] = "affine"
    widths: tuple[int, ...] = (128, 128)
    normalization: Literal["batch", "activation", "none"] = "activation"

    _widths = field_validator("widths", mode="before")(_as_tuple)

    @model_validator(mode="after")
    def _check(self) -> "FlowConfig":
        _check_widths(self.widths)
        return self


@dataclass(frozen=True, kw_only=True, config=STRICT)
class NetworkConfig:
    """The whole posterior estimator.

    Attributes:
        summary: How a recording becomes a vector.
        flow: What maps that vector to a posterior.
        standardize: "data" learns the parameters in coordinates of each recording's own, "prior" in the prior's
            normal scores (see `leakyflow.models.local`).
        untold: What of the coordinates of its own the network is not told. There are n (n - 1) / 2 correlations of n
            parameters, more than some thousand simulations can say the use of.
    """

    summary: SummaryConfig = SummaryConfig()
    flow: FlowConfig = FlowConfig()
    standardize: Literal["data", "prior"] = "data"
    untold: Literal["correlations"] | None = None

    @model_validator(mode="after")
    def _check(self) -> "NetworkConfig":
        n = self.most_weights
        if n > MOST_WEIGHTS:
            raise LeakyflowError(
                f"A network must have at most {MOST_WEIGHTS:,} weights, got about {n:,}. Lower `widths`, `depth`, "
                "`lstm_units` or `patch`."
            )
        return self

    @property
    def most_weights(self) -> int:
        """Number of weights, or some more."""
        summary, flow = self.summary, self.flow
        n = summary.statistics * _dense(_INPUTS, *summary.widths)
        if summary.trace:
            units = summary.lstm_units
            n += 4 * units * (3 * summary.patch + 3 * units + 3) + _dense(units + _INPUTS, *summary.widths)
        outputs = _PARAMETERS * (_BINS if flow.transform == "spline" else 2)
        return n + 2 * flow.depth * _dense(2 * summary.widths[-1] + _INPUTS, *flow.widths, outputs)
