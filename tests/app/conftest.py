from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from leakyflow.app.session import Session, Workers
from leakyflow.app.shelf import Shelf
from leakyflow.recordings.files.saved import save_recording
from leakyflow.simulator.simulate import simulate
from leakyflow.simulator.stimuli import square
from tests.cases import NEURON


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cell that spikes, one that does not, and a file that is none."""
    place = tmp_path_factory.mktemp("recordings")
    stimulus = square(amplitude=200.0, onset=50.0, duration=200.0, t_max=300.0, dt=0.2)
    save_recording(simulate(NEURON, stimulus, seed=1), place / "spiking.npz")
    t = np.arange(0.0, 400.0, 0.1)
    I = np.where(t >= 50.0, 40.0, 0.0)
    V = -70.0 + np.where(t >= 50.0, 8.0 * (1.0 - np.exp(-(t - 50.0) / 20.0)), 0.0)
    V += 0.1 * np.random.default_rng(1).standard_normal(len(t))
    np.savetxt(place / "quiet.csv", np.c_[t, V, I], delimiter=",", header="t_ms,V_mV,I_pA", comments="", fmt="%.6g")
    (place / "broken.abf").write_bytes(b"ABF2 and nothing that follows")
    return place


@pytest.fixture(scope="session")
def workers() -> Iterator[Workers]:
    both = Workers.begin()
    yield both
    both.close()


@pytest.fixture
def session(folder: Path, workers: Workers) -> Iterator[Session]:
    """One that browses the folder."""
    one = Session(Shelf(folder), workers)
    one.shelf.browse()
    yield one
    one.close()


def number(session: Session, name: str) -> int:
    return next(n for n, entry in session.shelf.entries.items() if entry.name == name)
