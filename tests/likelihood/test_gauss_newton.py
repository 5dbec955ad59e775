import jax
import numpy as np
import pytest

import leakyflow as lf
from leakyflow.likelihood import gauss_newton
from leakyflow.likelihood.gauss_newton import STEP, scored_modes
from leakyflow.likelihood.laplace import climb
from leakyflow.likelihood.scan import scan_log_likelihood, scan_scores, trace_of
from leakyflow.likelihood.scanned import Scanned
from leakyflow.likelihood.sweeps import cut
from leakyflow.neuron.parameters import Parameters
from leakyflow.recordings.batch import Batch
from leakyflow.simulator.prior import Prior

NEURON = {"V_reset": -58.0, "reset_noise": 3.0, "t_ref": 3.0, "current_noise": 6.0, "current_noise_tau": 5.0}
NEURON |= {"measurement_noise": 0.05}
INFERRED = {"tau": 18.0, "V_rest": -70.0, "C": 90.0, "V_th": -48.0, "threshold_noise": 1.2, "R_s": 0.01}
PRIOR = Prior(
    {
        "tau": {"family": "lognormal", "median": 20.0, "sigma": 0.6},
        "V_rest": {"family": "normal", "mean": -68.0, "sd": 6.0},
        "C": {"family": "lognormal", "median": 100.0, "sigma": 0.6},
        "V_th": {"family": "normal", "mean": -45.0, "sd": 6.0},
        "threshold_noise": {"family": "lognormal", "median": 1.5, "sigma": 0.5},
        "R_s": {"family": "normal", "mean": 0.008, "sd": 0.01},
        **NEURON,
    }
)
STEPS = [lf.square(amplitude=a, onset=40.0, duration=100.0, t_max=160.0, dt=0.2) for a in (-60.0, 150.0, 260.0)]


@pytest.fixture(scope="module")
def recordings() -> Batch:
    """A silent one and two that fire."""
    neuron = Parameters(**INFERRED, **NEURON)
    return Batch.from_list([lf.simulate(neuron, step, seed=i) for i, step in enumerate(STEPS)])


def test_slopes_are_those_of_the_log_likelihood(recordings):
    trace, names = trace_of(recordings), tuple(INFERRED)
    at = np.array(list(INFERRED.values()))
    scale = 1e-3 * np.abs(at)

    def neuron(x):
        return Parameters(**NEURON, **{name: x[..., i] for i, name in enumerate(names)})

    def log_likelihood(x):
        return scan_log_likelihood(neuron(at + scale * x), trace)

    with jax.enable_x64(True):
        expected = np.asarray(jax.jacfwd(log_likelihood)(np.zeros(len(at))))
        moved = at + STEP * scale * np.concatenate([np.zeros((1, len(at))), np.eye(len(at))])
        scored = scan_scores(neuron(np.repeat(moved[:, None], 3, 1)), STEP, trace, len(trace.y) - 1)
    np.testing.assert_allclose(np.asarray(scored.slope), expected.T, rtol=1e-4, atol=1e-4)
    assert not np.allclose(np.asarray(scored.slope)[:, 0], expected[1], rtol=1e-2)
    np.testing.assert_allclose(scored.curvature, np.swapaxes(scored.curvature, 0, 1))


def test_samples_after_the_last_that_is_looked_at_change_nothing(recordings):
    trace = trace_of(recordings)
    moved = {"V_rest": INFERRED["V_rest"] + STEP * np.array([[0.0], [1.0]])}
    neuron = Parameters(**(INFERRED | NEURON | moved))
    with jax.enable_x64(True):
        found = scan_scores(neuron, STEP, trace, 300)
        shorter = scan_scores(neuron, STEP, cut(trace, np.arange(3), 301), 300)
        longer = scan_scores(neuron, STEP, trace, 301)
    for one, other, more in zip(found, shorter, longer, strict=True):
        np.testing.assert_array_equal(one, other)
        assert not np.array_equal(one, more)


def test_curvature_is_the_spread_of_the_slope_over_recordings():
    # At the truth the expected curvature is the slope's covariance (Fisher information), within sampling error.
    n, names = 600, ("V_rest", "V_th", "tau")
    batch = lf.simulate(Parameters(**{k: np.full(n, v) for k, v in (INFERRED | NEURON).items()}), STEPS[1], seed=7)
    trace = trace_of(batch)
    moved = {name: np.repeat(np.array([[INFERRED[name]]] * 4), n, 1) for name in names}
    for i, name in enumerate(names):
        moved[name][i + 1] += STEP
    with jax.enable_x64(True):
        scored = scan_scores(Parameters(**(INFERRED | NEURON | moved)), STEP, trace, len(trace.y) - 1)
    slope, curvature = np.asarray(scored.slope), np.asarray(scored.curvature).mean(-1)
    found = np.cov(slope)
    # Standard error of a variance of n normal values: sqrt(2 / n) of it; four of them.
    np.testing.assert_allclose(np.diag(found), np.diag(curvature), rtol=4.0 * np.sqrt(2.0 / n))
    assert abs(np.diag(found)[1] / (2.0 * np.diag(curvature)[1]) - 1.0) > 4.0 * np.sqrt(2.0 / n)


def test_modes_are_those_of_a_search_that_uses_the_density_alone(recordings):
    target = Scanned.of(recordings, PRIOR)
    modes = scored_modes(target)

    def log_density(z, rows):
        return np.stack([target.one(int(row)).log_joint(own[None])[0] for row, own in zip(rows, z, strict=True)])

    found = climb(log_density, target.start)
    np.testing.assert_allclose(modes.log_density, found.log_density, atol=0.05)
    sd = np.sqrt(np.einsum("nii->ni", found.covariance))
    assert (np.abs(modes.centre - found.centre) < 0.3 * sd).all()
    assert (np.abs(target.start - found.centre) > 0.3 * sd).any()


def test_the_mode_of_a_cell_is_that_of_all_its_sweeps(recordings):
    cell = Batch.of(lf.Cell(list(recordings), name="cell"))
    one = scored_modes(Scanned.of(cell, PRIOR))
    target = Scanned.of(cell, PRIOR)
    assert one.log_density[0] == pytest.approx(target.log_joint(one.centre[:, None])[0, 0], abs=1e-6)
    singles = scored_modes(Scanned.of(recordings, PRIOR))
    own = np.einsum("nii->ni", singles.covariance)[:, [0, 1, 2, 5]].min(0)  # of the membrane and the electrode
    assert (np.diag(one.covariance[0])[[0, 1, 2, 5]] < own).all()


def test_the_company_a_cell_is_searched_in_changes_nothing(recordings, monkeypatch):
    together = scored_modes(Scanned.of(recordings, PRIOR))
    monkeypatch.setattr(gauss_newton, "SIZES", (2, 1))
    alone = scored_modes(Scanned.of(recordings, PRIOR))
    np.testing.assert_allclose(together.centre, alone.centre, atol=1e-6)
