"""Configuration: a preset's name or a TOML file becomes a frozen, validated `Config`."""

import difflib
import hashlib
import json
from dataclasses import fields, is_dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal, get_args

import tomli_w
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from leakyflow.errors import LeakyflowError
from leakyflow.models.config import NetworkConfig
from leakyflow.schema import LARGEST
from leakyflow.simulator.config import SimulatorConfig
from leakyflow.simulator.distributions import Distribution
from leakyflow.simulator.protocols import Protocol
from leakyflow.simulator.search import Search
from leakyflow.simulator.stimulus_prior import StimulusPrior
from leakyflow.training.toml import read_tables, shown

__all__ = ["Config", "TrainingConfig", "load_config", "presets"]

MOST = 2**24  # simulations: their traces fill a disk, but their parameters still fit into memory
MOST_IN_BATCH = 2**16
LONGEST = 400  # characters of an error's line


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class TrainingConfig:
    """How a network is trained.

    Attributes:
        n_simulations: Recordings simulated for training and validation.
        epochs: Passes through the training set.
        batch_size: Recordings in a step.
        learning_rate: Of Adam, at the start of the schedule.
        schedule: "constant", "cosine" (annealed to `final_rate`) or "exponential" (decayed to `final_rate`).
        final_rate: Learning rate at the end, as a fraction of `learning_rate`.
        warmup_epochs: Epochs over which the rate first grows from 0, linearly.
        gradient_clip: Largest norm of the gradient; 0 leaves it alone.
        coordinate_clip: Largest size of a local coordinate that is learned from; none where it is not given. Where the
            search for a mode ends elsewhere, the truth may be thousands of SDs away, and such a one would outweigh all.
        validation_fraction: Share of the simulations kept for validation.
        early_stopping: Epochs without a better validation loss after which training ends; 0 never.
        seed: Of the simulations, the initial weights and the order of the batches; below 2^32.
    """

    n_simulations: int = Field(ge=100, le=MOST)
    epochs: int = Field(ge=1, le=10**6)
    batch_size: int = Field(default=256, ge=1, le=MOST_IN_BATCH)
    learning_rate: float = Field(default=1e-3, ge=1e-12, le=1.0)
    schedule: Literal["constant", "cosine", "exponential"] = "cosine"
    final_rate: float = Field(default=0.01, ge=0, le=1)
    warmup_epochs: float = Field(default=0.0, ge=0, le=10**6)
    gradient_clip: float = Field(default=0.0, ge=0, le=1e9)
    coordinate_clip: float | None = Field(default=None, gt=0, le=1e9)
    validation_fraction: float = Field(default=0.05, gt=0, lt=1)
    early_stopping: int = Field(default=0, ge=0, le=10**6)
    seed: int = Field(default=1, ge=0, lt=2**32)

    def __post_init__(self) -> None:
        if self.schedule == "exponential" and self.final_rate == 0:
            raise LeakyflowError("`final_rate` must be positive for an exponential schedule, got 0.")
        if self.batch_size > self.n_training:
            raise LeakyflowError(
                f"`batch_size` must not exceed the training set, got {self.batch_size} > {self.n_training} recordings."
            )

    @property
    def n_validation(self) -> int:
        """Recordings kept for validation."""
        return max(1, round(self.n_simulations * self.validation_fraction))

    @property
    def n_training(self) -> int:
        """Recordings trained on."""
        return self.n_simulations - self.n_validation


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Config:
    """Everything that a trained network depends on.

    Attributes:
        name: Of the preset or of your own.
        simulator: Prior, stimuli, sampling interval and durations.
        network: Summary network and flow.
        training: Simulations, optimizer and seed.
    """

    name: str
    simulator: SimulatorConfig
    training: TrainingConfig
    network: NetworkConfig = NetworkConfig()

    def __post_init__(self) -> None:
        traces = 4 * 3 * self.simulator.n_time * self.training.batch_size * self.network.summary.trace
        if traces > LARGEST:
            raise LeakyflowError(
                f"The traces of a batch must need at most {LARGEST:,} bytes, got {traces:,}. Lower `batch_size`, "
                "shorten `duration`, or raise `dt`."
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, tables and numbers, as in TOML."""
        return TypeAdapter(Config).dump_python(self, mode="json", exclude_none=True)

    def to_toml(self) -> str:
        """A TOML file that `load_config` reads back to an equal Config."""
        return tomli_w.dumps(self.to_dict())

    @property
    def hash(self) -> str:
        """Short fingerprint of all settings, the name aside."""
        settings = {key: value for key, value in self.to_dict().items() if key != "name"}
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]


def presets() -> tuple[str, ...]:
    """Names of the presets.

    Example:
        >>> presets()
        ('cell', 'lif', 'lstm', 'quick', 'standard')
    """
    folder = resources.files("leakyflow.training") / "presets"
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml")))


def load_config(source: str | Path) -> Config:
    """Read a preset or a TOML file.

    A file may begin with `base = "standard"`, or another preset's name, and give only what differs from it.

    Args:
        source: Name of a preset, or path of a TOML file.

    Raises:
        FileNotFoundError: If there is neither.
        ValueError: If the file is not TOML, or a key or value in it is not understood.

    Example:
        >>> load_config("standard").simulator.prior.inferred
        ('tau', 'V_rest', 'C', 'V_th')
    """
    try:
        return TypeAdapter(Config).validate_python(_read(source))
    except ValidationError as error:
        lines = [_explain(problem)[:LONGEST] for problem in error.errors(include_url=False)[:5]]
        raise LeakyflowError(f"The configuration {source} is not understood:\n" + "\n".join(lines)) from None


def _read(source: str | Path) -> dict[str, Any]:
    """Tables of a preset or file, laid over those of its base."""
    if str(source) in presets():
        with resources.as_file(resources.files("leakyflow.training") / "presets" / f"{source}.toml") as path:
            tables = read_tables(path)
    elif Path(source).is_file():
        tables = read_tables(Path(source))
    else:
        near = difflib.get_close_matches(str(source), presets(), n=1)
        hint = f"Did you mean `{near[0]}`?" if near else "Pass a preset's name or the path of a TOML file."
        raise FileNotFoundError(f"No preset or file `{source}`. {hint} Presets: {', '.join(presets())}.")
    base = tables.pop("base", None)
    if base is None:
        return tables
    if base not in presets():
        raise LeakyflowError(
            f"`base` in {source} must be one of the presets {', '.join(presets())}, got {shown(base)}."
        )
    return _laid_over(_read(base), tables)


def _laid_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Settings of `above`, completed from `below`; the stimuli and each parameter's entry are replaced whole."""
    merged = below | above
    for key, value in above.items():
        if isinstance(value, dict) and isinstance(below.get(key), dict):
            merged[key] = below[key] | value if key == "prior" else _laid_over(below[key], value)
    return merged


def _explain(problem: Any) -> str:
    """One line for one of pydantic's complaints: where, what came, what to write instead."""
    place = ".".join(str(part) for part in problem["loc"]) or "the file"
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "unexpected_keyword_argument":
        key = str(problem["loc"][-1])
        near = difflib.get_close_matches(key, _known_keys(), n=1, cutoff=0.5)
        return f"  {place}: there is no such key." + (f" Did you mean `{near[0]}`?" if near else "")
    if problem["type"] in ("missing", "missing_argument"):
        return f"  {place}: this key is missing."
    if problem["type"] == "union_tag_invalid":
        return (
            f"  {place}: got kind {shown(problem['ctx']['tag'])}. It must be one of {problem['ctx']['expected_tags']}."
        )
    given = problem.get("input")
    got = f" (got {shown(given)})" if isinstance(given, str | int | float | bool) else ""
    return f"  {place}: {message}{got}."


@lru_cache
def _known_keys() -> tuple[str, ...]:
    """Every key that a configuration can hold."""
    kinds = (*get_args(get_args(Distribution)[0]), *get_args(get_args(StimulusPrior)[0]))
    todo, keys = [Config, Protocol, Search, *kinds], set()
    while todo:
        for field in fields(todo.pop()):
            keys.add(field.name)
            if isinstance(field.type, type) and is_dataclass(field.type):
                todo.append(field.type)
    return tuple(sorted(keys))
