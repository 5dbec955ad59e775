import math

import numpy as np
import pytest
from scipy.special import log_ndtr

from leakyflow.errors import LeakyflowError
from leakyflow.likelihood.log_likelihood import log_likelihood
from leakyflow.neuron.parameters import Parameters
from leakyflow.recordings.batch import Batch
from leakyflow.recordings.cell import Cell
from leakyflow.recordings.recording import Recording
from leakyflow.simulator.simulate import simulate
from leakyflow.simulator.stimuli import square
from tests.cases import DT, NEURON, PRIORS, recorded, simulated, simulator, spoiled, stimulated

NOISY = NEURON.replace(threshold_noise=1.5)
NEURONS = {
    "hard threshold": NEURON,
    "hard threshold, reset given": NEURON.replace(reset_noise=0.0),
    "noisy threshold": NOISY,
    "noisy threshold, reset given": NOISY.replace(reset_noise=0.0),
}


@pytest.fixture(params=NEURONS.values(), ids=NEURONS.keys())
def neuron(request: pytest.FixtureRequest) -> Parameters:
    return request.param


def log_normal(x: float, mean: float, sd: float) -> float:
    return -0.5 * ((x - mean) / sd) ** 2 - math.log(sd * math.sqrt(2 * math.pi))


def written_out(p: Parameters, recording: Recording) -> float:
    """The formula of the design, sample by sample."""
    V, I = recording.V.astype(float), recording.I.astype(float)
    total = log_normal(V[0], p.V_rest + p.tau / p.C * I[0], p.membrane_noise * math.sqrt(p.tau / 2))
    s = p.membrane_noise * math.sqrt(recording.dt)
    for k in range(len(V) - 1):
        m = V[k] + recording.dt * ((p.V_rest - V[k]) / p.tau + I[k] / p.C)
        if recording.spikes[k + 1]:
            total += log_ndtr((m - p.V_th) / math.sqrt(s**2 + p.threshold_noise**2))
            if p.reset_noise > 0:
                total += log_normal(V[k + 1], p.V_reset, p.reset_noise)
        elif not recording.refractory[k + 1]:
            total += log_normal(V[k + 1], m, s)
            if p.threshold_noise > 0:
                total += log_ndtr((p.V_th - V[k + 1]) / p.threshold_noise)
            elif V[k + 1] >= p.V_th:
                total = -math.inf
    return total


@pytest.mark.parametrize("amplitude", [0.0, 300.0], ids=["silent", "spiking"])
def test_likelihood_is_the_formula_of_the_design(neuron, amplitude):
    recording = stimulated(amplitude, threshold_noise=neuron.threshold_noise)
    assert recording.spikes.any() == (amplitude > 0)
    # A thousand terms of about 10, each right to some ten digits of the last place.
    np.testing.assert_allclose(log_likelihood(neuron, recording), written_out(neuron, recording), rtol=1e-10)
    elsewhere = neuron.replace(tau=20.0, V_rest=-70.0, C=100.0, V_th=-44.0, V_reset=-58.0)
    np.testing.assert_allclose(log_likelihood(elsewhere, recording), written_out(elsewhere, recording), rtol=1e-10)


def test_leading_axes_broadcast():
    recording = stimulated(300.0, threshold_noise=1.5)
    tau, noise = np.array([[15.0], [17.0], [20.0]]), np.array([0.0, 1.0, 1.5, 2.0])
    values = log_likelihood(NEURON.replace(tau=tau, threshold_noise=noise), recording)
    assert values.shape == (3, 4)
    for i, j in np.ndindex(3, 4):
        one = log_likelihood(NEURON.replace(tau=tau[i, 0], threshold_noise=noise[j]), recording)
        assert one.shape == ()
        np.testing.assert_allclose(values[i, j], one, rtol=1e-12)


def test_a_free_sample_at_a_hard_threshold_is_impossible_and_one_just_below_is_not():
    recording = stimulated(100.0)
    V_max = float(recording.V[recording.free].max())
    assert log_likelihood(NEURON.replace(V_th=V_max), recording) == -np.inf
    above = np.nextafter(V_max, np.inf)
    assert np.isfinite(log_likelihood(NEURON.replace(V_th=above), recording))
    assert np.isfinite(log_likelihood(NEURON.replace(V_th=V_max, threshold_noise=0.1), recording))


def test_density_of_a_second_sample_and_its_spike_integrates_to_one(neuron):
    """Over V[1] where the neuron stays silent, over the released voltage where it spikes; V[0] is given."""
    V0, I = neuron.V_th - 0.1, 100.0
    first = log_normal(V0, neuron.V_rest + neuron.tau / neuron.C * I, neuron.membrane_noise * math.sqrt(neuron.tau / 2))
    m, s = V0 + DT * ((neuron.V_rest - V0) / neuron.tau + I / neuron.C), neuron.membrane_noise * math.sqrt(DT)

    def density(V1: float, *, spike: bool) -> float:
        spikes = (1,) if spike else ()
        return math.exp(log_likelihood(neuron, recorded(np.array([V0, V1]), I, spikes=spikes)) - first)

    # A hard threshold cuts the integrand off: the grid ends on the last number below it.
    end = m + 6 * s if neuron.threshold_noise > 0 else float(np.nextafter(np.float32(neuron.V_th), np.float32(-100)))
    V = np.linspace(m - 6 * s, end, 101).astype(np.float32)
    silent = np.trapezoid([density(v, spike=False) for v in V], V)
    if neuron.reset_noise > 0:
        V = np.linspace(neuron.V_reset - 30, neuron.V_reset + 30, 31).astype(np.float32)
        spiking = np.trapezoid([density(v, spike=True) for v in V], V)
    else:
        spiking = density(neuron.V_reset, spike=True)
    assert 0.05 < spiking < 0.95
    # The trapezoid's error at a cut: h^2 / 12 times a slope of at most 0.25, h being 0.12 SD. V is single.
    assert silent + spiking == pytest.approx(1.0, abs=0.12**2 / 12 * 0.25 + 1e-5)


# The threshold is noisy: where it is hard the support depends on V_th, whose score then has another mean.
SCORED = ("tau", "V_rest", "C", "V_th", "threshold_noise", "membrane_noise", "V_reset", "reset_noise")


@pytest.fixture(scope="module")
def mean_scores() -> np.ndarray:
    """Mean score over recordings of `NOISY`, at the truth and at neurons that differ in one parameter.

    In standard errors, by central differences; of shape (1 + changed parameter, parameter of the score).
    """
    n, step, n_scores = 300, 1e-4, len(SCORED)
    stimulus = square(amplitude=300.0, onset=10.0, duration=90.0, t_max=100.0, dt=DT)
    everyone = NOISY.map(lambda value: np.full(n, value))
    changed = 1 + np.diag([0.03 if name.startswith("V") else 0.2 for name in SCORED])
    centres = np.concatenate([np.ones((1, n_scores)), changed])[:, None, None]
    nudged = centres * (1 + step * np.stack([np.eye(n_scores), -np.eye(n_scores)]))
    nearby = NOISY.replace(**{name: getattr(NOISY, name) * nudged[..., i] for i, name in enumerate(SCORED)})
    values = np.array([log_likelihood(nearby, recording) for recording in simulate(everyone, stimulus, seed=3)])
    scores = values[:, :, 0] - values[:, :, 1]
    return scores.mean(0) / (scores.std(0) / math.sqrt(n))


def test_score_has_mean_zero_at_the_truth(mean_scores):
    # 4 standard errors: 5e-4 of all seeds would fail, over the eight parameters.
    assert np.all(np.abs(mean_scores[0]) < 4.0)


@pytest.mark.parametrize("name", SCORED)
def test_score_has_another_mean_beside_the_truth(mean_scores, name):
    i = SCORED.index(name)
    assert abs(mean_scores[1 + i, i]) > 4.0


# --- many recordings


@pytest.fixture(scope="module")
def recordings() -> Batch:
    many = simulated(simulator(), 5)[1]
    assert len(set(many.n_samples)) > 1
    assert many.spikes.any()
    return many


def drawn(n: int) -> Parameters:
    """Neurons that can have made any of the recordings, for their threshold is noisy."""
    return PRIORS["eight"].sample(n, seed=2)


def reshaped(p: Parameters, *shape: int) -> Parameters:
    return p.map(lambda value: np.reshape(value, shape))


# How parameters may come: of all draws of all recordings, of the recordings, or of none of them in particular.
SHAPES = {
    "dataset draw": (lambda: reshaped(drawn(15), 5, 3), (5, 3)),
    "dataset 1": (lambda: reshaped(drawn(5), 5, 1), (5, 1)),
    "1 draw": (lambda: reshaped(drawn(3), 1, 3), (5, 3)),
    "dataset": (lambda: drawn(5), (5,)),
    "dataset draw more": (lambda: reshaped(drawn(30), 5, 3, 2), (5, 3, 2)),
    "numbers": (lambda: NOISY, (5,)),
    "mixed": (lambda: NOISY.replace(tau=np.linspace(15, 20, 5)[:, None], C=np.array([[80.0, 90.0, 95.0]])), (5, 3)),
}


@pytest.mark.parametrize(("neurons", "shape"), SHAPES.values(), ids=SHAPES.keys())
def test_many_recordings_are_as_one_at_a_time(recordings, neurons, shape):
    values = log_likelihood(neurons(), recordings)
    assert values.shape == shape
    assert np.isfinite(values).all()
    for i, recording in enumerate(recordings):
        full = neurons().map(lambda x: np.broadcast_to(np.reshape(x, np.shape(x) or (1,) * len(shape)), shape))
        own = full.map(lambda x: x[i])  # noqa: B023
        np.testing.assert_allclose(values[i], log_likelihood(own, recording), rtol=1e-12)


def test_more_draws_than_are_computed_at_a_time_keep_their_places(recordings):
    many = reshaped(drawn(5 * 130), 5, 130)
    values = log_likelihood(many, recordings)
    for i, j in [(0, 0), (1, 63), (2, 64), (3, 128), (4, 129)]:
        one = many.map(lambda value: float(value[i, j]))  # noqa: B023
        np.testing.assert_allclose(values[i, j], log_likelihood(one, recordings[i]), rtol=1e-12)


@pytest.mark.parametrize(
    "noises", [{}, {"membrane_noise": 0.0, "measurement_noise": 0.5}], ids=["membrane", "electrode"]
)
def test_padding_has_no_influence(recordings, noises):
    assert (recordings.n_samples < recordings.V.shape[1]).any()
    neuron = NOISY.replace(tau=np.linspace(15.0, 20.0, 5), **noises)
    clean = log_likelihood(neuron, recordings)
    np.testing.assert_array_equal(log_likelihood(neuron, spoiled(recordings)), clean)
    # Sums over another length may be added up in another order.
    np.testing.assert_allclose(log_likelihood(neuron, spoiled(recordings, extra=700)), clean, rtol=1e-12)


@pytest.mark.parametrize("shape", [(4,), (4, 3), (3, 5)])
def test_a_first_axis_that_is_not_that_of_the_recordings_is_refused(recordings, shape):
    neuron = NEURON.replace(V_th=np.full(shape, -30.0))
    with pytest.raises(
        ValueError, match=r"must be that of the 5 recordings, got shape .*Parameters of shape \(dataset, 1\)"
    ):
        log_likelihood(neuron, recordings)
    with pytest.raises(ValueError, match="must be that of the 1 recordings"):
        log_likelihood(neuron, recordings[:1])


def test_each_error_says_what_to_do():
    recording = stimulated(200.0)
    for change, match in (
        (
            {"membrane_noise": 0.0},
            "needs some noise, got none of membrane_noise, current_noise, measurement_noise. Give",
        ),
        ({"membrane_noise": np.array([0.3, -0.1])}, "`membrane_noise` must be finite and >= 0 mV/sqrt.*got -0.1"),
        ({"tau": np.nan}, "`tau` must be finite and > 0 ms, got nan"),
    ):
        with pytest.raises(LeakyflowError, match=match):
            log_likelihood(NEURON.replace(**change), recording)


def test_a_cell_is_the_sum_of_its_sweeps():
    sweeps = [stimulated(amplitude, seed=i) for i, amplitude in enumerate((-50.0, 150.0, 300.0))]
    neuron = NOISY.replace(tau=np.array([15.0, 17.0, 19.0]))
    whole = log_likelihood(neuron, Cell(sweeps))
    np.testing.assert_allclose(whole, sum(log_likelihood(neuron, sweep) for sweep in sweeps), rtol=1e-12)
    many = log_likelihood(neuron.replace(tau=15.0), [Cell(sweeps), sweeps[0]])
    assert many.shape == (2,)
    np.testing.assert_allclose(many[0], whole[0], rtol=1e-12)
