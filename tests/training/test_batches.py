from dataclasses import replace

import numpy as np
import pytest

from leakyflow.training.batches import Batches, prepare
from leakyflow.training.config import load_config
from leakyflow.training.fit import train


@pytest.fixture(scope="module")
def examples(tiny_run, tiny_dataset):
    return prepare(tiny_run.posterior.network, tiny_dataset, n=300)


def rows_of(batches):
    return [batches.order[i * batches.batch_size : (i + 1) * batches.batch_size] for i in range(len(batches))]


def test_every_epoch_has_an_order_of_its_own_that_the_seed_fixes(examples):
    rows = np.arange(300)
    first, second = (Batches(examples, rows, 32, seed=1) for _ in range(2))
    second.on_epoch_end()
    assert not np.array_equal(first.order, second.order)
    assert np.array_equal(second.order, Batches(examples, rows, 32, seed=1, epoch=1).order)
    assert not np.array_equal(first.order, Batches(examples, rows, 32, seed=2).order)


def test_training_leaves_out_the_incomplete_batch_and_validation_keeps_it(examples):
    rows = np.arange(300)
    training, validation = Batches(examples, rows, 32, seed=1), Batches(examples, rows, 32)
    assert {len(batch) for batch in rows_of(training)} == {32}
    assert np.array_equal(np.concatenate(rows_of(validation)), rows)
    assert validation[9]["inference_variables"].shape == (300 - 9 * 32, 4)


def test_local_coordinates_are_of_the_scale_of_a_standard_normal(examples):
    sd = examples.w.std(0)
    assert ((sd > 0.8) & (sd < 1.4)).all()


def test_a_dataset_that_contradicts_its_parameters_is_refused(tiny_run, tiny_config):
    from leakyflow.simulator.dataset import make_dataset

    dataset = make_dataset(tiny_config, 100, seed=3)
    dataset.group["parameters"][:, 3] = -90.0  # a threshold below what the neurons survived
    with pytest.raises(ValueError, match=r"contradict their own parameters.*Simulate it again"):
        prepare(tiny_run.posterior.network, dataset, n=100)


@pytest.mark.parametrize("kind", ["lstm", "both"])
def test_networks_that_read_the_trace_learn(kind, tiny_config, tiny_dataset, tmp_path):
    network = load_config("lstm").network
    summary = replace(network.summary, kind=kind, patch=100, lstm_units=16, widths=(32,))
    training = replace(tiny_config.training, n_simulations=600, epochs=3, batch_size=50, learning_rate=3e-3)
    flow = replace(network.flow, depth=2, widths=(32,))
    config = replace(tiny_config, network=replace(network, summary=summary, flow=flow), training=training)
    run = train(config, tiny_dataset, out=tmp_path / kind)
    assert run.history[-1]["loss"] < run.history[0]["loss"] - 0.1
    draws = run.posterior.sample(tiny_dataset.recordings(slice(3)), n_draws=5, correct=False)
    assert draws.array.shape == (3, 5, 4)
