"""How well noises are read off 100 ms of rest, on simulated neurons.

    python benchmarks/read_off.py

200 neurons of a wide prior, 100 ms of rest, a step of 150 pA for 300 ms, 100 ms of rest again. Results go to
benchmarks/results/read_off.json.
"""

import json
from pathlib import Path

import numpy as np

import leakyflow as lf
from leakyflow.likelihood.read_off import read_off_for, read_off_parameters
from leakyflow.simulator.distributions import LogNormal, Normal, Uniform
from leakyflow.simulator.prior import Prior, ReadOff

RESULTS = Path(__file__).parent / "results" / "read_off.json"
NOISES = ("membrane_noise", "current_noise", "current_noise_tau", "measurement_noise")
PRIOR = Prior(
    {
        "tau": LogNormal(median=20.0, sigma=0.6),
        "V_rest": Normal(mean=-68.0, sd=8.0),
        "C": LogNormal(median=110.0, sigma=0.6),
        "V_th": Normal(mean=-42.0, sd=9.0),
        "threshold_noise": LogNormal(median=1.5, sigma=0.6),
        "R_s": Normal(mean=0.008, sd=0.008),
        "membrane_noise": ReadOff(LogNormal(median=0.05, sigma=1.0)),
        "current_noise": ReadOff(LogNormal(median=6.0, sigma=0.7)),
        "current_noise_tau": ReadOff(LogNormal(median=5.0, sigma=0.5)),
        "measurement_noise": ReadOff(LogNormal(median=0.05, sigma=0.7)),
        "V_reset": ReadOff(Normal(mean=-55.0, sd=8.0)),
        "reset_noise": 5.0,
        "t_ref": ReadOff(Uniform(low=1.0, high=8.0)),
    }
)


def main() -> None:
    """Simulate, read, compare."""
    truth = PRIOR.sample(200, seed=1)
    step = lf.square(amplitude=150.0, onset=100.0, duration=300.0, t_max=500.0, dt=0.2)
    # A current noise is read as what it is over C; its error is that for the true C.
    found = read_off_for(truth, read_off_parameters(lf.simulate(truth, step, seed=2), PRIOR))
    rows = {}
    for name in NOISES:
        error = np.log(found[name] / np.asarray(truth[name]))
        rows[name] = {
            "median_error": float(np.median(np.abs(np.expm1(error)))),
            "median_log_bias": float(np.median(error)),
            "log_sd": float(error.std()),
            "prior_log_sd": float(np.log(np.asarray(truth[name])).std()),
        }
        print(name, {key: round(value, 3) for key, value in rows[name].items()})
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
