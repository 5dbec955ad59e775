"""What pays in the network and in the correction, and what does not.

    python benchmarks/ablation.py networks --preset standard
    python benchmarks/ablation.py networks --preset recording
    python benchmarks/ablation.py defence
    python benchmarks/ablation.py table

`networks` trains each variant of a preset on the same 100,000 simulations (those of `accuracy.py`) in `runs/ablation/`,
and measures it on held-out recordings: 2,000 for the density, 100 for the effective share of 1,000 draws. `defence`
varies how widely the last of the latent draws are spread before they are weighed, twice on 200 recordings.
Each step keeps what it has in `benchmarks/results/ablation.json` and can be interrupted.
"""

import argparse
import json
import time
from dataclasses import replace

import numpy as np

import leakyflow as lf
from accuracy import (
    FOLDER,
    N_DRAWS,
    N_REFERENCE,
    N_TRAIN,
    RESULTS,
    datasets,
    efficiencies,
    held_out,
    log_density,
    scores,
)
from leakyflow.models import correction
from leakyflow.reference.target import target_of
from leakyflow.training.config import Config

NETWORKS = FOLDER.parent / "ablation"
PATH = RESULTS / "ablation.json"
N_DEFENCE = 200
# Share of the latent draws that is spread, and by which factor.
DEFENCES = [(0.2, 1.0), (0.1, 1.5), (0.2, 1.5), (0.2, 1.75), (0.2, 2.0), (0.3, 1.5), (0.5, 1.3)]


def variants(config: Config) -> dict[str, Config]:
    """The preset, and changes of one thing at a time."""
    config = replace(config, training=replace(config.training, n_simulations=N_TRAIN))
    network, flow = config.network, config.network.flow
    changed = {
        "as it is": network,
        "not standardized by the data": replace(network, standardize="prior"),
        "spline couplings": replace(network, flow=replace(flow, transform="spline")),
        "two more couplings": replace(network, flow=replace(flow, depth=flow.depth + 2)),
        "couplings twice as wide": replace(
            network, flow=replace(flow, widths=tuple(2 * width for width in flow.widths))
        ),
    }
    return {name: replace(config, network=value) for name, value in changed.items()}


def networks(config: Config, only: list[str]) -> None:
    """Train and measure what is missing."""
    everyone = held_out(config)
    truth, recordings = scores(config, everyone), everyone.recordings()
    near = recordings[:N_REFERENCE]
    target = target_of(near, config.simulator.parameters)
    for name, variant in variants(config).items():
        if name in load().get(config.name, {}) or (only and name not in only):
            continue
        folder = NETWORKS / f"{config.name}-{name.replace(' ', '-')}"
        began = time.process_time()
        run = lf.train(variant, datasets(config, N_TRAIN), out=folder, resume=folder.exists(), progress=True)
        seconds = time.process_time() - began
        posterior = lf.load_posterior(folder)
        draws = posterior.sample(near, n_draws=N_DRAWS, correct=False)
        z, _ = posterior.prior.scores(draws.array)
        share = efficiencies(target.log_joint(z) - log_density(posterior, near, z))
        row = {
            "cpu_seconds": seconds,
            "epochs": len(run.history),
            "validation": min(epoch["val_loss"] for epoch in run.history),
            "nll": float(-log_density(posterior, recordings, truth[:, None]).mean()),
            "efficiency": [float(np.median(share)), float(np.quantile(share, 0.05))],
        }
        keep(config.name, name, row)


def defence() -> None:
    """How often the weights fail."""
    posterior = lf.load_posterior("standard")
    recordings = held_out(lf.load_config("standard")).recordings(slice(N_DEFENCE))
    for share, spread in DEFENCES:
        name = "none" if spread == 1.0 else f"{100 * share:.0f} % of the draws, {spread:g} times as wide"
        if name in load().get("defence", {}):
            continue
        correction.DEFENSIVE_SHARE, correction.DEFENSIVE_SPREAD = share, spread
        k_hat = [posterior.sample(recordings, n_draws=N_DRAWS, seed=seed).diagnostics.k_hat for seed in (1, 2)]
        keep("defence", name, {"k_hat_above_0.7": float(np.mean(np.array(k_hat) > 0.7))})


def load() -> dict[str, dict[str, dict]]:
    """What has been measured."""
    return json.loads(PATH.read_text()) if PATH.exists() else {}


def keep(group: str, name: str, row: dict) -> None:
    """Add a row to the results."""
    found = load()
    found.setdefault(group, {})[name] = row
    PATH.write_text(json.dumps(found, indent=2) + "\n")
    print(group, name, row, flush=True)


def table() -> None:
    """Print the results as Markdown."""
    for group, found in load().items():
        if group == "defence":
            print("\n| defence | recordings with k-hat > 0.7 |\n|---|---|")
            for name, row in found.items():
                print(f"| {name} | {100 * row['k_hat_above_0.7']:.1f} % |")
            continue
        print(f"\n| `{group}` | NLL | efficiency, median | 5 % | training, core s |\n|---|---|---|---|---|")
        for name, row in found.items():
            median, low = row["efficiency"]
            print(f"| {name} | {row['nll']:.3f} | {median:.2f} | {low:.2f} | {row['cpu_seconds']:.0f} |")


def main() -> None:
    """Run one step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("networks", "defence", "table"))
    parser.add_argument("--preset", default="standard", help="standard or recording")
    parser.add_argument("--only", nargs="*", default=[], help="variants to train; all by default")
    arguments = parser.parse_args()
    match arguments.step:
        case "networks":
            networks(lf.load_config(arguments.preset), arguments.only)
        case "defence":
            defence()
        case _:
            table()


if __name__ == "__main__":
    main()
