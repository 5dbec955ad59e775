import numpy as np

import leakyflow as lf
from leakyflow.likelihood import instrument
from leakyflow.likelihood.instrument import passive_fit
from leakyflow.neuron.parameters import Parameters
from leakyflow.recordings.batch import Batch

N = 200
NEURON = {"tau": 12.0, "V_rest": -68.0, "C": 80.0, "V_th": -30.0, "V_reset": -55.0, "t_ref": 3.0, "R_s": 0.01}
NOISE = {"current_noise": 8.0, "current_noise_tau": 6.0, "measurement_noise": 0.1}
STEP = lf.square(amplitude=100.0, onset=60.0, duration=150.0, t_max=260.0, dt=0.2)


def medians(n_refined, monkeypatch) -> dict[str, float]:
    """Of many noisy recordings of one neuron."""
    monkeypatch.setattr(instrument, "N_REFINED", n_refined)
    neuron = Parameters(**{name: np.full(N, value) for name, value in (NEURON | NOISE).items()})
    found = passive_fit(lf.simulate(neuron, STEP, seed=3))._asdict()
    return {name: float(np.median(value)) for name, value in found.items()}


def test_noise_of_any_colour_leaves_the_membrane_where_it_is(monkeypatch):
    refined = medians(2, monkeypatch)
    for name in ("tau", "C", "R_s"):
        assert abs(np.log(refined[name] / NEURON[name])) < 0.03, name
    assert abs(refined["V_rest"] - NEURON["V_rest"]) < 0.1


def test_without_the_refined_instruments_coloured_noise_shifts_it(monkeypatch):
    lagged = medians(0, monkeypatch)
    assert max(abs(np.log(lagged[name] / NEURON[name])) for name in ("tau", "C")) > 0.03


def test_what_spikes_leave_behind_does_not_touch_a_membrane_that_silent_sweeps_show():
    neuron = Parameters(**NEURON | {"V_th": -55.0}, ahp_slow=-60.0, ahp_slow_tau=80.0, current_noise=4.0,
                        current_noise_tau=5.0)  # fmt: skip
    steps = [lf.square(amplitude=a, onset=60.0, duration=300.0, t_max=400.0, dt=0.2) for a in (-40.0, 250.0, 400.0)]
    sweeps = [lf.simulate(neuron, step, seed=i) for i, step in enumerate(steps)]
    assert [sweep.spikes.any() for sweep in sweeps] == [False, True, True]
    of_cell = passive_fit(Batch.of(lf.Cell(sweeps, name="cell")))
    assert abs(np.log(of_cell.tau[0] / NEURON["tau"])) < 0.2
    of_spikes = passive_fit(Batch.of(lf.Cell(sweeps[1:], name="cell")))
    assert abs(np.log(of_spikes.tau[0] / NEURON["tau"])) > 0.4
