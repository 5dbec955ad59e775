"""Do corrected draws of simulated cells miss a part of the posterior? The search begun at the true parameters tells.

    python benchmarks/from_truth.py --cells 6 8 12 14

Cells are those of `leakyflow diagnose cell --n 200`. Of each it prints, and keeps in
benchmarks/results/from_truth.json, the log evidence of the corrected draws, that of draws around the mode to which the
true parameters lead, and the squared distance of the truth from the draws' mean, whitened by them: 19 on average where
draws are those of the posterior.
"""

import argparse
import json
from pathlib import Path

import numpy as np

import leakyflow as lf
from leakyflow.files import replacing
from leakyflow.likelihood.cell_mode import cell_mode
from leakyflow.likelihood.importance import Effort, adaptive_importance
from leakyflow.likelihood.reference import ENOUGH
from leakyflow.likelihood.scanned import Scanned
from leakyflow.recordings.batch import Batch
from leakyflow.seeds import evaluation_seed

RESULTS = Path(__file__).parent / "results" / "from_truth.json"
N_CELLS, N_DRAWS = 200, 500


def main() -> None:
    """Compare some cells."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", nargs="+", type=int, default=[6, 8, 12, 14], help=f"numbers up to {N_CELLS - 1}")
    given, posterior = parser.parse_args(), lf.load_posterior("cell")
    dataset = lf.make_dataset(lf.load_config("cell"), N_CELLS, seed=evaluation_seed(0, "held out"))
    prior, truth = posterior.prior, posterior.prior.to_unconstrained(dataset.parameters())
    found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for i in given.cells:
        (cell,) = dataset.recordings(slice(i, i + 1)).cells()
        draws = posterior.sample(cell, n_draws=N_DRAWS, seed=i)
        assert draws.diagnostics is not None
        row = draws.diagnostics.iloc[0]
        z, _ = prior.scores(draws.array)
        away = np.linalg.solve(np.linalg.cholesky(np.cov(z.T)), truth[i] - z.mean(0))
        target = Scanned.of(Batch.of(cell), prior)
        mode = cell_mode(target, truth[i])
        effort = Effort.of(target.n_samples(), N_DRAWS, ENOUGH)
        again = adaptive_importance(target, [mode], effort=effort, rng=np.random.default_rng(i)).weights
        found[str(i)] = {
            "k_hat": float(row["k_hat"]),
            "squared_distance": float(away @ away),
            "log_evidence": float(row["log_evidence"]),
            "log_evidence_from_truth": again.log_evidence,
            "k_hat_from_truth": again.k_hat,
        }
        print(i, found[str(i)], flush=True)
        with replacing(RESULTS) as scratch:
            scratch.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
