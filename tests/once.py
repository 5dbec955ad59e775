"""What one of the processes that share the tests makes, and all use."""

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that the first process to ask for it makes; each gets a copy of its own.

    Args:
        factory: Of temporary folders.
        name: Of the folder.
        make: Fills it; the same whoever does.
    """
    base = factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / f"shared-{name}"
    with shared.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not shared.is_dir():
            make(new := shared.with_suffix(".new"))
            new.rename(shared)
    return Path(shutil.copytree(shared, factory.mktemp(name) / name))
