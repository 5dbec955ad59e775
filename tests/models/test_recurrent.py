"""The LSTM in PyTorch; that in JAX has its own tests, and TensorFlow's is Keras' own."""

import os
from importlib.util import find_spec

import numpy as np
import pytest

from tests.fresh import run_python

CODE = """
import leakyflow, keras, numpy as np, torch
from leakyflow.models.recurrent import last_state

keras.utils.set_random_seed(1)
lower, upper = keras.layers.LSTM(4, return_sequences=True), keras.layers.LSTM(4)
lower.build((None, None, 5))
upper.build((None, None, 4))
weights = [weight for layer in (lower, upper) for weight in layer.trainable_weights]
for weight in weights:
    weight.assign(weight + 0.2 * keras.random.normal(weight.shape))
patches = keras.random.normal((30, 9, 5))
n_patches = torch.arange(30) % 9 + 1
slope = keras.random.normal((30, 4))


@torch.enable_grad()
def value_and_gradients(function):
    state = function(torch.arange(9) < n_patches[:, None])
    slopes = torch.autograd.grad((slope * state).sum(), [weight.value for weight in weights])
    return [array.detach().numpy() for array in (state, *slopes)]


ours = value_and_gradients(lambda valid: last_state([lower, upper], patches, valid))
keras_own = value_and_gradients(lambda valid: upper(lower(patches, mask=valid), mask=valid))
n_patches[0] += 1
other = value_and_gradients(lambda valid: last_state([lower, upper], patches, valid))
for name, arrays in (("ours", ours), ("keras", keras_own), ("other", other)):
    np.savez({folder!r} + "/" + name, *arrays)
"""


@pytest.mark.nightly
def test_state_and_gradients_in_pytorch_are_those_of_two_keras_layers(tmp_path):
    if find_spec("torch") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("PyTorch is not installed")
    run_python(CODE.format(folder=str(tmp_path)), KERAS_BACKEND="torch")
    ours, expected, other = (np.load(tmp_path / f"{name}.npz") for name in ("ours", "keras", "other"))
    assert len(ours.files) == 7
    for name in ours.files:
        np.testing.assert_allclose(ours[name], expected[name], atol=1e-5 * np.abs(expected[name]).max())
        # The control: one recording longer by a patch is another state, and another gradient.
        assert np.abs(other[name] - expected[name]).max() > 1e-3 * np.abs(expected[name]).max()
