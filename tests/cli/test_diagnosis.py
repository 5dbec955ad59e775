"""Diagnose and report: verdicts, files, pages."""

from functools import partial
from pathlib import Path

import pytest

from leakyflow.diagnostics.suite import Suite
from leakyflow.diagnostics.verdicts import Check
from tests.cli.terminal import is_one_screen, leakyflow_, said, stop
from tests.report.diagnosed import diagnose


def test_report_writes_the_page_of_a_run(tiny_run, tmp_path):
    diagnose(tiny_run.folder, tmp_path / "checks")
    result = leakyflow_("report", tiny_run.folder, "--diagnostics", "checks", "--out", "pages")
    assert result.exit_code == 0, said(result)
    assert sorted(path.name for path in Path("pages").iterdir()) == ["report.html", "report.pdf"]


def test_report_without_diagnostics_says_what_to_run(tiny_run):
    result = leakyflow_("report", tiny_run.folder, "--diagnostics", "nowhere", "--out", "pages")
    assert is_one_screen(result)
    assert "leakyflow diagnose" in said(result)
    assert not Path("pages").exists()


@pytest.fixture
def quick_suite(monkeypatch):
    """Without what takes minutes: a network as poor as the tiny one leaves much to correct."""
    monkeypatch.setattr("leakyflow.diagnostics.suite.Suite", partial(Suite, only=("convergence", "amortized")))


def test_diagnose_ends_with_verdicts_and_says_by_its_status_if_one_failed(tiny_run, quick_suite, monkeypatch):
    for part in ("convergence", "calibration", "recovery"):
        given = [Check("something", "1.0", "< 2.0", part != "recovery"), Check("another", "3.0", "", None)]
        monkeypatch.setattr(f"leakyflow.diagnostics.verdicts.{part}_checks", lambda *_, given=given: given)
    diagnose = ("diagnose", tiny_run.folder, "--n", 100, "--out", "checks")
    result = leakyflow_(*diagnose)
    assert result.exit_code == 1, said(result)
    for words in ("something 1.0 < 2.0 pass", "something 1.0 < 2.0 FAIL", "another 3.0 limit", "Written to checks"):
        assert words in said(result)
    for name in ("convergence.png", "recovery_amortized.svg", "calibration_amortized.csv", "checks.json"):
        assert Path("checks", name).is_file()
    # Nothing is done twice: what the file says is said again.
    kept = Path("checks/checks.json")
    kept.write_text(kept.read_text().replace("false", "true"))
    assert leakyflow_(*diagnose).exit_code == 0


def test_diagnose_interrupted_says_how_to_go_on(tiny_run, quick_suite, monkeypatch):
    monkeypatch.setattr("leakyflow.diagnostics.parts.diagnose", stop)
    result = leakyflow_("diagnose", tiny_run.folder, "--n", 100, "--out", "checks")
    assert result.exit_code == 130
    assert f"leakyflow diagnose {tiny_run.folder} --n 100 --seed 0 --out checks" in result.stderr.replace("\n", "")
    assert Path("checks/convergence.csv").is_file()


@pytest.mark.parametrize(("run", "words"), [("nowhere", "No network `nowhere`"), (".", "no trained network")])
def test_diagnose_refuses_what_is_no_network(run, words):
    result = leakyflow_("diagnose", run)
    assert is_one_screen(result)
    assert words in said(result)
