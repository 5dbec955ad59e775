"""The line above a table that names its columns."""

import re

from leakyflow.recordings.files.labels import parse_label
from leakyflow.recordings.files.units import quantity

__all__ = ["column_names"]


def column_names(lines: list[str], separator: str, n: int) -> list[str] | None:
    """Names of n columns, from the nearest line above the numbers that has them; a comment may."""
    above = [line.lstrip(" #%!/").rstrip() for line in reversed(lines) if line.strip()]
    for k, line in enumerate(above):
        for names in _splits(line, separator, n):
            if _all_units(names) and k + 1 < len(above):
                for upper in _splits(above[k + 1], separator, n):
                    return [f"{name} ({unit.strip(' ()[]')})" for name, unit in zip(upper, names, strict=True)]
            if sum(bool(parse_label(name).unit or parse_label(name).said) for name in names) > len(names) // 3:
                return names
    return None


def _all_units(names: list[str]) -> bool:
    return all(quantity(name.strip(" ()[]")) for name in names)


def _splits(line: str, separator: str, n: int) -> list[list[str]]:
    """The ways to split a line into n names."""
    ways = [line.split(mark) for mark in (separator, "\t", ";", ",")] + _splits_of_spaces(line)
    return [[name.strip(" \"'") for name in way] for way in ways if len(way) == n]


def _splits_of_spaces(line: str) -> list[list[str]]:
    """Spaces separate names, and stand within them: "Time (ms) IN 0 (mV)"."""
    return [
        re.findall(r"\"[^\"]*\"|\S+", line),
        re.findall(r"[^)\]]+[)\]]", line),
        re.split(r"\s{2,}", line.strip()),
    ]
