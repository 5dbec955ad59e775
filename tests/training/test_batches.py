from dataclasses import replace

import keras
import numpy as np
import pytest

from leakyflow.models.network import Network
from leakyflow.training.batches import prepare, training_batches
from leakyflow.training.config import load_config
from leakyflow.training.fit import train


@pytest.fixture(scope="module")
def examples(tiny_run, tiny_dataset):
    return prepare(tiny_run.posterior.network, tiny_dataset, n=300)


def test_every_epoch_has_an_order_of_its_own_that_the_seed_fixes():
    rows = np.arange(300)
    first = training_batches(rows, 32, seed=1, epoch=0)
    assert np.array_equal(first, training_batches(rows, 32, seed=1, epoch=0))
    for seed, epoch in ((1, 1), (2, 0)):
        assert not np.array_equal(first, training_batches(rows, 32, seed=seed, epoch=epoch))


def test_training_takes_each_row_once_and_leaves_out_the_incomplete_batch():
    batches = training_batches(np.arange(300), 32, seed=1, epoch=0)
    assert batches.shape == (9, 32)
    assert len(np.unique(batches)) == batches.size


@pytest.mark.parametrize("kind", ["statistics", "both"])
def test_batches_of_several_steps_are_those_of_each_step(kind, tiny_config, tiny_dataset):
    network = replace(tiny_config.network, summary=replace(tiny_config.network.summary, variant=kind))
    examples = prepare(Network(network, tiny_config.simulator, seed=1), tiny_dataset, n=50)
    rows = training_batches(np.arange(50), 20, seed=1, epoch=0)
    together = examples.batch(rows)
    for step in range(2):
        one = keras.tree.map_structure(lambda values: values[step], together)  # noqa: B023
        keras.tree.map_structure(np.testing.assert_array_equal, one, examples.batch(rows[step]))
    assert examples.nbytes * 40 == sum(values.nbytes for values in keras.tree.flatten(together))


def test_local_coordinates_are_of_the_scale_of_a_standard_normal(examples):
    sd = examples.w.std(0)
    assert ((sd > 0.8) & (sd < 1.4)).all()


def test_local_coordinates_are_clipped_where_a_limit_is_given(examples):
    assert examples.clipped(None) is examples
    clipped = examples.clipped(1.0).w
    assert np.abs(examples.w).max() > 1.0 == np.abs(clipped).max()
    inside = np.abs(examples.w) < 1.0
    np.testing.assert_array_equal(clipped[inside], examples.w[inside])


def test_a_dataset_that_contradicts_its_parameters_is_refused(tiny_run, tiny_config):
    from leakyflow.simulator.dataset import make_dataset

    dataset = make_dataset(tiny_config, 100, seed=3)
    dataset.group["parameters"][:, 3] = -90.0  # a threshold below what the neurons survived
    with pytest.raises(ValueError, match=r"contradict their own parameters.*Simulate it again"):
        prepare(tiny_run.posterior.network, dataset, n=100)


@pytest.mark.parametrize("kind", ["lstm", "both"])
def test_networks_that_read_the_trace_learn(kind, tiny_config, tiny_dataset, tmp_path):
    network = load_config("lstm").network
    summary = replace(network.summary, variant=kind, patch=100, lstm_units=16, widths=(32,))
    training = replace(tiny_config.training, n_simulations=600, epochs=3, batch_size=50, learning_rate=3e-3)
    flow = replace(network.flow, depth=2, widths=(32,))
    config = replace(tiny_config, network=replace(network, summary=summary, flow=flow), training=training)
    run = train(config, tiny_dataset, out=tmp_path / kind)
    assert run.history[-1]["loss"] < run.history[0]["loss"] - 0.1
    draws = run.posterior.sample(tiny_dataset.recordings(slice(3)), n_draws=5, correct=False)
    assert draws.array.shape == (3, 5, 4)
