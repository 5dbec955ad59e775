import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq, minimize_scalar
from scipy.special import log_ndtr

from leakyflow.recordings.recording import Recording, Recordings
from leakyflow.reference.deterministic import STEEPNESS, _log_mass, deterministic_log_likelihood
from leakyflow.simulator.lif import simulate
from leakyflow.simulator.parameters import Parameters
from leakyflow.simulator.stimuli import square
from tests.cases import DT, NEURON, recorded, stimulated

SEEN = NEURON._replace(membrane_noise=0.0, measurement_noise=0.5)
NEURONS = {
    "hard threshold": SEEN,
    "hard threshold, reset given": SEEN._replace(reset_noise=0.0),
    "noisy threshold": SEEN._replace(threshold_noise=1.5),
    "noisy threshold, reset given": SEEN._replace(threshold_noise=1.5, reset_noise=0.0),
}
N_SEGMENTS = 32
ALONE = 80.0  # ms, for which most neurons are simulated, and samples to which all are padded: little is compiled
N_SAMPLES, N_NEURONS = 450, 256
likelihood = partial(deterministic_log_likelihood, n_segments=N_SEGMENTS)
one = jax.jit(likelihood)
many = jax.jit(jax.vmap(jax.value_and_grad(likelihood, has_aux=True), in_axes=(0, 0, 0, 0, 0, 0, None)))


@pytest.fixture(params=NEURONS.values(), ids=NEURONS.keys())
def neuron(request: pytest.FixtureRequest) -> Parameters:
    return request.param


def floats(p: Parameters) -> Parameters:
    return Parameters(*(jnp.asarray(value, float) for value in p))


def ours(p: Parameters, recording: Recording) -> tuple[float, bool]:
    more = N_SAMPLES - recording.n_samples
    V, I = (np.pad(x, (0, more), mode="edge") for x in (recording.V, recording.I))
    spikes, free = (np.pad(x, (0, more)) for x in (recording.spikes, recording.free))
    value, violated = one(floats(p), V, I, spikes, free, np.arange(N_SAMPLES) < recording.n_samples, recording.dt)
    return float(value), bool(violated)


def of_everyone(p: Parameters, recordings: Recordings) -> tuple[np.ndarray, np.ndarray, Parameters]:
    """Values, flags and slopes for as many neurons."""
    p = Parameters(*(jnp.broadcast_to(value, N_NEURONS) for value in floats(p)))
    recordings = recordings.padded_to(N_SAMPLES)
    valid = np.arange(N_SAMPLES) < recordings.n_samples[:, None]
    free = ~(recordings.spikes | recordings.refractory)
    (values, violated), slopes = many(p, recordings.V, recordings.I, recordings.spikes, free, valid, recordings.dt)
    return np.asarray(values), np.asarray(violated), slopes


def log_normal(x: np.ndarray | float, mean: np.ndarray | float, sd: float) -> np.ndarray | float:
    return -0.5 * ((x - mean) / sd) ** 2 - math.log(sd * math.sqrt(2 * math.pi))


class Segment:
    """From sample `start`, a spike or the first of all, to the sample of the next spike, if one comes."""

    def __init__(self, p: Parameters, recording: Recording, start: int) -> None:
        V, I, spikes, free = (getattr(recording, name).tolist() for name in ("V", "I", "spikes", "free"))
        self.p, self.start, self.dt = p, V[start], recording.dt
        later = range(start, len(V) - 1)
        stop = next((k + 1 for k in later if spikes[k + 1]), len(V))
        self.spike = stop < len(V)
        self.steps = [(I[k], free[k + 1] or spikes[k + 1]) for k in range(start, stop - (not self.spike))]
        self.seen = np.array([V[k] for k in range(start + 1, stop) if free[k]])

    def predictions(self, v: float) -> tuple[np.ndarray, float]:
        """Of the free samples and of the spike, by Euler's method from V = v."""
        p, predictions = self.p, []
        for I, moves in self.steps:
            if moves:
                v = v + self.dt * ((p.V_rest - v) / p.tau + I / p.C)
                predictions.append(v)
        return (np.array(predictions[:-1]), predictions[-1]) if self.spike else (np.array(predictions), math.nan)

    def log_joint(self, v: float) -> float:
        """Of the voltages seen and the spikes, given that V = v at the start."""
        p, (U, at_spike) = self.p, self.predictions(v)
        value = log_normal(self.start, v, p.measurement_noise) + log_normal(self.seen, U, p.measurement_noise).sum()
        if p.threshold_noise > 0:
            value += log_ndtr((p.V_th - U) / p.threshold_noise).sum()
            return value + (log_ndtr((at_spike - p.V_th) / p.threshold_noise) if self.spike else 0.0)
        return value if np.all(p.V_th > U) and not at_spike < p.V_th else -math.inf

    def log_integral(self) -> float:
        """Over the voltage v of release, by adaptive quadrature between the bounds that a hard threshold sets."""
        p = self.p
        low, high = p.V_reset - 12 * p.reset_noise, p.V_reset + 12 * p.reset_noise
        if p.threshold_noise == 0:
            wide = (low - 1e3, high + 1e3)
            high = min(high, brentq(lambda v: self.predictions(v)[0].max() - p.V_th, *wide))
            low = max(low, brentq(lambda v: self.predictions(v)[1] - p.V_th, *wide)) if self.spike else low

        def log_density(v: float) -> float:
            return self.log_joint(v) + log_normal(v, p.V_reset, p.reset_noise)

        # The density is log-concave; the sample of the spike alone confines v to a few SDs of the measurement.
        edge = 1e-12 * (high - low)
        peak = minimize_scalar(lambda v: -log_density(v), bounds=(low + edge, high - edge), method="bounded").x
        top, near = log_density(peak), 8 * p.measurement_noise
        low, high = max(low, peak - near), min(high, peak + near)
        return top + math.log(
            quad(lambda v: math.exp(log_density(v) - top), low, high, points=[peak], epsabs=0, epsrel=1e-8)[0]
        )


def written_out(p: Parameters, recording: Recording) -> float:
    total = Segment(p, recording, 0).log_joint(p.V_rest + p.tau / p.C * float(recording.I[0]))
    for start in np.flatnonzero(recording.spikes):
        segment = Segment(p, recording, start)
        total += segment.log_integral() if p.reset_noise > 0 else segment.log_joint(p.V_reset)
    return total


def test_a_silent_trace_is_a_product_of_normals_around_the_solution(neuron):
    recording = stimulated(100.0, t_max=ALONE, **SEEN._asdict())
    p = neuron._replace(tau=20.0, V_rest=-70.0, V_th=-20.0)
    V, total = p.V_rest, 0.0
    for y, I in zip(recording.V, recording.I, strict=True):
        total += log_normal(float(y), V, p.measurement_noise)
        V += DT * ((p.V_rest - V) / p.tau + float(I) / p.C)
    assert not recording.spikes.any()
    # Four hundred terms, each right to some fourteen digits.
    assert ours(p, recording) == (pytest.approx(total, rel=1e-11), False)


def until(recording: Recording, n_spikes: int) -> Recording:
    """A recording cut off a millisecond before its next spike."""
    stop = np.flatnonzero(recording.spikes)[n_spikes] - 5
    arrays = {name: getattr(recording, name)[:stop] for name in ("V", "I", "spikes", "refractory")}
    return Recording(**arrays, dt=recording.dt)


# Exact measurements tell the release, noisy ones leave it to the threshold.
@pytest.mark.parametrize("measurement_noise", [0.5, 4.0])
@pytest.mark.parametrize("n_spikes", [1, 2])
def test_spiking_likelihood_is_the_integral_over_each_release(neuron, n_spikes, measurement_noise):
    p = neuron._replace(measurement_noise=measurement_noise)
    recording = until(stimulated(260.0, seed=4, t_max=ALONE, **p._asdict()), n_spikes)
    # Off the truth too, but where a hard threshold permits it: it all but fixes what precedes the first spike.
    elsewhere = p._replace(V_reset=-59.0, reset_noise=1.2 * p.reset_noise) if p.reset_noise > 0 else p
    if p.threshold_noise > 0:
        elsewhere = elsewhere._replace(tau=17.5, V_rest=-71.8, C=91.0, V_th=-45.5, threshold_noise=1.7)
    for q in (p, elsewhere):
        # Six digits of the integral over each release, by quad and by nodes.
        assert ours(q, recording) == (pytest.approx(written_out(q, recording), abs=1e-6), False)


@pytest.mark.parametrize("threshold_noise", [0.0, 1.5], ids=["hard threshold", "noisy threshold"])
def test_density_after_a_spike_integrates_to_one(threshold_noise):
    """Over the voltages of two samples, the first a spike, the second a spike or not; V[0] is given."""
    p = SEEN._replace(V_reset=-46.0, reset_noise=2.0, measurement_noise=1.0, threshold_noise=threshold_noise)
    V_first = p.V_th + 0.01
    I = np.full(3, (V_first - p.V_rest) * p.C / p.tau)  # keeps V there
    # To six SDs, in steps of a quarter: for a smooth function the trapezoid's error is below 1e-8.
    y = np.linspace(-14.0, 14.0, 57)
    V = np.stack([np.full(y.size**2, V_first), *(p.V_reset + axis.ravel() for axis in np.meshgrid(y, y))], axis=1)
    density = jax.jit(jax.vmap(partial(deterministic_log_likelihood, n_segments=3), in_axes=(None, 0, *[None] * 5)))
    parts = []
    for again in (True, False):
        spikes = np.array([False, True, again])
        values, violated = density(floats(p), V, I, spikes, ~spikes, np.full(3, True), DT)
        assert not violated.any()
        parts.append(np.exp(values).sum() * (y[1] - y[0]) ** 2)
    spiked = math.exp(log_ndtr((V_first - p.V_th) / threshold_noise)) if threshold_noise > 0 else 1.0
    whole = spiked * math.exp(log_normal(0.0, 0.0, p.measurement_noise))
    assert min(parts) > 0.1 * whole
    assert sum(parts) == pytest.approx(whole, rel=1e-7)


@pytest.mark.parametrize("low", [-45.0, -12.0001, -3.0, 0.0, 2.0, 11.999, 40.0])
@pytest.mark.parametrize("width", [1e-4, 0.01, 1.0, 30.0])
def test_log_mass_between_two_bounds_is_right_in_either_tail(low, width):
    nearer = min(abs(low), abs(low + width)) if low * (low + width) > 0 else 0.0
    points = [-nearer, nearer] if low < 0 < low + width else None
    mass, _ = quad(
        lambda x: math.exp(0.5 * (nearer - x) * (nearer + x)), low, low + width, points=points, epsabs=0, limit=200
    )
    # Where log Phi changes to its series the two differ by 1e-7, seen against a slope of 12 times the width.
    expected = math.log(mass) - 0.5 * nearer**2 - 0.5 * math.log(2 * math.pi)
    assert float(_log_mass(jnp.asarray(low), jnp.asarray(low + width))) == pytest.approx(expected, abs=1e-4)


def test_padding_has_no_influence(neuron):
    recording = stimulated(300.0, t_max=ALONE, **neuron._asdict())
    padded = ours(neuron, recording)
    bare = recording.V, recording.I, recording.spikes, recording.free, np.full(recording.n_samples, True)
    rubbish = (
        np.pad(x, (0, N_SAMPLES - len(x)), constant_values=value)
        for x, value in zip(bare, (1e3, -1e3, True, True, False), strict=True)
    )
    for arguments in (bare, rubbish):
        value, violated = one(floats(neuron), *arguments, DT)
        assert (float(value), bool(violated)) == (pytest.approx(padded[0], rel=1e-12), padded[1])


def test_a_free_sample_above_a_hard_threshold_costs_its_excess():
    recording = stimulated(100.0, t_max=ALONE, **SEEN._asdict())
    predictions, _ = Segment(SEEN, recording, 0).predictions(SEEN.V_rest)
    silent, _ = ours(SEEN, recording)
    for excess in (1e-6, 0.01, 1.0, 10.0):
        value, violated = ours(SEEN._replace(V_th=predictions.max() - excess), recording)
        assert violated
        assert value == pytest.approx(silent - STEEPNESS * excess, abs=1e-6)
    assert ours(SEEN._replace(V_th=predictions.max() + 1e-6), recording) == (silent, False)


@pytest.mark.parametrize("reset_noise", [0.0, 5.0])
def test_a_spike_below_a_hard_threshold_costs_what_it_lacks(reset_noise):
    p = SEEN._replace(reset_noise=reset_noise)
    recording = until(stimulated(260.0, t_max=ALONE, **p._asdict()), 1)
    _, U = Segment(p, recording, 0).predictions(p.V_rest)
    # The spike is the only one, so no other factor than its own depends much on the threshold.
    values, flags = zip(*(ours(p._replace(V_th=U + lack), recording) for lack in (-1e-9, 1e-3, 0.1, 1.0)), strict=True)
    assert flags == (False, True, True, True)
    np.testing.assert_allclose(np.subtract(values[0], values[1:]), STEEPNESS * np.array([1e-3, 0.1, 1.0]), atol=0.1)


def test_a_spike_where_any_release_would_have_spiked_before_is_impossible():
    """A current that ends long before the second spike: V falls from where it did not spike."""
    I = np.where(np.arange(200) < 120, 450.0, 0.0)
    first = SEEN.V_rest + SEEN.tau / SEEN.C * 450.0
    assert first > SEEN.V_th  # a first spike at once, a second one as V decays
    recording = recorded(np.full(200, -55.0), I, spikes=(1, 160), n_ref=15)
    values = []
    for V_th in (-40.0, -35.0, -30.0, -25.0):
        value, violated = ours(SEEN._replace(V_th=V_th), recording)
        assert violated
        assert math.isfinite(value)
        values.append(value)
    assert np.all(np.diff(values) < -STEEPNESS)
    assert not ours(SEEN._replace(V_th=-40.0, threshold_noise=1.0), recording)[1]


def test_the_truth_is_never_violated(neuron):
    rng, n = np.random.default_rng(5), N_NEURONS
    p = Parameters(*(np.full(n, value) for value in neuron))
    p = p._replace(tau=rng.uniform(8.0, 40.0, n), C=rng.uniform(50.0, 200.0, n), V_th=rng.uniform(-55.0, -40.0, n))
    stimulus = square(amplitude=300.0, onset=10.0, duration=70.0, t_max=ALONE, dt=DT)
    recordings = simulate(p, stimulus, seed=6)
    assert recordings.spikes.sum() > n
    assert recordings.spikes.sum(1).max() < N_SEGMENTS
    values, violated, _ = of_everyone(p, recordings)
    assert np.isfinite(values).all()
    assert not violated.any()


# The threshold is noisy: where it is hard the support depends on the parameters, whose scores then have other means.
SCORED = ("tau", "V_rest", "C", "V_th", "threshold_noise", "measurement_noise", "V_reset", "reset_noise")


@pytest.fixture(scope="module")
def mean_scores() -> np.ndarray:
    """Mean score over simulated recordings, at the truth and at neurons that differ in one parameter.

    In standard errors; of shape (1 + changed parameter, parameter of the score).
    """
    n, truth = N_NEURONS, NEURONS["noisy threshold"]
    stimulus = square(amplitude=300.0, onset=10.0, duration=70.0, t_max=ALONE, dt=DT)
    recordings = simulate(Parameters(*(np.full(n, value) for value in truth)), stimulus, seed=3)
    means = []
    for name in (None, *SCORED):
        factor = 1.01 if name in ("V_rest", "V_th", "V_reset") else 1.1
        p = truth if name is None else truth._replace(**{name: factor * getattr(truth, name)})
        _, _, slopes = of_everyone(p, recordings)
        scores = np.stack([getattr(slopes, scored) for scored in SCORED])
        means.append(scores.mean(1) / (scores.std(1) / math.sqrt(n)))
    return np.array(means)


def test_score_has_mean_zero_at_the_truth(mean_scores):
    # 4 standard errors: 5e-4 of all seeds would fail, over the eight parameters.
    assert np.all(np.abs(mean_scores[0]) < 4.0)


@pytest.mark.parametrize("name", SCORED)
def test_score_has_another_mean_beside_the_truth(mean_scores, name):
    i = SCORED.index(name)
    assert abs(mean_scores[1 + i, i]) > 4.0


def test_value_and_slope_are_finite_far_from_anything_plausible():
    rng, n = np.random.default_rng(7), N_NEURONS
    V = {name: rng.uniform(-300.0, 300.0, n) for name in ("V_rest", "V_th", "V_reset")}
    # From far below dt upwards, from 1e-6 mV upwards; every third noise that may be none is.
    positive = {name: 10 ** rng.uniform(-3, 6, n) for name in ("tau", "C")}
    noise = {name: 10 ** rng.uniform(-6, 4, n) for name in ("threshold_noise", "measurement_noise", "reset_noise")}
    for name in ("threshold_noise", "reset_noise"):
        noise[name][rng.uniform(size=n) < 1 / 3] = 0.0
    p = SEEN._replace(**V, **positive, **noise)
    recording = stimulated(300.0, t_max=ALONE, **SEEN._asdict())
    recordings = Recordings.from_list([recording] * n)
    values, violated, slopes = of_everyone(p, recordings)
    assert np.isfinite(values).all()
    assert np.array_equal(np.unique(violated), [False, True])
    assert not violated[p.threshold_noise > 0].any()
    for name, slope in slopes._asdict().items():
        assert np.isfinite(slope).all(), name
