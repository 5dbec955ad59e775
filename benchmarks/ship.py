"""Put a finished run into the package, with the density that it must keep and a model card.

    leakyflow train --config standard --out runs/standard
    leakyflow diagnose runs/standard
    python benchmarks/ship.py runs/standard

The folder `src/leakyflow/networks/NAME` gets settings, history, weights, what is typical, and `README.md`, the card:
how the network was made, what `leakyflow diagnose` found, and when not to use it.
"""

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd

import leakyflow as lf
from accuracy import log_density, markdown, scores
from leakyflow.diagnostics.suite import DIAGNOSTICS, Suite
from leakyflow.diagnostics.typicality import TYPICALITY
from leakyflow.models.network import Network
from leakyflow.models.posterior import Posterior
from leakyflow.report.settings import described
from leakyflow.simulator.distributions import AbstractDistribution
from leakyflow.simulator.prior import Observed
from leakyflow.training.config import Config
from leakyflow.training.run import CONFIG, HISTORY, NETWORK, RECORD, SHIPPED, read_record

HELD_OUT_SEED, N_HELD_OUT = 5_000_000, 5000
WARNINGS = {
    "standard": """\
- For recordings of cells: their membrane noise is not 0.3 mV / sqrt(ms), their threshold is not hard, and their reset
  is not -60 mV. Use `recording`.
- For other priors than those below, which are wide around mouse cortical neurons.""",
    "lstm": """\
- Without correction: its own draws are several times wider than the exact posterior, and corrected ones need
  sequential Monte Carlo more often. `standard` has the same prior, is sharper and faster; this network is the recipe
  that it is measured against.
- For recordings of cells, and for other priors than those below, as with `standard`.""",
    "recording": """\
- Where `leakyflow infer` begins with "atypical" or ends with "does not reproduce this recording": the parameters are
  those of the best leaky integrate-and-fire neuron, and their SDs say nothing of what the model lacks.
- As if one posterior were the cell's: the model has no after-spike currents and no adaptation, and tau of a real cell
  falls from weak to strong currents by many SDs.
- For neurons far from the priors below (interneurons with tau below 5 ms, large cells above 500 pF): write your own.
- On windows that begin within a step, or on traces whose access resistance was not compensated.
- For absolute thresholds to better than 1 mV: the threshold's noise is drawn anew at each step; V_th depends on dt.""",
}


def density(posterior: Posterior, n: int, seed: int) -> np.ndarray:
    """Negative log density of the true normal scores, of recordings that no network has seen."""
    dataset = lf.make_dataset(posterior.network, n, seed=seed)
    return -log_density(posterior, dataset.recordings(), scores(posterior.network, dataset)[:, None])[:, 0]


def as_table(frame: pd.DataFrame) -> str:
    """A table, without its index."""
    return markdown("| " + " | ".join(frame.columns) + " |", frame.astype(str).to_numpy().tolist())


def said(entry: float | AbstractDistribution | Observed) -> str:
    """What is known of a parameter, in words."""
    if isinstance(entry, Observed):
        return f"read off each recording, in simulations {described(entry.observed)}"
    return described(entry)


def card(run: Path, config: Config, record: dict) -> str:
    """What the network was trained on, what was found of it, and when not to use it."""
    history = pd.read_csv(run / HISTORY)
    found = Suite(run, run / DIAGNOSTICS).finished()
    rows = [(part, *check[:3], check.verdict) for part, checks in found.items() for check in checks]
    verdicts = pd.DataFrame(rows, columns=["part", "check", "found", "bound", "verdict"])
    recovery = pd.read_csv(run / DIAGNOSTICS / "recovery_raw.csv").round(3)
    shortest, longest = config.simulator.duration
    held_out, versions = record["held_out"], ", ".join(f"{k} {v}" for k, v in record["versions"].items())
    priors = "\n".join(f"- `{name}`: {said(entry)}" for name, entry in config.simulator.parameters.root.items())
    return f"""# `{config.name}`

Takes recordings of {shortest:g} to {longest:g} ms at dt {config.simulator.dt:g} ms; infers
{", ".join(f"`{name}`" for name in config.simulator.parameters.inferred)}.

## When not to use it

{WARNINGS[config.name]}

## How it was made

```bash
leakyflow train --config {config.name} --out runs/{config.name}
```

{config.training.n_simulations:,} simulations from seed {record["dataset_seed"]}, {len(history)} epochs in \
{history.seconds.sum():.0f} s, weights from seed {record["seed"]}, backend {record["backend"]}, fingerprint of the
settings {record["config"]}, with {versions}.
All settings are in `{CONFIG}`, the losses in `{HISTORY}`.

The mean negative log density of the true normal scores of {held_out["n"]:,} held-out recordings is
{held_out["nll"]:.3f} nats (standard error {held_out["sd"] / held_out["n"] ** 0.5:.3f}).

{priors}

## What `leakyflow diagnose {config.name}` found

{as_table(verdicts)}

The network's own draws, before any correction:

{as_table(recovery)}
"""


def main() -> None:
    """Ship one run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a finished and diagnosed run of a preset")
    run = parser.parse_args().run
    record, config, posterior = read_record(run), lf.load_config(run / CONFIG), lf.load_posterior(run)
    if record["state"] != "finished" or config.hash != lf.load_config(config.name).hash:
        parser.error(f"{run} must be a finished run of the preset `{config.name}` as it is now.")
    untrained = Posterior(Network(config.network, config.simulator, seed=config.training.seed), name="untrained")
    loss, other = (density(tried, N_HELD_OUT, HELD_OUT_SEED) for tried in (posterior, untrained))
    # Recording by recording, within a nat: what training has brought, little of which is luck.
    gain = np.clip(other - loss, -1.0, 1.0)
    record["held_out"] = {"nll": float(loss.mean()), "sd": float(loss.std()), "n": N_HELD_OUT, "seed": HELD_OUT_SEED}
    record["held_out"] |= {"gain": float(gain.mean()), "gain_sd": float(gain.std())}
    folder = SHIPPED / config.name
    folder.mkdir(parents=True, exist_ok=True)
    lf.typicality_of(posterior)
    for name in (CONFIG, HISTORY, NETWORK, TYPICALITY):
        shutil.copyfile(run / name, folder / name)
    (folder / RECORD).write_text(json.dumps(record, indent=2) + "\n")
    (folder / "README.md").write_text(card(run, config, record))
    size = sum(path.stat().st_size for path in folder.iterdir())
    print(f"{folder}: {size / 2**20:.2f} MiB, {record['held_out']}")


if __name__ == "__main__":
    main()
