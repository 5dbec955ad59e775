"""Which networks: how a recording is summarized, and which flow learns the posterior."""

from typing import Any, Literal

from pydantic import ConfigDict, Field, field_validator, model_validator
from pydantic.dataclasses import dataclass

from leakyflow.errors import LeakyflowError

__all__ = ["FlowConfig", "NetworkConfig", "SummaryConfig"]

STRICT = ConfigDict(extra="forbid")


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


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
    lstm_units: int = Field(default=64, ge=1)
    patch: int = Field(default=25, ge=1)

    _widths = field_validator("widths", mode="before")(_as_tuple)

    @model_validator(mode="after")
    def _check(self) -> "SummaryConfig":
        if not self.widths or min(self.widths) < 1:
            raise LeakyflowError(f"`widths` must hold at least one positive number of units, got {self.widths}.")
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

    depth: int = Field(default=6, ge=1)
    transform: Literal["affine", "spline"] = "affine"
    widths: tuple[int, ...] = (128, 128)
    normalization: Literal["batch", "activation", "none"] = "activation"

    _widths = field_validator("widths", mode="before")(_as_tuple)

    @model_validator(mode="after")
    def _check(self) -> "FlowConfig":
        if not self.widths or min(self.widths) < 1:
            raise LeakyflowError(f"`widths` must hold at least one positive number of units, got {self.widths}.")
        return self


@dataclass(frozen=True, kw_only=True, config=STRICT)
class NetworkConfig:
    """The whole posterior estimator.

    Attributes:
        summary: How a recording becomes a vector.
        flow: What maps that vector to a posterior.
        standardize: "data" learns the parameters in coordinates of each recording's own, "prior" in the prior's
            normal scores (see `leakyflow.models.local`).
    """

    summary: SummaryConfig = SummaryConfig()
    flow: FlowConfig = FlowConfig()
    standardize: Literal["data", "prior"] = "data"
