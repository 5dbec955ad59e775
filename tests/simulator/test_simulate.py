import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from leakyflow.layout import layout
from leakyflow.neuron.parameters import Parameters
from leakyflow.recordings.batch import Batch
from leakyflow.recordings.recording import Recording
from leakyflow.simulator.simulate import n_refractory, simulate, simulate_traces
from leakyflow.simulator.stimuli import from_array, square
from tests.cases import NEURON as NOISY

NEURON = NOISY.replace(membrane_noise=0.0, reset_noise=0.0)
ALL_NOISES = NOISY.replace(threshold_noise=1.5, measurement_noise=0.2)


def constant(I: float, t_max: float, dt: float = 0.2):
    return from_array(np.full(round(t_max / dt), I), dt=dt)


def many(neuron: Parameters, n: int) -> Parameters:
    return neuron.replace(tau=np.full(n, neuron.tau))


def neurons(n: int, seed: int = 0, **change: float) -> Parameters:
    """Neurons that differ in everything, every noise included."""
    rng = np.random.default_rng(seed)
    draws = Parameters(
        tau=17.0 * np.exp(0.5 * rng.standard_normal(n)),
        V_rest=-72.0 + 6.0 * rng.standard_normal(n),
        C=90.0 * np.exp(0.5 * rng.standard_normal(n)),
        V_th=-45.0 + 6.0 * rng.standard_normal(n),
        threshold_noise=rng.uniform(0.5, 3.0, n),
        membrane_noise=rng.uniform(0.1, 0.5, n),
        measurement_noise=rng.uniform(0.0, 1.0, n),
        V_reset=-60.0 + 3.0 * rng.standard_normal(n),
        reset_noise=rng.uniform(0.0, 5.0, n),
        t_ref=rng.uniform(0.0, 5.0, n),
    )
    return draws.replace(**{name: np.full(n, value) for name, value in change.items()})


def free(recordings: Batch | Recording) -> np.ndarray:
    return ~(recordings.spikes | recordings.refractory)


def predicted(p: Parameters, recordings: Batch) -> np.ndarray:
    """The voltage that the subthreshold equation leads to from each sample but the last."""
    column = p.map(lambda value: np.broadcast_to(value, len(recordings))[:, None])
    V, I = recordings.V[:, :-1].astype(float), recordings.I[:, :-1]
    return V + recordings.dt * ((column.V_rest - V) / column.tau + I / column.C)


# Without noise: closed forms of the Euler recursion.


@pytest.mark.parametrize("dt", [0.05, 0.2, 1.0])
@pytest.mark.parametrize(("tau", "C", "amplitude"), [(17.0, 90.0, 100.0), (55.0, 80.0, -40.0), (5.0, 200.0, 300.0)])
def test_step_response_is_the_closed_form_of_the_recursion(tau, C, amplitude, dt):
    step = square(amplitude=amplitude, onset=20.0, duration=50.0, t_max=120.0, dt=dt, holding=10.0)
    V = simulate(NEURON.replace(tau=tau, C=C), step, seed=0).V
    R, decay = tau / C, 1 - dt / tau
    since_on = np.clip(np.arange(len(V)) - round(20.0 / dt), 0, None)
    since_off = np.clip(np.arange(len(V)) - round(70.0 / dt), 0, None)
    truth = -72.0 + R * 10.0 + R * amplitude * (decay**since_off - decay**since_on)
    np.testing.assert_allclose(V, truth, atol=1e-4)


@settings(max_examples=50, deadline=None)
@given(
    I=st.floats(140.0, 600.0),
    tau=st.floats(5.0, 50.0),
    V_reset=st.floats(-80.0, -50.0),
    t_ref=st.floats(0.0, 8.0),
)
def test_interval_is_analytic_rounded_up_to_the_grid(I, tau, V_reset, t_ref):
    dt = 0.2
    neuron = NEURON.replace(tau=tau, C=tau / 0.2, V_reset=V_reset, t_ref=t_ref)
    V_inf = neuron.V_rest + 0.2 * I
    spikes = np.flatnonzero(simulate(neuron, constant_after_rest(I, 500.0), seed=0).spikes)
    # (1 - dt / tau)^n = exp(-n dt / tau_euler)
    tau_euler = -dt / math.log1p(-dt / tau)
    rise = tau_euler * math.log((V_inf - V_reset) / (V_inf - neuron.V_th)) / dt
    intervals = np.diff(spikes)
    assert np.all(intervals == intervals[0])
    late = intervals[0] - (round(t_ref / dt) + rise)
    assert -1e-9 < late < 1 + 1e-9
    exact = t_ref + tau * math.log((V_inf - V_reset) / (V_inf - neuron.V_th))
    # Euler's method gains dt / 2 on each time constant that passes, and t_ref is rounded by up to dt / 2.
    assert intervals[0] * dt == pytest.approx(exact, abs=dt * (1.5 + 0.51 * rise * dt / tau))


def constant_after_rest(I: float, t_max: float, dt: float = 0.2):
    return square(amplitude=I, onset=1.0, duration=t_max - 1.0, t_max=t_max, dt=dt)


def test_latency_is_analytic_rounded_up_to_the_grid():
    spikes = simulate(NEURON, constant_after_rest(200.0, 200.0), seed=0).spikes
    rise = math.log(1 - 27.0 / (200.0 * 17.0 / 90.0)) / math.log1p(-0.2 / 17.0)
    assert spikes.argmax() == 5 + math.ceil(rise)


def test_refractory_period_is_held_at_the_reset_voltage():
    recording = simulate(NEURON, constant_after_rest(300.0, 300.0), seed=0)
    starts = np.flatnonzero(recording.spikes)[:-1]
    assert len(starts) > 5
    for start in starts:
        np.testing.assert_array_equal(recording.refractory[start : start + 17], [False, *[True] * 15, False])
        np.testing.assert_array_equal(recording.V[start : start + 16], np.float32(-60.0))
        assert recording.V[start + 16] != recording.V[start]


@pytest.mark.parametrize(("t_ref", "dt", "n"), [(0.3, 0.1, 3), (3.0, 0.2, 15), (0.0, 0.2, 0), (0.29, 0.2, 1)])
def test_refractory_period_is_rounded_to_the_nearest_step(t_ref, dt, n):
    assert n_refractory(t_ref, dt) == n


def test_first_sample_is_free_even_above_threshold():
    recording = simulate(NEURON, constant(400.0, 20.0), seed=0)
    assert recording.V[0] == pytest.approx(-72.0 + 400.0 * 17.0 / 90.0, abs=1e-4)
    assert not recording.spikes[0]
    assert recording.spikes[1]


def test_reset_above_threshold_fires_as_fast_as_it_can():
    spikes = np.flatnonzero(simulate(NEURON.replace(V_reset=-40.0), constant(400.0, 50.0), seed=0).spikes)
    np.testing.assert_array_equal(np.diff(spikes), 16)


# Noise.


def test_stationary_sd_is_that_of_the_recursion():
    # Var = s^2 dt / (1 - a^2) with a = 1 - dt / tau, which is s^2 tau / 2 to first order in dt.
    n, dt, tau = 512, 1.0, 10.0
    neuron = many(NEURON.replace(membrane_noise=0.3, V_th=0.0), n).replace(tau=np.full(n, tau))
    V = simulate(neuron, constant(0.0, 5000.0, dt), seed=1).V.astype(float)
    a = 1 - dt / tau
    truth = 0.3**2 * dt / (1 - a**2)
    # N samples tell as much of the variance as N (1 - a^2) / (1 + a^2) independent ones.
    tolerance = 5 * math.sqrt(2 / (V.size * (1 - a**2) / (1 + a**2)))
    measured = np.mean((V + 72.0) ** 2)
    assert measured == pytest.approx(truth, rel=tolerance)
    # Negative control: the step is coarse enough to tell the recursion from the equation.
    assert measured != pytest.approx(0.3**2 * tau / 2, rel=tolerance)


def test_first_voltage_is_drawn_from_the_stationary_law():
    n = 4096
    V = simulate(many(NOISY, n), constant(50.0, 0.4), seed=1).V[:, 0].astype(float)
    sd = 0.3 * math.sqrt(17.0 / 2)
    assert V.mean() == pytest.approx(-72.0 + 50.0 * 17.0 / 90.0, abs=5 * sd / math.sqrt(n))
    assert V.std() == pytest.approx(sd, rel=5 / math.sqrt(2 * n))


def innovations(seed: int) -> np.ndarray:
    recordings = simulate(many(NOISY, 64), constant(0.0, 500.0), seed=seed)
    return (recordings.V[:, 1:] - predicted(NOISY, recordings)) / (0.3 * math.sqrt(0.2))


def test_innovations_are_standard_normal_and_independent():
    z = innovations(seed=3)
    assert scipy.stats.kstest(z.ravel(), "norm").pvalue > 1e-3
    bound = 5 / math.sqrt(z.size)
    assert abs(np.mean(z[:, 1:] * z[:, :-1])) < bound  # from step to step
    assert abs(np.mean(z[1:] * z[:-1])) < bound  # from neuron to neuron
    assert abs(np.mean(z * innovations(seed=4))) < bound  # from seed to seed
    # Negative control: the test sees an SD that is 2 % wrong.
    assert scipy.stats.kstest(1.02 * z.ravel(), "norm").pvalue < 1e-3


def excess(recordings: Batch, p: Parameters) -> float:
    """Spikes beyond the number that the hazard Phi((m - V_th) / sd) predicts, in SD of that number."""
    sd = np.sqrt(recordings.dt * p.membrane_noise**2 + p.threshold_noise**2)
    hazard = scipy.stats.norm.cdf((predicted(p, recordings) - p.V_th[:, None]) / sd[:, None])
    could = ~recordings.refractory[:, 1:]
    return np.sum((recordings.spikes[:, 1:] - hazard)[could]) / math.sqrt(np.sum((hazard * (1 - hazard))[could]))


def test_hazard_is_phi_of_the_distance_to_threshold():
    p = neurons(512, measurement_noise=0.0)
    recordings = simulate(p, constant_after_rest(150.0, 200.0), seed=2)
    assert recordings.spikes.sum() > 1000
    assert abs(excess(recordings, p)) < 5
    # Negative controls: another threshold, another noise.
    assert abs(excess(recordings, p.replace(V_th=p.V_th + 0.3))) > 5
    assert abs(excess(recordings, p.replace(threshold_noise=1.2 * p.threshold_noise))) > 5


def test_voltages_that_did_not_fire_are_those_the_threshold_let_pass():
    """Given no spike, U is weighed by Phi((V_th - U) / threshold_noise)."""
    n, s, w = 4096, 2.0, 1.5
    # A leak too slow to matter, and one refractory sample: the sample after it is drawn from V_reset.
    neuron = NEURON.replace(tau=1e6, V_rest=-46.0, V_reset=-46.0, t_ref=0.2, threshold_noise=w)
    p = many(neuron.replace(membrane_noise=s / math.sqrt(0.2)), n)
    recordings = simulate(p, constant(0.0, 20.0), seed=5)
    after = recordings.refractory[:, :-1] & ~recordings.spikes[:, 1:]
    U = recordings.V[:, 1:][after].astype(float)
    grid = np.linspace(-60.0, -30.0, 20001)
    weight = scipy.stats.norm.pdf(grid, -46.0, s) * scipy.stats.norm.cdf((-45.0 - grid) / w)
    cdf = np.cumsum(weight) / weight.sum()
    assert len(U) > 10_000
    assert scipy.stats.kstest(U, lambda x: np.interp(x, grid, cdf)).pvalue > 1e-3
    # Negative control: it is not the normal that it would be without a threshold.
    assert scipy.stats.kstest(U, "norm", args=(-46.0, s)).pvalue < 1e-3


def test_reset_noise_has_its_mean_and_sd_and_is_new_at_each_spike():
    recordings = simulate(many(NOISY, 256), constant_after_rest(300.0, 300.0), seed=1)
    released = [V[spikes] for V, spikes in zip(recordings.V, recordings.spikes, strict=True)]
    rho = (np.concatenate(released) + 60.0) / 5.0
    n = len(rho)
    assert n > 2000
    assert abs(rho.mean()) < 5 / math.sqrt(n)
    assert rho.std() == pytest.approx(1.0, rel=5 / math.sqrt(2 * n))
    assert scipy.stats.kstest(rho, "norm").pvalue > 1e-3
    pairs = np.concatenate([(v[1:] + 60.0) * (v[:-1] + 60.0) / 25.0 for v in released])
    assert abs(pairs.mean()) < 5 / math.sqrt(len(pairs))
    # Negative control: 10 % more would be seen.
    assert 1.1 * rho.std() != pytest.approx(1.0, rel=5 / math.sqrt(2 * n))


def test_measurement_noise_is_added_to_what_is_seen_only():
    n = 256
    quiet = simulate(many(NOISY, n), constant_after_rest(200.0, 100.0), seed=1)
    seen = simulate(many(NOISY.replace(measurement_noise=0.5), n), constant_after_rest(200.0, 100.0), seed=1)
    np.testing.assert_array_equal(seen.spikes, quiet.spikes)
    eta = (seen.V - quiet.V)[free(quiet)] / 0.5
    assert abs(eta.mean()) < 5 / math.sqrt(eta.size)
    assert eta.std() == pytest.approx(1.0, rel=5 / math.sqrt(2 * eta.size))
    # A recording holds one measured voltage from the spike to the end of its refractory period.
    at_spike = (seen.V - quiet.V)[quiet.spikes] / 0.5
    assert at_spike.std() == pytest.approx(1.0, rel=5 / math.sqrt(2 * at_spike.size))
    assert len(list(seen)) == n


@pytest.mark.parametrize("kind", ["threshold", "reset"])
def test_switching_a_noise_on_leaves_the_membrane_noise_alone(kind):
    current = constant_after_rest(180.0, 200.0)
    without = NOISY.replace(reset_noise=0.0)
    off = simulate(without, current, seed=1)
    on = simulate(without.replace(**{f"{kind}_noise": 1.0}), current, seed=1)
    first = (off.spikes | on.spikes).argmax()
    assert first > 50
    np.testing.assert_array_equal(on.V[:first], off.V[:first])
    assert np.any(on.V[first:] != off.V[first:])


# Symmetries.


@pytest.mark.parametrize("shift", [-32.0, 8.0, 50.0])
def test_spikes_ignore_a_common_voltage_shift(shift):
    current = constant_after_rest(200.0, 300.0)
    voltages = {name: getattr(ALL_NOISES, name) + shift for name in ("V_rest", "V_th", "V_reset")}
    here, there = (
        simulate(ALL_NOISES, current, seed=1),
        simulate(ALL_NOISES.replace(**voltages), current, seed=1),
    )
    assert here.spikes.sum() > 5
    np.testing.assert_array_equal(there.spikes, here.spikes)
    np.testing.assert_allclose(there.V, here.V + shift, atol=1e-4)


def test_current_and_capacitance_matter_by_their_ratio():
    here = simulate(ALL_NOISES, constant(150.0, 300.0), seed=1)
    there = simulate(ALL_NOISES.replace(C=2 * 90.0), constant(300.0, 300.0), seed=1)
    np.testing.assert_array_equal(there.V, here.V)


def test_free_voltages_stay_strictly_below_a_hard_threshold():
    p = neurons(256, threshold_noise=0.0, measurement_noise=0.0)
    recordings = simulate(p, constant_after_rest(150.0, 200.0), seed=1)
    below = recordings.V.astype(float) < p.V_th[:, None]
    below[:, 0] = True  # drawn from its own law
    assert np.all(below[free(recordings)])


def test_voltage_just_below_threshold_is_not_rounded_onto_it():
    neuron = NEURON.replace(V_rest=-45.0 - 1e-9, V_th=-45.0)
    V = simulate(neuron, constant(0.0, 10.0), seed=0).V
    assert np.all(V < -45.0)
    assert np.float32(neuron.V_rest) == -45.0  # to nearest, it would be


@pytest.mark.parametrize("seed", [0, 1, 2**40, 2**63 - 1])
def test_every_recording_is_preprocessed(seed):
    # Recording refuses what breaks it.
    recordings = simulate(neurons(64, seed=seed % 1000), constant_after_rest(250.0, 100.0), seed=seed)
    assert [recording.n_samples for recording in recordings] == [500] * 64
    assert recordings.spikes.sum() > 64


# Draw i depends on the seed and i only.


N = layout("cpu").neurons + 40
CURRENTS = np.random.default_rng(1).uniform(0.0, 300.0, (N, 1)) * np.ones(400)
CURRENTS = CURRENTS.astype(np.float32)


def traces(rows: np.ndarray, p: Parameters | None = None, I: np.ndarray = CURRENTS, seed: int = 7) -> dict:
    p = neurons(N) if p is None else p
    return simulate_traces(p.map(lambda value: value[rows]), I[rows], 0.2, seed=seed, index=rows)._asdict()


def assert_same(one: dict, other: dict) -> None:
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


@pytest.mark.parametrize(
    "rows",
    [
        np.array([0]),
        np.array([N - 1]),
        np.arange(3, 11),
        np.arange(N)[::-1].copy(),
        np.array([5, 5, 100, N - 20]),
    ],
    ids=["first", "last", "few", "backwards", "scattered"],
)
def test_draw_is_the_same_in_any_batch_and_place(rows):
    whole = traces(np.arange(N))
    assert_same(traces(rows), {name: value[rows] for name, value in whole.items()})


def test_draw_is_the_same_at_any_padded_length():
    longer = np.concatenate([CURRENTS, np.zeros((N, 77), np.float32)], axis=1)
    padded = traces(np.arange(N), I=longer)
    assert_same(traces(np.arange(N)), {name: value[:, :400] for name, value in padded.items()})


def test_noiseless_neuron_is_the_same_beside_noisy_ones():
    """A noise that nobody has is not drawn; that must not change a bit of the others' traces."""
    mixed = neurons(N)
    for name in ("threshold_noise", "reset_noise", "measurement_noise"):
        getattr(mixed, name)[:8] = 0.0
    rows = np.arange(8)
    assert_same(traces(rows, mixed), {name: v[:8] for name, v in traces(np.arange(N), mixed).items()})


def test_seeds_and_neurons_differ():
    same = many(NOISY, 4)
    V = [simulate(same, constant(0.0, 100.0), seed=seed).V for seed in (0, 1, 2**32, 2**33)]
    assert len(np.unique(np.concatenate(V), axis=0)) == 16


def test_one_neuron_is_neuron_0_of_many():
    current = constant_after_rest(200.0, 100.0)
    one, several = simulate(ALL_NOISES, current, seed=1), simulate(many(ALL_NOISES, 5), current, seed=1)
    assert isinstance(one, Recording)
    assert isinstance(several, Batch)
    np.testing.assert_array_equal(one.V, several[0].V)
    np.testing.assert_array_equal(one.I, current.I)


@pytest.mark.parametrize(
    ("change", "seed", "match"),
    [
        ({"tau": 0.2}, 0, r"`tau` must be longer than dt=0.2 ms, got 0.2 ms \(1 of 1 neurons\). Change"),
        ({"C": 0.0}, 0, "`C` must be finite and > 0 pF, got 0 .* Change"),
        ({"t_ref": -1.0}, 0, "`t_ref` must be finite and >= 0 ms, got -1"),
        ({"membrane_noise": -0.1}, 0, "`membrane_noise` .* >= 0 mV/sqrt.ms., got -0.1"),
        ({"V_th": math.nan}, 0, "`V_th` must be finite, got nan"),
        ({"V_rest": np.array([-70.0, math.inf, -70.0])}, 0, r"`V_rest` .* got inf \(1 of 3 neurons\)"),
        ({"tau": np.ones((2, 2))}, 0, "one common length, got shapes .*'tau': .2, 2."),
        ({"tau": np.full(2, 9.0), "C": np.full(3, 9.0)}, 0, "'C': .3,."),
        ({}, -1, "`seed` must lie between 0 and 2.63 - 1, got -1"),
        ({}, 2**63, "`seed` must lie between"),
    ],
)
def test_each_error_says_what_to_do(change, seed, match):
    with pytest.raises(ValueError, match=match):
        simulate(NEURON.replace(**change), constant(0.0, 10.0), seed=seed)
