"""What the site says is true: its code runs, its tables are those of the numbers, its lists are whole."""

import ast
import importlib
import re
import shutil
import sys
from pathlib import Path

import pytest

import leakyflow as lf

DOCS = Path(__file__).parents[2] / "docs"
CELL = "steps_171116sh_0018.abf"


@pytest.fixture
def site(monkeypatch):
    """Modules that write the site's pages."""
    monkeypatch.syspath_prepend(str(DOCS))
    yield lambda name: importlib.import_module(f"_site.{name}")
    for name in [name for name in sys.modules if name.partition(".")[0] == "_site"]:
        del sys.modules[name]


def python(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_tables_are_what_the_numbers_give(site):
    assert site("tables").outdated() == []


def test_a_number_typed_by_hand_is_seen(site):
    renewed = site("tables").renewed
    text = "<!-- table: cold -->\n| command | 3 s |\n<!-- end of table -->\n"
    assert renewed(text) != text
    assert renewed(renewed(text)) == renewed(text)


def test_every_public_name_is_on_one_page(site):
    names = [name for group in site("api").groups().values() for name in group]
    assert sorted(names) == sorted(set(lf.__all__) - {"__version__"})


def test_every_command_is_listed(site):
    from leakyflow.cli.commands import app

    page = site("command_line").command_line()
    commands = [command.name for group in app.registered_groups for command in group.typer_instance.registered_commands]
    assert all(f"## leakyflow {name or ''}" in page for name in commands)
    assert "| `--draws <int>` | 1000, at least 100 | Posterior draws. |" in page
    assert "| `--sweep <int>` |" in page
    assert "list[" not in page


def test_every_default_has_a_reason(site, monkeypatch):
    assert "| `batch_size` | 256 |" in site("defaults").settings()
    assert site("defaults").arguments()
    monkeypatch.delitem(site("reasons").SETTINGS["FlowConfig"], "depth")
    with pytest.raises(LookupError, match="none for"):
        site("defaults").settings()


def test_what_is_known_has_no_quantiles(site):
    page = site("presets").presets()
    assert "| `V_reset` | mV | known | -60 |  |  |  |" in page
    assert "nan" not in page


def test_a_colon_in_the_words_of_a_property_is_one(site):
    """Napoleon takes what stands before it for a type."""
    autodoc = site("autodoc")
    lines = ["What was predicted: sweeps kept back.", "", "See :class:`Cell`."]
    said, as_before = list(lines), list(lines)
    autodoc.as_sentence(None, "property", "", None, None, said)
    assert ": " not in said[0]
    assert said[2] == lines[2]
    autodoc.as_code(None, "property", "", None, None, said)
    autodoc.as_sentence(None, "method", "", None, None, as_before)
    assert said == as_before == lines


def test_links_to_files_of_the_project_lead_to_pages(site):
    on_site = site("links").on_site
    assert on_site("[a](../CONTRIBUTING.md)") == "[a](project/contributing.md)"
    assert on_site("[a](../docs/files.md)", folder="tutorials/") == "[a](../files.md)"
    assert on_site("[a](files.md)") == "[a](files.md)"


def test_links_of_pages_lead_to_files_of_the_project():
    """Pages are read without the site, too, where there is nothing of what it makes."""
    made = {DOCS / name for name in ("_build", "_generated", "api", "networks", "project", "tutorials")}
    links = [
        (page.parent / target).resolve()
        for page in (*DOCS.glob("*.md"), *DOCS.parent.glob("*.md"))
        for target in re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", page.read_text(encoding="utf-8"))
    ]
    assert len(links) > 50
    assert [link for link in links if not link.exists() or made & set(link.parents)] == []


def test_pages_hold_python_that_can_be_read():
    blocks = [block for page in sorted(DOCS.glob("*.md")) for block in python(page)]
    assert len(blocks) > 5
    for block in blocks:
        ast.parse(block)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(text, id=text.splitlines()[0][:30], marks=pytest.mark.slow if "lf.train(" in text else ())
        for block in python(DOCS / "start.md")
        for text in block.split("\n\n")
        if "import leakyflow" not in text
    ],
)
def test_python_of_the_start_runs(text, real_recordings, tmp_path, monkeypatch):
    shutil.copy(real_recordings / CELL, tmp_path / "cell.abf")
    monkeypatch.chdir(tmp_path)
    exec(compile(text, "start.md", "exec"), {"lf": lf})
