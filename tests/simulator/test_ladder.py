"""The ladder of neurons: each has all that the one before has, and its priors hold what cells have."""

from itertools import pairwise

import pytest

from leakyflow.errors import LeakyflowError
from leakyflow.neuron.mechanisms import MECHANISMS
from leakyflow.simulator.ladder import LADDER, ladder_prior
from leakyflow.training.config import load_config

# Percentiles 5 and 95 of 645 mouse cortical cells (Teeter et al. 2018).
CORTICAL = {"tau": (7.0, 48.0), "C": (47.0, 163.0), "V_rest": (-81.0, -62.0), "V_th": (-51.0, -37.0)}


def test_each_rung_has_all_that_the_one_before_has():
    priors = [ladder_prior(rung.name) for rung in LADDER]
    for below, above in pairwise(priors):
        assert below.root.items() < above.root.items()


def test_the_last_rung_has_every_mechanism():
    assert {mechanism.name for mechanism in MECHANISMS} <= set(ladder_prior(LADDER[-1].name).root)


@pytest.mark.parametrize("name", CORTICAL)
def test_cortical_cells_lie_inside_the_prior(name):
    distribution = ladder_prior("lif").distributions[name]
    assert all(abs(float(distribution.to_unconstrained(value))) < 2.5 for value in CORTICAL[name])


def test_the_sag_is_too_slow_for_a_membrane():
    low, _ = ladder_prior("sag").distributions["sag_tau"].support
    assert low >= 30.0


def test_the_network_of_cells_learns_the_neuron_that_the_ladder_ends_at():
    """All but the dendrite, which no cell needed."""
    preset = load_config("cell").simulator.prior.root
    assert preset == ladder_prior("sag").root
    assert preset != ladder_prior("dendrite").root


def test_an_unknown_rung_is_refused_with_those_that_there_are():
    with pytest.raises(LeakyflowError, match=r"has no rung `cable`, it has: lif, electrode"):
        ladder_prior("cable")
