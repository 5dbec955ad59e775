"""The script that measures a GPU runs through where there is none."""

import json

import pytest
from benchmarks import gpu

from leakyflow.layout import layout


@pytest.mark.slow
def test_every_part_is_measured(tmp_path):
    gpu.main(["--small", "--out", str(tmp_path / "gpu.json")])
    report = json.loads((tmp_path / "gpu.json").read_text())
    assert report["left_out"] == []
    assert {row["way"] for row in report["training"]} == {"groups of 32", "one group", "cuDNN", "layers of Keras", ""}
    assert len(report["likelihood"]) == 4
    # However they are laid out, they are the same neurons.
    assert len({row["spikes"] for row in report["simulating"]}) == 1
    assert len(report["correcting"]) == 4
    assert layout() == layout("cpu")  # nothing stays as it was laid out for measuring


def test_what_there_is_no_time_for_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(gpu, "MOST_SECONDS", 0.0)
    gpu.main(["--small", "--out", str(tmp_path / "gpu.json")])
    assert json.loads((tmp_path / "gpu.json").read_text())["left_out"] == list(gpu.PARTS)
