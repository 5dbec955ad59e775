"""Compare, as a user meets it: one table, a verdict, and errors on one screen."""

import pytest

from leakyflow.recordings.files.saved import save_recording
from leakyflow.simulator.simulate import simulate
from leakyflow.simulator.stimuli import square
from tests.cli.terminal import is_one_screen, leakyflow_, rows, said, write_csv
from tests.diagnostics.test_comparison import LIF


@pytest.fixture
def one_sweep(tmp_path):
    step = square(amplitude=200.0, onset=60.0, duration=100.0, t_max=200.0, dt=0.2)
    return save_recording(simulate(LIF, step, seed=1), tmp_path / "one.npz")


def test_compare_gives_one_table_and_a_verdict(one_sweep):
    result = leakyflow_("compare", one_sweep, "--rung", "lif", "--rung", "electrode")
    assert result.exit_code == 0, said(result)
    assert max(map(len, result.stdout.splitlines())) <= 80
    first = [line.split()[0] for line in result.stdout.splitlines() if line.strip()]
    assert [word for word in first if word in ("lif", "electrode")] == ["lif", "electrode"]
    assert "By evidence: lif" in said(result)
    assert "none kept back" in said(result)
    assert "eps_V" not in said(result)


def test_help_shows_examples():
    result = leakyflow_("compare", "--help")
    assert "leakyflow compare cell.abf" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--rung", "cable"), "no rung `cable`"),
        (("--hold-out", "7"), "`hold_out` must name some of the 1 sweeps"),
        (("--sweep", "3"), "sweep"),
    ],
)
def test_what_cannot_be_is_refused_on_one_screen(tmp_path, arguments, words):
    result = leakyflow_("compare", write_csv(tmp_path / "cell.csv", rows()), *arguments)
    assert is_one_screen(result), said(result)
    assert words in said(result)
