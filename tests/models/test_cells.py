"""Networks of cells: any number of sweeps, of any length, in any order."""

from dataclasses import replace

import numpy as np
import pytest

from leakyflow.diagnostics.held_out import diagnose
from leakyflow.diagnostics.typicality_of_cells import check_cell
from leakyflow.errors import LeakyflowError
from leakyflow.models.config import FlowConfig, NetworkConfig, SummaryConfig
from leakyflow.models.network import Network
from leakyflow.models.posterior import BLOCK, Posterior, _spans
from leakyflow.recordings.batch import Batch
from leakyflow.recordings.cell import Cell
from leakyflow.simulator.dataset import Dataset, make_dataset
from leakyflow.simulator.prior import Prior
from leakyflow.training.config import Config, TrainingConfig, load_config
from leakyflow.training.fit import train

INFERRED = ("tau", "V_rest", "C", "V_th", "threshold_noise", "membrane_noise")
KNOWN = {"V_reset": -55.0, "t_ref": 3.0}


def few_parameters() -> Config:
    """The preset `cell`, of short sweeps and few parameters, which compile in seconds."""
    config = load_config("cell")
    entries = {name: config.simulator.prior.root[name] for name in INFERRED}
    simulator = replace(config.simulator, prior=Prior(entries | KNOWN), duration=(100.0, 150.0))
    network = NetworkConfig(summary=SummaryConfig(widths=(8,)), flow=FlowConfig(depth=2, widths=(8,)))
    training = TrainingConfig(n_simulations=100, epochs=1, batch_size=16, learning_rate=1e-3, seed=1)
    return replace(config, simulator=simulator, network=network, training=training)


CONFIG = few_parameters()


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return make_dataset(CONFIG, 100, seed=1)


@pytest.fixture(scope="module")
def posterior(dataset, tmp_path_factory) -> Posterior:
    return train(CONFIG, dataset, out=tmp_path_factory.mktemp("runs") / "cells").posterior


@pytest.fixture(scope="module")
def cell(dataset) -> Cell:
    """Of several sweeps with spikes."""
    return next(cell for cell in dataset.recordings().cells() if len(cell) > 4 and cell.n_spikes > 5)


def log_density(posterior: Posterior, cells: Cell | Batch, n: int = 1) -> np.ndarray:
    values = posterior.prior.sample(n, seed=3)
    columns = {name: np.asarray(values[name]) for name in posterior.names}
    if isinstance(cells, Batch):
        columns = {name: np.tile(value, (cells.n_cells, 1)) for name, value in columns.items()}
    return posterior.log_prob(cells, columns)


def test_a_network_of_cells_gives_one_posterior_for_all_sweeps(posterior, cell):
    draws = posterior.sample(cell, n_draws=100, correct=False)
    assert draws["tau"].shape == (100,)
    assert draws.names == INFERRED
    assert draws.diagnostics is not None
    assert list(draws.diagnostics.index) == [cell.name]


def test_the_order_of_sweeps_has_no_influence(posterior, cell):
    turned = Cell(cell.sweeps[::-1], name=cell.name)
    np.testing.assert_allclose(log_density(posterior, turned), log_density(posterior, cell), rtol=1e-3, atol=1e-2)


def test_padding_and_other_cells_have_no_influence(posterior, dataset):
    batch = dataset.recordings(slice(3))
    garbage = batch.padded_to(1000)
    garbage = replace(garbage, V=np.where(garbage.valid, garbage.V, 50.0), spikes=garbage.spikes | ~garbage.valid)
    together, alone = log_density(posterior, garbage), log_density(posterior, batch.of_cells(slice(1, 2)))
    np.testing.assert_allclose(together[1:2], alone, rtol=1e-3, atol=1e-2)


def test_each_sweep_has_an_influence(posterior, cell):
    """Negative control: a cell without one of its sweeps is another."""
    fewer = Cell(cell.sweeps[:-1], name=cell.name)
    assert abs(log_density(posterior, fewer) - log_density(posterior, cell)) > 0.1


@pytest.mark.parametrize("n_sweeps", [1, 2, 24, 40])
def test_any_number_of_sweeps_will_do(posterior, cell, n_sweeps):
    many = Cell([cell[i % len(cell)] for i in range(n_sweeps)], name="many")
    assert np.isfinite(log_density(posterior, many)).all()


def test_sweeps_may_be_longer_than_any_in_training(posterior, cell):
    sweep = cell[1]
    long = replace(sweep, **{name: np.tile(getattr(sweep, name), 30) for name in ("V", "I", "spikes", "refractory")})
    assert long.duration > 10 * posterior.duration[1]
    assert np.isfinite(log_density(posterior, Cell([long]))).all()


def test_a_recording_is_a_cell_of_one_sweep(posterior, cell):
    found = log_density(posterior, cell[1])
    np.testing.assert_allclose(found, log_density(posterior, Cell([cell[1]])), rtol=1e-6)


def test_corrected_draws_of_cells_are_exact_or_said_not_to_be(posterior, dataset):
    batch = dataset.recordings(slice(4))
    draws = posterior.sample(batch, n_draws=200, seed=1)
    table = draws.diagnostics
    assert table is not None
    assert set(table.method) <= {"importance", "search"}
    assert table.reliable.notna().all()
    assert np.isfinite(table.log_evidence[table.reliable.astype(bool)]).all()


def test_diagnosis_of_cells_has_strata_by_sweeps_spikes_and_protocol(posterior):
    found = diagnose(posterior, make_dataset(CONFIG, 30, seed=9), n_draws=50)
    assert found.ranks.ranks.shape == (30, len(INFERRED) + 1)
    few, many = (rows for name, rows in found.strata.items() if "sweeps" in name)
    assert (few ^ many).all()
    silent = found.strata["silent"]
    assert silent.shape == (30,)
    protocols = [
        found.strata[protocol.name] for protocol in CONFIG.simulator.protocols or () if protocol.name in found.strata
    ]
    assert (np.sum(protocols, axis=0) == 1).all()


def test_single_sweeps_are_not_called_typical_of_a_network_of_cells(posterior, cell):
    verdict, reason = check_cell(posterior, cell)
    assert verdict is None
    assert "whole cells" in reason


def test_statistics_of_cells_are_named(posterior, dataset):
    table = posterior.statistics(dataset.recordings(slice(3)))
    assert len(table) == 3
    assert "log_sweeps" in table.columns


def test_cells_are_not_read_as_raw_traces():
    config = replace(CONFIG.network, summary=SummaryConfig(variant="lstm"))
    with pytest.raises(LeakyflowError, match="by statistics"):
        Network(config, CONFIG.simulator, seed=1)


def test_cells_are_summarized_in_parts_of_bounded_size(dataset):
    batch = dataset.recordings()
    many = batch.take(np.concatenate([np.flatnonzero(batch.cell == i) for i in range(100)]))
    spans = _spans(many)
    n_sweeps = np.bincount(many.cell)
    assert [i for span in spans for i in range(span.start, span.stop)] == list(range(100))
    assert all(n_sweeps[span].sum() <= BLOCK or span.stop - span.start == 1 for span in spans)


def test_other_settings_of_standardization_take_cells_too(dataset):
    network = Network(replace(CONFIG.network, standardize="prior"), CONFIG.simulator, seed=1)
    features = network.features(dataset.recordings(slice(5)))
    assert features.arrays["statistics"].shape[0] == features.arrays["local"].shape[0] == 5
