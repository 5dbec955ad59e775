"""A neuron does in another simulator what it does here."""

import re
import subprocess
import sys

import numpy as np
import pytest

from leakyflow.exports.export import export
from leakyflow.neuron.parameters import Parameters
from leakyflow.simulator.simulate import simulate
from leakyflow.simulator.stimuli import from_array
from tests.cases import DT, NEURON
from tests.exports.simulators import environment, need, need_java, run
from tests.exports.stepped import stepped
from tests.neuron.cases import ALL, ON

QUIET = NEURON.without("membrane_noise", "reset_noise")


def current(n: int = 1500) -> np.ndarray:
    """A holding current, and then one that fluctuates around what makes the neuron spike."""
    I = np.full(n, 20.0)
    I[100:] += 400.0 + 80.0 * np.random.default_rng(1).standard_normal(n - 100)
    return I


MADE_OF = {
    "nothing more": {},
    "what spikes change": ON["ahp_fast"] | ON["ahp_slow"] | ON["threshold_jump"],
    "what the voltage changes": ON["threshold_coupling"] | ON["sag"] | ON["dendrite_share"],
    "all": ALL,
}
# Three neurons at a time, which differ.
SPREAD = {
    "tau": np.array([12.0, 17.0, 30.0]),
    "V_th": np.array([-48.0, -45.0, -41.0]),
    "t_ref": np.array([2.0, 3.0, 0.4]),
}


def compare(p: Parameters, target: str, out, *, within: float = 1e-9) -> None:
    exported = export(p, target, out=out / "neuron.json", dt=DT)
    found, expected = run(exported.files[1], current()), stepped(p, current(), DT)
    assert sum(map(len, expected.spikes)) > 20
    assert [row.tolist() for row in found.spikes] == [row.tolist() for row in expected.spikes]
    np.testing.assert_allclose(found.V, expected.V, rtol=0, atol=within)


@pytest.mark.parametrize("parts", MADE_OF.values(), ids=MADE_OF)
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


def test_pynn_gives_the_same_voltage_and_the_same_spikes(tmp_path):
    need("pyNN.nest")
    compare(QUIET.replace(**SPREAD), "pynn", tmp_path)


def test_nest_takes_a_neuron_that_is_never_refractory(tmp_path):
    need("nest")
    compare(QUIET.replace(t_ref=0.0), "nest", tmp_path)


NOISY = {
    "brian2": {"membrane_noise": 0.5, "threshold_noise": 1.0, "reset_noise": 3.0, "current_noise": 20.0}
    | {"current_noise_tau": 5.0},
    "nest": {"membrane_noise": 0.5},
    "pynn": {"membrane_noise": 0.5},
}
WEAK = np.repeat([0.0, 135.0], [50, 1450])  # pA, below the rheobase of 143: it is noise that makes spikes


@pytest.mark.parametrize("target", NOISY)
def test_a_noisy_neuron_has_the_same_rate(target, tmp_path):
    need({"pynn": "pyNN.nest"}.get(target, target))
    n = 300
    p = QUIET.replace(tau=np.full(n, 17.0), **NOISY[target])
    found = run(export(p, target, out=tmp_path / "neuron.json", dt=DT).files[1], WEAK)
    here = simulate(p, from_array(WEAK, DT), seed=1).spikes.sum(1)
    counts = np.array([len(row) for row in found.spikes])
    error = np.hypot(counts.std(), here.std()) / np.sqrt(n)
    assert here.mean() > 1.0
    assert abs(counts.mean() - here.mean()) < 4.0 * error
    assert len({tuple(row) for row in found.spikes}) > n // 2  # each neuron has a noise of its own


def test_a_rate_with_half_the_noise_would_be_seen():
    p = QUIET.replace(tau=np.full(300, 17.0), membrane_noise=0.5)
    counts = [simulate(q, from_array(WEAK, DT), seed=1).spikes.sum(1) for q in (p, p.replace(membrane_noise=0.25))]
    error = np.hypot(counts[0].std(), counts[1].std()) / np.sqrt(300)
    assert abs(counts[0].mean() - counts[1].mean()) > 8.0 * error


@pytest.mark.parametrize("parts", MADE_OF.values(), ids=MADE_OF)
def test_jneuroml_gives_the_same_voltage_to_printed_digits_and_the_same_spikes(parts, tmp_path):
    need("pyneuroml")
    need_java()
    p = QUIET.replace(**SPREAD, **parts)
    *_, lems = export(p, "neuroml", out=tmp_path / "neuron.json", dt=DT).files
    command = [sys.executable, "-m", "pyneuroml.pynml", lems.name, "-nogui"]
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=True, env=environment())
    V = np.loadtxt(tmp_path / "neuron_V.dat")[:, 1:].T * 1e3
    times, places = np.loadtxt(tmp_path / "neuron_spikes.dat").T
    amplitude = float(re.search(r'amplitude="([^"]+)pA"', cells_of(tmp_path))[1])
    expected = stepped(p, np.repeat([0.0, amplitude, 0.0], [500, 2500, 501]), DT)
    np.testing.assert_allclose(V, expected.V[:, : V.shape[1]], rtol=0, atol=2e-5)  # eight digits, in V
    # A cell with regimes, which iafRefCell is, tells of its spike a step before its voltage shows it.
    late = 0 if parts else 1
    found = [np.rint(np.sort(times[places == i]) / DT * 1e3).astype(int) + late for i in range(3)]
    assert [row.tolist() for row in found] == [row.tolist() for row in expected.spikes]
    assert sum(map(len, found)) > 20


def cells_of(folder) -> str:
    (path,) = [*folder.glob("*.nml"), *folder.glob("*_cells.xml")]
    return path.read_text()


@pytest.mark.parametrize("target", ["nest", "brian2", "pynn"])
def test_a_script_runs_as_it_is_written(target, tmp_path):
    need({"pynn": "pyNN.nest"}.get(target, target))
    script = export(QUIET, target, out=tmp_path / "neuron.json", dt=DT).files[1]
    done = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, env=environment())
    assert done.returncode == 0, done.stderr
    assert re.search(r"1 neurons, 700 ms: [1-9]\d* spikes", done.stdout)


def test_without_java_jneuroml_is_skipped_with_the_reason_in_ci_too(monkeypatch):
    monkeypatch.setenv("CI", "1")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(pytest.skip.Exception, match="needs Java"):
        need_java()
