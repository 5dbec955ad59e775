"""Are the tails of corrected draws wide enough? Random walks of the draws tell, which leave them where they are if so.

    python benchmarks/tails.py --cells 1 11 12 15 45

Cells are those of `leakyflow diagnose cell --n 200`. Of each, 500 corrected draws walk by 1,200 steps of Metropolis'
algorithm. Then importance sampling begins at their mean and covariance, three times, and goes on until 500 effective
draws have a k-hat of at most 0.7, or as far as `Effort.of` goes. What is kept in benchmarks/results/tails.json is the
share of the walks that lies beyond its 95 % intervals, over all parameters, and the draws that it took.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from jaxtyping import Float64

import leakyflow as lf
from leakyflow.files import replacing
from leakyflow.likelihood.importance import Effort, adaptive_importance, resample
from leakyflow.likelihood.laplace import Laplace
from leakyflow.likelihood.scanned import Scanned
from leakyflow.recordings.batch import Batch
from leakyflow.seeds import evaluation_seed

RESULTS = Path(__file__).parent / "results" / "tails.json"
N_CELLS, N_DRAWS, N_STEPS, N_SEEDS = 200, 500, 1200, 3
# Steps after which the walks have left where they began, and from one look at them to the next.
FIRST, EVERY = 400, 100


def walked(
    target: Scanned, z: Float64[np.ndarray, "draw param"], rng: np.random.Generator
) -> Float64[np.ndarray, "draw param"]:
    """Where all walks were at several looks; steps as Roberts, Gelman & Gilks (1997), of several sizes."""
    z, n, looks = z.copy(), z.shape[1], []
    log_joint = target.log_joint(z[None])[0]
    for step in range(1, N_STEPS + 1):
        root = np.linalg.cholesky(np.cov(z.T) + 1e-10 * np.eye(n))
        size = 2.38 / np.sqrt(n) * np.exp(0.5 * rng.standard_normal((len(z), 1)) - 0.2)
        tried = z + size * rng.standard_normal(z.shape) @ root.T
        value = target.log_joint(tried[None])[0]
        taken = np.log(rng.random(len(z))) < value - log_joint
        z[taken], log_joint[taken] = tried[taken], value[taken]
        if step >= FIRST and step % EVERY == 0:
            looks.append(z.copy())
    return np.concatenate(looks)


def main() -> None:
    """Measure some cells."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", nargs="+", type=int, default=[1, 11, 12, 15, 45], help=f"up to {N_CELLS - 1}")
    given, posterior = parser.parse_args(), lf.load_posterior("cell")
    dataset = lf.make_dataset(lf.load_config("cell"), N_CELLS, seed=evaluation_seed(0, "held out"))
    found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for i in given.cells:
        (cell,) = dataset.recordings(slice(i, i + 1)).cells()
        z, _ = posterior.prior.scores(posterior.sample(cell, n_draws=N_DRAWS, seed=i).array)
        target = Scanned.of(Batch.of(cell), posterior.prior)
        walks = walked(target, z, np.random.default_rng(i))
        begin = [Laplace(walks.mean(0), np.cov(walks.T), np.inf)]
        efforts = {"500": Effort(N_DRAWS, N_DRAWS, 0.0), "all": Effort.of(target.n_samples(), N_DRAWS, N_DRAWS)}
        found[str(i)] = {}
        for name, effort in efforts.items():
            beyond, n_drawn = [], []
            for seed in range(N_SEEDS):
                rng = np.random.default_rng(seed)
                sampled = adaptive_importance(target, begin, effort=effort, rng=rng)
                own = sampled.z[resample(sampled.weights.weight, N_DRAWS, rng)]
                low, high = np.quantile(own, [0.025, 0.975], axis=0)
                beyond.append(float(((walks < low) | (walks > high)).mean()))
                n_drawn.append(len(sampled.z))
            found[str(i)][name] = {"beyond": float(np.mean(beyond)), "n_drawn": float(np.mean(n_drawn))}
        print(i, found[str(i)], flush=True)
        with replacing(RESULTS) as scratch:
            scratch.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
