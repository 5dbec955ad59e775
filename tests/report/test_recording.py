import re
from dataclasses import replace

import pytest

from leakyflow.diagnostics.typicality import Verdict
from leakyflow.likelihood.draws import n_decimals
from leakyflow.recordings.finding import Finding
from leakyflow.report.recording import recording_page
from tests.cases import stimulated

TYPICAL = Verdict(0.5, True, "Typical (p = 0.5): 50 % of simulations are at least as unusual.")
ATYPICAL = Verdict(0.001, False, "Very atypical (p = 0.001; so is 1 simulation in 200). The hum is above 99.9 %.")


def page_of(posterior, verdict=TYPICAL, **changes):
    recording = stimulated(200.0)
    draws = posterior.sample(recording, n_draws=300, seed=0, correct=changes.get("correct", "auto"))
    for name, value in changes.items():
        if name != "correct":
            draws.diagnostics[name] = value
    return draws, recording_page(
        recording, draws, posterior, verdict, seed=7, command="leakyflow infer cell.abf --report"
    )


def test_the_page_holds_the_very_numbers_of_the_draws(tiny_run, tmp_path):
    draws, page = page_of(tiny_run.posterior)
    summary = draws.summary().loc["V_rest"]
    assert f"{summary['mean']:.{n_decimals(summary['sd'])}f}".replace("-", "−") in page.body.replace("\\", "")
    html = page.write_html(tmp_path / "a.html").read_text()
    assert html.count("<figure") == 2
    for words in ("leakyflow infer cell.abf --report", "50 % of simulations", "bayesflow", "mean subthreshold voltage"):
        assert words in " ".join(html.split())
    assert not re.findall(r'<(?:img|script|link)[^>]*(?:src|href)="(?!data:)', html)
    assert 'class="fine"' in html


def test_what_the_reader_warns_of_is_on_the_page(tiny_run):
    draws, _ = page_of(tiny_run.posterior)
    finding = Finding("warn", "V drifts by 3 mV.", "Choose another window.")
    recording = replace(stimulated(200.0), findings=(finding,))
    page = recording_page(recording, draws, tiny_run.posterior, TYPICAL, seed=7, command="leakyflow infer cell.abf")
    assert "- V drifts by 3 mV. Choose another window." in page.body.replace("\\", "")


def test_typicality_comes_first_and_warns(tiny_run, tmp_path):
    _, page = page_of(tiny_run.posterior, ATYPICAL)
    assert (
        page.body.index("mistrust what follows")
        < page.body.index("Are the draws right")
        < page.body.index("# Posterior")
    )
    assert 'class="warning"' in page.write_html(tmp_path / "a.html").read_text()
    assert "mistrust what follows" not in page_of(tiny_run.posterior)[1].body


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"method": "importance", "reliable": True, "k_hat": 0.25}, r"Yes, for this model.*k-hat 0\.25"),
        ({"method": "SMC", "reliable": True, "r_hat": 1.01, "acceptance": 0.3}, r"Monte Carlo.*1\.010"),
        ({"method": "SMC", "reliable": False, "note": "no agreement"}, "do not believe them.*No agreement"),
        ({"correct": False}, "This was not checked"),
    ],
)
def test_how_draws_were_corrected_is_said_in_words(tiny_run, changes, words):
    body = page_of(tiny_run.posterior, **changes)[1].body.replace("\\", "")  # that escape signs
    assert re.search(words, body, re.DOTALL)
