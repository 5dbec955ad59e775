"""One real cell by its single sweeps and by all of them: do the posteriors agree?

    python benchmarks/real_cell.py

The subthreshold sweeps of 171116sh (shared/recordings), by the plain membrane with its electrode, and with a dendrite
and sag beside it; noises read off the rest before the step. Results go to benchmarks/results/real_cell.json.
"""

import json
import time
from pathlib import Path

import leakyflow as lf
from leakyflow.simulator.distributions import LogNormal, Normal, Uniform
from leakyflow.simulator.prior import Prior, ReadOff

FILE = Path(__file__).parents[2] / "shared" / "recordings" / "steps_171116sh_0018.abf"
RESULTS = Path(__file__).parent / "results" / "real_cell.json"
SWEEPS = [0, 2, 3, 5]
PLAIN = {
    "tau": LogNormal(median=25.0, sigma=0.7),
    "V_rest": Normal(mean=-65.0, sd=8.0),
    "C": LogNormal(median=150.0, sigma=0.7),
    "V_th": Normal(mean=-38.0, sd=9.0),
    "threshold_noise": LogNormal(median=1.5, sigma=0.6),
    "R_s": Normal(mean=0.008, sd=0.01),
    "membrane_noise": ReadOff(LogNormal(median=0.03, sigma=1.0)),
    "current_noise": ReadOff(LogNormal(median=6.0, sigma=0.7)),
    "current_noise_tau": ReadOff(LogNormal(median=5.0, sigma=0.5)),
    "measurement_noise": ReadOff(LogNormal(median=0.05, sigma=0.7)),
    "V_reset": ReadOff(Normal(mean=-55.0, sd=8.0)),
    "reset_noise": 5.0,
    "t_ref": ReadOff(Uniform(low=1.0, high=12.0)),
}
SHAPE = {
    "dendrite_share": Uniform(low=0.02, high=0.95),
    "dendrite_tau": LogNormal(median=2.0, sigma=0.6),
    "sag": LogNormal(median=0.2, sigma=0.8),
    "sag_tau": LogNormal(median=60.0, sigma=0.6),
}
PRIORS = {"plain": Prior(PLAIN), "with dendrite and sag": Prior(PLAIN | SHAPE)}


def main() -> None:
    """Infer each sweep, and the cell."""
    cell = lf.read_cell(FILE, sweeps=SWEEPS, start=900, stop=2500)
    rows = []
    for name, prior in PRIORS.items():
        for what in (*(lf.Cell([sweep]) for sweep in cell), cell):
            begun = time.perf_counter()
            draws = lf.reference_posterior(what, prior, n_draws=1000, seed=0)
            seconds = time.perf_counter() - begun
            summary, found = draws.summary(), draws.diagnostics.iloc[0]
            row = {"model": name, "sweeps": what.name, "seconds": round(seconds, 1), "k_hat": round(found.k_hat, 2)}
            row |= {"reliable": bool(found.reliable), "log_evidence": round(found.log_evidence, 1)}
            for parameter in prior.inferred:
                mean, sd = summary.loc[parameter, ["mean", "sd"]]
                row[parameter] = [float(f"{mean:.4g}"), float(f"{sd:.2g}")]
            rows.append(row)
            print(row, flush=True)
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
