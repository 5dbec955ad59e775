"""How sharp is a network? Importance weights of its draws against the closed-form likelihood.

    python benchmarks/efficiency.py runs/quick
    python benchmarks/efficiency.py runs/recording --files cell.abf:12:1100:1900 other.ibw::600:1000

For held-out simulations (and windows of real recordings, FILE:SWEEP:START:STOP) it reports the effective sample
size of the weights likelihood x prior / q as a share of the draws: 1 for the exact posterior, near 0 for one that
misses it. Results go to `benchmarks/results/efficiency.json`, by the name of the network.
"""

import argparse
import json
from pathlib import Path

import numpy as np

import leakyflow as lf
from leakyflow.diagnostics.predictive import observed_parameters
from leakyflow.models.posterior import Posterior
from leakyflow.training.config import load_config

RESULTS = Path(__file__).parent / "results" / "efficiency.json"
HELD_OUT_SEED = 2_000_000


def efficiency(posterior: Posterior, recording: lf.Recording, n_draws: int, seed: int = 0) -> float:
    """Effective sample size over the number of draws (Kong 1992)."""
    draws = posterior.sample(recording, n_draws=n_draws, seed=seed)
    given = posterior.prior.known | observed_parameters(recording, posterior.prior)
    parameters = lf.Parameters(**given, **{name: draws[name] for name in draws.names})
    log_weight = lf.log_likelihood(parameters, recording) + posterior.prior.log_prob(parameters)
    log_weight -= posterior.log_prob(recording, draws)
    weight = np.exp(log_weight - log_weight.max())
    return float(weight.sum() ** 2 / (weight**2).sum() / n_draws)


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--n", type=int, default=200, help="held-out simulations")
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--files", nargs="*", default=[], help="FILE:SWEEP:START:STOP")
    arguments = parser.parse_args()
    posterior, config = lf.load_posterior(arguments.run), load_config(arguments.run / "config.toml")
    held_out = lf.make_dataset(config, arguments.n, seed=HELD_OUT_SEED).recordings()
    values = np.array([efficiency(posterior, recording, arguments.draws) for recording in held_out])
    result: dict[str, object] = {
        "simulations": arguments.n,
        "draws": arguments.draws,
        "median": float(np.median(values)),
        "q05": float(np.quantile(values, 0.05)),
        "least": float(values.min()),
    }
    real = {}
    for window in arguments.files:
        path, sweep, start, stop = window.rsplit(":", 3)
        recording = lf.read_recording(
            path, sweep=int(sweep) if sweep else None, start=float(start), stop=float(stop), dt=posterior.dt
        )
        real[recording.name] = efficiency(posterior, recording, arguments.draws)
    result |= {"recordings": real} if real else {}
    print(json.dumps(result, indent=2))
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    RESULTS.write_text(json.dumps(results | {config.name: result}, indent=2) + "\n")


if __name__ == "__main__":
    main()
