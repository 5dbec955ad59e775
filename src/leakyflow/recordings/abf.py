"""Axon Binary Format, versions 1 and 2, by pyABF."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING

import numpy as np

from leakyflow.recordings.raw import RawSweep, Source, parsing, pick
from leakyflow.recordings.units import quantity, scale

if TYPE_CHECKING:
    from pyabf import ABF

__all__ = ["open_abf"]

_COMMAND = "command"


@contextmanager
def open_abf(path: Path, *, channel: int | str | None, current: int | str | Path | None) -> Iterator[Source]:
    """Open an ABF file.

    The current is the one that was measured, where the file has it: a command of zero stands in many files
    whose stimulus came from elsewhere, and leaves out the holding current. Otherwise it is the command,
    epochs or an external waveform. Units tell a voltage from a current; names are often swapped.

    Args:
        path: The file.
        channel: Number or name of the recorded channel with the voltage; needed where there are several.
        current: Number or name of the recorded channel with the current, or `"command"`.

    Raises:
        ValueError: If the file is damaged, or a voltage-clamp file, or the current is not in it.
    """
    abf = _load(path)
    recorded = {n: f"{name} [{unit}]" for n, name, unit in _channels(abf)}
    units = [quantity(unit) for unit in abf.adcUnits]
    if "voltage" not in units:
        raise ValueError(
            f"{path.name} must have a recorded voltage, but its channels are "
            f"{', '.join(recorded.values())}.\n"
            + ("This is a voltage-clamp file: the current was recorded. Use a current-clamp recording."
               if "current" in units else "Export it with units that say mV or V.")
        )  # fmt: skip
    voltages = {n: abf.adcNames[n] for n, what in enumerate(units) if what == "voltage"}
    V_channel = pick(channel, voltages, option="channel", what="recorded voltage", where=path.name)
    yield Source(n_sweeps=abf.sweepCount, read=partial(_read, abf, path, V_channel, current))


def _load(path: Path, kind: str = "ABF") -> "ABF":
    import pyabf

    with parsing(path, kind), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # The folder matters for stimuli; the cache would keep a stimulus that has since changed on disk.
        abf = pyabf.ABF(str(path), stimulusFileFolder=str(path.parent), cacheStimulusFiles=False)
        abf.adcNames = [name.strip("\0 ") for name in abf.adcNames]
        if not abf.data.size:
            raise ValueError("no samples")
        if abf.abfVersion["major"] == 1 and _has_commands(abf):
            # pyABF 2.3.8 takes the level of the first epochs for the holding levels of version 1.
            abf.holdingCommand = list(abf._headerV1.fInstrumentHoldingLevel)
    return abf


def _channels(abf: "ABF") -> list[tuple[int, str, str]]:
    return [(n, abf.adcNames[n], abf.adcUnits[n]) for n in range(abf.channelCount)]


def _read(abf: "ABF", path: Path, V_channel: int, current: int | str | Path | None, sweep: int) -> RawSweep:
    V = _samples(abf, sweep, V_channel) * scale(abf.adcUnits[V_channel], "mV")
    I, label, measured = _current(abf, path, sweep, V_channel, current)
    return RawSweep(
        V=V,
        I=I,
        dt=1000.0 / abf.dataRate,
        voltage=f"{abf.adcNames[V_channel]} [{abf.adcUnits[V_channel]}]",
        current=label,
        measured=measured,
        confirmed=current is not None,
    )


def _samples(abf: "ABF", sweep: int, channel: int) -> np.ndarray:
    abf.setSweep(sweep, channel=channel)
    return abf.sweepY.astype(np.float64)


def _current(
    abf: "ABF", path: Path, sweep: int, V_channel: int, current: int | str | Path | None
) -> tuple[np.ndarray, str, bool]:
    recorded = {n: name for n, name, unit in _channels(abf) if quantity(unit) == "current"}
    if current is None:
        if _clamps_voltage(abf, path, sweep, V_channel):
            raise ValueError(
                f"{path.name} must be a current-clamp file, but its command is a voltage that changes "
                f"({abf.dacNames[V_channel]} [{abf.dacUnits[V_channel]}]): this is a voltage-clamp file.\n"
                "Use a current-clamp recording."
            )
        # With two amplifiers in one file, the other one may clamp the voltage of another cell.
        recorded = {n: name for n, name in recorded.items() if not _clamps_voltage(abf, path, sweep, n)}
    if str(current) != _COMMAND and (recorded or current is not None):
        wanted = str(current) if isinstance(current, Path) else current
        n = pick(wanted, recorded, option="current", what="recorded current", where=path.name)
        I = _samples(abf, sweep, n) * scale(abf.adcUnits[n], "pA")
        return I, f"recorded {abf.adcNames[n]} [{abf.adcUnits[n]}]", True
    return _commanded(abf, path, sweep, V_channel)


def _commanded(abf: "ABF", path: Path, sweep: int, V_channel: int) -> tuple[np.ndarray, str, bool]:
    commands = {n: abf.dacNames[n] for n in _dacs(abf) if quantity(abf.dacUnits[n]) == "current"}
    if not commands:
        raise ValueError(
            f"{path.name} must have the injected current, but no channel and no command is in A or pA.\n"
            "Record the current, or write V and I to a CSV file with the columns t_ms, V_mV, I_pA."
        )
    n = V_channel if V_channel in commands else pick(
        None, commands, option="channel", what="current command", where=path.name
    )  # fmt: skip
    I = _command(abf, path, sweep, n) * scale(abf.dacUnits[n], "pA")
    if np.isnan(I).any():
        raise ValueError(
            f"The command {commands[n]!r} of {path.name} must be known for the whole sweep, but "
            f"{np.isnan(I).sum()} of {I.size} samples are not in the file.\n"
            "Write V and I to a CSV file with the columns t_ms, V_mV, I_pA."
        )
    return I, f"command {commands[n]} [{abf.dacUnits[n]}]", False


def _has_commands(abf: "ABF") -> bool:
    """Version 1 keeps epochs and holding levels in the long header, of 6144 bytes; else data is there."""
    return abf.abfVersion["major"] > 1 or abf.dataByteStart >= 6144


def _dacs(abf: "ABF") -> range:
    if not _has_commands(abf):
        return range(0)
    return range(min(abf.channelCount, len(abf.dacUnits), len(abf.holdingCommand)))


def _clamps_voltage(abf: "ABF", path: Path, sweep: int, n: int) -> bool:
    """A command in volts that changes is voltage clamp; a constant one stands idle beside a current clamp."""
    if n not in _dacs(abf) or quantity(abf.dacUnits[n]) != "voltage" or _waveform_source(abf, n) == 2:
        return False
    command = _command(abf, path, sweep, n)
    return bool(np.ptp(command) > 0)


def _command(abf: "ABF", path: Path, sweep: int, n: int) -> np.ndarray:
    abf.setSweep(sweep, channel=n)
    if _waveform_source(abf, n) == 2:
        return _external_waveform(abf, path, n)
    with parsing(path, "ABF"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        command = np.asarray(abf.sweepC, dtype=np.float64)
        if len(command) != len(abf.sweepY):
            raise ValueError(f"a command of {len(command)} samples for a sweep of {len(abf.sweepY)}")
    return command


def _waveform_source(abf: "ABF", n: int) -> int:
    """0: none, 1: the epoch table, 2: a file that was played (Clampex's nWaveformSource)."""
    header = abf._headerV1 if abf.abfVersion["major"] == 1 else abf._dacSection
    return int(header.nWaveformSource[n]) if header.nWaveformEnable[n] else 0


def _external_waveform(abf: "ABF", path: Path, n: int) -> np.ndarray:
    """Read the file that was played; pyABF looks in the working directory first, and only warns."""
    if abf.abfVersion["major"] == 1:
        raise ValueError(
            f"The stimulus of {path.name} was played from another file, which pyABF cannot find for ABF 1.\n"
            "Write V and I to a CSV file with the columns t_ms, V_mV, I_pA."
        )
    name = PureWindowsPath(abf._stringsSection._indexedStrings[abf._dacSection.lDACFilePathIndex[n]]).name
    waveform = path.parent / name
    if not waveform.is_file():
        raise ValueError(
            f"The stimulus of {path.name} was played from the file {name!r}, which is missing.\n"
            f"Put it beside the recording, in {path.parent}, or pass current= with the number of a recorded "
            "channel."
        )
    return _played(abf, waveform, n)


def _played(abf: "ABF", waveform: Path, n: int) -> np.ndarray:
    import pyabf

    if waveform.suffix.lower() == ".atf":
        with parsing(waveform, "ATF"):
            samples = np.asarray(pyabf.ATF(str(waveform)).sweepY, dtype=np.float64)
    else:
        samples = _samples(_load(waveform), 0, 0)
    if len(samples) < len(abf.sweepY):
        raise ValueError(
            f"The stimulus file {waveform.name} must be as long as the sweep, {len(abf.sweepY)} samples, got "
            f"{len(samples)}. Put the file that was played beside the recording."
        )
    section = abf._dacSection
    return samples[: len(abf.sweepY)] * section.fDACFileScale[n] + section.fDACFileOffset[n]
