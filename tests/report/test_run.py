import json
import re
import runpy
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from leakyflow.diagnostics.suite import CHECKS
from leakyflow.errors import LeakyflowError
from leakyflow.report import settings
from leakyflow.report.run import facts_of, run_page
from leakyflow.training.config import load_config, presets
from leakyflow.training.run import RECORD
from tests.report.diagnosed import FALLING, RMSE, diagnose

BUILD = Path(__file__).parents[2] / "report" / "build.py"


@pytest.fixture(scope="module")
def diagnostics(tiny_run, tmp_path_factory):
    return diagnose(tiny_run.folder, tmp_path_factory.mktemp("diagnosed"))


@pytest.fixture(scope="module")
def body(tiny_run, diagnostics):
    return run_page(tiny_run.folder, diagnostics).body


def test_the_page_holds_the_very_numbers_of_the_files(body, tiny_run):
    record = json.loads((tiny_run.folder / RECORD).read_text())
    for number in (f"{RMSE:.2f}", FALLING.replace(".", "\\."), record["config"], f"{record['val_loss']:.3f}"):
        assert number in body
    weights = sum(int(np.prod(w.shape)) for w in tiny_run.posterior.network.approximator.weights)
    assert f"{weights:,}" in body
    assert f"{RMSE + 0.02:.2f}" not in body


def test_the_page_says_what_failed(tiny_run, diagnostics, tmp_path):
    assert "No check failed" in run_page(tiny_run.folder, diagnostics).body
    failed = diagnose(tiny_run.folder, tmp_path / "failed", passed=False)
    assert "7 of 7 checks failed" in run_page(tiny_run.folder, failed).body


def test_both_formats_are_written(tiny_run, diagnostics, tmp_path):
    page = run_page(tiny_run.folder, diagnostics)
    html = page.write_html(tmp_path / "a.html").read_text()
    assert page.write_pdf(tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
    assert html.count("<figure") == body_figures(page.body) == len(page.figures)


def body_figures(markdown: str) -> int:
    return len(re.findall(r"\]\(figure:", markdown))


def test_without_diagnostics_it_says_which_command_to_run(tiny_run, tmp_path):
    with pytest.raises(ValueError, match=f"leakyflow diagnose {tiny_run.folder} --out {tmp_path}"):
        run_page(tiny_run.folder, tmp_path)


def test_a_missing_part_is_named(tiny_run, tmp_path):
    partial = diagnose(tiny_run.folder, tmp_path / "partial", without="contraction")
    with pytest.raises(ValueError, match="lack contraction"):
        run_page(tiny_run.folder, partial)


def test_diagnostics_of_another_network_are_refused(tiny_run, diagnostics, tmp_path):
    shutil.copytree(diagnostics, tmp_path / "other")
    kept = json.loads((diagnostics / CHECKS).read_text())
    (tmp_path / "other" / CHECKS).write_text(json.dumps(kept | {"fingerprint": "another"}))
    with pytest.raises(ValueError, match="of another network"):
        run_page(tiny_run.folder, tmp_path / "other")


TABLES = {
    "bytes": ("recovery_corrected", b"\xff\xfe\xfd", "the table cannot be read"),
    "ragged": ("correction", b"a,b\n1,2\n1,2,3\n", "the table cannot be read"),
    "empty": ("recovery_corrected", b"", "the table cannot be read"),
    "without its columns": ("recovery_corrected", b"parameter,unit\ntau,ms\n", "finite numbers in the column rmse"),
    "text for numbers": ("recovery_corrected", b"parameter,rmse\ntau,many\n", "finite numbers in the column rmse"),
    "another table": ("contraction_slopes", b"a,b\n1,2\n", "refers to a number that is not there"),
}


@pytest.mark.parametrize(("name", "content", "match"), TABLES.values(), ids=TABLES)
def test_a_damaged_table_is_refused(tiny_run, diagnostics, tmp_path, name, content, match):
    folder = Path(shutil.copytree(diagnostics, tmp_path / "found"))
    (folder / f"{name}.csv").write_bytes(content)
    with pytest.raises(LeakyflowError, match=f"{match}.*leakyflow diagnose"):
        run_page(tiny_run.folder, folder)


def test_a_missing_table_is_named(tiny_run, diagnostics, tmp_path):
    folder = Path(shutil.copytree(diagnostics, tmp_path / "found"))
    for path in folder.glob("recovery_*.csv"):
        path.unlink()
    with pytest.raises(FileNotFoundError, match=r"No recovery_amortized\.csv"):
        run_page(tiny_run.folder, folder)


def test_an_unfinished_run_is_refused(tiny_run, diagnostics, tmp_path):
    shutil.copytree(tiny_run.folder, tmp_path / "run")
    (tmp_path / "run" / RECORD).write_text(json.dumps({"state": "running"}))
    with pytest.raises(ValueError, match="leakyflow train --resume"):
        run_page(tmp_path / "run", diagnostics)


@pytest.mark.parametrize("name", presets())
def test_every_parameter_and_stimulus_of_a_preset_is_described(name):
    simulator = load_config(name).simulator
    table = settings.parameters(simulator.prior)
    assert list(table.role) == [
        "inferred" if name in simulator.prior.inferred else "known" if name in simulator.prior.known else "read off"
        for name in simulator.prior.root
    ]
    varied = table[table.role != "known"]
    assert (varied.q01 < varied.q50).all()
    assert (varied.q50 < varied.q99).all()
    stimuli = settings.stimuli(simulator)
    assert stimuli.share.sum() == pytest.approx(1.0)
    assert not stimuli.arguments.str.contains("kind=").any()


def test_layers_add_up_to_the_network(tiny_run):
    network = tiny_run.posterior.network
    layers = settings.layers(network)
    assert layers.parameters.sum() == network.approximator.count_params()
    assert layers.trained.sum() == sum(int(np.prod(w.shape)) for w in network.approximator.trainable_weights)


def test_the_report_of_the_project_is_built_from_the_benchmarks(tiny_run, diagnostics, tmp_path):
    build = runpy.run_path(str(BUILD))
    accuracy = build["read_benchmarks"]()["accuracy"]
    written = build["build"](facts_of(tiny_run.folder, diagnostics), tmp_path, None)
    assert [path.name for path in written] == ["report.html", "report.pdf", "appendix.html", "appendix.pdf"]
    for path in written[::2]:
        assert f"{accuracy['standard']['standard']['amortized']['c2st']['q90']:.3f}" in path.read_text()
    text, cells = written[0].read_text(), build["cell_verdicts"](build["read_benchmarks"]()["real_verdicts"])
    assert f"adequate for {(cells.kind == 'adequate').sum()}, by what it predicts" in text
    assert all(name in text for name in cells.cell)


def test_a_template_that_shows_an_unknown_figure_is_refused(tiny_run, diagnostics, tmp_path):
    facts = facts_of(tiny_run.folder, diagnostics)
    (tmp_path / "odd.md").write_text("![Odd.]({{ figure('nowhere') }})")
    with pytest.raises(ValueError, match="figure `nowhere`"):
        replace(facts).page("odd.md", title="Odd", folders=[tmp_path])
