"""Is the amortized posterior the exact one? leakyflow and sbi against the reference, on the same held-out recordings.

    python benchmarks/accuracy.py data --preset standard
    python benchmarks/accuracy.py train --preset standard
    SBI_ENVIRONMENT/bin/python benchmarks/accuracy_sbi.py runs/accuracy/standard nsf     # maf, lstm
    python benchmarks/accuracy.py exact --preset standard
    python benchmarks/accuracy.py measure --preset standard
    python benchmarks/accuracy.py table
    python benchmarks/accuracy.py real --files cell.abf:12:1100:1900 other.ibw::600:1000

Each step keeps what it has in `runs/accuracy/` and can be interrupted; `measure` adds what is missing to
`benchmarks/results/accuracy.json`, `real` the posteriors of real recordings (FILE:SWEEP:START:STOP) beside it. All
comparisons are in normal scores of the parameters, whitened by the exact posterior of each recording where a
classifier looks at them.
"""

import argparse
import json
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax

import leakyflow as lf
from leakyflow.likelihood.importance import efficiency
from leakyflow.likelihood.prepare import prepare
from leakyflow.likelihood.sufficient import compress
from leakyflow.models.posterior import Posterior
from leakyflow.models.statistics import summary_statistics
from leakyflow.models.summary import trace_channels
from leakyflow.simulator.dataset import Dataset
from leakyflow.training.config import Config

FOLDER = Path(__file__).parent.parent / "runs" / "accuracy"
RESULTS = Path(__file__).parent / "results"
HELD_OUT_SEED = 2_000_000
# Held-out recordings: all for the density, the first ones for what needs the reference.
N_TEST, N_EXACT = 2000, 100
N_TRAIN, N_TRACES = 100_000, 20_000
N_DRAWS = 1000
PATCH = 25
RECIPE = "recipe"  # the preset `lstm`


# --- simulations


def datasets(config: Config, n: int) -> Dataset:
    """Training simulations on disk, made where they are missing."""
    path = FOLDER / f"{config.name}_{n}.zarr"
    return lf.make_dataset(config, n, seed=config.training.seed, out=path, progress=True)


def held_out(config: Config) -> Dataset:
    """Recordings that no network has seen."""
    return lf.make_dataset(config, N_TEST, seed=HELD_OUT_SEED)


def scores(config: Config, dataset: Dataset) -> np.ndarray:
    """True parameters as normal scores."""
    return config.simulator.prior.to_unconstrained(dataset.parameters())


def export(config: Config) -> None:
    """Simulations as sbi takes them: normal scores, statistics as our network sees them, and raw traces."""
    folder = FOLDER / config.name
    folder.mkdir(parents=True, exist_ok=True)
    parts = {"train": (datasets(config, N_TRAIN), N_TRACES), "test": (held_out(config), N_TEST)}
    columns: dict[str, dict[str, np.ndarray]] = {}
    for name, (dataset, n_traces) in parts.items():
        statistics, traces = [], []
        for first in range(0, len(dataset), 2000):
            recordings = dataset.recordings(slice(first, first + 2000))
            statistics.append(summary_statistics(recordings, compress(recordings)))
            if first < n_traces:
                traces.append(raw_traces(recordings, config.simulator.n_time))
        columns[name] = {
            "z": scores(config, dataset).astype(np.float32),
            "statistics": np.concatenate(statistics),
            "trace": np.concatenate(traces)[:n_traces].astype(np.float32),
        }
    mean, sd = columns["train"]["statistics"].mean(0), columns["train"]["statistics"].std(0)
    sd = np.where(sd > 1e-6 * (1.0 + np.abs(mean)), sd, 1.0)
    for name, arrays in columns.items():
        arrays["statistics"] = np.arcsinh((arrays["statistics"] - mean) / sd).astype(np.float32)
        np.savez(folder / f"{name}.npz", recordings=N_EXACT, **arrays)


def raw_traces(recordings: lf.Batch, n_time: int) -> np.ndarray:
    """Voltage, current, spikes and what is valid, of shape (dataset, time, channel)."""
    inputs = trace_channels(recordings, n_time, PATCH)
    valid = np.arange(inputs["trace"].shape[2]) < inputs["n_samples"]
    return np.stack([*np.where(valid, np.moveaxis(inputs["trace"], 1, 0), 0.0), valid], axis=-1)


# --- networks


def variants(config: Config) -> dict[str, Config]:
    """The preset; the same on as many simulations as sbi is given; other summary networks; the literal recipe."""
    network, training = config.network, config.training
    fewer = replace(config, training=replace(training, n_simulations=N_TRAIN))
    found = {config.name: config, f"{config.name}-{N_TRAIN // 1000}k": fewer}
    if config.name == "standard":
        for variant in ("lstm", "both"):
            summary = replace(network.summary, variant=variant, patch=PATCH)
            few = replace(training, n_simulations=N_TRACES)
            found[f"{config.name}-{variant}"] = replace(config, network=replace(network, summary=summary), training=few)
        found[f"{config.name}-{RECIPE}"] = lf.load_config("lstm")
    return {name: replace(value, name=name) for name, value in found.items()}


def train(config: Config, only: list[str]) -> None:
    """Train what has not been trained, and note the time on the wall and of the processor."""
    for name, variant in variants(config).items():
        folder = FOLDER / "networks" / name
        asked = name in only or not (only or name.endswith(RECIPE))  # 300 epochs of it only if it is named
        if not asked or (folder / "seconds.json").exists():
            continue
        began, cpu_began = time.perf_counter(), time.process_time()
        dataset = datasets(config, max(N_TRAIN, variant.training.n_simulations))
        run = lf.train(variant, dataset, out=folder, resume=folder.exists(), progress=True)
        seconds = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - cpu_began}
        seconds |= {"simulations": variant.training.n_simulations, "epochs": len(run.history)}
        (folder / "seconds.json").write_text(json.dumps(seconds))
        print(name, seconds, run.history[-1])


# --- the exact posteriors


def exact_posteriors(config: Config) -> None:
    """Two halves of independent populations for each recording, and the log evidence."""
    path = FOLDER / config.name / "exact.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    prior = config.simulator.prior
    recordings = held_out(config).recordings(slice(N_EXACT))
    kept = dict(np.load(path)) if path.exists() else {}
    done = len(kept.get("log_evidence", ()))
    rows: dict[str, list[np.ndarray]] = {name: list(value) for name, value in kept.items()}
    for i in range(done, N_EXACT):
        draws = lf.reference_posterior(recordings[i], config.simulator.prior, n_draws=4 * N_DRAWS, seed=1)
        assert draws.diagnostics is not None
        z, _ = prior.scores(draws.array)
        # Draw k is of population k modulo 4.
        row = {"z": np.concatenate([z[0::4], z[1::4]]), "other": np.concatenate([z[2::4], z[3::4]])}
        row |= draws.diagnostics.iloc[0][["log_evidence", "log_evidence_error", "r_hat", "reliable"]].to_dict()
        for name, value in row.items():
            rows.setdefault(name, []).append(np.asarray(value))
        if i % 10 == 9 or i == N_EXACT - 1:
            beside = path.with_suffix(".new.npz")
            np.savez(beside, **{name: np.stack(value).astype(np.float64) for name, value in rows.items()})
            beside.replace(path)
            print(f"{i + 1} of {N_EXACT}", flush=True)


# --- comparison


@partial(jax.jit, static_argnames=("n_steps", "width"))
def _accuracy(
    key: jax.Array, x: jax.Array, y: jax.Array, train: jax.Array, *, n_steps: int = 150, width: int = 32
) -> jax.Array:
    """Right answers of a small network on what it was not trained on."""
    optimizer = optax.adamw(optax.cosine_decay_schedule(1e-2, n_steps), weight_decay=1.0)
    sizes = [x.shape[1], width, width, 1]
    weights = [
        (jax.random.normal(k, (i, o)) * jnp.sqrt(2.0 / i), jnp.zeros(o))
        for k, i, o in zip(jax.random.split(key, 3), sizes, sizes[1:], strict=False)
    ]

    def logit(weights: list) -> jax.Array:
        h = x
        for w, b in weights[:-1]:
            h = jax.nn.relu(h @ w + b)
        return (h @ weights[-1][0] + weights[-1][1])[:, 0]

    def loss(weights: list) -> jax.Array:
        return jnp.sum(train * optax.sigmoid_binary_cross_entropy(logit(weights), y)) / train.sum()

    def step(state: tuple, _: None) -> tuple:
        weights, inner = state
        updates, inner = optimizer.update(jax.grad(loss)(weights), inner, weights)
        return (optax.apply_updates(weights, updates), inner), None

    (weights, _), _ = jax.lax.scan(step, (weights, optimizer.init(weights)), None, length=n_steps)
    return jnp.sum(((logit(weights) > 0) == (y > 0.5)) * (1.0 - train))


def c2st(draws: np.ndarray, exact: np.ndarray, *, n_folds: int = 5) -> float:
    """Cross-validated accuracy of telling draws from the exact posterior's; 0.5 is chance (Lopez-Paz & Oquab 2017).

    Draws that were taken more than once are in one fold, or they would be known again.
    """
    n = min(len(draws), len(exact), N_DRAWS)
    root = np.linalg.inv(np.linalg.cholesky(np.cov(exact.T))).T
    x = jnp.asarray((np.concatenate([draws[:n], exact[:n]]) - exact.mean(0)) @ root, jnp.float32)
    y = jnp.repeat(jnp.array([0.0, 1.0]), n)
    _, same = np.unique(np.asarray(x), axis=0, return_inverse=True)
    fold = (jax.random.permutation(jax.random.key(0), 2 * n) % n_folds)[same.ravel()]
    train = (fold != jnp.arange(n_folds)[:, None]).astype(jnp.float32)
    right = jax.vmap(_accuracy, in_axes=(0, None, None, 0))(jax.random.split(jax.random.key(1), n_folds), x, y, train)
    return float(right.sum() / (2 * n))


def compared(draws: np.ndarray, exact: np.ndarray) -> dict[str, np.ndarray]:
    """C2ST and SD ratios, for each recording."""
    values = np.array([c2st(a, b) for a, b in zip(draws, exact, strict=True)])
    return {"c2st": values, "sd_ratio": np.std(draws, axis=1) / np.std(exact, axis=1)}


def efficiencies(log_ratio: np.ndarray) -> np.ndarray:
    """Effective share of the draws of each recording."""
    return np.array([efficiency(row) for row in log_ratio])


def summarized(found: dict[str, np.ndarray]) -> dict[str, object]:
    """What goes to the table."""
    out: dict[str, object] = {
        "c2st": {
            "mean": float(found["c2st"].mean()),
            "median": float(np.median(found["c2st"])),
            "q90": float(np.quantile(found["c2st"], 0.9)),
        },
        "sd_ratio": [float(x) for x in np.median(found["sd_ratio"], axis=0)],
    }
    if "efficiency" in found:
        out["efficiency"] = {
            "median": float(np.median(found["efficiency"])),
            "q05": float(np.quantile(found["efficiency"], 0.05)),
        }
    return out


def measure(config: Config) -> None:
    """Everything against the exact posterior; written to the results."""
    folder, prior = FOLDER / config.name, config.simulator.prior
    exact = dict(np.load(folder / "exact.npz"))
    everyone = held_out(config)
    truth = scores(config, everyone)
    recordings, near = everyone.recordings(), everyone.recordings(slice(N_EXACT))
    target = prepare(near, prior)

    log_exact = target.log_joint(truth[:N_EXACT, None])[:, 0] - exact["log_evidence"]
    some = exact["z"][:, ::4]
    log_exact_some = target.log_joint(some) - exact["log_evidence"][:, None]
    results = RESULTS / "accuracy.json"
    everything = json.loads(results.read_text()) if results.exists() else {}
    table = everything.setdefault(config.name, {})

    def keep(name: str, row: dict[str, object]) -> None:
        table[name] = row
        results.write_text(json.dumps(everything, indent=2) + "\n")
        print(name, json.dumps(row), flush=True)

    if "exact" not in table:
        own = {"nll": float(-log_exact.mean())}
        own |= {"reliable": float(exact["reliable"].mean()), "recordings": N_EXACT}
        own |= {"silent": float(np.mean([not r.spikes.any() for r in near]))}
        keep("exact", summarized(compared(exact["other"], exact["z"])) | own)
    for path in sorted((FOLDER / "networks").glob(f"{config.name}*")):
        if path.name in table or not (path / "seconds.json").exists():
            continue
        posterior = lf.load_posterior(path)
        row = json.loads((path / "seconds.json").read_text())
        log_q = log_density(posterior, recordings, truth[:, None])[:, 0]
        divergence = (log_exact_some - log_density(posterior, near, some)).mean(1)
        row |= {"nll_all": float(-log_q.mean()), "nll": float(-log_q[:N_EXACT].mean())}
        row |= {"above_exact": float((log_exact - log_q[:N_EXACT]).mean())}
        row |= {"forward_kl": {"mean": float(divergence.mean()), "largest": float(divergence.max())}}
        for which, correct in (("amortized", False), ("corrected", True)):
            draws, seconds = timed(posterior, near, correct)
            z, _ = prior.scores(draws.array)
            found = compared(z, exact["z"])
            if not correct:
                found["efficiency"] = efficiencies(target.log_joint(z) - log_density(posterior, near, z))
            row[which] = summarized(found) | seconds
            if correct:
                assert draws.diagnostics is not None
                table_of = draws.diagnostics
                row[which] |= {  # type: ignore[operator]
                    "k_hat_above_0.7": float((table_of.k_hat > 0.7).mean()),
                    "methods": {str(k): int(v) for k, v in table_of.method.value_counts().items()},
                    "evidence_difference_sd": float(np.std(table_of.log_evidence.to_numpy() - exact["log_evidence"])),
                }
        keep(path.name, row)
    for path in sorted(folder.glob("sbi_*.npz")):
        if path.stem in table:
            continue
        given = np.load(path)
        z, log_q = given["draws"][:N_EXACT].astype(np.float64), given["log_q"].astype(np.float64)
        found = compared(z, exact["z"])
        found["efficiency"] = efficiencies(target.log_joint(z) - given["log_q_draws"][:N_EXACT])
        row = json.loads(str(given["record"])) | summarized(found)
        row |= {"nll_all": float(-log_q.mean()), "nll": float(-log_q[:N_EXACT].mean())}
        keep(path.stem, row | {"above_exact": float((log_exact - log_q[:N_EXACT]).mean())})


def log_density(posterior: Posterior, recordings: lf.Batch, z: np.ndarray) -> np.ndarray:
    """Log density of normal scores."""
    columns = dict(zip(posterior.names, np.moveaxis(posterior.prior.natural(z), -1, 0), strict=True))
    return posterior.log_prob(recordings, columns) + posterior.prior.log_det_jacobian(z)


def timed(posterior: Posterior, recordings: lf.Batch, correct: bool) -> tuple[lf.Draws, dict[str, float]]:
    """Draws of all recordings, and how long one takes alone, compiled before."""
    draws = posterior.sample(recordings, n_draws=N_DRAWS, seed=1, correct=correct)
    assert draws.diagnostics is not None
    # One whose weights could be used: sequential Monte Carlo is the exact posterior's own time.
    usual = int(np.argmax(~(draws.diagnostics.k_hat.to_numpy() > 0.7)))
    times = []
    for _ in range(12):
        began = time.perf_counter()
        posterior.sample(recordings[usual], n_draws=N_DRAWS, seed=1, correct=correct)
        times.append(time.perf_counter() - began)
    return draws, {"seconds_per_recording": float(np.median(times[2:]))}


# --- real recordings


def real(windows: list[str]) -> None:
    """Amortized (by the network that ships), corrected and exact posterior side by side."""
    posterior, config = lf.load_posterior("lif"), lf.load_config("lif")
    typicality = lf.typicality_of(posterior)
    out = {}
    for window in windows:
        path, sweep, start, stop = window.rsplit(":", 3)
        recording = lf.read_recording(
            path, sweep=int(sweep) if sweep else None, start=float(start), stop=float(stop), dt=posterior.dt
        )
        posteriors = {
            "amortized": posterior.sample(recording, n_draws=2000, correct=False),
            "corrected": posterior.sample(recording, n_draws=2000),
            "exact": lf.reference_posterior(recording, config.simulator.prior, n_draws=2000),
        }
        row: dict[str, object] = {"spikes": int(recording.spikes.sum()), "typicality": typicality.check(recording).note}
        for which, draws in posteriors.items():
            row[which] = {name: [float(draws[name].mean()), float(draws[name].std())] for name in draws}
        diagnostics = posteriors["corrected"].diagnostics
        assert diagnostics is not None
        row |= diagnostics.iloc[0][["method", "k_hat", "efficiency", "log_evidence"]].to_dict()
        out[f"{Path(path).name}:{sweep}:{start}:{stop}"] = row
        print(json.dumps(row))
    (RESULTS / "real_recordings.json").write_text(json.dumps(out, indent=2) + "\n")


# --- tables


def markdown(head: str, rows: list[list[str]]) -> str:
    """A table."""
    lines = [head, "|---" * (head.count("|") - 1) + "|", *("| " + " | ".join(row) + " |" for row in rows)]
    return "\n".join(lines)


def table() -> None:
    """Print the results as Markdown."""
    results = json.loads((RESULTS / "accuracy.json").read_text())
    for preset, found in results.items():
        sharpness, cost = [], []
        for name, row in found.items():
            parts = {which: row[which] for which in ("amortized", "corrected") if which in row} or {"": row}
            for which, part in parts.items():
                cells = [f"{name} {which}".strip(), f"{part['c2st']['median']:.3f}", f"{part['c2st']['q90']:.3f}"]
                cells.append(", ".join(f"{x:.2f}" for x in part["sd_ratio"]))
                share = part.get("efficiency")
                cells += [f"{share[q]:.2f}" if share else "" for q in ("median", "q05")]
                cells.append(f"{row['above_exact']:+.2f}" if which != "corrected" and "above_exact" in row else "")
                sharpness.append(cells)
            own, corrected, kl = row.get("amortized", row), row.get("corrected"), row.get("forward_kl")
            cells = [name, f"{row['simulations']:,}" if "simulations" in row else "", str(row.get("epochs", ""))]
            cells += [
                f"{row['cpu_seconds']:.0f}" if "cpu_seconds" in row else "",
                f"{own['seconds_per_recording']:.3f}" if "seconds_per_recording" in own else "",
            ]
            cells.append(f"{corrected['seconds_per_recording']:.3f}" if corrected else "")
            cells += [f"{kl[q]:.2f}" if kl else "" for q in ("mean", "largest")]
            cells.append(f"{100 * corrected['k_hat_above_0.7']:.1f} %" if corrected else "")
            cells.append(f"{row['nll_all']:.2f}" if "nll_all" in row else "")
            cost.append(cells)
        print(f"\n### {preset}\n")
        head = "| posterior | C2ST median | 90 % | SD / exact SD | efficiency median | 5 % | NLL above exact |"
        print(markdown(head, sharpness), end="\n\n")
        head = "| posterior | simulations | epochs | training, CPU s | s a recording | corrected | KL | largest "
        head += "| k-hat | NLL of 2,000 |"
        print(markdown(head, cost))


def main() -> None:
    """Run one step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("data", "train", "exact", "measure", "real", "table"))
    parser.add_argument("--preset", default="standard", help="standard or lif")
    parser.add_argument("--only", nargs="*", default=[], help="networks to train; all by default")
    parser.add_argument("--files", nargs="*", default=[], help="FILE:SWEEP:START:STOP")
    arguments = parser.parse_args()
    config = lf.load_config(arguments.preset)
    match arguments.step:
        case "data":
            export(config)
        case "train":
            train(config, arguments.only)
        case "exact":
            exact_posteriors(config)
        case "measure":
            measure(config)
        case "table":
            table()
        case _:
            real(arguments.files)


if __name__ == "__main__":
    main()
