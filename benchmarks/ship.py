"""Put a finished run into the package, with the density that it must keep and a model card.

    leakyflow train --config standard --out runs/standard
    leakyflow diagnose runs/standard
    python benchmarks/ship.py runs/standard

The folder `src/leakyflow/networks/NAME`, in which `limits.md` says when not to use the network, gets settings, history,
weights, what is typical of single sweeps, what `leakyflow diagnose` measured on these weights, and `README.md`, the
card made of it all.
"""

import argparse
import json
import shutil
from pathlib import Path

import numpy as np

import leakyflow as lf
from accuracy import log_density, scores
from leakyflow.diagnostics.suite import CHECKS, DIAGNOSTICS
from leakyflow.diagnostics.typicality import TYPICALITY
from leakyflow.files import replacing
from leakyflow.models.network import Network
from leakyflow.models.posterior import Posterior
from leakyflow.report.card import CARD, LIMITS, RECOVERY, card
from leakyflow.training.run import CONFIG, HISTORY, NETWORK, RECORD, SHIPPED, read_record

HELD_OUT_SEED, N_HELD_OUT = 5_000_000, 5000
N_AGAIN = 12


def density(posterior: Posterior, n: int, seed: int) -> np.ndarray:
    """Negative log density of the true normal scores, of recordings that no network has seen."""
    dataset = lf.make_dataset(posterior.network, n, seed=seed)
    return -log_density(posterior, dataset.recordings(), scores(posterior.network, dataset)[:, None])[:, 0]


def medians(loss: np.ndarray, untrained: np.ndarray) -> dict[str, float]:
    """Of the first cells, which a test infers again: by the network, and before it was trained."""
    first = slice(N_AGAIN)
    return {"n_again": N_AGAIN, "median": float(np.median(loss[first]))} | {
        "untrained_median": float(np.median(untrained[first]))
    }


def main() -> None:
    """Ship one run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a finished and diagnosed run of a preset")
    parser.add_argument("--n", type=int, default=N_HELD_OUT, help="held-out recordings, or cells")
    given = parser.parse_args()
    run, n = given.run, given.n
    record, config, posterior = read_record(run), lf.load_config(run / CONFIG), lf.load_posterior(run)
    if record["state"] != "finished" or config.hash != lf.load_config(config.name).hash:
        parser.error(f"{run} must be a finished run of the preset `{config.name}` as it is now.")
    untrained = Posterior(Network(config.network, config.simulator, seed=config.training.seed), name="untrained")
    loss, other = (density(tried, n, HELD_OUT_SEED) for tried in (posterior, untrained))
    # Recording by recording, within a nat: what training has brought, little of which is luck.
    gain = np.clip(other - loss, -1.0, 1.0)
    record["config"] = config.hash  # the same settings, whatever form an earlier version wrote them in
    record["held_out"] = {"nll": float(loss.mean()), "sd": float(loss.std()), "n": n, "seed": HELD_OUT_SEED}
    record["held_out"] |= {"gain": float(gain.mean()), "gain_sd": float(gain.std())}
    if posterior.network.takes_cells:  # of which a few, whose mode was not found, make the mean
        record["held_out"] |= medians(loss, other)
    folder = SHIPPED / config.name
    (folder / DIAGNOSTICS).mkdir(parents=True, exist_ok=True)
    if not (folder / LIMITS).is_file():
        parser.error(f"{folder / LIMITS} must say when not to use the network. Write it.")
    names = [CONFIG, HISTORY, NETWORK, f"{DIAGNOSTICS}/{CHECKS}", f"{DIAGNOSTICS}/{RECOVERY}"]
    if not posterior.network.takes_cells:
        lf.typicality_of(posterior)
        names.append(TYPICALITY)
    for name in names:
        with replacing(folder / name) as path:
            shutil.copyfile(run / name, path)
    with replacing(folder / RECORD) as path:
        path.write_text(json.dumps(record, indent=2) + "\n")
    with replacing(folder / CARD) as path:
        path.write_text(card(folder))
    size = sum(path.stat().st_size for path in folder.rglob("*"))
    print(f"{folder}: {size / 2**20:.2f} MiB, {record['held_out']}")


if __name__ == "__main__":
    main()
