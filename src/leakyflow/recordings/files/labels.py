"""What the name of a column or a variable says: a quantity, and its unit."""

import re
from dataclasses import dataclass

from leakyflow.recordings.files.units import quantity

__all__ = ["Label", "parse_label"]

_BRACKETS = re.compile(r"(?P<before>.*?)[(\[{<]\s*(?P<unit>[A-Za-zµμ]+)\s*[)\]}>](?P<after>.*)")
_WORD = re.compile(r"[A-Za-zµμ]+")
_NO_UNIT = {"fs", "ps", "ns"}  # a sampling rate rather than femtoseconds
_LETTERS = {
    "t": "time",
    "time": "time",
    "times": "time",
    "dt": "time",
    "v": "voltage",
    "vm": "voltage",
    "u": "voltage",
    "i": "current",
    "im": "current",
    "iinj": "current",
    "inj": "current",
}
_BEGINNINGS = {"volt": "voltage", "potential": "voltage", "current": "current", "stim": "current"}
_BEGINNINGS |= {"command": "current", "cmd": "current", "inject": "current", "time": "time"}


@dataclass(frozen=True, kw_only=True)
class Label:
    """A name, taken apart.

    Attributes:
        name: As the file writes it.
        unit: The unit in it; empty where there is none.
        said: The quantity that the words name, whatever the unit: `"voltage"`, `"current"`, `"time"` or `""`.
    """

    name: str
    unit: str
    said: str

    @property
    def kind(self) -> str:
        """The quantity that the unit measures, unless the words of a plain name contradict it."""
        kind = quantity(self.unit)
        return kind if self.agrees else ""

    @property
    def agrees(self) -> bool:
        """False for `V_pA` and `I_mV`; long names of channels, such as `Im RIGHT (mV)`, are often swapped."""
        words = _words(self.stem)
        return len(words) != 1 or self.said in ("", quantity(self.unit)) or not self.unit

    @property
    def stem(self) -> str:
        """The name without its unit."""
        return _split(self.name)[0]

    @property
    def numbers(self) -> tuple[int, ...]:
        """Whole numbers in the name, by which the columns of a sweep belong together."""
        return tuple(int(number) for number in re.findall(r"\d{1,18}", self.stem))

    @property
    def rest(self) -> str:
        """The words that name no quantity."""
        return " ".join(word for word in _words(self.stem) if not _quantity_of(word))


def parse_label(name: str) -> Label:
    """Read the quantity and the unit from a name as people write them.

    Example:
        >>> [parse_label(name).unit for name in ("Time (ms)", "IN 0 (mV)", "voltage [mV]", "time_ms", "Vm_mV")]
        ['ms', 'mV', 'mV', 'ms', 'mV']
        >>> parse_label("V_pA").kind
        ''
    """
    name = name.strip().strip("\"'").strip()
    stem, unit = _split(name)
    return Label(name=name, unit=unit, said=_said(stem))


def _split(name: str) -> tuple[str, str]:
    """The name without its unit, and the unit."""
    bracketed = _BRACKETS.fullmatch(name)
    if bracketed and quantity(bracketed["unit"]):
        return bracketed["before"].strip() + bracketed["after"], bracketed["unit"]
    for word in reversed(list(_WORD.finditer(name))):
        before, after = name[: word.start()], name[word.end() :]
        if _is_unit(word[0], before, after):
            return before.rstrip(" _/.,:;-|") + after, word[0]
    return name, ""


def _is_unit(word: str, before: str, after: str) -> bool:
    """A word of two letters or more stands for itself; V, A and s need a quantity before them: I_A, Time s."""
    if not quantity(word) or word in _NO_UNIT or (before and before[-1].isdigit()):
        return False
    if len(word) > 1:
        return True
    separated = before[-1:] in ("_", "/") or before.endswith("/ ") or (word == "s" and before[-1:] == " ")
    return separated and not after and _said(before) == quantity(word)


def _words(stem: str) -> list[str]:
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", stem)
    return [word.lower() for word in _WORD.findall(spaced)]


def _said(stem: str) -> str:
    """The one quantity that the words of a name say, the last part of a path first; none where they say several."""
    for part in (re.split(r"[./]", stem)[-1], stem):
        found = {_quantity_of(word) for word in _words(part)} - {""}
        if found:
            return found.pop() if len(found) == 1 else ""
    return ""


def _quantity_of(word: str) -> str:
    return _LETTERS.get(word) or next((_BEGINNINGS[b] for b in _BEGINNINGS if word.startswith(b)), "")
