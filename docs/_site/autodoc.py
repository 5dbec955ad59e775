"""What of a class is listed below it, and how types of its fields are shown."""

import re
from typing import Any

__all__ = ["as_code", "tidy"]


def tidy(app: Any, what: str, name: str, thing: Any, skip: bool, options: Any) -> bool | None:
    """Leave out fields, which the class describes as its attributes, and what was not written for people to call."""
    data = not callable(thing) and not isinstance(thing, property | classmethod | staticmethod)
    return True if what == "class" and (data or not (getattr(thing, "__doc__", None) or "").strip()) else None


def as_code(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Types of attributes as code, without the modules of their names: shapes hold stars, which would be emphasis."""
    for place, line in enumerate(lines):
        if found := re.fullmatch(r"(:vartype \w+:) (.+)", line):
            lines[place] = f"{found[1]} ``{re.sub(r'[a-z_]+(?:[.][a-z_]+)*[.](?=[A-Z])', '', found[2])}``"
