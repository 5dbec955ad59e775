"""Where a search begins: a regression that knows what spikes and the voltage leave behind."""

from dataclasses import replace

import numpy as np
import pytest

import leakyflow as lf
from leakyflow.likelihood.gauss_newton import scored_modes
from leakyflow.likelihood.scanned import Scanned
from leakyflow.recordings.batch import Batch
from leakyflow.simulator.ladder import ladder_prior

PRIOR = ladder_prior("sag")
NEURON = {
    "tau": 22.0, "V_rest": -56.0, "C": 80.0, "V_th": -46.0, "threshold_noise": 3.0, "membrane_noise": 0.04,
    "V_reset": -38.0, "reset_noise": 4.0, "t_ref": 3.0, "R_s": 0.01, "ahp_fast": -128.0, "ahp_fast_tau": 5.0,
    "ahp_slow": -63.0, "ahp_slow_tau": 214.0, "threshold_coupling": 0.1, "threshold_coupling_tau": 4.0,
    "threshold_jump": 6.0, "threshold_jump_tau": 45.0, "sag": 0.4, "sag_tau": 300.0,
}  # fmt: skip


# A fast current that depolarizes, of which a search that knows of none makes something else.
DEPOLARIZED = NEURON | {"ahp_fast": 60.0, "ahp_slow_tau": 90.0}


def cell_of(neuron: dict[str, float]) -> Batch:
    steps = (lf.square(amplitude=I, onset=50.0, duration=500.0, t_max=600.0, dt=0.5) for I in (-60.0, 100.0, 250.0))
    sweeps = [lf.simulate(lf.Parameters(**neuron), step, seed=seed) for seed, step in enumerate(steps)]
    return Batch.of(lf.Cell(sweeps, name="cell"))


def fitted(batch: Batch) -> dict[str, float]:
    (z,) = Scanned.of(batch, PRIOR).guess()
    return dict(zip(PRIOR.inferred, np.asarray(PRIOR.natural(z)).tolist(), strict=True))


@pytest.fixture(scope="module")
def batch():
    return cell_of(NEURON)


def test_it_finds_the_membrane_with_what_spikes_and_the_voltage_leave(batch):
    found = fitted(batch)
    for name, factor in (("tau", 1.1), ("C", 1.1), ("ahp_fast_tau", 1.5), ("ahp_slow", 1.15), ("ahp_slow_tau", 1.15),
                         ("sag", 1.4), ("sag_tau", 1.6), ("membrane_noise", 1.1)):  # fmt: skip
        assert abs(np.log(found[name] / NEURON[name])) < np.log(factor), name
    assert found["V_rest"] == pytest.approx(NEURON["V_rest"], abs=0.5)


def test_without_the_currents_in_the_data_it_finds_next_to_none():
    off = {"ahp_fast": 0.0, "ahp_slow": 0.0, "sag": 0.0}
    found = fitted(cell_of(NEURON | off))
    assert abs(found["ahp_slow"]) < 0.1 * abs(NEURON["ahp_slow"])
    assert found["sag"] < 0.15


def test_a_search_from_there_finds_the_mode_that_one_from_the_passive_membrane_misses():
    batch = cell_of(DEPOLARIZED)
    passive = Scanned.of(batch, PRIOR)
    target = replace(passive, start=passive.guess())
    truth = [[float(PRIOR.distributions[name].to_unconstrained(DEPOLARIZED[name])) for name in PRIOR.inferred]]
    at_truth = target.log_joint(np.array([truth]))[0, 0]
    best, lesser = (scored_modes(one).log_density[0] for one in (target, passive))
    assert best > at_truth
    assert lesser < at_truth - 50.0


def test_of_a_cell_that_never_fires_it_says_nothing_of_the_threshold():
    batch = cell_of(NEURON | {"V_th": 60.0})
    target = Scanned.of(batch, PRIOR)
    of_threshold = [PRIOR.inferred.index(name) for name in ("V_th", "threshold_noise")]
    np.testing.assert_array_equal(target.guess()[:, of_threshold], target.start[:, of_threshold])
    assert fitted(batch)["tau"] == pytest.approx(NEURON["tau"], rel=0.1)


def test_where_noise_hides_the_voltage_or_nothing_is_left_of_spikes_it_is_not_asked(batch):
    noisy = PRIOR.model_copy(update={"root": {**PRIOR.root, "measurement_noise": 0.1}})
    for prior in (noisy, ladder_prior("lif")):
        target = Scanned.of(batch, prior)
        np.testing.assert_array_equal(target.guess(), target.start)
