import pytest

from leakyflow.diagnostics.prediction.leave_one_out import without_own_sweep
from leakyflow.likelihood.reference import reference_posterior
from leakyflow.recordings.cell import Cell
from leakyflow.simulator.simulate import simulate
from leakyflow.simulator.stimuli import square
from tests.cases import NEURON, PRIORS

PRIOR = PRIORS["standard"]


@pytest.fixture(scope="module")
def cell() -> Cell:
    """Four sweeps, of which the last is of another neuron."""
    step = square(amplitude=-80.0, onset=20.0, duration=120.0, t_max=200.0, dt=0.2)
    neurons = [NEURON, NEURON, NEURON, NEURON.replace(V_rest=-68.0)]
    return Cell([simulate(neuron, step, seed=i) for i, neuron in enumerate(neurons)])


@pytest.fixture(scope="module")
def moved(cell):
    return without_own_sweep(cell, reference_posterior(cell, PRIOR, n_draws=1000, seed=0), PRIOR)


@pytest.mark.parametrize("k", [0, 3])
def test_draws_are_those_of_the_other_sweeps(cell, moved, k):
    refitted = reference_posterior(Cell([s for i, s in enumerate(cell) if i != k]), PRIOR, n_draws=1000, seed=0)
    for i, name in enumerate(PRIOR.inferred):
        # One step is not all of the way, which is four SDs for the sweep that differs.
        assert moved[:, k, i].mean() == pytest.approx(refitted[name].mean(), abs=refitted[name].std()), name


def test_the_sweep_that_differs_had_pulled_them(cell, moved):
    all_of_it = reference_posterior(cell, PRIOR, n_draws=1000, seed=0)
    at = PRIOR.inferred.index("V_rest")
    assert moved[:, 3, at].mean() < all_of_it["V_rest"].mean() - 2.0 * all_of_it["V_rest"].std()
    assert moved[:, 0, at].mean() > all_of_it["V_rest"].mean()
