import getpass
import json
import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib
import pytest

from tests.once import made_once

matplotlib.use("Agg")
os.environ.setdefault("KERAS_BACKEND", "jax")
# Each of the processes that share the tests keeps to its own core.
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
os.environ.setdefault("JAX_NUM_CPU_DEVICES", "1")
# What one process compiles the others need not: the suite is bound by compiling.
os.environ.setdefault(
    "JAX_COMPILATION_CACHE_DIR", str(Path(tempfile.gettempdir()) / f"leakyflow-tests-{getpass.getuser()}")
)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.2")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")

import jax

jax.config.update("jax_enable_x64", True)

if TYPE_CHECKING:
    from leakyflow.simulator.dataset import Dataset
    from leakyflow.training.config import Config
    from leakyflow.training.fit import Run

RECORDINGS = Path(__file__).parents[2] / "shared" / "recordings"
CASES = RECORDINGS.with_name("cases")


@pytest.fixture(scope="session")
def real_recordings() -> Path:
    """The folder of real recordings; where it is missing, a test is skipped, but fails in CI."""
    if not RECORDINGS.is_dir():
        message = f"real recordings are expected in {RECORDINGS.name}/ beside the project"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return RECORDINGS


@pytest.fixture(scope="session")
def real_cases(real_recordings: Path) -> Path:
    """The folder of small inputs that once failed, beside the real recordings."""
    assert CASES.is_dir(), f"{CASES.name}/ is expected beside {RECORDINGS.name}/"
    return CASES


@pytest.fixture(scope="session")
def tiny_config() -> "Config":
    """The preset `quick`, cut down to seconds: everything works, and little that it says is accurate."""
    from leakyflow.training.config import load_config

    config = load_config("quick")
    return replace(config, training=replace(config.training, n_simulations=2000, epochs=2, batch_size=64))


@pytest.fixture(scope="session")
def tiny_dataset(tiny_config: "Config") -> "Dataset":
    """What the tiny network is trained on, in memory."""
    from leakyflow.simulator.dataset import make_dataset

    return make_dataset(tiny_config, tiny_config.training.n_simulations, seed=tiny_config.training.seed)


@pytest.fixture(scope="session")
def tiny_run(tiny_config: "Config", tiny_dataset: "Dataset", tmp_path_factory: pytest.TempPathFactory) -> "Run":
    """A finished run of the tiny network; its folder is shared, so leave it as it is."""
    from leakyflow.training.fit import Run, train
    from leakyflow.training.run import load_posterior

    def make(folder: Path) -> None:
        history = train(tiny_config, tiny_dataset, out=folder / "tiny").history
        (folder / "history.json").write_text(json.dumps(history))

    shared = made_once(tmp_path_factory, "runs", make)
    history = json.loads((shared / "history.json").read_text())
    return Run(shared / "tiny", load_posterior(shared / "tiny"), history)
