"""What of a class is listed below it."""

from typing import Any

__all__ = ["tidy"]


def tidy(app: Any, what: str, name: str, thing: Any, skip: bool, options: Any) -> bool | None:
    """Leave out fields, which the class describes as its attributes, and what was not written for people to call."""
    data = not callable(thing) and not isinstance(thing, property | classmethod | staticmethod)
    return True if what == "class" and (data or not (getattr(thing, "__doc__", None) or "").strip()) else None
