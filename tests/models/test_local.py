from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from leakyflow.likelihood import regression_mode
from leakyflow.likelihood.sufficient import compress
from leakyflow.models.local import (
    LocalCoordinates,
    coordinate_features,
    from_local,
    laplace_coordinates,
    prior_coordinates,
    to_local,
)
from leakyflow.recordings.batch import Batch
from leakyflow.recordings.recording import Recording
from leakyflow.simulator.config import SimulatorConfig
from leakyflow.simulator.distributions import LogNormal, Normal, Uniform
from leakyflow.simulator.prior import Prior, ReadOff
from tests.cases import DT, NEURON, PRIORS, STANDARD, STIMULI, recorded, simulated, simulator, stimulated

N = 1000
RNG = np.random.default_rng(1)


class Simulated(NamedTuple):
    """Simulations from a prior and their local coordinates."""

    prior: Prior
    recordings: Batch
    local: LocalCoordinates
    z: np.ndarray  # prior scores of the truth, (dataset, param)
    w: np.ndarray  # their local coordinates
    spiking: np.ndarray


def simulated_with_coordinates(name: str) -> Simulated:
    config = simulator(name)
    theta, recordings = simulated(config, N)
    local = laplace_coordinates(config.prior, compress(recordings))
    z = config.prior.to_unconstrained(theta)
    return Simulated(
        config.prior,
        recordings,
        local,
        z,
        to_local(local, z[:, None])[0][:, 0],
        recordings.spikes.any(1),
    )


@pytest.fixture(scope="module", params=PRIORS)
def case(request: pytest.FixtureRequest) -> Simulated:
    return simulated_with_coordinates(request.param)


@pytest.fixture(scope="module")
def standard() -> Simulated:
    return simulated_with_coordinates("standard")


def part(local: LocalCoordinates, index: slice) -> LocalCoordinates:
    return LocalCoordinates._make(value[index] for value in local)


def test_from_local_inverts_to_local(case):
    w = RNG.normal(size=(N, 20, case.prior.n_inferred))
    z, log_det = from_local(case.local, w)
    again, log_det_again = to_local(case.local, z)
    np.testing.assert_allclose(again, w, atol=1e-9)
    np.testing.assert_allclose(log_det_again, log_det, atol=1e-9)
    np.testing.assert_allclose(from_local(case.local, case.w[:, None])[0][:, 0], case.z, atol=1e-9)


def test_log_det_is_that_of_finite_differences(case):
    index, step = slice(0, 100), 1e-5
    local, z = part(case.local, index), case.z[index]
    nudges = step * np.concatenate([np.eye(z.shape[-1]), -np.eye(z.shape[-1])])
    w, _ = to_local(local, z[:, None] + nudges)
    jacobian = (w[:, : z.shape[-1]] - w[:, z.shape[-1] :]) / (2 * step)
    _, log_det = to_local(local, z[:, None])
    # A score closer to its bound than the step has no difference to both sides.
    clear = (z - local.bound > 1e-3).all(1)
    assert clear.mean() > 0.8
    np.testing.assert_allclose(log_det[clear, 0], np.linalg.slogdet(jacobian)[1][clear], atol=1e-4)


def test_centre_root_and_features_are_finite_and_the_root_is_positive_definite(case):
    assert np.isfinite(case.local.centre).all()
    assert np.isfinite(coordinate_features(case.local)).all()
    assert np.linalg.eigvalsh(case.local.root).min() > 0
    np.testing.assert_allclose(case.local.root, np.swapaxes(case.local.root, 1, 2), atol=1e-14)


# What a Laplace approximation may miss where the posterior is not normal. A noisy threshold is skewed, for it
# may lie further up if its noise is larger; so is the scatter of one or two resets.
ALLOWED = {"mean": 0.2, "sd": 0.15}
ALLOWED_IF_SKEWED = {"mean": 0.5, "sd": 0.4}


def excess(w: np.ndarray) -> dict[str, np.ndarray]:
    """By how much mean and SD differ from 0 and 1 beyond 4 standard errors."""
    n = len(w)
    # Tails beyond 4 are the flow's to learn, and would dominate an SD.
    w = np.clip(w, -4.0, 4.0)
    return {
        "mean": np.abs(w.mean(0)) - 4 / np.sqrt(n),
        "sd": np.abs(w.std(0) - 1) - 4 / np.sqrt(2 * n),
    }


@pytest.mark.parametrize("spiking", [False, True], ids=["silent", "spiking"])
def test_local_coordinates_are_close_to_standard_normal(case, spiking):
    skewed = {"reset_noise"}
    if case.prior.known.get("threshold_noise") != 0.0:
        skewed |= {"V_th", "threshold_noise"}
    w = case.w[case.spiking == spiking]
    assert len(w) > 100
    for kind, values in excess(w).items():
        for name, value in zip(case.prior.inferred, values, strict=True):
            assert value < (ALLOWED_IF_SKEWED if name in skewed else ALLOWED)[kind], (name, kind)


def test_local_coordinates_of_other_recordings_are_not(standard):
    """Frames and truths shuffled against each other."""
    w, log_det = to_local(standard.local, np.roll(standard.z, 1, axis=0)[:, None])
    w = w[np.isfinite(log_det)]
    assert np.all(np.max(list(excess(w).values()), axis=0) > 2 * ALLOWED["sd"])


def test_score_below_its_bound_is_impossible(standard):
    axis = standard.prior.inferred.index("V_th")
    z = standard.z.copy()
    z[:, axis] = standard.local.bound[:, axis] - 1e-6
    assert np.all(to_local(standard.local, z[:, None])[1] == -np.inf)


def test_draws_stay_above_the_largest_voltage_survived(standard):
    axis = standard.prior.inferred.index("V_th")
    z, _ = from_local(standard.local, 5 * RNG.normal(size=(N, 20, 4)))
    V_th = standard.prior.distributions["V_th"].from_unconstrained(z[..., axis])
    V_max = compress(standard.recordings).V_max
    assert np.all(V_th >= V_max[:, None] - 1e-9)


def test_threshold_of_a_silent_recording_has_its_truncated_prior(standard):
    """Truncated at the largest voltage, exactly: the coordinate is the score under the truncated prior."""
    silent, axis = ~standard.spiking, standard.prior.inferred.index("V_th")
    bound = standard.prior.distributions["V_th"].to_unconstrained(compress(standard.recordings).V_max)
    truncated = stats.truncnorm(bound[silent], np.inf)
    u = stats.norm.isf(truncated.sf(standard.z[silent, axis]))
    np.testing.assert_allclose(standard.w[silent, axis], u, atol=1e-6)
    assert stats.kstest(u, "norm").pvalue > 1e-3


def test_posterior_of_the_resting_potential_is_exact():
    """All else known, recordings are linear in V_rest with normal noise: the posterior is normal."""
    mean, sd = -72.0, 6.0
    prior = Prior(dict(NEURON) | {"V_rest": Normal(mean=mean, sd=sd), "V_th": 1000.0})
    config = SimulatorConfig(dt=DT, duration=(100.0, 300.0), prior=prior, stimuli=STIMULI)
    theta, recordings = simulated(config, 300)
    local = laplace_coordinates(prior, compress(recordings))
    tau, C, noise = NEURON.tau, NEURON.C, NEURON.membrane_noise
    for i, recording in enumerate(recordings):
        V, I = recording.V.astype(float), recording.I.astype(float)
        # Each step measures V_rest with an SD of noise tau / sqrt(dt), the first sample with
        # noise sqrt(tau / 2).
        steps = tau * (np.diff(V) / DT - I[:-1] / C) + V[:-1]
        first = V[0] - tau / C * I[0]
        precision = 1 / sd**2 + len(steps) * DT / (noise * tau) ** 2 + 2 / (noise**2 * tau)
        centre = (mean / sd**2 + steps.sum() * DT / (noise * tau) ** 2 + first * 2 / (noise**2 * tau)) / precision
        assert local.centre[i, 0] == pytest.approx((centre - mean) / sd, abs=1e-7)
        assert local.root[i, 0, 0] == pytest.approx(precision**-0.5 / sd, rel=1e-7)
    z = prior.to_unconstrained(theta)[:, None]
    assert stats.kstest(to_local(local, z)[0].ravel(), "norm").pvalue > 1e-3
    assert stats.kstest(to_local(local, np.roll(z, 1, axis=0))[0].ravel(), "norm").pvalue < 1e-3


def spiky(n_spikes: int, n_ref: int) -> Recording:
    V = -60.0 + RNG.normal(size=5000)
    at = np.linspace(5, 5000 - n_ref - 2, n_spikes).astype(int)
    return recorded(V, 200.0, spikes=tuple(at), n_ref=n_ref)


def real_like() -> Recording:
    neuron = {"tau": 26.0, "V_rest": -57.0, "C": 190.0, "V_th": -23.0, "V_reset": -45.0}
    return stimulated(250.0, t_max=1000.0, threshold_noise=1.7, membrane_noise=0.24, **neuron)


T = np.arange(5000)
EXTREMES = {
    "500 spikes": spiky(500, 2),
    "a spike every third sample": spiky(1600, 1),
    "two samples": recorded(np.array([-70.0, -70.1])),
    "two free steps": recorded(np.full(5000, -60.0) - 9.0 * (T < 3), 100.0, spikes=(3,), n_ref=5000),
    "no free step": recorded(np.full(5000, -60.0), 100.0, spikes=(1,), n_ref=5000),
    "V_max far above the prior": recorded(60.0 + 0.1 * RNG.normal(size=5000)),
    "V far below the prior": recorded(-200.0 + 0.1 * RNG.normal(size=5000)),
    "huge current": recorded(-70.0 + 0.1 * RNG.normal(size=5000), 1e6 * np.sin(T)),
    "constant": recorded(np.full(5000, -70.0)),
    "white": recorded(-70.0 + 5.0 * RNG.normal(size=5000)),
    "runaway": recorded(-70.0 + np.exp(T / 1500)),
    "against its current": recorded(-70.0 + 5.0 * np.sin(T / 200), -100.0 * np.sin(T / 200)),
    "real-like, far in the prior's tail": real_like(),
}


def test_no_recording_gives_nan(case):
    extremes = Batch.from_list(list(EXTREMES.values()))
    local = laplace_coordinates(case.prior, compress(extremes))
    features = coordinate_features(local)
    assert features.shape[1] == coordinate_features(case.local).shape[1]
    w = RNG.normal(size=(len(extremes), 50, case.prior.n_inferred))
    z, log_det = from_local(local, w)
    again, _ = to_local(local, z)
    for i, name in enumerate(EXTREMES):
        for values in (local.centre[i], local.root[i], features[i], z[i], log_det[i]):
            assert np.isfinite(values).all(), name
        np.testing.assert_allclose(again[i], w[i], atol=1e-6, err_msg=name)


def test_each_recording_has_its_coordinates_by_itself(standard):
    for i in (0, N - 1):
        alone = laplace_coordinates(standard.prior, compress(standard.recordings[i : i + 1]))
        for name, value in part(standard.local, slice(i, i + 1))._asdict().items():
            # Few recordings and many are compiled apart, and round differently: the loss, of some thousand nats, is
            # known to 1e-12, and so its minimum to the root of that.
            np.testing.assert_allclose(getattr(alone, name), value, rtol=1e-5, atol=1e-5, err_msg=name)


def test_features_have_one_length_whatever_the_recording():
    """Also where the only recording lies below a bounded prior, so that its bound excludes nothing."""
    far = Batch.from_list([EXTREMES["V far below the prior"]])
    near = Batch.from_list([EXTREMES["500 spikes"]])
    shapes = [coordinate_features(laplace_coordinates(PRIORS["bounded"], compress(one))).shape for one in (far, near)]
    # Least score, bound and scale of V_th, then centre, SDs and correlations of four.
    assert shapes == [(1, 3 + 4 + 4 + 6)] * 2
    local = laplace_coordinates(PRIORS["bounded"], compress(near))
    told, untold = coordinate_features(local), coordinate_features(local, correlations=False)
    np.testing.assert_array_equal(untold, told[:, :-6])


def test_a_bound_is_compiled_only_where_the_prior_has_one(monkeypatch):
    """Its curvature takes as long to compile as all else."""

    def reached(*_):
        raise AssertionError("the bound was traced")

    monkeypatch.setattr("leakyflow.likelihood.regression_mode.above", reached)
    one = compress(Batch.from_list([EXTREMES["500 spikes"]]))
    regression_mode._laplace_solver.cache_clear()
    laplace_coordinates(PRIORS["recording"], one)
    with pytest.raises(AssertionError, match="traced"):
        laplace_coordinates(PRIORS["standard"], one)


def test_coordinates_that_know_nothing_are_the_prior_scores():
    local = prior_coordinates(3, 4)
    z = RNG.normal(size=(3, 5, 4))
    w, log_det = to_local(local, z)
    np.testing.assert_array_equal(w, z)
    np.testing.assert_array_equal(log_det, np.zeros((3, 5)))
    assert np.isfinite(coordinate_features(local)).all()


@pytest.mark.parametrize(
    "changes",
    [
        {"measurement_noise": 0.5},
        {"measurement_noise": LogNormal(median=0.5, sigma=0.5)},
        {"membrane_noise": 0.0},
    ],
    ids=["measurement noise", "inferred measurement noise", "no membrane noise"],
)
def test_a_likelihood_without_closed_form_is_refused(standard, changes):
    prior = Prior(dict(NEURON) | STANDARD | changes)
    with pytest.raises(ValueError, match='Set standardize = "prior" for this prior'):
        laplace_coordinates(prior, compress(standard.recordings[:1]))


@pytest.mark.parametrize("least", [-30.0, -5.0, 0.0, 5.0, 25.0])
def test_scores_above_a_wall_are_those_of_the_truncated_normal(least):
    """By quadrature in logs: the share below x is an integral of the density from the wall."""
    u = np.linspace(-5.0, 5.0, 41)
    local = LocalCoordinates(*(np.array([[value]]) for value in (least, 0.0, 1.0, 0.0)), np.eye(1)[None])
    z, _ = from_local(local, u[None, :, None])
    for x, score in zip(z[0, :, 0], u, strict=True):
        share = stats.truncnorm(least, np.inf).sf(x)
        assert share == pytest.approx(stats.norm.sf(score), rel=1e-6)
    np.testing.assert_allclose(to_local(local, z)[0][0, :, 0], u, atol=1e-7)


def test_what_is_read_off_has_a_value_in_the_solver(monkeypatch):
    """Version 0.1.0 took 0 for whatever had none: a refractory period of 0 ms, say."""
    seen = []

    def spy(p, s):
        seen.append(p)
        return jnp.zeros(())

    monkeypatch.setattr(regression_mode, "compressed_log_likelihood", spy)
    prior = Prior(
        PRIORS["recording"].root
        | {"reset_noise": ReadOff(LogNormal(median=5.0, sigma=0.4)), "t_ref": ReadOff(Uniform(low=3.0, high=7.0))}
    )
    regression_mode._laplace_solver.cache_clear()
    laplace_coordinates(prior, compress(simulated(simulator("recording"), 2)[1]))
    regression_mode._laplace_solver.cache_clear()
    assert {p.t_ref for p in seen} == {5.0}
    assert all(p.reset_noise == pytest.approx(5.0) for p in seen)
