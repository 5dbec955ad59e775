import numpy as np
import pytest

from leakyflow.diagnostics.spread import between, between_sweeps
from leakyflow.likelihood.draws import Draws
from leakyflow.recordings.cell import Cell
from leakyflow.simulator.simulate import simulate
from leakyflow.simulator.stimuli import square
from tests.cases import NEURON, PRIORS

PRIOR = PRIORS["standard"]


def cell_of(taus: np.ndarray, amplitude: float = -200.0) -> Cell:
    """Sweeps of neurons that differ in tau."""
    step = square(amplitude=amplitude, onset=20.0, duration=150.0, t_max=300.0, dt=0.2)
    return Cell([simulate(NEURON.replace(tau=float(tau)), step, seed=i) for i, tau in enumerate(taus)])


def centred(n_draws: int = 400, sd: float = 0.02) -> Draws:
    """Draws about the neuron that the sweeps are of, without the time that a posterior takes."""
    z = PRIOR.to_unconstrained(NEURON) + sd * np.random.default_rng(1).standard_normal((n_draws, 4))
    return Draws(PRIOR.inferred, np.asarray(PRIOR.natural(z)))


@pytest.fixture(scope="module")
def varied():
    rng = np.random.default_rng(2)
    return between_sweeps(cell_of(17.0 * np.exp(0.25 * rng.standard_normal(24))), centred(), PRIOR)


def test_sweeps_of_neurons_that_differ_are_told_apart(varied):
    tau = varied.names.index("tau")
    # Half a prior SD, which is 0.5 in log tau; an SD of 24 values is known to a seventh of it.
    assert varied.between[tau] == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(48))
    assert varied.n_sweeps[tau] == 24


def test_sweeps_of_one_neuron_agree():
    spread = between_sweeps(cell_of(np.full(24, 17.0)), centred(), PRIOR)
    told = ~np.isnan(spread.between)
    assert told.sum() >= 3
    assert (spread.between[told] == 0.0).all()


def test_what_too_few_sweeps_tell_of_is_not_said(varied):
    assert np.isnan(varied.between[varied.names.index("V_th")])  # none of them fired
    assert np.isnan(between_sweeps(cell_of(np.array([10.0, 30.0])), centred(), PRIOR).between).all()


def test_the_interval_holds_what_another_sweep_would_say(varied):
    draws = centred()
    wide, exact = varied.summary(draws, PRIOR), draws.summary()
    others = 17.0 * np.exp(0.25 * np.random.default_rng(3).standard_normal(4000))
    inside = ((others > wide.q05["tau"]) & (others < wide.q95["tau"])).mean()
    # The spread is known to a seventh, and so is the share that it leaves out, about.
    assert inside == pytest.approx(0.9, abs=0.08)
    assert ((others > exact.q05["tau"]) & (others < exact.q95["tau"])).mean() < 0.2
    np.testing.assert_array_equal(wide[["mean", "sd"]], exact[["mean", "sd"]])
    assert wide.q05["V_th"] == exact.q05["V_th"]


def test_between_is_in_the_unit_of_the_parameter(varied):
    tau = varied.summary(centred(), PRIOR).between["tau"]
    score = varied.between[varied.names.index("tau")]
    assert tau == pytest.approx(17.0 * np.sinh(0.5 * score), rel=0.02)


def estimates(sd: float, variance: np.ndarray, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(0.0, sd, len(variance)) + rng.normal(0.0, np.sqrt(variance))


@pytest.mark.parametrize("sd", [0.5, 5.0])
def test_scatter_is_told_from_uncertainty_that_differs(sd):
    variance = np.geomspace(0.01, 1.0, 30)
    found = [between(estimates(sd, variance, seed), variance) for seed in range(100)]
    assert np.mean(found) == pytest.approx(sd, rel=0.1)


def test_values_that_are_one_are_seldom_said_to_differ():
    variance = np.geomspace(0.01, 1.0, 5)
    assert np.mean([between(estimates(0.0, variance, seed), variance) > 0 for seed in range(1000)]) < 0.02
