import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from leakyflow.layout import layout
from leakyflow.models import lstm
from leakyflow.models.lstm import Layer, last_state

N_PATCHES, N_FEATURES, UNITS = 9, 5, 4
GROUP = layout("cpu").lstm_group
# Fewer than a group, a whole one, and several with a rest.
SIZES = (3, GROUP, 2 * GROUP + 7)


@pytest.fixture(scope="module")
def layers() -> list[keras.layers.LSTM]:
    keras.utils.set_random_seed(1)
    lower, upper = keras.layers.LSTM(UNITS, return_sequences=True), keras.layers.LSTM(UNITS)
    lower.build((None, None, N_FEATURES))
    upper.build((None, None, UNITS))
    for weight in weights_of([lower, upper]):
        weight.assign(weight + 0.2 * keras.random.normal(weight.shape))
    return [lower, upper]


def weights_of(layers):
    return [weight for layer in layers for weight in layer.trainable_weights]


def values_of(layers):
    return [jnp.asarray(weight.value) for weight in weights_of(layers)]


def example(n, seed=1):
    rng = np.random.default_rng(seed)
    patches = rng.normal(size=(n, N_PATCHES, N_FEATURES)).astype(np.float32)
    return patches, rng.integers(1, N_PATCHES + 1, n).astype(np.int32)


def by_keras(layers, patches, n_patches, values):
    mask = np.arange(N_PATCHES) < n_patches[:, None]
    with keras.StatelessScope(list(zip(weights_of(layers), values, strict=True))):
        return layers[1](layers[0](patches, mask=mask), mask=mask)


def by_jax(patches, n_patches, values, group=GROUP):
    return last_state((Layer(*values[:3]), Layer(*values[3:])), jnp.asarray(patches), jnp.asarray(n_patches), group)


# All recordings as one group, too, as on a GPU.
@pytest.mark.parametrize(("n", "group"), [*((n, GROUP) for n in SIZES), (SIZES[-1], SIZES[-1])])
def test_state_is_that_of_two_keras_layers(layers, n, group):
    patches, n_patches = example(n)
    values = values_of(layers)
    expected = by_keras(layers, patches, n_patches, values)
    np.testing.assert_allclose(by_jax(patches, n_patches, values, group), expected, atol=1e-6)


@pytest.mark.parametrize(("n", "group"), [*((n, GROUP) for n in SIZES), (SIZES[-1], SIZES[-1])])
def test_gradients_are_those_of_two_keras_layers(layers, n, group):
    patches, n_patches = example(n)
    slope = np.random.default_rng(2).normal(size=(n, UNITS)).astype(np.float32)
    values = values_of(layers)
    expected = jax.grad(lambda values: (slope * by_keras(layers, patches, n_patches, values)).sum())(values)
    found = jax.grad(lambda values: (slope * by_jax(patches, n_patches, values, group)).sum())(values)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5 * np.abs(other).max())
    # The control: one recording shorter by a patch is another gradient.
    n_patches = np.where(np.arange(n) == 0, n_patches % N_PATCHES + 1, n_patches).astype(np.int32)
    other = jax.grad(lambda values: (slope * by_jax(patches, n_patches, values)).sum())(values)
    assert any(np.abs(a - b).max() > 1e-3 * np.abs(b).max() for a, b in zip(other, expected, strict=True))


def test_what_follows_the_last_patch_has_no_influence(layers):
    patches, n_patches = example(GROUP + 5)
    values = values_of(layers)
    spoiled = np.where(np.arange(N_PATCHES)[:, None] < n_patches[:, None, None], patches, np.float32(1e6))

    def both(patches):
        return jax.value_and_grad(lambda values: (by_jax(patches, n_patches, values) ** 2).sum())(values)

    jax.tree.map(np.testing.assert_array_equal, both(spoiled), both(patches))


def test_groups_hold_every_recording_once_and_like_lengths_together():
    patches, n_patches = example(2 * GROUP + 7)
    groups = lstm._grouped(jnp.asarray(patches), jnp.asarray(n_patches), GROUP)
    assert sorted(groups.order) == list(range(len(n_patches)))
    lengths = np.asarray(groups.n_patches).ravel()
    assert (np.diff(lengths[: len(n_patches)]) >= 0).all()
    assert (lengths[len(n_patches) :] == 0).all()
    np.testing.assert_array_equal(groups.ungrouped(groups.grouped(jnp.asarray(patches[:, 0]))), patches[:, 0])
