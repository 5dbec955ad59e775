"""Every default with its reason."""

import importlib
import inspect
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

from pydantic.fields import FieldInfo

import leakyflow as lf
from _site.markdown import table
from _site.reasons import ARGUMENTS, BOUNDS, SETTINGS

__all__ = ["arguments", "bounds", "settings"]

OPEN = ("Adequacy", "Batch", "Cell", "Recording", "Stimulus", "Sweep", "Contraction", "Spread")  # are made by functions


def settings() -> str:
    """A section for each part of a configuration."""
    return "\n\n".join(f"### {name}\n\n{_settings(name)}" for name in SETTINGS)


def _settings(name: str) -> str:
    found = {field.name: _default(field) for field in fields(getattr(lf, name))}
    found = {field: value for field, value in found.items() if value is not MISSING}
    _same(name, set(found), set(SETTINGS[name]))
    return table(
        ["setting", "default", "why"], [[f"`{key}`", _shown(found[key]), SETTINGS[name][key]] for key in found]
    )


def _default(field: Any) -> Any:
    """Of a field of pydantic's, which may be wrapped; MISSING where it must be given."""
    if not isinstance(field.default, FieldInfo):
        return field.default
    return MISSING if field.default.is_required() else field.default.default


def arguments() -> str:
    """Arguments of public functions; those that are None or off mean that nothing is asked for."""
    found: dict[str, dict[str, list[str]]] = {}
    for function, name, value in _public():
        found.setdefault(name, {}).setdefault(_shown(value), []).append(function)
    _same("arguments", set(found), set(ARGUMENTS))
    rows = [
        [
            f"`{name}`",
            "; ".join(f"{value} in {', '.join(f'`{x}`' for x in where)}" for value, where in values.items()),
            ARGUMENTS[name],
        ]
        for name, values in found.items()
    ]
    return table(["argument", "default", "why"], rows)


def _public() -> Iterator[tuple[str, str, Any]]:
    for name in lf.__all__:
        thing = getattr(lf, name)
        members = {name: thing} if inspect.isfunction(thing) else {}
        if inspect.isclass(thing) and name not in OPEN:
            members = {f"{name}.{key}": value for key, value in vars(thing).items() if not key.startswith("_")}
        for label, function in members.items():
            function = getattr(function, "__func__", function)
            if inspect.isfunction(function):
                yield from _defaults(label, function)


def _defaults(label: str, function: Any) -> Iterator[tuple[str, str, Any]]:
    for parameter in inspect.signature(function).parameters.values():
        given = parameter.default
        if given is not parameter.empty and given is not None and not isinstance(given, bool):
            yield label, parameter.name, given


def bounds() -> str:
    """Numbers that decide something."""
    rows = []
    for module, reasons in BOUNDS.items():
        there = importlib.import_module(f"leakyflow.{module}")
        rows += [[f"`{module}.{name}`", _shown(getattr(there, name)), why] for name, why in reasons.items()]
    return table(["where", "value", "what, and why"], rows)


def _shown(value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:,}" if isinstance(value, int) else f"{value:g}"
    if isinstance(value, slice):
        return "all"
    if hasattr(value, "items"):
        return ", ".join(value)
    if is_dataclass(value):
        return f"`{type(value).__name__}()`"
    if value is None:
        return "none"
    return str(value).strip("()") or "none"


def _same(what: str, found: set[str], explained: set[str]) -> None:
    if found != explained:
        raise LookupError(
            f"Each default of {what} must have a reason in docs/_site/reasons.py, got none for "
            f"{sorted(found - explained)}; {sorted(explained - found)} are no defaults any more."
        )
