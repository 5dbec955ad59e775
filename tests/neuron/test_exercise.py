"""The mechanism that CONTRIBUTING.md shows is one: another file, and all that holds of the others holds of it."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from leakyflow.neuron.mechanism import Mechanism

GUIDE = Path(__file__).parents[2] / "CONTRIBUTING.md"
VALUES = {"a_type": 0.6, "a_type_tau": 30.0, "a_type_half": -60.0}
PASSIVE = {"tau": 17.0, "V_rest": -72.0, "C": 90.0}
SIMULATE = """
import numpy as np
import leakyflow as lf
neuron = lf.Parameters(tau=17.0, V_rest=-72.0, C=90.0, V_th=-45.0, V_reset=-60.0, t_ref=3.0, membrane_noise=0.2, {row})
step = lf.square(amplitude=220.0, onset=50.0, duration=200.0, t_max=300.0, dt=0.2)
recording = lf.simulate(neuron, step, seed=1)
print(recording.spikes.argmax(), np.isfinite(lf.log_likelihood(neuron, recording)))
print(lf.load_config("standard").hash)
"""


@pytest.fixture(scope="module")
def source() -> str:
    blocks = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), flags=re.DOTALL)
    (block,) = [block for block in blocks if "Mechanism(" in block]
    return block


@pytest.fixture(scope="module")
def mechanism(source, tmp_path_factory) -> Mechanism:
    path = tmp_path_factory.mktemp("exercise") / "a_type.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location("a_type", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.a_type


def test_its_state_is_steady_at_a_constant_voltage(mechanism):
    with jax.enable_x64(True):
        own = mechanism.prepare(PASSIVE | VALUES, 0.2)
        V = jnp.asarray(-58.0)
        state = mechanism.start(own, V)
        assert float(mechanism.advance(own, state, V, 0.0)) == pytest.approx(float(state), abs=1e-12)
        assert float(mechanism.advance(own, state, V + 5.0, 0.0)) < float(state)
        assert float(mechanism.current(own, state, V)) < 0.0


def test_one_file_and_the_whole_package_knows_it(source, tmp_path):
    """In a copy of the package, for what is imported here is everyone's."""
    import shutil

    import leakyflow

    package = Path(leakyflow.__file__).parent
    shutil.copytree(package, tmp_path / "leakyflow", ignore=shutil.ignore_patterns("networks", "__pycache__"))
    row = ", ".join(f"{name}={value}" for name, value in VALUES.items())

    def run(program: str) -> list[str]:
        # From outside the tree: its own package must not be in the way.
        found = subprocess.run(
            [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{program}"],
            capture_output=True, text=True, check=True, cwd=tmp_path,
        )  # fmt: skip
        return found.stdout.splitlines()

    before = run(SIMULATE.format(row="sag=0.0"))
    (tmp_path / "leakyflow" / "neuron" / "mechanisms" / "a_type.py").write_text(source)
    after = run(SIMULATE.format(row=row))
    # The first spike is delayed, as by such currents; the configuration is the same.
    assert int(after[0].split()[0]) > int(before[0].split()[0]) + 10
    assert after[0].endswith("True")
    assert after[1] == before[1]
    assert np.isfinite(float(before[0].split()[0]))
