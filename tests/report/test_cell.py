import re
from dataclasses import replace

import pytest

from leakyflow.diagnostics.adequacy import Adequacy, adequacy_of
from leakyflow.likelihood.draws import n_decimals
from leakyflow.models.posterior import Posterior
from leakyflow.report.cell import cell_page
from leakyflow.training.run import load_posterior
from tests.cases import stimulated


@pytest.fixture(scope="module")
def posterior() -> Posterior:
    """One that ships with what is typical to it, and that finds posteriors: nothing is simulated or searched for."""
    return load_posterior("standard")


@pytest.fixture(scope="module")
def verdict(posterior) -> Adequacy:
    return adequacy_of(posterior, stimulated(200.0), n_draws=300)


def page_of(posterior, verdict: Adequacy, **changes):
    draws = replace(verdict.draws, diagnostics=verdict.draws.diagnostics.assign(**changes))
    found = replace(verdict, draws=draws)
    return cell_page(found, posterior, seed=7, command="leakyflow infer cell.abf --report")


def test_the_page_holds_the_very_numbers_of_the_draws(posterior, verdict, tmp_path):
    page = page_of(posterior, verdict)
    summary = verdict.draws.summary().loc["V_rest"]
    assert f"{summary['mean']:.{n_decimals(summary['sd'])}f}".replace("-", "−") in page.body.replace("\\", "")
    html = page.write_html(tmp_path / "a.html").read_text()
    assert html.count("<figure") == 2
    for words in ("leakyflow infer cell.abf --report", "of simulations", "bayesflow", "V explained"):
        assert words in " ".join(html.split())
    assert not re.findall(r'<(?:img|script|link)[^>]*(?:src|href)="(?!data:)', html)


def test_page_and_command_line_say_the_same(posterior, verdict):
    body = re.sub(r"[\\*]", "", page_of(posterior, verdict).body)
    for answer in verdict.answers():
        assert f"{answer.question} {answer.short}" in body
        assert answer.text[:40] in body


def test_what_the_reader_warns_of_and_left_out_is_on_the_page(posterior, verdict):
    found = replace(verdict, findings={"V drifts by 3 mV. Cut it.": 1}, left_out={4: "It clamps voltage."})
    body = page_of(posterior, found).body.replace("\\", "")
    assert "- V drifts by 3 mV. Cut it." in body
    assert "- Left out. Sweep 4: It clamps voltage." in body
    assert "::: warning :::" in body


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"method": "importance", "reliable": True, "k_hat": 0.25}, r"Yes, for this model.*k-hat 0\.25"),
        ({"method": "SMC", "reliable": True, "r_hat": 1.01, "acceptance": 0.3}, r"Monte Carlo.*1\.010"),
        ({"method": "SMC", "reliable": False, "note": "no agreement"}, "do not believe them.*No agreement"),
        ({"method": "exact", "reliable": True, "k_hat": 0.2, "r_hat": 1.01, "ess": 800.0}, "around its mode.*800"),
        ({"method": "exact", "reliable": True, "k_hat": float("nan"), "r_hat": 1.01, "ess": 800.0}, "by sequential"),
    ],
)
def test_how_draws_were_corrected_is_said_in_words(posterior, verdict, changes, words):
    body = page_of(posterior, verdict, **changes).body.replace("\\", "")  # that escape signs
    assert re.search(words, body, re.DOTALL)
