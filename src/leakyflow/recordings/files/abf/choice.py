"""Which current belongs to the recorded voltage: a recorded channel or a command, by numbers and by what they do."""

from dataclasses import dataclass
from pathlib import Path

from leakyflow.errors import LeakyflowError
from leakyflow.recordings.files.abf.channels import Channel, Output
from leakyflow.recordings.files.abf.evidence import Evidence
from leakyflow.recordings.files.abf.file import AbfFile
from leakyflow.recordings.files.abf.output import current_scale
from leakyflow.recordings.files.raw import pick
from leakyflow.recordings.files.units import quantity

__all__ = ["Choice", "choose_current"]

_COMMAND = "command"


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Where the current comes from.

    Attributes:
        recorded: The recorded channel, if it is one.
        output: The command, or the command beside the recorded channel; None where there is none.
    """

    recorded: Channel | None
    output: Output | None


def choose_current(file: AbfFile, V: Channel, evidence: Evidence, current: int | str | Path | None) -> Choice:
    """Choose the current of a recorded voltage.

    Args:
        file: The file.
        V: The channel with the voltage.
        evidence: What the traces say.
        current: The caller's choice: number or name of a recorded channel, `"command"`, or name of a command.

    Raises:
        LeakyflowError: If the choice names none, or several remain.
    """
    recorded = [channel for channel in file.channels if quantity(channel.unit) == "current"]
    own, possible = _own_output(file, V)
    if current is None:
        recorded = [channel for channel in recorded if evidence.belongs(channel, V, own)]
        if recorded:
            names = {channel.index: channel.name for channel in recorded}
            index = pick(None, names, option="current", what="recorded current", where=file.path.name)
            return Choice(recorded=file.channels[index], output=own or evidence.command_of(file.channels[index]))
    elif str(current) != _COMMAND:
        return _named(file, recorded, own, current)
    if own is None:
        raise _several(file, V, possible) if possible else _none(file, V)
    return Choice(recorded=None, output=own)


def _named(file: AbfFile, recorded: list[Channel], own: Output | None, current: int | str | Path) -> Choice:
    for channel in recorded:
        if str(current) in (str(channel.index), channel.name):
            return Choice(recorded=channel, output=own)
    outputs = [output for output in file.outputs if current_scale(output) is not None]
    for output in outputs:
        if str(current) == output.name:
            return Choice(recorded=None, output=output)
    there = [f"{channel.index} ({channel.name})" for channel in recorded] + [f"{o.name} (command)" for o in outputs]
    raise LeakyflowError(
        f"`current` must name one recorded current or command of {file.path.name}, got {current!r}; there is "
        f"{', '.join(there) or 'none'}.",
        argument="current",
    )


def _own_output(file: AbfFile, V: Channel) -> tuple[Output | None, list[Output]]:
    """The output of the amplifier of V, by number; else the only one left, and which are left."""
    currents = [output for output in file.outputs if current_scale(output) is not None]
    own = [output for output in currents if output.number == V.number]
    if own:
        return own[0], own
    elsewhere = {other.number for other in file.channels if quantity(other.unit) == "voltage" and other is not V}
    left = [output for output in currents if output.number not in elsewhere]
    active = [output for output in left if output.source or output.holding]
    left = active or left
    return (left[0] if len(left) == 1 else None), left


def _several(file: AbfFile, V: Channel, possible: list[Output]) -> LeakyflowError:
    names = ", ".join(f"{output} (output {output.number})" for output in possible)
    return LeakyflowError(
        f"{file.path.name} must say which command drives {V} (input {V.number}), but {names} may.\n"
        f"Pass current= with the name of one of them, such as current={possible[0].name!r}.",
        argument="current",
    )


def _none(file: AbfFile, V: Channel) -> LeakyflowError:
    currents = [output for output in file.outputs if current_scale(output) is not None]
    if currents:
        names = ", ".join(f"{output} (output {output.number})" for output in currents)
        return LeakyflowError(
            f"{file.path.name} must have the current injected at {V} (input {V.number}), but its commands are those "
            f"of other recorded inputs: {names}.\nPass current= with the name of the one that drove this cell, "
            f"such as current={currents[0].name!r}, or channel= with another voltage.",
            argument="current",
        )
    volts = [str(output) for output in file.outputs if quantity(output.unit) == "voltage" and output.source]
    hint = (
        f"Its commands are voltages ({', '.join(volts)}): a voltage-clamp file, or units that were not set. "
        if volts
        else ""
    )
    return LeakyflowError(
        f"{file.path.name} must have the injected current, but no channel and no command is in A or pA.\n"
        f"{hint}Record the current, or write V and I to a CSV file with the columns t_ms, V_mV, I_pA.",
        argument="current",
    )
