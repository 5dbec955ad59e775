"""The user list of a protocol: one value for each sweep, in place of what the epoch table says."""

import struct
from dataclasses import dataclass

from leakyflow.errors import LeakyflowError
from leakyflow.recordings.files.abf.channels import LONG_HEADER, Output
from leakyflow.recordings.files.abf.file import AbfFile
from leakyflow.recordings.files.raw import parsing

__all__ = ["UserList", "user_list"]

# nULParamToVary counts the same four quantities for each epoch from one of two beginnings: versions with 10
# epochs (level of A: 21) and with 50 (level of A: 61). Below them stand what is outside of the epochs, and the
# digital patterns, from 11 on; writers that know of no patterns begin the levels there.
_QUANTITIES = ("level", "duration", "period", "width")
_NUMBERINGS = {21: 10, 61: 50}  # number of the level of epoch A, and of epochs
_WITHOUT_EFFECT = {*range(8), 9, 10, 11}  # before or between sweeps, or digital
_OTHERS_HOLDING = 8
_PATTERNS = range(12, 21)
_ABF1_LISTS = 4
_VALUES = 256  # characters


@dataclass(frozen=True, kw_only=True)
class UserList:
    """What a user list changes.

    Attributes:
        quantity: `"level"`, `"duration"`, `"period"` or `"width"`.
        epoch: Number of the epoch, from 0 (A).
        values: One for each sweep, in the unit of the output or in samples.
        repeats: True where the list begins again at its end; else its last value stays.
    """

    quantity: str
    epoch: int
    values: tuple[float, ...]
    repeats: bool

    def __getitem__(self, sweep: int) -> float:
        n = len(self.values)
        return self.values[sweep % n if self.repeats else min(sweep, n - 1)]


def user_list(file: AbfFile, output: Output) -> UserList | None:
    """Find the user list that applies to an output.

    Args:
        file: The file.
        output: The output.

    Returns:
        The list, or None where there is none, or it changes nothing of this output within a sweep.

    Raises:
        LeakyflowError: If there is one whose meaning or values are not known.
    """
    with parsing(file.path, "ABF", "user list"):
        found = _of_version_1(file) if file.version == 1 else _of_version_2(file)
    others = any(number != output.number and parameter == _OTHERS_HOLDING for number, parameter, _, _ in found)
    if others:
        raise _unknown(file, output, "changes the holding level of this output")
    for number, parameter, repeats, text in found:
        if number == output.number:
            return _meaning(file, output, parameter, repeats, text)
    return None


def _of_version_2(file: AbfFile) -> list[tuple[int, int, bool, str]]:
    """Number of the output, parameter, repeat and values of each list that is switched on."""
    table, found = file.abf._userListSection, []
    content = file.path.read_bytes()
    for n in range(table._entryCount):
        at = table._byteStart + n * table._entrySize
        number, enabled, parameter, repeats, index = struct.unpack_from("<hhhhi", content, at)
        if enabled:
            found.append((number, parameter, bool(repeats), _string(file, index)))
    return found


def _string(file: AbfFile, index: int) -> str:
    """The string of an index, or, as some writers count otherwise, the last one of the file that is a list."""
    strings = file.abf._stringsSection._indexedStrings
    if 0 <= index < len(strings) and _numbers(strings[index]):
        return str(strings[index])
    named = strings[index] if 0 <= index < len(strings) else ""
    return str(next((text for text in reversed(strings) if _numbers(text)), named))


def _of_version_1(file: AbfFile) -> list[tuple[int, int, bool, str]]:
    if file.abf.dataByteStart < LONG_HEADER:
        return []
    head = file.path.read_bytes()[:LONG_HEADER]
    enabled, parameters = struct.unpack_from("<4h", head, 3360), struct.unpack_from("<4h", head, 3368)
    repeats = struct.unpack_from("<4h", head, 4400)
    found = []
    for n in range(_ABF1_LISTS):
        text = head[3376 + _VALUES * n : 3376 + _VALUES * (n + 1)].decode("latin-1").strip("\0 ")
        if enabled[n]:
            found.append((n, parameters[n], bool(repeats[n]), text))
    return found


def _meaning(file: AbfFile, output: Output, parameter: int, repeats: bool, text: str) -> UserList | None:
    if parameter in _WITHOUT_EFFECT or (parameter in _PATTERNS and set(text) <= set("01, *")):
        return None
    where = _place(parameter)
    if where is None:
        raise _unknown(file, output, f"changes parameter {parameter}")
    values = _numbers(text)
    if not values:
        raise _unknown(file, output, f"holds {text[:60]!r} in place of numbers")
    return UserList(quantity=where[0], epoch=where[1], values=values, repeats=repeats)


def _place(parameter: int) -> tuple[str, int] | None:
    """Quantity and epoch of a parameter."""
    if parameter in _PATTERNS:
        return "level", parameter - _PATTERNS.start
    for first, n_epochs in _NUMBERINGS.items():
        kind, epoch = divmod(parameter - first, n_epochs)
        if 0 <= kind < len(_QUANTITIES):
            return _QUANTITIES[kind], epoch
    return None


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(item) for item in text.split(",") if item.strip())
    except ValueError:
        return ()


def _unknown(file: AbfFile, output: Output, what: str) -> LeakyflowError:
    return LeakyflowError(
        f"The stimulus of {file.path.name} must be known, but a user list of Clampex {what} of {output.name}, which "
        "cannot be followed.\nPass current= with the number of a recorded channel, or write V and I to a CSV file "
        "with the columns t_ms, V_mV, I_pA.",
        argument="current",
    )
