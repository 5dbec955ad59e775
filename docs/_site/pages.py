"""Writes the pages that are made of the package and of other files of the project."""

import shutil
from pathlib import Path

from _site import defaults, lists
from _site.api import api_pages
from _site.command_line import command_line
from _site.links import on_site
from _site.presets import presets

__all__ = ["write_pages"]

COPIED = {
    "tutorials": ("notebooks/*.ipynb", "{stem}.ipynb"),
    "networks": ("src/leakyflow/networks/*/README.md", "{folder}.md"),
    "project": ("C*.md", "{stem}.md"),
}

# Pieces that pages include.
PIECES = {
    "arguments": defaults.arguments,
    "bounds": defaults.bounds,
    "checks": lists.checks,
    "command_line": command_line,
    "features": lists.features,
    "mechanisms": lists.mechanisms,
    "parameters": lists.parameters,
    "presets": presets,
    "settings": defaults.settings,
    "statistics": lists.statistics,
}


def write_pages(docs: Path) -> None:
    """Write all of them, below `docs`.

    Args:
        docs: Folder of the site's sources.
    """
    for folder, (where, name) in COPIED.items():
        _copy(docs, folder, where, name)
    _write(docs / "api", api_pages())
    _write(docs / "_generated", {name: made() for name, made in PIECES.items()})


def _write(place: Path, pages: dict[str, str]) -> None:
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    for name, text in pages.items():
        (place / f"{name}.md").write_text(text, encoding="utf-8")


def _copy(docs: Path, folder: str, where: str, name: str) -> None:
    """Copy files of the project to where the site takes its pages from."""
    place = docs / folder
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    for path in sorted(docs.parent.glob(where)):
        text = on_site(path.read_text(encoding="utf-8"), folder=f"{folder}/")
        (place / name.format(stem=path.stem.lower(), folder=path.parent.name)).write_text(text, encoding="utf-8")
