"""The predictor's likelihood against densities computed in another way."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from scipy.special import log_ndtr
from scipy.stats import multivariate_normal, norm

from leakyflow.likelihood.log_likelihood import log_likelihood
from leakyflow.likelihood.scan import trace_of
from leakyflow.neuron.parameters import Parameters
from leakyflow.recordings.batch import Batch
from leakyflow.recordings.recording import Recording
from leakyflow.simulator.simulate import simulate
from leakyflow.simulator.stimuli import from_array, square
from tests.cases import DT, NEURON
from tests.neuron.cases import ALL, ON

NOISES = {
    "membrane": {"membrane_noise": 0.3},
    "measurement": {"membrane_noise": 0.0, "measurement_noise": 0.2},
    "membrane and measurement": {"membrane_noise": 0.3, "measurement_noise": 0.2},
    "current": {"membrane_noise": 0.0, "current_noise": 8.0, "current_noise_tau": 5.0},
    "all": {"membrane_noise": 0.1, "measurement_noise": 0.05, "current_noise": 8.0, "current_noise_tau": 5.0},
}


def dense(p: Parameters, recording: Recording) -> float:
    """Log density of a silent LIF's trace as one normal vector: its mean and covariance by the linear map itself."""
    n, dt = recording.n_samples, recording.dt
    I, x_tau = recording.I.astype(float), getattr(p, "current_noise_tau", 1.0)
    a, decay = 1.0 - dt / p.tau, np.exp(-dt / x_tau)
    mean = np.empty(n)
    mean[0] = p.V_rest + p.tau / p.C * I[0]
    for k in range(n - 1):
        mean[k + 1] = mean[k] + dt * ((p.V_rest - mean[k]) / p.tau + I[k] / p.C)
    # Columns: the first V and x, then a step's membrane and current noise; rows: V at each sample.
    s, cov = p.current_noise, p.current_noise**2 / p.C * p.tau * x_tau / (p.tau + x_tau)
    first = np.array([[cov * p.tau / p.C + p.membrane_noise**2 * p.tau / 2.0, cov], [cov, s**2]])
    sources = 2 + 2 * (n - 1)
    V, x, rows = np.zeros(sources), np.zeros(sources), []
    V[:2], x[:2] = np.linalg.cholesky(first + 1e-15 * np.eye(2))
    for k in range(n):
        rows.append(V)
        V, x = a * V + dt / p.C * x, decay * x
        if k < n - 1:
            V[2 + 2 * k] += p.membrane_noise * np.sqrt(dt)
            x[3 + 2 * k] += s * np.sqrt(-np.expm1(-2.0 * dt / x_tau))
    covariance = np.array(rows) @ np.array(rows).T + (p.measurement_noise**2 + 1e-13) * np.eye(n)
    now = I if recording.I_electrode is None else recording.I_electrode.astype(float)
    return float(multivariate_normal(mean + p.R_s * now, covariance).logpdf(recording.V.astype(float)))


@pytest.mark.parametrize("R_s", [0.0, 0.012], ids=["", "electrode"])
@pytest.mark.parametrize("noises", NOISES.values(), ids=NOISES.keys())
def test_a_silent_neuron_is_a_normal_vector(noises, R_s):
    neuron = NEURON.replace(**noises, R_s=R_s, V_th=100.0)
    stimulus = square(amplitude=60.0, onset=10.0, duration=20.0, t_max=40.0, dt=DT, holding=-10.0)
    recording = simulate(neuron, stimulus, seed=3)
    own = float(log_likelihood(neuron, recording))
    assert own == pytest.approx(dense(neuron, recording), abs=2e-3)


def test_the_electrode_shows_the_current_of_the_moment_and_the_membrane_takes_its_mean_over_the_step():
    neuron = NEURON.replace(membrane_noise=0.1, measurement_noise=0.05, R_s=0.012, V_th=100.0)
    I = np.repeat(np.random.default_rng(2).normal(30.0, 80.0, 100), 2)  # twice as fine as the grid of the likelihood
    mean, now = I[1:-1].reshape(-1, 2).mean(1), I[1:-1:2]
    on_grid = simulate(neuron, from_array(mean, dt=DT), seed=3)
    V = (on_grid.V + neuron.R_s * (now - mean)).astype(np.float32)
    recording = replace(on_grid, V=V, I_electrode=now.astype(np.float32))
    own = float(log_likelihood(neuron, recording))
    assert own == pytest.approx(dense(neuron, recording), abs=2e-3)
    assert own == pytest.approx(float(log_likelihood(neuron, on_grid)), abs=2e-3)
    assert float(log_likelihood(neuron, replace(recording, I_electrode=None))) < own - 100.0
    other = neuron.replace(tau=neuron.tau * 1.3)
    assert float(log_likelihood(other, recording)) == pytest.approx(dense(other, recording), abs=2e-3)
    assert abs(own - dense(other, recording)) > 0.05


def written_out(p: Parameters, recording: Recording) -> float:
    """All mechanisms, membrane and threshold noise, V observed: the formula of the design, sample by sample."""
    I, dt = recording.I.astype(float), recording.dt
    V, J = recording.V.astype(float), I.copy()
    for k in np.flatnonzero(recording.spikes):
        end = k
        while end + 1 < len(V) and recording.refractory[end + 1]:
            end += 1
        J[k : end + 1] = I[end]
    V = V - p.R_s * J
    share, g = p.dendrite_share, p.C * p.dendrite_share * (1 - p.dendrite_share) / p.dendrite_tau
    leak_s, leak_d, g_sag = (1 - share) * p.C / p.tau, share * p.C / p.tau, p.sag * p.C / p.tau
    rest = I[0] / (leak_s + g_sag + g * leak_d / (g + leak_d))
    d, w, follow, fast, slow, jump = rest * g / (g + leak_d), rest, rest, 0.0, 0.0, 0.0
    total = norm.logpdf(V[0], p.V_rest + rest, p.membrane_noise * np.sqrt(p.tau / 2))
    s = p.membrane_noise * np.sqrt(dt)
    for k in range(len(V) - 1):
        spiked, u = float(recording.spikes[k]), V[k] - p.V_rest
        fast = fast * np.exp(-dt / p.ahp_fast_tau) + spiked
        slow = slow * np.exp(-dt / p.ahp_slow_tau) + spiked
        jump = jump * np.exp(-dt / p.threshold_jump_tau) + spiked
        w += (1 - np.exp(-dt / p.sag_tau)) * (u - w)
        follow += (1 - np.exp(-dt / p.threshold_coupling_tau)) * (u - follow)
        d += dt * (-leak_d * d + g * (u - d)) / (share * p.C)
        flows = I[k] + p.ahp_fast * fast + p.ahp_slow * slow - g_sag * w + g * (d - u)
        m = V[k] + dt * (-u / p.tau + flows / ((1 - share) * p.C))
        theta = p.V_th + p.threshold_jump * jump + p.threshold_coupling * follow
        if recording.spikes[k + 1]:
            total += log_ndtr((m - theta) / np.hypot(s, p.threshold_noise))
            total += norm.logpdf(V[k + 1], p.V_reset, p.reset_noise)
        elif not recording.refractory[k + 1]:
            total += norm.logpdf(V[k + 1], m, s) + log_ndtr((theta - V[k + 1]) / p.threshold_noise)
    return float(total)


def test_all_mechanisms_with_v_observed_follow_the_formula():
    neuron = NEURON.replace(**ALL, threshold_noise=1.2, R_s=0.01)
    step = square(amplitude=420.0, onset=20.0, duration=150.0, t_max=200.0, dt=DT)
    recording = simulate(neuron, step, seed=2)
    assert recording.spikes.sum() >= 4
    for p in (neuron, neuron.replace(sag=0.8, threshold_coupling=0.2, R_s=0.0, ahp_fast=-100.0)):
        assert float(log_likelihood(p, recording)) == pytest.approx(written_out(p, recording), rel=1e-10)


@pytest.mark.parametrize("name", [*ON, "R_s", "current_noise", "measurement_noise", "membrane_noise"])
def test_the_score_is_zero_on_average_at_the_truth_and_not_elsewhere(name):
    """The slope of the log likelihood has mean 0 where simulator and likelihood are of one model (Fisher)."""
    n = 60
    neuron = NEURON.replace(
        **ON.get(name, {}), threshold_noise=1.5, membrane_noise=0.1, measurement_noise=0.1, R_s=0.01,
        current_noise=10.0, current_noise_tau=5.0, V_th=-52.0,
    )  # fmt: skip
    noise = np.random.default_rng(1).standard_normal(1000)
    current = 230.0 + 120.0 * np.convolve(noise, np.full(25, 0.2), "same")
    stimulus = from_array(np.where(np.arange(1000) < 100, 0.0, current), dt=DT)
    many = neuron.replace(tau=np.full(n, neuron.tau))
    recordings = simulate(many, stimulus, seed=5)
    assert (recordings.n_spikes >= 3).all()
    h = 0.02 * abs(neuron[name])

    def slopes(value: float) -> np.ndarray:
        up, down = (log_likelihood(neuron.replace(**{name: value + d}), recordings) for d in (h, -h))
        return (up - down) / (2.0 * h)

    at_truth, beside = slopes(neuron[name]), slopes(1.5 * neuron[name])
    error = at_truth.std(ddof=1) / np.sqrt(n)
    assert abs(at_truth.mean()) < 4.0 * error
    assert abs(beside.mean()) > 4.0 * beside.std(ddof=1) / np.sqrt(n)


def test_the_electrode_sees_the_current_at_the_end_of_a_held_voltage():
    neuron = NEURON.replace(R_s=0.05, membrane_noise=0.05, reset_noise=0.0)
    ramp = np.linspace(150.0, 400.0, 500)
    recording = simulate(neuron, from_array(ramp, dt=DT), seed=1)
    trace = trace_of(Batch.from_list([recording]))
    ends = np.flatnonzero(np.diff((~recording.free).astype(int)) < 0)
    assert len(ends) >= 3
    for end in ends:
        k = np.flatnonzero(recording.spikes[: end + 1])[-1]
        np.testing.assert_array_equal(trace.electrode[k : end + 1, 0], recording.I[end].astype(float))
        assert recording.V[k] == pytest.approx(neuron.V_reset + 0.05 * recording.I[end], abs=1e-4)
    np.testing.assert_array_equal(
        trace.electrode[: recording.n_samples, 0][recording.free], recording.I[recording.free]
    )


def test_gradients_are_finite_where_a_threshold_is_hard():
    neuron = NEURON.replace(measurement_noise=0.2)
    recording = simulate(neuron, square(amplitude=250.0, onset=20.0, duration=70.0, t_max=100.0, dt=DT), seed=1)
    from leakyflow.likelihood.scan import scan_log_likelihood

    with jax.enable_x64(True):
        slope = jax.grad(lambda p: scan_log_likelihood(p, trace_of(Batch.from_list([recording]))).sum())(
            neuron.map(float)
        )
    assert all(np.isfinite(value) for value in slope.values())
