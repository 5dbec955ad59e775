"""What a GPU would do, and what stays on the processors: with a platform that only says that it is one."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from leakyflow.layout import double_precision, layout
from leakyflow.likelihood import scanned
from leakyflow.likelihood.scanned import Scanned
from leakyflow.models import lstm, recurrent
from leakyflow.neuron.parameters import Parameters
from leakyflow.recordings.batch import Batch
from leakyflow.simulator.prior import Prior
from leakyflow.simulator.simulate import simulate
from leakyflow.simulator.stimuli import square
from tests.cases import NEURON, STANDARD

STEP = square(amplitude=150.0, onset=20.0, duration=60.0, t_max=100.0, dt=0.2)
SEEN = dict(NEURON) | {"threshold_noise": 1.0, "measurement_noise": 0.1}
PRIOR = Prior(SEEN | {"V_th": STANDARD["V_th"]})
N_DRAWS = 40


@pytest.fixture
def gpu(monkeypatch):
    """A default platform that is called so; its devices are the processors."""
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")


def where() -> object:
    return jax.config.jax_default_device


def test_on_processors_nothing_is_placed():
    with double_precision():
        assert where() is None
        assert jnp.ones(1).dtype == np.float64


def test_double_precision_stays_on_the_processors_but_for_many_draws(gpu):
    with double_precision():
        assert where().platform == "cpu"
        assert jnp.ones(1).dtype == np.float64
    assert where() is None
    with double_precision(wide=True):
        assert where() is None
        assert jnp.ones(1).dtype == np.float64


def test_a_gpu_without_processors_beside_it_does_all(gpu, monkeypatch):
    def none(backend=None):
        raise RuntimeError(f"Unknown backend {backend}")

    monkeypatch.setattr(jax, "local_devices", none)
    with double_precision():
        assert where() is None


def test_simulations_are_the_same_bits_beside_a_gpu(monkeypatch):
    neurons = Parameters(**SEEN | {"tau": np.linspace(10.0, 30.0, 5)})
    alone = simulate(neurons, STEP, seed=1)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    beside = simulate(neurons, STEP, seed=1)
    np.testing.assert_array_equal(alone.V, beside.V)
    assert not np.array_equal(alone.V, simulate(neurons, STEP, seed=2).V)


def test_a_likelihood_of_many_draws_is_one_call_of_few_steps(monkeypatch):
    target = Scanned.of(Batch.of(simulate(Parameters(**SEEN), STEP, seed=1)), PRIOR)
    z = np.linspace(-1.0, 1.0, N_DRAWS)[None, :, None]
    by_processors = target.log_likelihood(z)
    asked = []

    def spy(p, trace, unroll, n_steps):
        asked.append((np.shape(p.V_th)[0], unroll, n_steps))
        return scanned_by(p, trace, unroll=unroll, n_steps=n_steps)

    scanned_by = scanned.log_likelihood_of
    monkeypatch.setattr(scanned, "log_likelihood_of", spy)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    np.testing.assert_allclose(target.log_likelihood(z), by_processors, rtol=1e-10)
    assert asked == [(64, 8, None)]  # the next power of two
    assert np.ptp(by_processors) > 1.0


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="another backend has its own LSTM")
@pytest.mark.parametrize(("platform", "groups"), [("cpu", [32]), ("gpu", [])])
def test_a_gpu_has_the_lstm_of_keras(platform, groups, monkeypatch):
    asked = []

    def spy(layers, patches, n_patches, group):
        asked.append(group)
        return by_groups(layers, patches, n_patches, group)

    by_groups = lstm.last_state
    layers = [keras.layers.LSTM(3, return_sequences=True), keras.layers.LSTM(3)]
    layers[0].build((None, None, 2))
    layers[1].build((None, None, 3))
    patches, valid = keras.random.normal((40, 4, 2), seed=1), jnp.arange(4) < 1 + jnp.arange(40)[:, None] % 4
    alone = recurrent.last_state(layers, patches, valid)
    monkeypatch.setattr(jax, "default_backend", lambda: platform)
    monkeypatch.setattr(lstm, "last_state", spy)
    np.testing.assert_allclose(recurrent.last_state(layers, patches, valid), alone, atol=1e-6)
    assert asked == groups


def test_another_platform_than_processors_is_taken_for_a_gpu():
    assert layout("cuda") == layout("rocm") == layout("gpu") != layout("cpu")
