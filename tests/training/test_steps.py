import keras
import numpy as np
import pytest

from leakyflow.models.network import Network
from leakyflow.training.batches import prepare, training_batches
from leakyflow.training.config import load_config
from leakyflow.training.steps import compiled_steps
from tests.fresh import run_python

# In a process of its own, for JAX makes its devices once.
CODE = """
import jax
import numpy as np
from tests.training.test_steps import steps_of
assert len(jax.devices()) == {n}
np.savez({path!r}, *steps_of({preset!r}))
"""


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
    loss = steps.validate(examples.batch(np.arange(50)))
    steps.store()
    return [losses, np.array(loss), *(np.array(variable) for variable in model.variables)]


@pytest.mark.parametrize("preset", ["standard", "lstm"])
def test_devices_that_share_the_batches_take_the_steps_of_one(preset, tmp_path):
    """Batch normalization included: its means are over the whole batch."""
    for n in (1, 2):
        path = str(tmp_path / f"{n}.npz")
        run_python(CODE.format(n=n, path=path, preset=preset), JAX_NUM_CPU_DEVICES=str(n))
    with np.load(tmp_path / "1.npz") as one, np.load(tmp_path / "2.npz") as two:
        assert one.files == two.files
        for name in one.files:
            np.testing.assert_allclose(two[name], one[name], rtol=2e-3, atol=2e-4, err_msg=name)
        losses = one["arr_0"]
    assert len(losses) == 3
    assert len(np.unique(losses)) == 3
