from dataclasses import replace

import numpy as np
import pytest

from leakyflow.diagnostics.coarser import coarser
from leakyflow.simulator.simulate import simulate
from leakyflow.simulator.stimuli import square
from tests.cases import NEURON


def spiking(dt: float, *, t_max: float = 200.0):
    stimulus = square(amplitude=300.0, onset=20.0, duration=t_max - 20.0, t_max=t_max, dt=dt)
    return simulate(NEURON.replace(tau=np.full(20, NEURON.tau)), stimulus, seed=4)


def test_a_coarser_recording_keeps_spikes_charge_and_free_voltages():
    for fine in spiking(0.05):
        coarse = coarser(fine, 4, n_ref=15)
        assert (coarse.n_samples, coarse.dt) == (1000, 0.2)
        assert coarse.spikes.sum() == fine.spikes.sum() > 3
        late = np.flatnonzero(coarse.spikes) * 0.2 - np.flatnonzero(fine.spikes) * 0.05
        assert ((late > -1e-9) & (late < 0.2)).all()
        assert coarse.I.sum() * 0.2 == pytest.approx(fine.I.sum() * 0.05, rel=1e-6)
        free = coarse.free & fine.free[::4]
        np.testing.assert_array_equal(coarse.V[free], fine.V[::4][free])
        assert (coarse.V[coarse.free] < NEURON.V_th).all()


def test_two_spikes_within_a_coarse_refractory_period_stay_two_each_with_its_release():
    fine = spiking(0.05)[0]
    spikes, refractory, V = np.zeros(4000, bool), np.zeros(4000, bool), fine.V.copy()
    # Released at sample 61 and again past the threshold at once, twice; and one that the end cuts off.
    released = {1: -60.0, 62: -61.0, 123: -62.0, 3990: -63.0}
    for onset, level in released.items():
        spikes[onset], refractory[onset + 1 : onset + 61], V[onset : onset + 80] = True, True, level
    coarse = coarser(replace(fine, V=V, spikes=spikes, refractory=refractory), 4, n_ref=15)
    assert np.flatnonzero(coarse.spikes).tolist() == [1, 17, 33, 998]
    for onset, level in zip((1, 17, 33, 998), released.values(), strict=True):
        np.testing.assert_array_equal(coarse.V[onset : onset + 16], np.float32(level))
