"""What is done with each file of a batch."""

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict

from leakyflow.errors import LeakyflowError
from leakyflow.recordings.window import Window

__all__ = ["Settings"]


@dataclass(frozen=True, kw_only=True)
class Settings(Window):
    """What a shard is made by, beside the files and the network.

    Attributes:
        sweeps: Numbers of the sweeps of each file; None takes all that hold current clamp.
        hold_out: Numbers of the sweeps of each file that are kept back and predicted; "auto" chooses.
        n_draws: Posterior draws of each cell.
        seed: Of the draws.
        correct: Whether draws are corrected by the likelihood.
        timeout: Seconds that a cell may take.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    sweeps: tuple[int, ...] | None = None
    hold_out: tuple[int, ...] | Literal["auto"] = "auto"
    n_draws: int = 1000
    seed: int = 0
    correct: bool = True
    timeout: float = 600.0

    def __post_init__(self) -> None:
        for name, least in {"n_draws": 1, "seed": 0}.items():
            if getattr(self, name) < least:
                raise LeakyflowError(f"`{name}` must be at least {least}, got {getattr(self, name)}.", argument=name)
        if not self.timeout > 0:
            raise LeakyflowError(f"`timeout` must be positive, got {self.timeout} s.", argument="timeout")

    def differing(self, other: "Settings") -> dict[str, tuple[Any, Any]]:
        """What differs between two of them, by name."""
        mine, its = asdict(self), asdict(other)
        return {name: (mine[name], its[name]) for name in mine if mine[name] != its[name]}
