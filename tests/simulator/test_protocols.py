import tomllib
from dataclasses import replace
from importlib.resources import files
from types import SimpleNamespace

import numpy as np
import pytest
from pydantic import TypeAdapter

from leakyflow.errors import LeakyflowError
from leakyflow.neuron.parameters import TABLE
from leakyflow.simulator import dataset as module
from leakyflow.simulator.cells import draw_cells, sweep_parameters
from leakyflow.simulator.config import SimulatorConfig
from leakyflow.simulator.dataset import Dataset, make_dataset, open_dataset
from leakyflow.simulator.distributions import Normal, Uniform
from leakyflow.simulator.protocols import MOST_SWEEPS, Protocol, draw_scores
from leakyflow.simulator.search import AFTER_SPIKE, Search
from leakyflow.simulator.stimulus_prior import OrnsteinUhlenbeckPrior, SquarePrior

ARRAYS = ("V", "I", "spikes", "refractory", "n_samples", "stimulus", "parameters", "cell")
N = 24
STEPS = Protocol(
    name="steps",
    stimulus=SquarePrior(amplitude=0.0, onset_fraction=0.3, duration_fraction=0.5),
    n_sweeps=(3, 5),
    vary="amplitude",
    first=-1.0,
    last=2.0,
)
NOISE = Protocol(
    name="noise", stimulus=OrnsteinUhlenbeckPrior(mean=1.0, sd=0.5, correlation_time=5.0), n_sweeps=(1, 3), frozen=0.5
)


def simulator(**change) -> SimulatorConfig:
    text = (files("leakyflow.training.presets") / "cell.toml").read_text()
    tables = tomllib.loads(text)["simulator"]
    own = TypeAdapter(SimulatorConfig).validate_python(tables)
    return replace(own, **({"duration": (100.0, 150.0), "protocols": (STEPS, NOISE)} | change))


CONFIG = SimpleNamespace(simulator=simulator())


def arrays(dataset: Dataset) -> dict[str, np.ndarray]:
    return {name: np.asarray(dataset.group[name][:]) for name in ARRAYS}


@pytest.fixture(scope="module")
def cells() -> Dataset:
    return make_dataset(CONFIG, N, seed=1)


def test_a_family_moves_in_equal_steps_and_shares_its_times():
    currents = np.array(STEPS.currents(draw_scores(1, 0), 4, n_time=200, dt=0.5))
    np.testing.assert_allclose(currents[:, 100], [-1.0, 0.0, 1.0, 2.0], atol=1e-6)
    on = currents[[0, 2, 3]] != 0
    assert (on == on[0]).all()


def test_frozen_noise_repeats_and_fresh_noise_does_not():
    def repeated(frozen: float) -> bool:
        one, other = replace(NOISE, frozen=frozen).currents(draw_scores(1, 0), 2, n_time=200, dt=0.5)
        return np.array_equal(one, other)

    assert repeated(1.0)
    assert not repeated(0.0)


def test_a_prepulse_comes_after_rest_and_before_the_stimulus():
    plain, pulsed = (replace(STEPS, prepulse=-0.5, prepulse_share=share) for share in (0.0, 1.0))
    added = np.subtract(*(own.currents(draw_scores(1, 0), 3, n_time=200, dt=0.5)[2] for own in (pulsed, plain)))
    assert set(np.flatnonzero(added)) == set(range(30, 54))  # the stimulus begins at sample 60
    assert set(added) == {0.0, -0.5}


def test_cell_i_depends_on_configuration_seed_and_i_alone(cells):
    fewer = make_dataset(CONFIG, 5, seed=1)
    there, rows = arrays(cells), fewer.header.n_rows
    for name, values in arrays(fewer).items():
        np.testing.assert_array_equal(values, there[name][:rows], err_msg=name)
    other = make_dataset(CONFIG, 5, seed=2)
    assert not np.array_equal(other.recordings().I[0], fewer.recordings().I[0])


def test_blocks_that_cut_cells_give_the_same_bits_also_after_an_interruption(cells, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 7)
    write, calls = module._write_chunk, []

    def fail(*arguments):
        calls.append(arguments)
        if len(calls) == 4:
            raise KeyboardInterrupt
        write(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(module, "_write_chunk", fail)
        with pytest.raises(KeyboardInterrupt):
            make_dataset(CONFIG, N, seed=1, out=tmp_path / "cells.zarr")
    make_dataset(CONFIG, N, seed=1, out=tmp_path / "cells.zarr")
    found, there = arrays(open_dataset(tmp_path / "cells.zarr")), arrays(cells)
    for name in ARRAYS:
        np.testing.assert_array_equal(found[name], there[name], err_msg=name)


def test_recordings_are_taken_by_cells(cells):
    everything, some = cells.recordings(), cells.recordings(slice(3, 6))
    assert everything.n_cells == len(cells) == N
    assert some.cell_names == ("simulation 3", "simulation 4", "simulation 5")
    assert [len(cell.sweeps) for cell in some.cells()] == cells.n_sweeps[3:6].tolist()
    np.testing.assert_array_equal(some.V, everything.of_cells(slice(3, 6)).V)
    parts = [part for _, part in cells.chunks(10)]
    assert sum(part.n_cells for part in parts) == N
    assert max(len(part) for part in parts) <= 10
    np.testing.assert_array_equal(np.concatenate([part.V for part in parts]), everything.V)


def test_parameters_of_scope_cell_are_shared_by_sweeps_and_others_are_alike(cells):
    p, cell = cells.sweep_parameters(), cells.recordings().cell
    for name in cells.header.parameters:
        value = np.asarray(getattr(p, name))
        same = all(len(set(value[cell == i])) == 1 for i in range(N))
        assert same == (TABLE[name].scope == "cell"), name
        np.testing.assert_array_equal(getattr(cells.parameters(), name), value[np.unique(cell, return_index=True)[1]])
    assert np.corrcoef(p.V_reset[:-1][np.diff(cell) == 0], p.V_reset[1:][np.diff(cell) == 0])[0, 1] > 0.8


def test_what_belongs_to_sweeps_is_of_the_prior_in_each():
    """The mean and SD of the prior, -55 and 8 mV, within 5 standard errors of 400 cells."""
    config = simulator(search=Search(alike=0.5))
    plan = draw_cells(config, 400, 1)
    value = sweep_parameters(config, config.prior.sample(400, 1), plan, 1).V_reset[plan.ends - 1]
    assert abs(value.mean() + 55.0) < 5 * 8.0 / 20.0
    assert abs(value.std() - 8.0) < 5 * 8.0 / np.sqrt(800)


def test_a_search_ends_with_a_spike_and_finds_what_the_cell_needs():
    config = simulator(search=Search(share=1.0), protocols=(STEPS,), duration=(100.0, 1000.0))
    recordings = make_dataset(SimpleNamespace(simulator=config), 12, seed=1).recordings()
    first = np.searchsorted(recordings.cell, np.arange(12))
    units = []
    for row in first:
        sweep, strongest = recordings[int(row)], recordings[int(row) + 1].I
        units.append(-strongest.min())  # of the first sweep of the family, at -1 unit
        if sweep.n_samples < config.n_time:
            onsets = np.flatnonzero(sweep.spikes[round(0.4 * config.n_time) :])
            assert sweep.n_samples - round(0.4 * config.n_time) - onsets[0] == round(AFTER_SPIKE / config.dt)
    assert np.std(np.log(units)) > 0.3


def test_currents_tell_of_the_neuron_only_what_the_search_shows():
    """Whoever moves the threshold without changing the search changes no current: it is not read from the neuron."""
    config = simulator(search=Search(share=0.0), protocols=(STEPS,))
    entries = config.prior.root
    moved = config.prior.__class__({**entries, "V_th": Normal(mean=-20.0, sd=9.0)})
    one, other = (
        make_dataset(SimpleNamespace(simulator=replace(config, prior=prior)), 4, seed=1).recordings()
        for prior in (config.prior, moved)
    )
    np.testing.assert_array_equal(one.I, other.I)
    assert not np.array_equal(one.spikes, other.spikes)


def test_numbers_of_sweeps_and_protocols_are_as_configured():
    config = simulator(protocols=(STEPS, replace(NOISE, weight=3.0)))
    plan = draw_cells(config, 4000, 1)
    assert abs((plan.protocol == 1).mean() - 0.75) < 5 * np.sqrt(0.75 * 0.25 / 4000)
    assert set(plan.n_sweeps[plan.protocol == 0]) == {3, 4, 5}
    assert set(plan.n_sweeps[plan.protocol == 1]) == {1, 2, 3}
    assert not plan.searched[plan.n_sweeps == 1].any()


def test_configuration_survives_toml_and_without_protocols_is_as_before():
    config = simulator()
    assert TypeAdapter(SimulatorConfig).validate_python(config.to_dict()) == config
    text = (files("leakyflow.training.presets") / "standard.toml").read_text()
    standard = TypeAdapter(SimulatorConfig).validate_python(tomllib.loads(text)["simulator"])
    assert set(standard.to_dict()) == {"dt", "duration", "prior", "stimuli"}


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: replace(STEPS, n_sweeps=(3, 2)), f"1 <= fewest <= most <= {MOST_SWEEPS}, got \\[3, 2\\]"),
        (lambda: replace(STEPS, vary="frequency"), "`vary` must be an argument of a square .*got 'frequency'"),
        (lambda: simulator(stimuli=(SquarePrior(amplitude=Uniform(low=0.0, high=1.0)),)), "not both"),
        (lambda: simulator(protocols=None), "At least one stimulus prior is needed, or one protocol"),
        (lambda: simulator(protocols=None, stimuli=(SquarePrior(amplitude=1.0),), search=Search()), "belongs to proto"),
    ],
)
def test_each_error_says_what_to_do(make, match):
    with pytest.raises((LeakyflowError, ValueError), match=match):
        make()
