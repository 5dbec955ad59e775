"""From a template and values to a page: Markdown with mathematics and citations, then HTML or PDF.

A template is Markdown with Jinja2. What it refers to must be there (a missing value is an error), and what it puts in
is text: a name with an asterisk or a bracket stays a name. Markdown that is meant as such is of class `Markdown`.
"""

import math
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import matplotlib
import pandas as pd
from matplotlib.figure import Figure

from leakyflow.diagnostics.plots.style import save_figure
from leakyflow.errors import LeakyflowError
from leakyflow.files import replacing

__all__ = [
    "TEMPLATES",
    "Markdown",
    "Page",
    "code",
    "decimals",
    "digits",
    "in_decimals",
    "in_percent",
    "percent",
    "plain",
    "render",
    "table",
    "text",
    "verbatim",
    "whole",
]

TEMPLATES = Path(__file__).parent / "templates"
CITATIONS, STYLE, TYPESETTING = (TEMPLATES / name for name in ("references.bib", "page.css", "page.typ"))
# Raw HTML or TeX would be lost in the other format.
DIALECT = "markdown-raw_html-raw_tex-raw_attribute"
MISSING = "–"


class Markdown(str):
    """Text that is Markdown already."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Page:
    """A page before it is HTML or PDF.

    Attributes:
        title: Of the page.
        subtitle: Below it.
        body: Markdown.
        figures: Those that the body names: a figure, or a path without its suffix, where PNG and SVG lie.
        contents: Whether it begins with a table of contents.
    """

    title: str
    subtitle: str
    body: Markdown
    figures: Mapping[str, Figure | Path] = field(default_factory=dict)
    contents: bool = True

    def write_html(self, path: Path) -> Path:
        """Write one file that needs no other.

        Raises:
            OSError: If it cannot be written.
        """
        with self._laid_out(".png") as source, replacing(path) as scratch:
            _convert(
                source,
                "html5",
                ["--mathml", "--embed-resources", f"--css={STYLE}", "--section-divs", *self._contents],
                scratch,
            )
        return path

    def write_pdf(self, path: Path) -> Path:
        """Typeset a PDF, by Typst.

        Raises:
            OSError: If it cannot be written.
        """
        import typst

        fonts = Path(matplotlib.get_data_path(), "fonts", "ttf")  # of the figures
        with self._laid_out(".svg") as source, replacing(path) as scratch:
            typesetting = source.with_suffix(".typ")
            paper = ["--variable=papersize:a4", "--variable=fontsize:10pt", f"--include-in-header={TYPESETTING}"]
            _convert(source, "typst-citations", [*paper, *self._contents], typesetting)
            scratch.write_bytes(typst.compile(typesetting, font_paths=[fonts], ignore_system_fonts=True))
        return path

    @property
    def _contents(self) -> list[str]:
        return ["--toc", "--toc-depth=2"] if self.contents else []

    @contextmanager
    def _laid_out(self, suffix: str) -> Iterator[Path]:
        """A folder with the page and its figures in one format."""
        with tempfile.TemporaryDirectory() as folder:
            for name, figure in self.figures.items():
                target = Path(folder, name + suffix)
                if isinstance(figure, Figure):
                    save_figure(figure, target)
                else:
                    shutil.copyfile(figure.with_name(figure.name + suffix), target)
            source = Path(folder, "page.md")
            head = f"---\ntitle: |\n  {text(self.title)}\nsubtitle: |\n  {text(self.subtitle)}\nlang: en\n---\n\n"
            source.write_text(re.sub(r"\]\(figure:([\w-]+)\)", rf"](\1{suffix})", head + self.body), encoding="utf-8")
            yield source


def _convert(source: Path, to: str, options: Sequence[str], path: Path) -> None:
    import pypandoc

    shared = ["--standalone", "--citeproc", f"--bibliography={CITATIONS}", "--columns=10000", "--wrap=none"]
    shared += [f"--resource-path={source.parent}", "--metadata=link-citations:true"]
    written = source.with_name("page.out")  # pandoc knows formats of its own by their suffixes
    pypandoc.convert_file(
        source, to, format=DIALECT, extra_args=[*shared, *options], outputfile=written, cworkdir=str(source.parent)
    )
    shutil.copyfile(written, path)


def render(name: str, values: Mapping[str, Any], *, folders: Sequence[Path] = (TEMPLATES,)) -> Markdown:
    """Fill in a template.

    Args:
        name: Of a file in one of the folders.
        values: What it may refer to.
        folders: Where templates are, and those that they include.

    Raises:
        ValueError: If the template refers to a value that is missing.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders),
        undefined=jinja2.StrictUndefined,
        finalize=_escaped,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    filters: tuple[Callable, ...] = (code, decimals, digits, percent, plain, table, verbatim, whole)
    environment.filters |= {function.__name__: function for function in filters}
    environment.globals |= {"digits": digits, "plain": plain, "whole": whole}  # forms of columns
    try:
        return Markdown(environment.get_template(name).render(values))
    except jinja2.UndefinedError as error:
        raise LeakyflowError(
            f"The template {name} refers to a number that is not there: {error}. The files that it is made from are "
            "of another version: make them anew, those of a run by `leakyflow diagnose`."
        ) from error


def _escaped(value: Any) -> Markdown:
    return value if isinstance(value, Markdown) else text(str(value))


def text(value: str) -> Markdown:
    """Text that shows as it is: every sign that Markdown could read is escaped, and lines are joined."""
    return Markdown(re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", re.sub(r"\s+", " ", value)))


def code(value: str) -> Markdown:
    """Text as code, on one line."""
    ticks = "`" * (1 + max((len(found) for found in re.findall("`+", value)), default=0))
    return Markdown(f"{ticks} {' '.join(value.split())} {ticks}" if value else "")


def verbatim(value: str) -> Markdown:
    """What stands inside of code already."""
    return Markdown(str(value))


def decimals(value: Any, n: int) -> Markdown:
    """A number with n decimals."""
    return _number(value, f",.{n}f")


def digits(value: Any, n: int = 3) -> Markdown:
    """A number with n significant digits, without an exponent."""
    value = float(value)
    if not math.isfinite(value) or value == 0:
        return _number(value, "g")
    return _number(value, f",.{max(n - 1 - math.floor(math.log10(abs(value))), 0)}f")


def plain(value: Any) -> Markdown:
    """A number as it was set, such as 0.7 or 20,000."""
    return _number(value, ",.6g")


def percent(value: Any, n: int = 0) -> Markdown:
    """A share in percent."""
    return Markdown(f"{_number(100 * float(value), f'.{n}f')} %")


def whole(value: Any) -> Markdown:
    """A whole number."""
    return _number(value, ",.0f")


def _number(value: Any, form: str) -> Markdown:
    value = float(value)  # of a missing value, an error
    return Markdown(f"{value:{form}}".replace("-", "−")) if math.isfinite(value) else Markdown(MISSING)


Column = Callable[[Any], str]


def table(frame: pd.DataFrame, columns: Mapping[str, tuple[str, Column | None]] | None = None) -> Markdown:
    """A Markdown table.

    Args:
        frame: Its rows.
        columns: Head and form of each column that is shown, by its name; text where the form is None.
            All columns, as text, by default.

    Raises:
        ValueError: If a column is missing.
    """
    columns = columns or {str(name): (str(name), None) for name in frame.columns}
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise LeakyflowError(
            f"The table has no column {', '.join(missing)}; it has {', '.join(map(str, frame.columns))}."
        )
    heads = [_escaped(head) for head, _ in columns.values()]
    sides = ["---:" if form in _NUMERIC else ":---" for _, form in columns.values()]
    lines: list[list[str]] = [[*heads], sides]
    for row in frame.to_dict("records"):
        lines.append([_cell(row[name], form) for name, (_, form) in columns.items()])
    return Markdown("\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n")


def _cell(value: Any, form: Column | None) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return Markdown(MISSING)
    return _escaped(value) if form is None else _escaped(form(value))


@cache
def in_decimals(n: int) -> Column:
    """Form of a column of numbers with n decimals."""
    return _numeric(lambda value: decimals(value, n))


@cache
def in_percent(n: int = 0) -> Column:
    """Form of a column of shares."""
    return _numeric(lambda value: percent(value, n))


_NUMERIC: set[Column] = {digits, plain, whole}


def _numeric(form: Column) -> Column:
    _NUMERIC.add(form)
    return form
