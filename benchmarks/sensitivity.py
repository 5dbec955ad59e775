"""What does a posterior owe to its training set, to the protocol, to dt and to the prior?

    python benchmarks/accuracy.py data --preset standard
    python benchmarks/sensitivity.py train
    python benchmarks/sensitivity.py simulations
    python benchmarks/sensitivity.py stimuli dt prior contraction --network standard
    python benchmarks/sensitivity.py table

`train` fits one network to each number of simulations, the first ones of the set made by `accuracy.py data`, in
`runs/sensitivity_simulations/`; an interrupted run continues. The other steps try a network that ships.
Results go to `benchmarks/results/sensitivity.json`.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

import leakyflow as lf
from accuracy import N_TRAIN, datasets, efficiencies, held_out, log_density, markdown, scores
from leakyflow.diagnostics.calibration import sbc_ranks
from leakyflow.diagnostics.contraction import measure_contraction
from leakyflow.diagnostics.convergence import measure_convergence, read_history
from leakyflow.diagnostics.plots.contraction import plot_contraction
from leakyflow.diagnostics.plots.sensitivity import plot_prior_sensitivity, plot_sensitivity
from leakyflow.diagnostics.plots.style import save_figure
from leakyflow.diagnostics.power_scaling import prior_sensitivity
from leakyflow.diagnostics.sensitivity import dt_sensitivity, stimulus_sensitivity
from leakyflow.likelihood.prepare import prepare
from leakyflow.training.config import Config, TrainingConfig

FOLDER = Path(__file__).parent.parent / "runs" / "sensitivity_simulations"
FIGURES = FOLDER.parent / "sensitivity_figures"
RESULTS = Path(__file__).parent / "results" / "sensitivity.json"
N_TEST, N_DRAWS = 1000, 500
N_TRIED, SEED = 100, 3
# Epochs and batch size for each number of simulations: so many that the validation loss rises before the end, for the
# best epoch is kept.
SIZES = {1_000: (60, 64), 3_000: (40, 64), 10_000: (25, 128), 30_000: (16, 256), 100_000: (8, 256)}


def trained_on(training: TrainingConfig, n: int) -> TrainingConfig:
    """The preset's training, on fewer simulations; of few, more are kept to choose the epoch by."""
    epochs, batch_size = SIZES[n]
    kept = 0.2 if n < 10_000 else training.validation_fraction
    return replace(training, n_simulations=n, epochs=epochs, batch_size=batch_size, validation_fraction=kept)


def train(config: Config) -> None:
    """One network for each number of simulations."""
    for n in SIZES:
        folder = FOLDER / str(n)
        variant = replace(config, training=trained_on(config.training, n))
        run = lf.train(variant, datasets(config, N_TRAIN), out=folder, resume=folder.exists())
        print(n, min(run.history, key=lambda row: row["val_loss"]), flush=True)


def simulations(config: Config) -> dict[str, dict[str, float]]:
    """Density of the truth, calibration and efficiency of each network's own draws.

    The mean log densities are compared recording by recording with those of the network that saw most.
    """
    dataset = held_out(config)
    recordings, truth = dataset.recordings(slice(N_TEST)), dataset.parameters(slice(N_TEST))
    prior, z_true = config.simulator.prior, scores(config, dataset)[:N_TEST]
    target = prepare(recordings, prior)
    rows: dict[str, dict[str, float]] = {}
    most = None
    for n in sorted(SIZES, reverse=True):
        posterior, at = lf.load_posterior(FOLDER / str(n)), measure_convergence(read_history(FOLDER / str(n)))
        draws = posterior.sample(recordings, n_draws=N_DRAWS, seed=1, correct=False)
        z, _ = prior.scores(draws.array)
        share = efficiencies(target.log_joint(z) - log_density(posterior, recordings, z))
        log_q = log_density(posterior, recordings, z_true[:, None])[:, 0]
        most = log_q if most is None else most
        rows[str(n)] = {
            "nll": float(-log_q.mean()),
            "above_most": float((most - log_q).mean()),
            "above_most_error": float((most - log_q).std() / np.sqrt(N_TEST)),
            "worst_chi2_p": float(sbc_ranks(draws, truth).p_values().chi2_p.min()),
            "efficiency_median": float(np.median(share)),
            "efficiency_q05": float(np.quantile(share, 0.05)),
            "best_epoch": at.best_epoch,
            "epochs": at.n_epochs,
            "gap": at.gap,
        }
        print(n, json.dumps(rows[str(n)]), flush=True)
    return rows


def tried(step: str, network: str) -> dict[str, list[dict[str, object]]]:
    """What one of the diagnostics says of a network."""
    posterior = lf.load_posterior(network)
    if step == "prior":
        recordings = lf.make_dataset(lf.load_config(network), N_TRIED, seed=SEED).recordings()
        draws = posterior.sample(recordings, n_draws=2000, seed=SEED)
        table = prior_sensitivity(draws, recordings, posterior.prior)
        spikes = np.where(recordings.n_spikes.repeat(len(posterior.names)) > 0, "spiking", "silent")
        table = table.assign(group=spikes).reset_index()
        save_figure(plot_prior_sensitivity(table.set_index("parameter")), FIGURES / f"prior_{network}.png")
        groups = table.groupby(["group", "parameter"], sort=False)
        medians = groups[["prior", "own_prior", "likelihood", "k_hat"]].median()
        counts = groups.diagnosis.value_counts().unstack(fill_value=0)
        return {"groups": rows_of(medians.join(counts).reset_index())}
    if step == "contraction":
        found = measure_contraction(posterior, n=N_TRIED, seed=SEED)
        save_figure(plot_contraction(found), FIGURES / f"contraction_{network}.png")
        return {name: rows_of(getattr(found, name)()) for name in ("slopes", "verdicts", "by_duration", "by_spikes")}
    conditions = {"stimuli": stimulus_sensitivity, "dt": dt_sensitivity}[step](posterior, n=N_TRIED, seed=SEED)
    save_figure(plot_sensitivity(conditions), FIGURES / f"{step}_{network}.png")
    return {name: rows_of(table) for name, table in conditions._asdict().items()}


def rows_of(table: pd.DataFrame) -> list[dict[str, object]]:
    """As JSON has them: no infinity and no NaN."""
    return json.loads(table.replace(np.inf, np.nan).to_json(orient="records"))


def keep(step: str, rows: object) -> None:
    """Add to the results."""
    everything = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    RESULTS.write_text(json.dumps(everything | {step: rows}, indent=2) + "\n")


def table() -> None:
    """Print the results as Markdown."""
    found = json.loads(RESULTS.read_text())
    head = "| simulations | NLL | above most | worst chi-square p | efficiency median | 5 % | best epoch |"
    rows = [
        [
            f"{int(n):,}",
            f"{row['nll']:.3f}",
            f"{row['above_most']:+.3f} ± {row['above_most_error']:.3f}",
            f"{row['worst_chi2_p']:.2g}",
            f"{row['efficiency_median']:.2f}",
            f"{row['efficiency_q05']:.2f}",
            f"{row['best_epoch']} of {row['epochs']}",
        ]
        for n, row in sorted(found.get("simulations", {}).items(), key=lambda item: int(item[0]))
    ]
    print(markdown(head, rows))
    for step, parts in found.items():
        for name, rows_of_part in parts.items() if step != "simulations" else ():
            if name.startswith("by_"):
                continue
            head = "| " + " | ".join(rows_of_part[0]) + " |"
            cells = [[f"{x:.3g}" if isinstance(x, float) else str(x) for x in row.values()] for row in rows_of_part]
            print(f"\n### {step}: {name}\n", markdown(head, cells), sep="\n")


def main() -> None:
    """Run one step, or several."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    steps = ("train", "simulations", "stimuli", "dt", "prior", "contraction", "table")
    parser.add_argument("steps", nargs="+", choices=steps)
    parser.add_argument("--network", default="standard", help="ships; for the steps that try one")
    arguments, config = parser.parse_args(), lf.load_config("standard")
    FIGURES.mkdir(parents=True, exist_ok=True)
    for step in arguments.steps:
        match step:
            case "train":
                train(config)
            case "simulations":
                keep(step, simulations(config))
            case "table":
                table()
            case _:
                keep(f"{step}, {arguments.network}", tried(step, arguments.network))


if __name__ == "__main__":
    main()
