"""The mode of one cell: that of the search for many cells, where the density has no slope, and where climbs agree."""

from dataclasses import replace
from threading import Lock

import numpy as np
import pytest

from leakyflow.likelihood import cell_mode as module
from leakyflow.likelihood import reference
from leakyflow.likelihood.cell_mode import Found, cell_mode, find_mode
from leakyflow.likelihood.gauss_newton import scored_modes
from leakyflow.likelihood.importance import Effort, Sampled, Weights
from leakyflow.likelihood.laplace import Laplace
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


def found_by_turns(monkeypatch, densities):
    """Climbs that end far apart, with these log densities, however they began."""
    turns = iter(densities)
    lock = Lock()

    def climb(target, start):
        with lock:
            density = next(turns)
        n = len(start)
        return Laplace(np.full(n, density), np.eye(n), density)

    monkeypatch.setattr(module, "cell_mode", climb)
    return turns


def search(target):
    return find_mode(target, np.random.default_rng(0))


def test_two_climbs_that_agree_end_the_search(target, monkeypatch):
    left = found_by_turns(monkeypatch, [-10.0, -10.5, 0.0, 0.0])
    found = search(target)
    assert found.agreed
    assert found.modes[0].log_density == -10.0
    assert list(left) == [0.0, 0.0]


def test_a_mode_where_one_climb_alone_arrived_is_not_agreed_on(target, monkeypatch):
    found_by_turns(monkeypatch, [-90.0, -50.0, -40.0, 0.0, -50.0, -50.0])
    found = search(target)
    assert not found.agreed
    assert [mode.log_density for mode in found.modes] == [0.0]


def test_a_lesser_mode_far_from_the_best_is_kept(target, monkeypatch):
    found_by_turns(monkeypatch, [0.0, -9.0, -0.1, -40.0])
    assert [mode.log_density for mode in search(target).modes] == [0.0, -9.0]


def test_a_search_that_did_not_agree_is_not_reliable(target, monkeypatch):
    reliable = {}
    for agreed in (True, False):
        mode = cell_mode(target, target.guess()[0])
        monkeypatch.setattr(reference, "find_mode", lambda *_, agreed=agreed, mode=mode: Found((mode,), agreed))
        _, row = reference.around_the_mode(target, 200, np.random.SeedSequence(1))
        reliable[agreed] = row["reliable"]
    assert reliable == {True: True, False: False}


def test_of_a_cell_of_many_samples_weights_that_fail_are_said_to_and_no_particles_start(target, monkeypatch):
    def failed(target, begin, *, effort, rng):
        z = begin[0].centre + 0.01 * rng.standard_normal((400, len(begin[0].centre)))
        return Sampled(z, np.full(400, -9.0), Weights(np.full(400, 1.0 / 400), 1.3, -7.0), begin[0])

    started = []
    monkeypatch.setattr(reference, "adaptive_importance", failed)
    monkeypatch.setattr(reference, "_by_populations", lambda *_, **__: started.append(True))
    reference.around_the_mode(target, 200, np.random.SeedSequence(1))
    monkeypatch.setattr(reference, "MOST_SAMPLES", 100)
    z, row = reference.around_the_mode(target, 200, np.random.SeedSequence(1))
    assert started == [True]
    assert z.shape == (200, target.prior.n_inferred)
    assert not row["reliable"]


def test_a_draw_above_the_mode_leads_the_search_to_a_better_one(target):
    best = cell_mode(target, target.guess()[0])
    # What a search gives that stops short of the mode: draws around it are more probable.
    away = best.centre + 6.0 * np.sqrt(best.covariance[0, 0]) * np.eye(len(best.centre))[0]
    short = Laplace(away, best.covariance, float(target.log_joint(away[None, None])[0, 0]))
    rng, effort = np.random.default_rng(2), Effort(500.0, 500.0, 0.0)
    found = reference._from_the_best(target, (short,), effort, rng)
    from_mode = reference._from_the_best(target, (best,), effort, rng)
    assert short.log_density < best.log_density - 5.0
    assert found.weights.reliable
    error = np.sqrt(1.0 / found.weights.ess + 1.0 / from_mode.weights.ess)
    assert found.weights.log_evidence == pytest.approx(from_mode.weights.log_evidence, abs=4.0 * error)
    assert np.abs(found.weights.weight @ found.z - from_mode.weights.weight @ from_mode.z).max() < 0.2
