"""Several Igor waves in one file: text (.itx) and packed experiments (.pxp)."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from leakyflow.errors import LeakyflowError
from leakyflow.recordings.files.choices import Choices
from leakyflow.recordings.files.door import check_size
from leakyflow.recordings.files.igor_wave import quietly, to_signal
from leakyflow.recordings.files.pairing import Signal
from leakyflow.recordings.files.raw import Source, parsing
from leakyflow.recordings.files.signals import to_source

__all__ = ["is_packed", "open_itx", "open_pxp"]

_WAVES = re.compile(r"\s*WAVES(?P<flags>\S*)\s+(?P<names>.+)", re.IGNORECASE)
_SHAPE = re.compile(r"/N=\(?([\d,\s]+)\)?", re.IGNORECASE)
_COMMAND = re.compile(r"\s*X\s+(.*)", re.IGNORECASE)
_NUMBER = r"\s*([-+\d.eE]+)\s*"
_SCALE = re.compile(
    rf"SetScale\s*/(?P<flag>[PI])\s*x\s+{_NUMBER},{_NUMBER},\s*\"(?P<unit>[^\"]*)\"\s*,(?P<names>[^;]*)", re.IGNORECASE
)
_UNITS = re.compile(
    rf"SetScale\s*(?:/\w)?\s*[dy]\s+{_NUMBER},{_NUMBER},\s*\"(?P<unit>[^\"]*)\"\s*,(?P<names>[^;]*)", re.IGNORECASE
)
_RECORDS = range(32)  # types of records in a packed experiment


@contextmanager
def open_itx(path: Path, choices: Choices) -> Iterator[Source]:
    """Open an Igor text file: waves, their intervals and units.

    Args:
        path: The file.
        choices: `channel` and `current` are names of waves.

    Raises:
        LeakyflowError: If it is damaged, or has no voltage or no current.
    """
    check_size(path.stat().st_size, what="The text", where=path.name)
    with parsing(path, "ITX"):
        waves = _parse(path.read_text(encoding="latin-1").splitlines())
        signals = [_signal(name, wave) for name, wave in waves.items()]
    yield to_source([s for s in signals if max(map(len, s.sweeps)) > 1], path, choices, measured=True)


def _parse(lines: list[str]) -> dict[str, dict[str, Any]]:
    """Samples, interval and unit of each wave; a file that ends before END is damaged."""
    waves: dict[str, dict[str, Any]] = {}
    n = 0
    while n < len(lines):
        declared = _WAVES.fullmatch(lines[n])
        if declared:
            begin = next(k for k in range(n, len(lines)) if lines[k].strip().upper() == "BEGIN")
            end = next(k for k in range(begin, len(lines)) if lines[k].strip().upper() == "END")
            rows = [line for line in lines[begin + 1 : end] if line.strip()]
            waves |= _block(declared, rows)
            n = end
        elif _COMMAND.fullmatch(lines[n]):
            _set_scales(lines[n], waves)
        n += 1
    return waves


def _block(declared: re.Match[str], rows: list[str]) -> dict[str, dict[str, Any]]:
    names = [name.strip("' ") for name in re.split(r"[\s,]+(?=(?:[^']*'[^']*')*[^']*$)", declared["names"].strip())]
    values = np.array([row.split() for row in rows], dtype=np.float64)
    shape = _SHAPE.search(declared["flags"])
    if shape and "," in shape[1]:
        if values.size != np.prod([int(n) for n in shape[1].split(",")]):
            raise ValueError(f"{values.size} numbers for a wave of ({shape[1]})")
        return {names[0]: {"wData": values}}
    return {name: {"wData": values[:, n]} for n, name in enumerate(names)}


def _set_scales(line: str, waves: dict[str, dict[str, Any]]) -> None:
    for found in _SCALE.finditer(line):
        for wave in _of(found["names"], waves):
            last = float(found[3])
            wave["dt"] = last if found["flag"].upper() == "P" else (last - float(found[2])) / len(wave["wData"])
            wave["x_unit"] = found["unit"]
    for found in _UNITS.finditer(line):
        for wave in _of(found["names"], waves):
            wave["unit"] = found["unit"]


def _of(names: str, waves: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    return [waves[name.strip("' ")] for name in names.split(",") if name.strip("' ") in waves]


def _signal(name: str, wave: dict[str, Any]) -> Signal:
    header = {
        "hsA": wave.get("dt", 1.0),
        "xUnits": wave.get("x_unit", "").encode("latin-1"),
        "dataUnits": wave.get("unit", "").encode("latin-1"),
    }
    return to_signal({"wData": wave["wData"], "wave_header": header}, name)


@contextmanager
def open_pxp(path: Path, choices: Choices) -> Iterator[Source]:
    """Open a packed Igor experiment: all waves in it, with their folders.

    Args:
        path: The file.
        choices: `channel` and `current` are names of waves.

    Raises:
        LeakyflowError: If it is damaged, or has no voltage or no current.
    """
    from igor2 import packed

    check_size(path.stat().st_size, what="The experiment", where=path.name)
    with parsing(path, "PXP"), quietly():
        _, folders = packed.load(str(path))
        signals = list(_waves(folders["root"], ""))
    if not signals:
        raise LeakyflowError(f"{path.name} must hold waves of numbers, but has none. Export the waves as .itx or .ibw.")
    yield to_source(signals, path, choices, measured=True)


def _waves(folder: dict[Any, Any], prefix: str) -> Iterator[Signal]:
    for key, item in folder.items():
        name = prefix + (key.decode("latin-1") if isinstance(key, bytes) else str(key))
        if isinstance(item, dict):
            yield from _waves(item, f"{name}:")
        elif hasattr(item, "wave"):
            wave = item.wave["wave"]
            numbers = np.asarray(wave["wData"])
            if numbers.dtype.kind in "fiu" and numbers.ndim in (1, 2) and len(numbers) > 1 and _in_time(wave):
                yield to_signal(wave, name)


def _in_time(wave: dict[str, Any]) -> bool:
    """Whether x is a time, and not, say, a frequency: an experiment holds results as well as recordings."""
    try:
        to_signal({**wave, "wData": np.zeros(2)}, "")
    except LeakyflowError:
        return False
    return True


def is_packed(path: Path) -> bool:
    """Whether a file is a chain of records that ends where the file does."""
    size = path.stat().st_size
    with path.open("rb") as file:
        return any(_is_chain(file, size, order) for order in ("little", "big"))


def _is_chain(file: Any, size: int, order: Any) -> bool:
    at, n = 0, 0
    while at + 8 <= size:
        file.seek(at)
        head = file.read(8)
        kind, length = int.from_bytes(head[:2], order) & 0x7FFF, int.from_bytes(head[4:], order)
        if kind not in _RECORDS:
            return False
        at, n = at + 8 + length, n + 1
    return at == size and n > 0
