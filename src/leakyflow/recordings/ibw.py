"""Igor binary waves, by igor2: voltage in one file, current in another."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from leakyflow.recordings.raw import RawSweep, Source, parsing
from leakyflow.recordings.units import quantity, scale

__all__ = ["open_ibw"]


@dataclass(frozen=True, eq=False, kw_only=True)
class _Wave:
    path: Path
    samples: np.ndarray
    unit: str
    dt: float  # ms


@contextmanager
def open_ibw(path: Path, *, channel: int | str | None, current: int | str | Path | None) -> Iterator[Source]:
    """Open a pair of Igor binary waves, one sweep; units tell which is the voltage.

    Args:
        path: Either file of the pair.
        channel: Not used: a wave is one channel.
        current: The other file; when None, the one whose name has ch0 for ch1 or the reverse.

    Raises:
        ValueError: If a file is damaged, the other one is missing, or they do not fit together.
    """
    if channel is not None:
        raise ValueError(f"`channel` must be left out for an Igor wave, got {channel!r}: {path.name} is one channel.")
    waves = {}
    for wave in (_load(path), _load(_partner(path, current))):
        waves[quantity(wave.unit)] = wave
    if set(waves) != {"voltage", "current"}:
        raise ValueError(
            f"Two Igor waves must be one voltage and one current, got {path.name} and its partner in "
            f"{', '.join(repr(wave.unit) for wave in waves.values())}.\n"
            "Pass current= with the wave of the injected current; a pair without a voltage cannot be used."
        )
    raw = _join(waves["voltage"], waves["current"], confirmed=current is not None)
    yield Source(n_sweeps=1, read=lambda sweep: raw)


def _partner(path: Path, current: int | str | Path | None) -> Path:
    if current is not None:
        partner = Path(str(current))
        if not partner.is_file():
            raise FileNotFoundError(f"`current` must be the other Igor wave, but there is no file {partner}.")
        return partner
    swapped = re.sub(r"ch([01])(?!\d)", lambda found: f"ch{1 - int(found[1])}", path.name)
    if swapped == path.name or not path.with_name(swapped).is_file():
        expected = "" if swapped == path.name else f" {swapped} is not beside it."
        raise ValueError(
            f"{path.name} is one channel; the other one of the pair is needed.{expected}\n"
            "Pass current= with the path of the other wave."
        )
    return path.with_name(swapped)


def _load(path: Path) -> _Wave:
    from igor2 import binarywave

    with parsing(path, "IBW"):
        wave = binarywave.load(str(path))["wave"]
        samples = np.asarray(wave["wData"], dtype=np.float64)
    if samples.ndim != 1:
        raise ValueError(f"An Igor wave must have one dimension, time, got {samples.shape} in {path.name}.")
    with parsing(path, "IBW"):
        interval, x_unit, unit = _scaling(wave["wave_header"])
    if quantity(x_unit) != "time":
        raise ValueError(f"The x unit of {path.name} must be a time, got {x_unit!r}. Set it in Igor: SetScale/P x.")
    return _Wave(path=path, samples=samples, unit=unit, dt=interval * scale(x_unit, "ms"))


def _scaling(header: dict[str, Any]) -> tuple[float, str, str]:
    """Sampling interval, its unit and that of the data; version 5 keeps one interval per dimension."""
    if "sfA" in header:
        return float(header["sfA"][0]), _text(np.asarray(header["dimUnits"])[0]), _text(header["dataUnits"])
    return float(header["hsA"]), _text(header["xUnits"]), _text(header["dataUnits"])


def _text(characters: Any) -> str:
    """Igor2 returns a unit as an array of single bytes."""
    return b"".join(np.atleast_1d(np.asarray(characters, dtype="S")).tolist()).decode("latin-1").strip("\0 ")


def _join(V: _Wave, I: _Wave, *, confirmed: bool) -> RawSweep:
    if len(V.samples) != len(I.samples) or not np.isclose(V.dt, I.dt, rtol=1e-6, atol=0):
        raise ValueError(
            f"The waves of a pair must have the same samples, got {len(V.samples)} every {V.dt:g} ms in "
            f"{V.path.name} and {len(I.samples)} every {I.dt:g} ms in {I.path.name}. Pass current= with the "
            "wave of the same sweep."
        )
    return RawSweep(
        V=V.samples * scale(V.unit, "mV"),
        I=I.samples * scale(I.unit, "pA"),
        dt=V.dt,
        voltage=f"{V.path.name} [{V.unit}]",
        current=f"{I.path.name} [{I.unit}]",
        measured=True,
        confirmed=confirmed,
    )
