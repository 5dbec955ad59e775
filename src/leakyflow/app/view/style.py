"""How tables and sentences look."""

from pathlib import Path
from typing import Any

import panel as pn

__all__ = ["html"]

STYLE = Path(__file__).with_name("page.css").read_text(encoding="utf-8")


def html(content: str) -> Any:
    """A piece of the page, from HTML whose texts are escaped already."""
    return pn.pane.HTML(content, stylesheets=[STYLE], sizing_mode="stretch_width")
