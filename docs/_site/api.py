"""One page for each group of public names, as `leakyflow/__init__.py` groups them."""

import inspect
import re
from pathlib import Path

import leakyflow as lf
from _site.markdown import table

__all__ = ["api_pages", "groups"]


def groups() -> dict[str, list[str]]:
    """Public names by the comment above them.

    Example:
        >>> "read_cell" in groups()["Recordings and their files"]
        True
        >>> sorted(name for names in groups().values() for name in names) == sorted(lf.__all__)[1:]
        True
    """
    found: dict[str, list[str]] = {}
    source = Path(inspect.getsourcefile(lf) or "").read_text(encoding="utf-8")
    for line in source.split("_HOME = {")[1].split("}")[0].splitlines():
        if title := re.fullmatch(r"\s*# (.+)\.", line):
            found[title[1]] = names = []
        elif name := re.match(r'\s*"(\w+)":', line):
            names.append(name[1])
    return found


def api_pages() -> dict[str, str]:
    """Pages by their names, and the list of all."""
    pages = {re.sub(r"\W+", "_", title.lower()): _page(title, names) for title, names in groups().items()}
    contents = "\n".join(["```{toctree}", ":maxdepth: 2", "", *pages, "```"])
    pages["index"] = f"# Python\n\n`import leakyflow as lf`; names are loaded on first use.\n\n{contents}\n"
    return pages


def _page(title: str, names: list[str]) -> str:
    names = sorted(names, key=lambda name: (not inspect.isclass(getattr(lf, name)), name.lower()))
    rows = [[f"[`{name}`](#leakyflow.{name})", _first_line(name)] for name in names]
    entries = "\n\n".join(_entry(name) for name in names)
    return f"# {title}\n\n{table(['name', 'what it is'], rows)}\n\n```{{eval-rst}}\n{entries}\n```\n"


def _first_line(name: str) -> str:
    return (inspect.getdoc(getattr(lf, name)) or "").split("\n\n")[0].replace("\n", " ")


def _entry(name: str) -> str:
    if not inspect.isclass(getattr(lf, name)):
        return f".. autofunction:: leakyflow.{name}"
    return f".. autoclass:: leakyflow.{name}\n   :members:"
