from dataclasses import replace

import numpy as np
import pytest

from leakyflow.diagnostics.predictive import FEATURES, posterior_predictive
from leakyflow.likelihood.draws import Draws
from leakyflow.simulator.distributions import LogNormal, Normal
from leakyflow.simulator.prior import Prior
from leakyflow.simulator.simulate import simulate
from leakyflow.simulator.stimuli import square
from tests.cases import NEURON

PRIOR = Prior(
    dict(NEURON)
    | {
        "tau": LogNormal(median=17.0, sigma=0.5),
        "V_rest": Normal(mean=-72.0, sd=6.0),
        "C": LogNormal(median=90.0, sigma=0.5),
        "V_th": Normal(mean=-45.0, sd=6.0),
    }
)


def recordings(n: int, amplitude: float = 190.0):
    stimulus = square(amplitude=amplitude, onset=20.0, duration=100.0, t_max=140.0, dt=0.2)
    neurons = NEURON.replace(V_rest=np.full(n, NEURON.V_rest))
    return simulate(neurons, stimulus, seed=3)


def knowing(n_draws: int = 300, **changed: float) -> Draws:
    """A posterior without doubt."""
    values = [changed.get(name, getattr(NEURON, name)) for name in PRIOR.inferred]
    return Draws(PRIOR.inferred, np.tile(np.array(values), (n_draws, 1)))


def share_inside(amplitude: float, shift: float) -> float:
    """Mean share of samples inside the band of a neuron whose resting potential is shifted."""
    draws = knowing(V_rest=NEURON.V_rest + shift)
    found = recordings(20, amplitude)
    checks = [posterior_predictive(r, draws, PRIOR, seed=5).check(r) for r in found]
    return float(np.mean([check.share_inside for check in checks]))


@pytest.mark.parametrize("amplitude", [50.0, 190.0], ids=["silent", "spiking"])
def test_the_band_of_the_true_neuron_holds_nine_tenths_of_its_voltage(amplitude):
    # Samples of one trace are correlated over tau: 20 traces are some 160 independent ones, of SD 0.024.
    assert share_inside(amplitude, shift=0.0) == pytest.approx(0.9, abs=4 * 0.024)


def test_a_wrong_resting_potential_is_seen():
    # 5 mV are 6 SD of the membrane noise; V leaves the band within a third of tau.
    assert share_inside(50.0, shift=5.0) < 0.1


def test_spike_count_of_a_wrong_neuron_is_seen():
    recording = recordings(1)[0]
    right = posterior_predictive(recording, knowing(), PRIOR).check(recording)
    wrong = posterior_predictive(recording, knowing(V_th=-30.0), PRIOR).check(recording)
    assert right.n_spikes_low <= right.n_spikes <= right.n_spikes_high
    assert wrong.n_spikes_high < wrong.n_spikes


def p_values(n: int, amplitude: float = 190.0, **changed: float) -> np.ndarray:
    found = [posterior_predictive(r, knowing(**changed), PRIOR, seed=5).p_values(r) for r in recordings(n, amplitude)]
    return np.array([[p[name] for name in FEATURES] for p in found])


def test_features_of_the_true_neuron_are_typical_of_its_simulations():
    p = p_values(150)
    # Without doubt about the neuron they are uniform; four SD of a share among 150.
    assert (np.abs(np.mean(p < 0.1, axis=0) - 0.1) < 4 * np.sqrt(0.09 / 150)).all()
    assert (p > 0).all()
    assert (p <= 1).all()


def test_features_of_a_wrong_neuron_are_seen():
    p = dict(zip(FEATURES, np.median(p_values(20, V_th=-40.0), axis=0), strict=True))
    assert p["spike_count"] < 0.02
    assert p["isi_mean"] < 0.02
    p = dict(zip(FEATURES, np.median(p_values(20, 50.0, V_rest=NEURON.V_rest + 3.0), axis=0), strict=True))
    assert p["V_mean"] < 0.02
    assert p["V_end"] < 0.02
    assert p["spike_count"] == 1.0  # silent, and so are all simulations


@pytest.mark.parametrize("V", [-80.0, -72.0, -50.0])
def test_every_simulation_begins_at_the_recorded_voltage(V):
    recording = recordings(1)[0]
    start = np.concatenate([np.float32([V]), recording.V[1:]])
    predictive = posterior_predictive(replace(recording, V=start), knowing(), PRIOR)
    # Single precision at 100 mV.
    np.testing.assert_allclose(predictive.simulations.V[:, 0], V, atol=2e-5)
    assert not predictive.spikes[:, 0].any()


def test_same_seed_same_simulations():
    recording = recordings(1)[0]
    first, again, other = (posterior_predictive(recording, knowing(), PRIOR, seed=s).simulations.V for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_draws_of_another_prior_are_refused():
    recording = recordings(1)[0]
    with pytest.raises(ValueError, match="one recording's posterior of tau, V_rest, C, V_th"):
        posterior_predictive(recording, Draws(("tau",), np.ones((5, 1))), PRIOR)


def test_neurons_that_would_spike_at_once_are_seen_and_do_no_harm():
    recording = recordings(1, amplitude=50.0)[0]
    draws = knowing(n_draws=60)
    draws.array[:20, PRIOR.inferred.index("V_th")] = recording.V[0] - 1.0
    predicted = posterior_predictive(recording, draws, PRIOR)
    assert predicted.spikes[:20, 0].all()
    assert not predicted.spikes[20:, 0].any()
    p_values = predicted.p_values(recording)
    assert set(p_values) == set(FEATURES)
    assert p_values["spike_count"] > 0.5  # 40 of 60 are silent, as it is
