import tomllib
from dataclasses import replace
from importlib.resources import files
from types import SimpleNamespace

import numpy as np
import pytest
from pydantic import TypeAdapter

from leakyflow.simulator.config import SimulatorConfig
from leakyflow.simulator.dataset import make_dataset
from leakyflow.simulator.prior import Prior
from leakyflow.simulator.prior_predictive import PriorPredictive, prior_predictive
from leakyflow.simulator.stimulus_prior import SquarePrior

N = 2000


def preset(name: str) -> SimpleNamespace:
    text = (files("leakyflow.training.presets") / f"{name}.toml").read_text()
    return SimpleNamespace(simulator=TypeAdapter(SimulatorConfig).validate_python(tomllib.loads(text)["simulator"]))


@pytest.fixture(scope="module")
def standard() -> PriorPredictive:
    return prior_predictive(preset("standard"), n=N, seed=1)


def test_numbers_are_those_of_the_recordings_counted_one_by_one():
    config = preset("lif")
    found = prior_predictive(config, n=200, seed=2)
    recordings = list(make_dataset(config, 200, seed=2).recordings())
    rate = [1000.0 * r.spikes.sum() / r.duration for r in recordings]
    lowest = np.array([r.V[r.free].min() for r in recordings])
    highest = np.array([r.V[r.free].max() for r in recordings])
    np.testing.assert_allclose(found.rate, rate)
    np.testing.assert_array_equal(found.lowest, lowest.astype(float))
    np.testing.assert_array_equal(found.highest, highest.astype(float))
    assert found.everything.silent == np.mean([not r.spikes.any() for r in recordings])
    assert found.everything.inside == np.mean((lowest > -120.0) & (highest < 0.0))
    assert found.everything.rate[0.75] == pytest.approx(np.quantile(rate, 0.75))


def test_stimuli_make_up_the_whole(standard):
    assert sum(part.n for part in standard.by_stimulus) == standard.everything.n == N
    shares = sum(part.n * part.silent for part in standard.by_stimulus) / N
    assert shares == pytest.approx(standard.everything.silent)
    assert standard.stimuli == ("square", "square", "sinusoid")
    assert len(standard.examples) == 12


def test_hyperpolarising_steps_are_silent(standard):
    assert standard.by_stimulus[1].silent > 0.95
    assert standard.by_stimulus[1].lowest[0.5] < standard.by_stimulus[0].lowest[0.5]


# 5 SD of a share of N recordings.
MARGIN = 5 * np.sqrt(0.25 / N)


@pytest.mark.parametrize("name", ["standard", "lif"])
def test_presets_spike_neither_too_little_nor_too_much_and_stay_in_range(name, standard):
    everything = (standard if name == "standard" else prior_predictive(preset(name), n=N, seed=1)).everything
    assert 0.15 - MARGIN < everything.silent < 0.40 + MARGIN
    assert everything.slow > 0.85
    assert everything.inside > 0.99


def test_too_strong_stimuli_are_seen():
    """Negative control: the numbers tell when the ranges are wrong."""
    standard = preset("standard").simulator
    for amplitude, wrong in ((-400.0, "inside"), (2000.0, "slow")):
        strong = SimpleNamespace(simulator=replace(standard, stimuli=(SquarePrior(amplitude=amplitude),)))
        assert getattr(prior_predictive(strong, n=200, seed=1).everything, wrong) < 0.6


def test_stimulus_that_was_never_drawn_has_no_numbers():
    simulator = replace(
        preset("standard").simulator,
        stimuli=(SquarePrior(amplitude=0.0), SquarePrior(amplitude=1.0, weight=1e-9)),
    )
    never = prior_predictive(SimpleNamespace(simulator=simulator), n=20, seed=1).by_stimulus[1]
    assert never.n == 0
    assert np.isnan(never.silent)
    assert np.isnan(never.rate[0.5])


def test_silent_neurons_have_no_rate():
    entries = {**preset("standard").simulator.prior.root, "V_th": 500.0}
    simulator = replace(preset("standard").simulator, prior=Prior(entries))
    found = prior_predictive(SimpleNamespace(simulator=simulator), n=50, seed=1).everything
    assert found.silent == 1.0
    assert set(found.rate.values()) == {0.0}


def test_each_error_says_what_to_do():
    with pytest.raises(ValueError, match="`n` must be positive, got 0"):
        prior_predictive(preset("standard"), n=0, seed=1)
