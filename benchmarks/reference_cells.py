"""The exact posterior of cells with all mechanisms, from three sweeps each: does it settle, how long, is it calibrated?

    python benchmarks/reference_cells.py

Cells are drawn from a prior over 18 parameters, given a step down, one above rheobase and a strong one (800 ms each,
dt 0.2 ms), and inferred by `reference_posterior`. By simulation-based calibration (Talts et al. 2018) the rank of the
truth among the draws is uniform for every parameter and for the log likelihood. Each cell is a line of
benchmarks/results/reference_cells.jsonl; interrupted, the same command continues; the last call prints the summary.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import scipy.stats

import leakyflow as lf
from leakyflow.likelihood.prepare import prepare
from leakyflow.simulator.distributions import LogNormal, Normal, Uniform
from leakyflow.simulator.prior import Prior

RESULTS = Path(__file__).parent / "results" / "reference_cells.jsonl"
PRIOR = Prior(
    {
        "tau": LogNormal(median=20.0, sigma=0.5),
        "V_rest": Normal(mean=-70.0, sd=6.0),
        "C": LogNormal(median=110.0, sigma=0.5),
        "V_th": Normal(mean=-45.0, sd=6.0),
        "threshold_noise": LogNormal(median=1.5, sigma=0.5),
        "measurement_noise": 0.05,
        "current_noise": 8.0,
        "current_noise_tau": 5.0,
        "V_reset": -58.0,
        "reset_noise": 3.0,
        "t_ref": 3.0,
        "R_s": Normal(mean=0.01, sd=0.006),
        "ahp_fast": Normal(mean=-120.0, sd=120.0),
        "ahp_fast_tau": LogNormal(median=8.0, sigma=0.3),
        "ahp_slow": Normal(mean=-15.0, sd=12.0),
        "ahp_slow_tau": LogNormal(median=150.0, sigma=0.4),
        "threshold_jump": Normal(mean=3.0, sd=2.0),
        "threshold_jump_tau": LogNormal(median=20.0, sigma=0.5),
        "threshold_coupling": Normal(mean=0.3, sd=0.2),
        "threshold_coupling_tau": LogNormal(median=8.0, sigma=0.4),
        "sag": LogNormal(median=0.3, sigma=0.6),
        "sag_tau": LogNormal(median=60.0, sigma=0.4),
        "dendrite_share": Uniform(low=0.05, high=0.6),
        "dendrite_tau": LogNormal(median=2.0, sigma=0.4),
    }
)
SEED, DT = 20_000, 0.2
STEPS = (-0.4, 1.6, 3.0)  # of the current that brings the passive neuron to its threshold


def cell_of(number: int) -> tuple[lf.Parameters, lf.Cell]:
    """A neuron of the prior, and what it did."""
    truth = PRIOR.sample(1, seed=SEED + number).map(lambda value: float(value[0]))
    reach = max(truth.V_th - truth.V_rest, 5.0) * truth.C / truth.tau * (1.0 + truth.sag)
    steps = [lf.square(amplitude=share * reach, onset=100.0, duration=500.0, t_max=800.0, dt=DT) for share in STEPS]
    sweeps = [lf.simulate(truth, step, seed=1000 * number + i) for i, step in enumerate(steps)]
    return truth, lf.Cell(sweeps, name=f"cell {number}")


def inferred(number: int) -> dict:
    """What became of one cell."""
    truth, cell = cell_of(number)
    begun = time.perf_counter()
    draws = lf.reference_posterior(cell, PRIOR, n_draws=1000, seed=number)
    seconds = time.perf_counter() - begun
    z, _ = PRIOR.scores(draws.array)
    own = np.asarray(PRIOR.to_unconstrained(truth))
    values = prepare(cell, PRIOR).log_likelihood(np.concatenate([z, own[None]])[None])[0]
    ranks = {name: float(np.mean(draws[name] < truth[name])) for name in PRIOR.inferred}
    ranks["log_likelihood"] = float(np.mean(values[:-1] < values[-1]))
    row = draws.diagnostics.iloc[0].to_dict()
    row = {key: value.item() if hasattr(value, "item") else value for key, value in row.items()}
    return {"cell": number, "spikes": cell.n_spikes, "seconds": seconds, "ranks": ranks, **row}


def summary(rows: list[dict]) -> None:
    """Print shares, quantiles, and for each parameter whether its ranks are uniform."""
    seconds = [row["seconds"] for row in rows]
    print(f"{len(rows)} cells, reliable {np.mean([row['reliable'] for row in rows]):.2f}")
    print(f"seconds: median {np.median(seconds):.0f}, longest {max(seconds):.0f}")
    for name in rows[0]["ranks"]:
        ranks = [row["ranks"][name] for row in rows]
        # Ranks of a finite number of draws are discrete; half a step of noise makes them continuous.
        p = scipy.stats.kstest(np.array(ranks) + np.random.default_rng(0).random(len(ranks)) / 1000, "uniform").pvalue
        print(f"{name:24s} p = {p:.3f}")


def main() -> None:
    """Go on where the last call stopped."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=100)
    given = parser.parse_args()
    rows = [json.loads(line) for line in RESULTS.read_text().splitlines()] if RESULTS.is_file() else []
    for number in range(len(rows), given.cells):
        row = inferred(number)
        rows.append(row)
        with RESULTS.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(f"cell {number}: {row['method']} {row['seconds']:.0f} s, reliable {row['reliable']}", flush=True)
    summary(rows)


if __name__ == "__main__":
    main()
