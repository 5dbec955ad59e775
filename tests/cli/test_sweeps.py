"""What `leakyflow sweeps` says of the sweeps of a file."""

import numpy as np
import pytest
from typer.testing import CliRunner

from leakyflow import cli
from leakyflow.cli import console
from tests.recordings.files.test_nwb import Lab
from tests.recordings.synthetic import sweep

V, I = sweep(0.1)


@pytest.fixture
def shown(monkeypatch, tmp_path):
    """The lines of the command for a file that a function writes; a terminal of 140 columns."""
    monkeypatch.setattr(console.out, "_width", 140)  # it keeps the width that it was made with

    def show(lab):
        result = CliRunner().invoke(cli.app, ["sweeps", str(lab.save(tmp_path / "cell.nwb"))])
        assert result.exit_code == 0, result.output
        return [" ".join(line.split()) for line in result.stdout.splitlines()]

    return show


def test_what_is_the_same_in_all_sweeps_is_said_once(shown):
    lab = Lab()
    lab.response("r", stimulus_description="Long [Square]")
    lab.stimulus()
    lines = shown(lab)
    assert lines[1] == "electrode e0, protocol Long [Square], current clamp"
    assert any(line.startswith("0 600 0.1 -70 to") and line.endswith("3 r") for line in lines)


def test_what_differs_has_a_column_and_voltage_clamp_has_no_number(shown):
    lab = Lab()
    for k, name in enumerate(("sweep_2", "sweep_10")):
        lab.response(name, stimulus_description=f"steps {k}", starting_time=10.0 * k)
        lab.stimulus(f"of {name}", data=I * 1e-12, starting_time=10.0 * k)
    lab.clamp("VoltageClampSeries", "held", I * 1e-12, electrode="e1", starting_time=50.0)
    rows = [line for line in shown(lab) if line.split()[:1] in (["0"], ["1"], ["-"])]
    assert rows[0].endswith("3 sweep_2 e0 steps 0 current clamp")
    assert rows[1].endswith("3 sweep_10 e0 steps 1 current clamp")
    assert rows[2] == "- 600 0.1 - - - held e1 voltage clamp"


def test_the_list_is_numbered_as_sweeps_are_read(shown):
    lab = Lab()
    for k in (10, 9):
        lab.response(f"r{k}", data=(V - k) * 1e-3, sweep_number=np.uint32(k))
        lab.stimulus(f"s{k}", sweep_number=np.uint32(k))
    rows = [line for line in shown(lab) if line.split()[:1] in (["0"], ["1"])]
    assert [row.split()[0] for row in rows] == ["0", "1"]
    assert [row[row.index("3 ") + 2 :] for row in rows] == ["9 (r9)", "10 (r10)"]
