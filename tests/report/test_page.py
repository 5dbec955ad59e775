import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from leakyflow.report.page import (
    TEMPLATES,
    Markdown,
    Page,
    code,
    decimals,
    digits,
    in_decimals,
    percent,
    plain,
    render,
    table,
    text,
    whole,
)

BIBLIOGRAPHY = TEMPLATES / "references.bib"
PROJECT = Path(__file__).parents[2] / "report"
SOURCES = [*TEMPLATES.glob("*.md"), *PROJECT.glob("*.md")]


def template(tmp_path, content: str, **values: object) -> str:
    (tmp_path / "page.md").write_text(content)
    return render("page.md", values, folders=[tmp_path])


def page(body: str) -> Page:
    figure = Figure(figsize=(3, 2))
    figure.add_subplot().plot([0, 1])
    return Page(title="A *title*", subtitle="of a page", body=Markdown(body), figures={"drawn": figure})


BODY = "\n\n".join(
    [
        "# One\n\nSee @talts2018 on $\\tau = R C$.",
        "![A caption.](figure:drawn)",
        "| a | b |\n|:--|--:|\n| x | 1 |",
        "# References",
    ]
)


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (decimals(-1234.567, 1), "−1,234.6"),
        (digits(0.012345), "0.0123"),
        (digits(123456.0), "123,456"),
        (plain(0.7), "0.7"),
        (percent(0.1234, 1), "12.3 %"),
        (whole(20000.0), "20,000"),
        (decimals(np.nan, 2), "–"),
    ],
)
def test_numbers_are_written_as_they_are_read(number, shown):
    assert number == shown


def test_a_missing_value_is_an_error(tmp_path):
    assert template(tmp_path, "{{ a.b | decimals(1) }}", a={"b": 0.25}) == "0.2"
    for missing in ("{{ a.c }}", "{{ a.c | decimals(1) }}", "{{ z }}"):
        with pytest.raises(ValueError, match="refers to a number that is not there"):
            template(tmp_path, missing, a={"b": 0.25})


def test_what_comes_from_files_stays_text(tmp_path):
    evil = "*a* <script>alert(1)</script> [b](http://c) $d$ | `e`"
    path = page(template(tmp_path, "{{ name }}\n\n| a |\n|:--|\n| {{ name }} |\n", name=evil)).write_html(
        tmp_path / "a.html"
    )
    html = path.read_text()
    assert "<script>" not in html
    assert "http://c" not in re.findall(r'href="([^"]+)"', html)
    assert html.count("alert(1)") == 2
    assert "<em>a</em>" not in html
    # The check can fail: Markdown that is meant as such is set.
    assert "<em>a</em>" in page(template(tmp_path, "{{ name }}", name=Markdown("*a*"))).write_html(path).read_text()


def test_a_table_shows_every_cell_in_its_form():
    frame = pd.DataFrame({"name": ["V_th", None], "x": [1.0, np.nan], "hidden": [0, 0]})
    lines = table(frame, {"x": ("x (mV)", in_decimals(2)), "name": ("name", None)}).splitlines()
    assert lines[1] == "| ---: | :--- |"
    assert lines[2] == f"| 1.00 | {text('V_th')} |"
    assert lines[3] == "| – | – |"
    with pytest.raises(ValueError, match="no column z"):
        table(frame, {"z": ("z", None)})


def test_code_holds_backticks():
    assert code("a`b") == "`` a`b ``"


def test_html_needs_no_other_file(tmp_path):
    html = page(BODY).write_html(tmp_path / "a.html").read_text()
    assert "A *title*" in html
    assert "<math" in html
    assert "Talts" in html
    loaded = re.findall(r'<(?:img|script|link|iframe)[^>]*(?:src|href)="([^"]{0,30})', html)
    assert loaded
    assert all(source.startswith("data:") for source in loaded)
    assert str(tmp_path) not in html
    assert "/tmp" not in html
    assert [path.name for path in tmp_path.iterdir()] == ["a.html"]


def test_pdf_has_pages(tmp_path):
    data = page(BODY + "\n\n# More\n\n" + "Words of a page.\n\n" * 200).write_pdf(tmp_path / "a.pdf").read_bytes()
    assert data.startswith(b"%PDF")
    assert [path.name for path in tmp_path.iterdir()] == ["a.pdf"]
    assert len(data) > len(page("Short.").write_pdf(tmp_path / "b.pdf").read_bytes())


def test_nothing_half_written_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr("leakyflow.report.page.CITATIONS", tmp_path / "missing.bib")
    with pytest.raises(RuntimeError, match="missing"):
        page(BODY).write_html(tmp_path / "a.html")
    assert list(tmp_path.iterdir()) == []


def cited(source: str) -> set[str]:
    return set(re.findall(r"(?<![\w`])@([a-z]+\d*)", source))


def test_every_citation_is_in_the_bibliography_and_the_other_way_round():
    keys = set(re.findall(r"@\w+\{(\w+),", BIBLIOGRAPHY.read_text()))
    assert len(SOURCES) > 10
    assert set().union(*(cited(path.read_text()) for path in SOURCES)) == keys
    assert cited("as [@talts2018; @nobody1900] says") == {"talts2018", "nobody1900"}
