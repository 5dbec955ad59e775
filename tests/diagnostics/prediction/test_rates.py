import numpy as np
import pytest

from leakyflow.diagnostics.prediction.rates import latency, rates, step_window

DT = 0.2
AMPLITUDES = (-100.0, -50.0, 0.0, 50.0, 100.0)


def family(amplitudes=AMPLITUDES, *, noise: float = 0.0, seed: int = 1) -> list[np.ndarray]:
    """Steps from 200 to 500 ms, after a pulse of -100 pA that all sweeps share and that lasts longer."""
    t, rng = np.arange(5000) * DT, np.random.default_rng(seed)
    pulse = np.where((t >= 600) & (t < 950), -100.0, -7.0)
    on = (t >= 200) & (t < 500)
    return [pulse + amplitude * on + noise * rng.standard_normal(len(t)) for amplitude in amplitudes]


@pytest.mark.parametrize("noise", [0.0, 2.0])
def test_steps_are_found_where_the_sweeps_differ(noise):
    window = step_window(family(noise=noise), DT)
    assert (window.samples.start, window.samples.stop) == pytest.approx((1000, 2500), abs=2)
    # Holding current is part of the current; four SDs of the mean of 1500 samples.
    np.testing.assert_allclose(window.current, np.array(AMPLITUDES) - 7.0, atol=0.2 * noise + 1e-9)


def ramps() -> list[np.ndarray]:
    return [np.linspace(0.0, top, 5000) for top in (50.0, 100.0, 150.0)]


def noises() -> list[np.ndarray]:
    return [50.0 * np.random.default_rng(i).standard_normal(5000) for i in range(5)]


@pytest.mark.parametrize(
    "currents",
    [
        family((0.0, 100.0)),
        family((20.0, 20.0, 20.0)),
        [*family(), np.zeros(100)],
        ramps(),
        noises(),
    ],
    ids=["two sweeps", "one current", "two lengths", "ramps", "noises"],
)
def test_what_are_no_steps_has_no_curve(currents):
    assert step_window(currents, DT) is None


def test_latency_is_that_of_the_first_spike():
    spikes = np.zeros((2, 3, 100), bool)
    spikes[0, 0, [20, 40]] = True
    found = latency(spikes, DT)
    assert found.shape == (2, 3)
    assert found[0, 0] == pytest.approx(4.0)
    assert np.isnan(found).sum() == 5


def test_rates_are_spikes_per_second_of_the_window():
    spikes = np.zeros((2, 1000), bool)
    spikes[1, [99, 100, 599, 600]] = True
    np.testing.assert_allclose(rates(spikes, slice(100, 600), DT), [0.0, 20.0])
