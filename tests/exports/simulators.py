"""Other simulators, each in a process of its own: they are heavy, print much, and warn."""

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from tests.exports.stepped import Trace

QUIET = {"PYNEST_QUIET": "1", "OMP_NUM_THREADS": "1"}


@cache
def complaint(module: str) -> str:
    """Why a simulator cannot be imported; nothing where it can."""
    done = subprocess.run([sys.executable, "-c", f"import {module}"], capture_output=True, text=True, env=environment())
    return done.stderr.strip().splitlines()[-1] if done.returncode else ""


def need(module: str) -> None:
    """Skip a test where a simulator is missing, and fail there in CI, which installs all."""
    if why := complaint(module):
        said = f"{module} cannot be imported here ({why}): pip install 'leakyflow[exports]'"
        if os.environ.get("CI"):
            pytest.fail(said)
        pytest.skip(said)


def need_java() -> None:
    """Skip a test where there is no Java, in CI too: pip cannot install it."""
    if shutil.which("java") is None:
        pytest.skip("jNeuroML needs Java, and there is none on the path: install a runtime (Debian: default-jre)")


def environment() -> dict[str, str]:
    return os.environ | QUIET


def run(script: Path, I: np.ndarray, *arguments: str) -> Trace:
    """Run a script that was written, under a current."""
    current, found = script.with_suffix(".txt"), script.with_suffix(".npz")
    np.savetxt(current, I, fmt="%.17g")
    # To compile what Brian2 generates takes a quarter of a minute for each model.
    script.with_name("brian_preferences").write_text("codegen.target = 'numpy'\n")
    command = [sys.executable, script.name, *arguments, "--current", current.name, "--out", found.name]
    done = subprocess.run(command, cwd=script.parent, capture_output=True, text=True, env=environment())
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    with np.load(found) as arrays:
        V, step, neuron = (arrays[name] for name in ("V", "step", "neuron"))
    return Trace(V, [np.sort(step[neuron == i]) for i in range(len(V))])
