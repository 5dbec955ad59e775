"""A neuron does in another simulator what it does here."""

import numpy as np
import pytest

from leakyflow.exports.export import export
from leakyflow.neuron.parameters import Parameters
from tests.cases import DT, NEURON
from tests.exports.simulators import need, run
from tests.exports.stepped import stepped
from tests.neuron.cases import ALL, ON

QUIET = NEURON.without("membrane_noise", "reset_noise")


def current(n: int = 1500) -> np.ndarray:
    """A holding current, and then one that fluctuates around what makes the neuron spike."""
    I = np.full(n, 20.0)
    I[100:] += 400.0 + 80.0 * np.random.default_rng(1).standard_normal(n - 100)
    return I


# Three neurons at a time, which differ.
SPREAD = {"tau": np.array([12.0, 17.0, 30.0]), "V_th": np.array([-48.0, -45.0, -41.0]), "t_ref": np.array([2.0, 3.0, 0.4])}


def compare(p: Parameters, target: str, out, *, within: float = 1e-9) -> None:
    exported = export(p, target, out=out / "neuron.json", dt=DT)
    found, expected = run(exported.files[1], current()), stepped(p, current(), DT)
    assert sum(map(len, expected.spikes)) > 20
    assert [row.tolist() for row in found.spikes] == [row.tolist() for row in expected.spikes]
    np.testing.assert_allclose(found.V, expected.V, rtol=0, atol=within)


@pytest.mark.parametrize("parts", [{}, *ON.values(), ALL], ids=["none", *ON, "all"])
def test_brian2_gives_the_same_voltage_and_the_same_spikes_with_every_mechanism(parts, tmp_path):
    need("brian2")
    compare(QUIET.replace(**SPREAD, **parts), "brian2", tmp_path)


@pytest.mark.parametrize(
    "parts",
    [{}, ON["ahp_fast"], ON["threshold_jump"], ON["ahp_fast"] | ON["ahp_slow"] | ON["threshold_jump"]],
    ids=["none", "a current", "moving threshold", "all it has"],
)
def test_nest_gives_the_same_voltage_and_the_same_spikes_with_every_mechanism_that_it_has(parts, tmp_path):
    need("nest")
    compare(QUIET.replace(**SPREAD, **parts), "nest", tmp_path)
