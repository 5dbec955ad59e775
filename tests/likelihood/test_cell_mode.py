"""The mode of one cell: that of the search for many cells, and where the density has no slope."""

from dataclasses import replace

import numpy as np
import pytest

from leakyflow.likelihood import cell_mode as module
from leakyflow.likelihood.cell_mode import cell_mode
from leakyflow.likelihood.gauss_newton import scored_modes
from leakyflow.likelihood.scanned import Scanned
from leakyflow.recordings.batch import Batch
from leakyflow.simulator.ladder import ladder_prior
from tests.diagnostics.test_comparison import LIF, cell_of


@pytest.fixture(scope="module")
def target():
    return Scanned.of(Batch.of(cell_of(LIF)), ladder_prior("lif"))


def test_it_is_the_mode_that_the_search_for_many_cells_finds(target):
    found = cell_mode(target, target.guess()[0])
    modes = scored_modes(replace(target, start=found.centre[None]))
    sd = np.sqrt(np.diag(found.covariance))
    assert np.abs((found.centre - modes.centre[0]) / sd).max() < 0.1
    assert found.log_density == pytest.approx(modes.log_density[0], abs=0.05)
    assert np.diag(found.covariance) == pytest.approx(np.diag(modes.covariance[0]), rel=0.02)


def test_slope_is_that_of_the_density(target):
    z, step = target.guess()[0], 1e-4
    slope, _ = module._scores(target, z)
    around = z + step * np.concatenate([np.eye(len(z)), -np.eye(len(z))])
    up, down = np.split(target.log_joint(around[None])[0], 2)
    assert slope == pytest.approx((up - down) / (2.0 * step), rel=1e-3, abs=0.1)


def test_parts_of_a_cell_add_up(target, monkeypatch):
    z = target.guess()[0]
    whole = module._scores(target, z)
    monkeypatch.setattr(module, "MOST_HELD", 1)  # each sweep by itself
    for one, other in zip(module._scores(target, z), whole, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6 * np.abs(other).max())
