"""What is made in shards: which of it each shard holds, and the manifest that says what it is."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from leakyflow.errors import LeakyflowError
from leakyflow.files import replacing

__all__ = ["MANIFEST", "Shards", "write_manifest"]

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Shards:
    """How many things are worked through and written together.

    Attributes:
        n: Things in all.
        size: Of a shard; the last may hold fewer.
        what: They are, for errors.
    """

    n: int
    size: int
    what: str

    def __len__(self) -> int:
        return -(-self.n // self.size)

    def numbers(self, index: int) -> range:
        """Numbers of what a shard holds.

        Raises:
            LeakyflowError: If there is no such shard.

        Example:
            >>> shards = Shards(10, 4, "files")
            >>> len(shards), shards.numbers(2)
            (3, range(8, 10))
        """
        if not 0 <= index < len(self):
            raise LeakyflowError(
                f"`shard` must lie between 0 and {len(self) - 1}, got {index}: there are {len(self)} shards of "
                f"{self.size} {self.what}.",
                argument="shard",
            )
        return range(index * self.size, min((index + 1) * self.size, self.n))


def write_manifest(out: Path, value: Any, *, exclude_none: bool) -> None:
    """Begin what is made in shards: its folder, and what all shards depend on, whole or not at all.

    Args:
        out: The folder.
        value: Of a class that pydantic knows.
        exclude_none: Leave out what is None.
    """
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(TypeAdapter(type(value)).dump_python(value, mode="json", exclude_none=exclude_none), indent=1)
    with replacing(out / MANIFEST) as scratch:
        scratch.write_text(text + "\n")
