"""The plan of a dataset that is kept as summaries: all that its shards depend on."""

from pathlib import Path

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from leakyflow.batches.shards import MANIFEST, Shards, write_manifest
from leakyflow.errors import LeakyflowError
from leakyflow.revision import revisions
from leakyflow.schema import load_json
from leakyflow.seeds import stream
from leakyflow.simulator.config import SimulatorConfig
from leakyflow.simulator.store import Header
from leakyflow.training.run import versions

__all__ = ["Plan"]

MOST = 2**24  # bytes, of a configuration
MOST_RECORDINGS = 2**40
CURE = "Choose another folder for the summaries, or delete this one."


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid", arbitrary_types_allowed=True))
class Plan:
    """What a dataset is.

    Attributes:
        simulator: Prior, stimuli or protocols, durations and sampling interval.
        n: Recordings, or cells where there are protocols.
        seed: Of everything random.
        shard_size: Recordings, or cells, in a shard.
        versions: Of what it was begun with.
        revisions: Of the formulas that it depends on.
    """

    simulator: SimulatorConfig
    n: int = Field(ge=1, le=MOST_RECORDINGS)
    seed: int = Field(ge=0, lt=2**63)
    shard_size: int = Field(ge=1)
    versions: dict[str, str] = Field(default_factory=versions)
    revisions: dict[str, int] = Field(default_factory=lambda: revisions("summaries"))

    @classmethod
    def load(cls, out: Path) -> "Plan":
        """That of a dataset that was begun."""
        return load_json(out / MANIFEST, cls, most=MOST, cure=CURE)

    def begin(self, out: Path) -> "Plan":
        """Write it down, or find the same one.

        Raises:
            LeakyflowError: If another one is there.
        """
        if (out / MANIFEST).is_file():
            found = Plan.load(out)
            names = ("simulator", "n", "seed", "shard_size", "revisions")
            differing = [name for name in names if getattr(found, name) != getattr(self, name)]
            if differing:
                raise LeakyflowError(
                    f"{out} holds summaries that differ in {', '.join(differing)}. {CURE}", argument="out"
                )
            return found
        write_manifest(out, self, exclude_none=True)
        return self

    @property
    def shards(self) -> Shards:
        """Which recordings, or cells, each shard holds."""
        return Shards(self.n, self.shard_size, "recordings")

    def header(self, index: int) -> Header:
        """A shard as a dataset of its own, with a seed of its own: nothing in it depends on the other shards."""
        n = len(self.shards.numbers(index))
        seed = int(stream(self.seed, "shard", index).generate_state(1, "uint64")[0] >> 1)
        return Header(simulator=self.simulator, seed=seed, n=n, chunk=n)
