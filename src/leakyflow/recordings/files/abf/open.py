"""Open an ABF file: the voltage, its current, and whether they are current clamp."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np

from leakyflow.errors import LeakyflowError
from leakyflow.recordings.files.abf.channels import Channel, Output
from leakyflow.recordings.files.abf.choice import Choice, choose_current
from leakyflow.recordings.files.abf.evidence import Evidence
from leakyflow.recordings.files.abf.file import AbfFile, load_abf
from leakyflow.recordings.files.abf.output import Commands, current_scale
from leakyflow.recordings.files.raw import RawSweep, Source, pick
from leakyflow.recordings.files.units import quantity, scale

__all__ = ["open_abf"]

_STIMULI = (".abf", ".atf")


@contextmanager
def open_abf(path: Path, *, channel: int | str | None, current: int | str | Path | None) -> Iterator[Source]:
    """Open an ABF file.

    The current is the recorded one where the file has that of this cell, with the command beside it; else the
    command of this amplifier: epochs, user list, or stimulus file. Units tell a voltage from a current, names
    are often swapped; numbers of inputs and outputs tell whose command it is.

    Args:
        path: The file.
        channel: Number or name of the recorded channel with the voltage; needed where there are several.
        current: Number or name of the recorded channel with the current; `"command"`, or the name of a command;
            or the path of the stimulus file (ABF, ATF) that was played.

    Raises:
        LeakyflowError: If the file is damaged, clamps the voltage, or leaves open which current was injected.
    """
    file = load_abf(path)
    stimulus = Path(str(current)) if str(current).lower().endswith(_STIMULI) else None
    if stimulus is not None and not stimulus.is_file():
        raise FileNotFoundError(f"`current` must be the stimulus file that was played, but there is no {stimulus}.")
    commands = Commands(file, stimulus)
    evidence = Evidence(file, commands)
    _check_units(file, evidence)
    V = _voltage(file, channel)
    if current is None and (why := evidence.clamp(V)):
        raise LeakyflowError(
            f"{path.name} must be a current-clamp file, but {why}: this is a voltage-clamp file.\n"
            "Use a current-clamp recording."
        )
    choice = choose_current(file, V, evidence, "command" if stimulus is not None else current)
    yield Source(
        n_sweeps=len(file.sweeps), read=partial(_read, file, V, choice, commands, confirmed=current is not None)
    )


def _voltage(file: AbfFile, channel: int | str | None) -> Channel:
    voltages = {found.index: found.name for found in file.channels if quantity(found.unit) == "voltage"}
    if not voltages:
        clamped = any(quantity(found.unit) == "current" for found in file.channels)
        raise LeakyflowError(
            f"{file.path.name} must have a recorded voltage, but its channels are {', '.join(map(str, file.channels))}."
            + ("\nThis is a voltage-clamp file: the current was recorded. Use a current-clamp recording."
               if clamped else "\nExport it with units that say mV or V.")
        )  # fmt: skip
    return file.channels[pick(channel, voltages, option="channel", what="recorded voltage", where=file.path.name)]


def _check_units(file: AbfFile, evidence: Evidence) -> None:
    """Refuse a file that was recorded in current clamp under the labels of voltage clamp."""
    membrane = evidence.mislabelled()
    if not membrane:
        return
    volts = [str(found) for found in file.channels if quantity(found.unit) == "voltage"]
    volts = volts or [str(found) for found in file.outputs if found.source and quantity(found.unit) == "voltage"]
    raise LeakyflowError(
        f"The units of {file.path.name} must be those of current clamp, but {membrane} rests and moves like a "
        f"membrane voltage in mV{f', so that {volts[0]} would be the current' if volts else ''}: the amplifier was in "
        "current clamp under the labels of voltage clamp.\nWrite V and I, scaled as the amplifier was set, to a CSV "
        "file with the columns t_ms, V_mV, I_pA."
    )


def _read(file: AbfFile, V: Channel, choice: Choice, commands: Commands, sweep: int, *, confirmed: bool) -> RawSweep:
    command = None
    if choice.recorded is None:
        assert choice.output is not None  # one of the two was chosen
        I, label = _commanded(file, choice.output, commands, sweep), f"command {choice.output}"
    else:
        I = file.samples(choice.recorded, sweep) * scale(choice.recorded.unit, "pA")
        label = f"recorded {choice.recorded}"
        command = _beside(file, choice.output, commands, sweep)
    return RawSweep(
        V=file.samples(V, sweep) * scale(V.unit, "mV"),
        I=I,
        dt=file.dt,
        voltage=str(V),
        current=label,
        measured=choice.recorded is not None,
        confirmed=confirmed,
        command=command,
        name=str(sweep),
        electrode=V.name,
        protocol=file.protocol,
    )


def _commanded(file: AbfFile, output: Output, commands: Commands, sweep: int) -> np.ndarray:
    factor = current_scale(output)
    assert factor is not None  # only commands of currents are chosen
    I = commands.of(output, sweep) * factor
    if not np.isfinite(I).all():
        raise LeakyflowError(
            f"The command {output} of {file.path.name} must be known for the whole sweep, but "
            f"{(~np.isfinite(I)).sum()} of {I.size} samples are not in the file.\n"
            "Write V and I to a CSV file with the columns t_ms, V_mV, I_pA."
        )
    return I


def _beside(file: AbfFile, output: Output | None, commands: Commands, sweep: int) -> np.ndarray | None:
    """The command beside a recorded current, where the file has it."""
    if output is None:
        return None
    try:
        return _commanded(file, output, commands, sweep)
    except LeakyflowError:  # a stimulus file that is missing, say; the recorded current stands for itself
        return None
