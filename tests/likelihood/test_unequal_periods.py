"""Each spike of a real cell has a refractory period of its own."""

import numpy as np
import pytest
from scipy.stats import norm

import leakyflow as lf


def recording(runs):
    rng = np.random.default_rng(0)
    V = np.full(600, -60.0) + rng.normal(size=600)
    spikes, refractory = np.zeros(600, bool), np.zeros(600, bool)
    for at, run in zip((100, 250, 400), runs, strict=True):
        spikes[at], refractory[at + 1 : at + 1 + run] = True, True
        V[at : at + run + 1] = -58.0
    I = 100.0 * (np.arange(600) > 50)
    return lf.Recording(V=V.astype(np.float32), I=I.astype(np.float32), spikes=spikes, refractory=refractory, dt=0.2)


@pytest.mark.parametrize("runs", [(15, 15, 15), (15, 40, 9), (1, 75, 149)])
def test_the_likelihood_takes_the_periods_of_the_recording(runs):
    r = recording(runs)
    p = lf.Parameters(tau=20.0, V_rest=-65.0, C=100.0, V_th=-50.0, threshold_noise=1.5, membrane_noise=2.0,
                      measurement_noise=0.0, V_reset=-58.0, reset_noise=0.0, t_ref=3.0)  # fmt: skip
    V, I, s = r.V.astype(float), r.I.astype(float), 2.0 * np.sqrt(0.2)
    m = V[:-1] + 0.2 * ((-65.0 - V[:-1]) / 20.0 + I[:-1] / 100.0)
    free, spike = r.free[1:], r.spikes[1:]
    expected = norm.logpdf(V[0], -65.0, 2.0 * np.sqrt(10.0))
    expected += (norm.logpdf(V[1:], m, s) + norm.logcdf((-50.0 - V[1:]) / 1.5))[free].sum()
    expected += norm.logcdf((m - -50.0) / np.hypot(s, 1.5))[spike].sum()
    assert float(lf.log_likelihood(p, r)) == pytest.approx(expected, rel=1e-9)
