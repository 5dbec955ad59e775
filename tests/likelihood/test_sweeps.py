"""The scan at a few shapes: what is beyond the end says nothing, and nothing is compiled for a length of its own."""

import jax
import numpy as np
import pytest

from leakyflow.likelihood.scan import scan_log_likelihood, trace_of
from leakyflow.likelihood.scanned import evaluate
from leakyflow.likelihood.sweeps import cut, doubled, lengths_of, log_likelihood_of, of_rows
from leakyflow.neuron.parameters import Parameters
from leakyflow.recordings.batch import Batch
from leakyflow.simulator.simulate import simulate
from leakyflow.simulator.stimuli import square
from tests.cases import DT, NEURON

NOISES = {"measurement_noise": 0.05, "current_noise": 8.0, "current_noise_tau": 5.0, "threshold_noise": 1.5}
NOISY = NEURON.replace(**NOISES)


def recording_of(n: int, amplitude: float = 200.0) -> Batch:
    """Of n samples."""
    step = square(amplitude=amplitude, onset=5.0, duration=0.5 * n * DT, t_max=n * DT, dt=DT)
    return Batch.of(simulate(NOISY, step, seed=1))


def draws(n: int, neuron: Parameters = NOISY) -> Parameters:
    return neuron.map(lambda value: np.full((n, 1), value)).replace(V_rest=np.linspace(-72.0, -68.0, n)[:, None])


def test_there_are_few_lengths_and_none_is_too_short():
    lengths = np.arange(2, 20_001)
    roomy = np.array([doubled(int(n)) for n in lengths])
    assert (roomy >= lengths).all()
    assert len(np.unique(roomy)) == 9


def test_what_is_beyond_the_end_says_nothing():
    trace = trace_of(recording_of(400))
    wide = cut(trace, np.array([0]), 1024)
    assert wide.y.shape == (1024, 1)
    assert lengths_of(wide) == lengths_of(trace) == 400
    with jax.enable_x64(True):
        whole = np.asarray(scan_log_likelihood(draws(3), trace))
        np.testing.assert_allclose(scan_log_likelihood(draws(3), wide, n_steps=399), whole, rtol=1e-13)
        assert (np.abs(np.asarray(scan_log_likelihood(draws(3), wide, n_steps=398)) - whole) > 1e-3).all()


@pytest.mark.parametrize("V_th", [1e3, -70.0], ids=["far", "near"])
def test_a_threshold_is_left_out_only_where_it_says_nothing(V_th):
    neuron, trace = draws(3).replace(V_th=V_th), trace_of(recording_of(400, amplitude=-20.0))
    assert not trace.spikes.any()
    with jax.enable_x64(True):
        whole, without = (np.asarray(scan_log_likelihood(neuron, trace, silent=silent)) for silent in (False, True))
    assert np.allclose(without, whole, rtol=1e-13) == (V_th == 1e3)


def test_a_length_of_its_own_is_not_compiled():
    evaluate(draws(8), trace_of(recording_of(1000)))
    of_rows(draws(2), trace_of(recording_of(1000)), silent=True)
    before = log_likelihood_of._cache_size()
    for n in (600, 778, 1020):
        evaluate(draws(8), trace_of(recording_of(n)))
        of_rows(draws(2), trace_of(recording_of(n)), silent=True)
    assert log_likelihood_of._cache_size() == before
    evaluate(draws(8), trace_of(recording_of(1030)))
    assert log_likelihood_of._cache_size() == before + 1
