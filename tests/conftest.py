import os
from pathlib import Path

import matplotlib
import pytest

matplotlib.use("Agg")
os.environ.setdefault("KERAS_BACKEND", "jax")

import jax  # noqa: E402

jax.config.update("jax_enable_x64", True)

RECORDINGS = Path(__file__).parents[2] / "shared" / "recordings"


@pytest.fixture(scope="session")
def real_recordings() -> Path:
    """The folder of real recordings; a test that needs it is skipped only where it is missing, and fails in CI."""
    if not RECORDINGS.is_dir():
        message = f"real recordings are expected in {RECORDINGS.name}/ beside the project"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return RECORDINGS
