"""What pays in the network, in its training and in the correction, and what does not.

    python benchmarks/accuracy.py reference --preset standard
    python benchmarks/ablation.py networks --preset standard
    python benchmarks/ablation.py ensemble --preset standard
    python benchmarks/ablation.py defence
    python benchmarks/ablation.py table

`networks` trains a preset and changes of one thing at a time on the same 100,000 simulations in `runs/ablation/`, and
measures each on held-out recordings: 2,000 for the density, 100 for the effective share of 1,000 draws and for the
classifier that tells them from the exact posterior's (C2ST). `ensemble` trains further seeds of the preset and mixes
them with weights from validation. `defence` varies how widely the last of the latent draws are spread before they are
weighed, twice on 200 recordings. Each step keeps what it has in `benchmarks/results/ablation.json` and can be
interrupted.
"""

import argparse
import json
import time
from dataclasses import replace

import numpy as np
from scipy import special

import leakyflow as lf
from accuracy import (
    FOLDER,
    N_DRAWS,
    N_EXACT,
    N_TRAIN,
    RESULTS,
    compared,
    datasets,
    efficiencies,
    held_out,
    log_density,
    scores,
    summarized,
)
from leakyflow.likelihood.prepare import prepare as prepare_cells
from leakyflow.models import correction
from leakyflow.models.config import NetworkConfig
from leakyflow.models.network import Network
from leakyflow.models.posterior import Posterior
from leakyflow.training.batches import Examples, prepare
from leakyflow.training.config import Config, TrainingConfig
from leakyflow.training.fit import fit_network
from leakyflow.training.run import CONFIG, NETWORK

NETWORKS = FOLDER.parent / "ablation"
PATH = RESULTS / "ablation.json"
N_DEFENCE = 200
N_MEMBERS = 4
# Share of the latent draws that is spread, and by which factor.
DEFENCES = [(0.2, 1.0), (0.1, 1.5), (0.2, 1.5), (0.2, 1.75), (0.2, 2.0), (0.3, 1.5), (0.5, 1.3)]


def variants(config: Config) -> dict[str, Config]:
    """The preset on fewer simulations, and changes of one thing at a time."""
    training = replace(config.training, n_simulations=N_TRAIN)
    network, flow, summary = config.network, config.network.flow, config.network.summary
    networks: dict[str, NetworkConfig] = {
        "as it is": network,
        "LSTM on the trace": replace(network, summary=replace(summary, variant="lstm")),
        "statistics and LSTM": replace(network, summary=replace(summary, variant="both")),
        "not standardized by the data": replace(network, standardize="prior"),
        "spline couplings": replace(network, flow=replace(flow, transform="spline")),
        "batch normalization": replace(network, flow=replace(flow, normalization="batch")),
        "no normalization": replace(network, flow=replace(flow, normalization="none")),
        "two more couplings": replace(network, flow=replace(flow, depth=flow.depth + 2)),
        "couplings twice as wide": replace(network, flow=replace(flow, widths=tuple(2 * w for w in flow.widths))),
    }
    # As many steps, each on simulations that were never seen.
    online = replace(training, n_simulations=training.epochs * N_TRAIN, epochs=1)
    trainings: dict[str, TrainingConfig] = {
        "constant learning rate": replace(training, schedule="constant"),
        "exponential decay": replace(training, schedule="exponential"),
        "each simulation seen once": online,
    }
    found = {name: replace(config, network=value, training=training) for name, value in networks.items()}
    return found | {name: replace(config, training=value) for name, value in trainings.items()}


class Bench:
    """Simulations, their features, and held-out recordings of a preset, each made once."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.examples: dict[tuple, Examples] = {}
        everyone = held_out(config)
        self.truth, self.recordings = scores(config, everyone), everyone.recordings()
        self.near = self.recordings[:N_EXACT]
        self.target = prepare_cells(self.near, config.simulator.prior)
        self.exact = np.load(FOLDER / config.name / "exact.npz")["z"]

    def trained(self, name: str, variant: Config) -> tuple[Posterior, dict[str, float]]:
        """A network, and what its training took."""
        folder = NETWORKS / f"{variant.name}-{name.replace(' ', '-')}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / CONFIG).write_text(variant.to_toml())
        n, network = (
            variant.training.n_simulations,
            Network(variant.network, variant.simulator, seed=variant.training.seed),
        )
        key = (n, variant.network.standardize, variant.network.summary.variant)
        if key not in self.examples:
            self.examples = {key: prepare(network, datasets(variant, n), n=n, progress=True)}  # one at a time: memory
        began = time.process_time()
        history = fit_network(variant, self.examples[key]._replace(network=network), folder, progress=True)
        network.load_weights(folder / NETWORK)
        spent = folder / "cpu_seconds"  # by all calls together
        seconds = time.process_time() - began + (float(spent.read_text()) if spent.exists() else 0.0)
        spent.write_text(f"{seconds}\n")
        row = {"cpu_seconds": seconds, "epochs": len(history), "validation": min(x["val_loss"] for x in history)}
        return Posterior(network, name=name), row

    def measured(self, log_q: np.ndarray, draws: np.ndarray, log_q_draws: np.ndarray) -> dict[str, object]:
        """NLL of the true normal scores, C2ST and efficiency of draws of the normal scores."""
        found = compared(draws[: len(self.exact)], self.exact) | {
            "efficiency": efficiencies(self.target.log_joint(draws) - log_q_draws)
        }
        return {"nll": float(-log_q.mean())} | summarized(found)


def drawn(posterior: Posterior, recordings: lf.Batch, n: int, seed: int = 0) -> np.ndarray:
    """Normal scores of uncorrected draws."""
    return posterior.prior.scores(posterior.sample(recordings, n_draws=n, seed=seed, correct=False).array)[0]


def networks(config: Config, only: list[str]) -> None:
    """Train and measure what is missing."""
    bench = Bench(config)
    for name, variant in variants(config).items():
        if name in load().get(config.name, {}) or (only and name not in only):
            continue
        posterior, row = bench.trained(name, variant)
        z = drawn(posterior, bench.near, N_DRAWS)
        log_q = log_density(posterior, bench.recordings, bench.truth[:, None])[:, 0]
        keep(config.name, name, row | bench.measured(log_q, z, log_density(posterior, bench.near, z)))


def ensemble(config: Config) -> None:
    """Several seeds, mixed: better than one, and than the same time spent on one?"""
    bench, variant = Bench(config), variants(config)["as it is"]
    members = []
    for i in range(N_MEMBERS):
        seed = replace(variant, training=replace(variant.training, seed=variant.training.seed + i))
        members.append(bench.trained("as it is" if i == 0 else f"seed {i + 1}", seed)[0])
    validation = datasets(variant, N_TRAIN)
    rows = slice(variant.training.n_training, N_TRAIN)
    truth, recordings = scores(variant, validation)[rows], validation.recordings(rows)
    weight = stacked(np.stack([log_density(member, recordings, truth[:, None])[:, 0] for member in members]))
    n = np.diff(np.round(np.concatenate([[0.0], np.cumsum(weight)]) * N_DRAWS).astype(int))
    z = np.concatenate(
        [drawn(m, bench.near, k, seed=i) for i, (m, k) in enumerate(zip(members, n, strict=True)) if k], 1
    )

    def mixed(recordings: lf.Batch, z: np.ndarray) -> np.ndarray:
        log_q = np.stack([log_density(member, recordings, z) for member in members])
        return special.logsumexp(log_q, axis=0, b=weight[:, None, None])

    apart = np.stack([drawn(member, bench.near, N_DRAWS).mean(1) for member in members]).std(0) / z.std(1)
    row = {"weights": weight.tolist(), "spread": float(np.median(apart)), "spread_q95": float(np.quantile(apart, 0.95))}
    log_q = mixed(bench.recordings, bench.truth[:, None])[:, 0]
    keep(config.name, f"{N_MEMBERS} seeds mixed", row | bench.measured(log_q, z, mixed(bench.near, z)))


def stacked(log_density: np.ndarray, n_iterations: int = 200) -> np.ndarray:
    """Weights of (member, recording) densities that give validation the largest density (Yao et al. 2018), by EM."""
    weight = np.full(len(log_density), 1.0 / len(log_density))
    for _ in range(n_iterations):
        weight = special.softmax(log_density + np.log(weight)[:, None], axis=0).mean(1)
    return weight


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
        print(f"\n| `{group}` | NLL | C2ST, median | 90 % | efficiency, median | 5 % | training, CPU s |")
        print("|---|---|---|---|---|---|---|")
        for name, row in found.items():
            share, c2st = row["efficiency"], row.get("c2st")
            seconds = f"{row['cpu_seconds']:.0f}" if "cpu_seconds" in row else ""
            cells = [name, f"{row['nll']:.3f}", *([f"{c2st[q]:.3f}" for q in ("median", "q90")] if c2st else ("", ""))]
            print(f"| {' | '.join(cells)} | {share['median']:.2f} | {share['q05']:.2f} | {seconds} |")


def main() -> None:
    """Run one step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("networks", "ensemble", "defence", "table"))
    parser.add_argument("--preset", default="standard", help="standard or lif")
    parser.add_argument("--only", nargs="*", default=[], help="variants to train; all by default")
    arguments = parser.parse_args()
    match arguments.step:
        case "networks":
            networks(lf.load_config(arguments.preset), arguments.only)
        case "ensemble":
            ensemble(lf.load_config(arguments.preset))
        case "defence":
            defence()
        case _:
            table()


if __name__ == "__main__":
    main()
