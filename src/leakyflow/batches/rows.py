"""The rows of a shard, in a file that shows when it was changed."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from leakyflow.errors import LeakyflowError
from leakyflow.schema import reading

__all__ = ["ROWS", "read_rows", "write_rows"]

ROWS = "rows.json"


def write_rows(rows: Sequence[dict[str, Any]], folder: Path) -> None:
    """Write the rows, of Python's own finite numbers and texts, with their digest.

    Args:
        rows: One for each file of the shard.
        folder: Of the shard.

    Example:
        >>> from pathlib import Path
        >>> write_rows([{"file": "a.abf", "status": "ok"}], Path())
        >>> read_rows(Path())
        [{'file': 'a.abf', 'status': 'ok'}]
    """
    text = json.dumps({"digest": _digest(rows), "rows": rows}, indent=1, allow_nan=False)
    (folder / ROWS).write_text(text + "\n", encoding="utf-8")


def read_rows(folder: Path) -> list[dict[str, Any]]:
    """Read the rows as they were written.

    Args:
        folder: Of the shard.

    Raises:
        FileNotFoundError: If there are none.
        LeakyflowError: If they are not what was written.
    """
    path, cure = folder / ROWS, f"Delete {folder}, and give the same command again."
    with reading(path, "its rows", cure):
        found = json.loads(path.read_text(encoding="utf-8"))
        rows, digest = found["rows"], found["digest"]
    if digest != _digest(rows):
        raise LeakyflowError(f"{path} is not as it was written. {cure}")
    return list(rows)


def _digest(rows: Any) -> str:
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]
