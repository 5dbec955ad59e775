"""How the site is built: `make -C docs html`."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # what writes pages is in `_site`
os.environ.setdefault("JAX_PLATFORMS", "cpu")

from _site.autodoc import as_code, as_sentence, dashed, tidy  # noqa: E402
from _site.links import on_site  # noqa: E402
from _site.pages import write_pages  # noqa: E402

import leakyflow  # noqa: E402

project = "leakyflow"
author = "The leakyflow developers"
release = version = leakyflow.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx-mathjax-offline",
]
exclude_patterns = ["_build", "_generated", "_site"]

# Notebooks are shown as they were executed; nothing is executed here.
nb_execution_mode = "off"
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
# Sections begin at the third level in cards of networks, and in the changelog.
suppress_warnings = ["myst.header"]

# Quotes are curled, dashes stay: `--out` in a table is an option.
smartquotes_action = "qe"
# Single backticks in docstrings are code.
default_role = "code"
add_module_names = False
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
napoleon_use_ivar = True
napoleon_use_rtype = False
python_maximum_signature_line_length = 88
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

html_theme = "pydata_sphinx_theme"
html_title = "leakyflow"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "navbar_align": "left",
    "header_links_before_dropdown": 8,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"index": [], "start": []}
copyright = author


def setup(app: object) -> None:
    """Write what is generated before anything is read."""
    write_pages(HERE)
    app.connect("autodoc-skip-member", tidy)  # type: ignore[attr-defined]
    app.connect("autodoc-process-docstring", as_sentence, priority=400)  # type: ignore[attr-defined]
    app.connect("autodoc-process-docstring", as_code, priority=600)  # type: ignore[attr-defined]
    app.connect("doctree-read", dashed)  # type: ignore[attr-defined]
    app.connect("source-read", _lead)  # type: ignore[attr-defined]


def _lead(app: object, name: str, source: list[str]) -> None:
    """Links of the pages that lie here; those that were copied have been led already."""
    if "/" not in name:
        source[0] = on_site(source[0])
