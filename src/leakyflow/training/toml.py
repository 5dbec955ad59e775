"""The door for configurations: a text of bounded size and depth becomes tables, before anything in it is understood."""

import re
import tomllib
from pathlib import Path
from typing import Any

from leakyflow.errors import LeakyflowError
from leakyflow.schema import reading

__all__ = ["read_tables", "shown"]

LARGEST = 2**22  # bytes; a stimulus of 100,000 samples given as numbers has a million
DEEPEST = 12  # tables and lists within each other; a configuration needs seven
LONGEST_KEY = 100  # characters
BITS = 63  # of an integer, as TOML has them; Python's parser takes any, which no float can hold
CURE = 'Begin with base = "standard", or another preset, and give only what differs from it.'
_PARTS = 100
# Python's parser takes a time that grows with the square of a dotted key's length.
_DOTTED = re.compile(rf"(?<![^\s\[{{,])(?:[^\s.=,\[\]]++[ \t]*+\.[ \t]*+){{{_PARTS}}}")
_LONGEST_SHOWN = 60


def read_tables(path: Path) -> dict[str, Any]:
    """Read a TOML file; nothing in it is executed.

    Args:
        path: The file.

    Returns:
        Its tables, nested 12 deep at most.

    Raises:
        OSError: If it cannot be read.
        LeakyflowError: If it is no TOML, larger than 4 MiB, nested deeper, or holds a key or number that no
            configuration has.
    """
    size = path.stat().st_size
    if size > LARGEST:
        raise LeakyflowError(f"{path} must have at most {LARGEST:,} bytes, got {size:,}. {CURE}")
    text = path.read_bytes().decode(errors="replace")
    if _DOTTED.search(text):
        raise _too_deep(path)
    try:
        with reading(path, "its text", CURE):
            tables = tomllib.loads(text)
    except LeakyflowError as error:
        if isinstance(error.__cause__, RecursionError):
            raise _too_deep(path) from error
        if isinstance(error.__cause__, tomllib.TOMLDecodeError):
            raise LeakyflowError(f"{path} is not a TOML file: {shown(error.__cause__)}.") from error
        raise
    _check(path, tables)
    return tables


def shown(value: Any) -> str:
    """What is shown of a value in an error: its beginning, and how large it is.

    Example:
        >>> shown("a" * 1000)
        "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa ... (1,002 characters)"
        >>> shown(2**100_000)
        'an integer of 100,001 bits'
    """
    if isinstance(value, int) and value.bit_length() > 4 * _LONGEST_SHOWN:
        return f"an integer of {value.bit_length():,} bits"
    text = str(value) if isinstance(value, Exception) else repr(value)
    return text if len(text) <= 2 * _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]} ... ({len(text):,} characters)"


def _too_deep(path: Path) -> LeakyflowError:
    return LeakyflowError(f"{path} must nest tables and lists at most {DEEPEST} deep, and nests them deeper. {CURE}")


def _check(path: Path, tables: dict[str, Any]) -> None:
    todo: list[tuple[int, str, Any]] = [(0, "", tables)]
    while todo:
        depth, name, value = todo.pop()
        if depth > DEEPEST:
            raise _too_deep(path)
        if len(name) > LONGEST_KEY:
            raise LeakyflowError(f"{path}: a key must have at most {LONGEST_KEY} characters, got {shown(name)}. {CURE}")
        if isinstance(value, int) and value.bit_length() > BITS:
            raise LeakyflowError(
                f"{path}: {name} must be an integer of at most {BITS} bits besides its sign, got {shown(value)}. {CURE}"
            )
        if isinstance(value, dict):
            todo += [(depth + 1, key, one) for key, one in value.items()]
        if isinstance(value, list):
            todo += [(depth + 1, name, one) for one in value]
