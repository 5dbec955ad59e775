"""One shard: a folder with a row, draws and a picture of each of its files."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from leakyflow.batches.limit import Late, limited
from leakyflow.batches.manifest import Manifest, fingerprint, network_hash
from leakyflow.batches.one import Found, Judge, infer_file, judge
from leakyflow.batches.rows import ROWS, write_rows
from leakyflow.errors import LeakyflowError
from leakyflow.files import creating, replacing, sweep
from leakyflow.likelihood.write_draws import write_draws
from leakyflow.schema import load_json
from leakyflow.seeds import stream

__all__ = ["SHARDS", "is_done", "make_shard", "place"]

SHARDS = "shards"
DEATHS = 2  # of a process at the same file, after which the file is blamed
MOST_MARKS = 2**20  # bytes


def place(out: Path, index: int) -> Path:
    """Folder of a shard."""
    return out / SHARDS / f"{index:05d}"


def is_done(out: Path, index: int) -> bool:
    """Whether a shard is there, and so is whole."""
    return (place(out, index) / ROWS).is_file()


def make_shard(out: Path, index: int) -> int:
    """Make a shard, unless it is there.

    Args:
        out: Folder of the batch, with its manifest.
        index: Number of the shard.

    Returns:
        Its number of files.

    Raises:
        LeakyflowError: If the network is another than the manifest says.
        OSError: If it cannot be written.
    """
    manifest = Manifest.load(out)
    numbers, folder = manifest.shards.numbers(index), place(out, index)
    if is_done(out, index):
        return len(numbers)
    if network_hash(manifest.network) != manifest.network_hash:
        raise LeakyflowError(f"The network {manifest.network} has changed since the batch {out} was begun. Begin anew.")
    known, marks = judge(manifest.network, manifest.network_hash), _Marks(folder.with_suffix(".at"))
    sweep(folder)
    try:
        with creating(folder) as scratch:
            rows = [_row(manifest, number, known, scratch, marks) for number in numbers]
            write_rows(rows, scratch)
            marks.clear()  # before the shard has its name: nobody comes back to one that is done
    except OSError:
        if not is_done(out, index):  # another worker may have been faster
            raise
    return len(numbers)


def _row(manifest: Manifest, number: int, known: Judge, scratch: Path, marks: "_Marks") -> dict[str, Any]:
    """The row of a file, whatever comes of it; draws and picture are written where there are any."""
    entry = manifest.files[number]
    row: dict[str, Any] = {"file": entry.path, "status": "ok", "error": ""}
    if marks.died_at(number) >= DEATHS:
        return row | {"status": "died", "error": f"The process died {DEATHS} times at this file."}
    marks.set(number)
    try:
        with limited(manifest.settings.timeout):
            found = _found(manifest, number, known)
    except Late:
        return row | {"status": "late", "error": f"Not done within {manifest.settings.timeout:g} s."}
    except Exception as error:  # a bad file never stops a batch, whatever its reader raises
        return row | {"status": "failed", "error": _told(error)}
    stem = f"{number:07d}_{re.sub(r'[^A-Za-z0-9.-]+', '_', Path(entry.path).name)[-60:]}"
    write_draws(found.draws, scratch / f"{stem}.nc")
    (scratch / f"{stem}.svg").write_text(found.picture, encoding="utf-8")
    return row | plain(found.row) | {"draws": f"{stem}.nc", "picture": f"{stem}.svg"}


def _found(manifest: Manifest, number: int, known: Judge) -> Found:
    entry, settings = manifest.files[number], manifest.settings
    path = Path(manifest.folder) / entry.path
    if fingerprint(path) != entry.fingerprint:
        raise LeakyflowError("The file has changed since the batch was begun. Begin anew.")
    seed = int(stream(settings.seed, "batch", number).generate_state(1)[0])
    return infer_file(path, settings, known, seed=seed)


def _told(error: Exception) -> str:
    return str(error) if isinstance(error, LeakyflowError) else f"{type(error).__name__}: {error}"


def plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """The same for JSON: Python's own numbers, and nothing in place of what is not finite."""
    return {name: _plain(value) for name, value in row.items()}


def _plain(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not np.isfinite(value) else value


class _Marks:
    """Which file a shard is at, and how many processes died there; on disk, for a process that dies tells nobody."""

    def __init__(self, path: Path) -> None:
        self.path = path
        cure = "Delete it, and give the same command again."
        self._deaths = load_json(path, dict[int, int], most=MOST_MARKS, cure=cure) if path.is_file() else {}

    def died_at(self, number: int) -> int:
        return self._deaths.get(number, 0)

    def set(self, number: int) -> None:
        """Count a death here, taken back by the next file."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self.path) as scratch:
            scratch.write_text(json.dumps(self._deaths | {number: self.died_at(number) + 1}))

    def clear(self) -> None:
        self.path.unlink(missing_ok=True)
