import pytest

from leakyflow.recordings.recording import Recording, Recordings
from leakyflow.reference.observed import observed_parameters, refractory_period
from leakyflow.simulator.distributions import LogNormal, Normal, Uniform
from leakyflow.simulator.prior import Observed, Prior
from tests.cases import PRIORS, marked

OBSERVED = Prior(
    PRIORS["standard"].root
    | {"V_reset": Observed(Normal(mean=-55.0, sd=8.0)), "t_ref": Observed(Uniform(low=2.0, high=6.0))}
)


def found(prior: Prior, *recordings: Recording) -> dict[str, list[float]]:
    return {name: list(x) for name, x in observed_parameters(Recordings.from_list(recordings), prior).items()}


def test_observed_parameters_are_read_off_each_recording():
    both = found(OBSERVED, marked([100, 300], [-52.0, -58.0], n_ref=20), marked([100], [-50.0], n_ref=10))
    assert both == {"V_reset": pytest.approx([-55.0, -50.0]), "t_ref": pytest.approx([4.0, 2.0])}


def test_without_observed_parameters_nothing_is_read():
    assert found(PRIORS["standard"], marked([100], [-50.0], n_ref=10)) == {}


def test_the_longest_refractory_period_counts_where_the_end_cuts_one():
    assert refractory_period(marked([100, 595], [-52.0, -58.0], n_ref=20)) == pytest.approx(4.0)


def test_scatter_of_the_reset_is_read_off_where_it_is_observed():
    prior = Prior(OBSERVED.root | {"reset_noise": Observed(LogNormal(median=4.0, sigma=0.5))})
    two, one = marked([100, 300], [-52.0, -58.0], n_ref=20), marked([100], [-52.0], n_ref=20)
    assert found(prior, two, one)["reset_noise"] == pytest.approx([18**0.5, 4.0])


def test_without_spikes_observed_parameters_are_at_their_prior_median():
    silent = marked([], [], n_ref=20)
    assert found(OBSERVED, silent) == {"V_reset": pytest.approx([-55.0]), "t_ref": pytest.approx([4.0])}
