"""The manifest of a batch: all that its results depend on."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from leakyflow.batches.settings import Settings
from leakyflow.batches.shards import MANIFEST, Shards, write_manifest
from leakyflow.errors import LeakyflowError
from leakyflow.revision import revisions
from leakyflow.schema import load_json
from leakyflow.training.run import CONFIG, NETWORK, trained, versions

__all__ = ["Entry", "Manifest", "fingerprint", "network_hash"]

MOST = 2**30  # bytes, for millions of files
END = 2**18  # bytes of a file's begin and end that tell it from another
CURE = "Choose another folder for the results, or delete this one."


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Entry:
    """One file.

    Attributes:
        path: Below the folder of recordings.
        fingerprint: Of its content.
    """

    path: str
    fingerprint: str

    @classmethod
    def of(cls, path: Path, folder: Path) -> "Entry":
        """Look at a file."""
        return cls(path=path.relative_to(folder).as_posix(), fingerprint=fingerprint(path))


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Manifest:
    """What a batch is.

    Attributes:
        folder: Of the recordings.
        network: Folder of a run, or name of a network that ships.
        network_hash: Of its settings and weights.
        settings: What is done with each file.
        files: In their order.
        shard_size: Files in a shard.
        versions: Of what it was begun with.
        revisions: Of the formulas that its results depend on.
    """

    folder: str
    network: str
    network_hash: str
    settings: Settings
    files: tuple[Entry, ...]
    shard_size: int
    versions: dict[str, str]
    revisions: dict[str, int]

    @classmethod
    def of(
        cls, folder: Path, paths: Sequence[Path], *, network: str, settings: Settings, shard_size: int
    ) -> "Manifest":
        """Look at the files and at the network."""
        if shard_size < 1:
            raise LeakyflowError(f"`shard_size` must be at least 1, got {shard_size}.", argument="shard_size")
        here = folder.resolve()
        return cls(
            folder=str(here),
            network=network if not Path(network).is_dir() else str(Path(network).resolve()),
            network_hash=network_hash(network),
            settings=settings,
            files=tuple(Entry.of(path, folder) for path in paths),
            shard_size=shard_size,
            versions=versions(),
            revisions=revisions("diagnostics"),
        )

    @classmethod
    def load(cls, out: Path) -> "Manifest":
        """That of a batch that was begun."""
        return load_json(out / MANIFEST, cls, most=MOST, cure=CURE)

    def save(self, out: Path) -> None:
        """Begin a batch."""
        write_manifest(out, self, exclude_none=False)

    @property
    def shards(self) -> Shards:
        """Which files each shard holds."""
        return Shards(len(self.files), self.shard_size, "files")

    def check_same(self, other: "Manifest", out: Path) -> None:
        """Refuse to go on with another batch than was begun.

        Raises:
            LeakyflowError: That says what differs.
        """
        found = [f"`{name}` ({b!r}, here {a!r})" for name, (a, b) in self.settings.differing(other.settings).items()]
        if self.network_hash != other.network_hash:
            found.append(f"the network ({other.network}, here {self.network})")
        if self.revisions != other.revisions:
            found.append("the formulas, which another version of leakyflow has")
        if self.shard_size != other.shard_size:
            found.append(f"`shard_size` ({other.shard_size}, here {self.shard_size})")
        found += [] if found else self._files_differ(other)
        if found:
            raise LeakyflowError(f"{out} holds a batch that differs in {', '.join(found)}. {CURE}", argument="out")

    def _files_differ(self, other: "Manifest") -> list[str]:
        mine, its = ({entry.path: entry for entry in one.files} for one in (self, other))
        changed = [path for path in mine if its.get(path) != mine[path]] + [path for path in its if path not in mine]
        return [f"{len(changed)} of its files (first: {changed[0]})"] if changed else []


def fingerprint(path: Path) -> str:
    """Of a file's size, begin and end: enough to see that it is another, and quick for files of any size."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(END)
        file.seek(max(size - END, 0))
        return sha256(str(size).encode() + head + file.read(END)).hexdigest()[:32]


def network_hash(network: str) -> str:
    """Of the settings and the weights of a trained network."""
    folder, total = trained(network), sha256()
    for name in (CONFIG, NETWORK):
        total.update((folder / name).read_bytes())
    return total.hexdigest()
