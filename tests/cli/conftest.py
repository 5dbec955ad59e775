from pathlib import Path

import pytest

from leakyflow.recordings.files.saved import save_recording
from leakyflow.simulator.simulate import simulate
from leakyflow.simulator.stimuli import square
from tests.cases import NEURON
from tests.cli.terminal import rows, write_csv


@pytest.fixture(autouse=True)
def terminal(monkeypatch, tmp_path):
    """A terminal of 80 columns in an empty folder."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("LEAKYFLOW_TRACEBACK", raising=False)
    monkeypatch.setattr("leakyflow.diagnostics.typicality.N_SIMULATIONS", 800)  # seconds, not a minute
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def cell(tmp_path) -> Path:
    return write_csv(tmp_path / "cell.csv", rows())


@pytest.fixture
def spiking_cell(tmp_path) -> Path:
    stimulus = square(amplitude=200.0, onset=50.0, duration=200.0, t_max=300.0, dt=0.2)
    return save_recording(simulate(NEURON, stimulus, seed=1), tmp_path / "spiking.npz")
