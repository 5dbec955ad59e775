import keras
import numpy as np
import pytest

from leakyflow.models.network import Network
from leakyflow.training.batches import prepare, training_batches
from leakyflow.training.config import load_config
from leakyflow.training.steps import compiled_steps, most_even
from tests.fresh import run_python

# In a process of its own, for JAX makes its devices once.
ON_DEVICES = """
from unittest.mock import patch
import jax
import numpy as np
from tests.training.test_steps import PRESETS, steps_of
devices = jax.devices()
assert len(devices) == 2
for n in (1, 2):
    with patch("jax.devices", lambda: devices[:n]):
        np.savez({path!r}.format(n), **{{name + str(i): x for name in PRESETS for i, x in enumerate(steps_of(name))}})
"""
PRESETS = ("standard", "lstm")


def steps_of(preset: str) -> list[np.ndarray]:
    """Losses and weights of a few steps of a preset's network, cut down."""
    from dataclasses import replace

    from leakyflow.simulator.dataset import make_dataset

    config = load_config(preset)
    summary = replace(config.network.summary, lstm_units=8, widths=(16,))
    flow = replace(config.network.flow, depth=2, widths=(16,))
    network = Network(replace(config.network, summary=summary, flow=flow), config.simulator, seed=1)
    examples = prepare(network, make_dataset(config, 120, seed=1), n=120)
    examples.adapt(np.arange(120))
    model = network.approximator
    model.compile(optimizer=keras.optimizers.Adam(1e-3))
    model.optimizer.build(model.trainable_variables)
    steps = compiled_steps(model, 40)
    losses = np.asarray(steps.train(examples.batch(training_batches(np.arange(120), 40, seed=1, epoch=0))))
    validation = [steps.validate(examples.batch(np.arange(n))) for n in (50, 51)]
    steps.store()
    return [losses, np.array(validation), *(np.array(variable) for variable in model.variables)]


def test_devices_that_share_the_batches_take_the_steps_of_one(tmp_path):
    """Batch normalization included: its means are over the whole batch."""
    path = str(tmp_path / "{}.npz")
    run_python(ON_DEVICES.format(path=path), JAX_NUM_CPU_DEVICES="2")
    with np.load(path.format(1)) as one, np.load(path.format(2)) as two:
        assert one.files == two.files
        for name in one.files:
            np.testing.assert_allclose(two[name], one[name], rtol=2e-3, atol=2e-4, err_msg=name)
        # The control: the order of sums was another, so there were two devices; and steps were taken.
        assert any(not np.array_equal(one[name], two[name]) for name in one.files)
        assert len(np.unique(one["standard0"])) == 3


@pytest.mark.parametrize(("n_devices", "n"), [(1, 1), (2, 2), (3, 2), (4, 4), (7, 4)])
def test_devices_that_cannot_share_a_batch_evenly_are_left_out(n_devices, n):
    assert most_even(256, n_devices) == n
