"""What of a class is listed below it, and how its fields are shown."""

import re
from typing import Any

from docutils import nodes

__all__ = ["as_code", "as_sentence", "dashed", "tidy"]

COLON = "\ue000"  # stands for one that ends no type


def tidy(app: Any, what: str, name: str, thing: Any, skip: bool, options: Any) -> bool | None:
    """Leave out fields, which the class describes as its attributes, and what was not written for people to call."""
    data = not callable(thing) and not isinstance(thing, property | classmethod | staticmethod)
    return True if what == "class" and (data or not (getattr(thing, "__doc__", None) or "").strip()) else None


def as_sentence(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Of a property no word before a colon is a type, for which Napoleon would take it."""
    if what == "property":
        lines[:] = [re.sub(r"(?<!:):(?= |$)", COLON, line) for line in lines]


def as_code(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Types of attributes as code, without the modules of their names: shapes hold stars, which would be emphasis."""
    for place, line in enumerate(lines):
        if found := re.fullmatch(r"(:vartype \w+:) (.+)", line):
            line = f"{found[1]} ``{re.sub(r'[a-z_]+(?:[.][a-z_]+)*[.](?=[A-Z])', '', found[2])}``"
        lines[place] = line.replace(COLON, ":")


def dashed(app: Any, document: Any) -> None:
    """Between a field and what it is, a dash."""
    for text in list(document.findall(nodes.Text)):
        if text == " -- ":
            text.parent.replace(text, nodes.Text(" \N{EN DASH} "))
