"""What is right for each folder of the shared cases: one module a group, each with a table EXPECTED.

A table maps the name of a folder to a check, a function of the folder's path that raises where the answer is wrong.
`checks` has the usual ones: `gives`, `refuses`, and `all_of` to join several.
"""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

Check = Callable[[Path], None]


def expected() -> dict[str, Check]:
    """Every row of every module beside this one; a folder may stand in one table only."""
    rows: dict[str, Check] = {}
    for module in iter_modules(__path__):
        table = getattr(import_module(f"{__name__}.{module.name}"), "EXPECTED", {})
        twice = set(rows) & set(table)
        assert not twice, f"{twice} stand in two tables"
        rows |= table
    return rows
