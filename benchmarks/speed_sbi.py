"""How much faster than sbi, on the same work? Run by the interpreter of an environment with both.

    taskset -c 0 SBI_ENVIRONMENT/bin/python benchmarks/speed_sbi.py

One CPU each, in one process after the other: 20,000 simulations of the `standard` model, the same statistics, batches
of 256. sbi trains its neural spline flow with its defaults until its own rule ends it, leakyflow the `standard` network
for one epoch and for the preset's eight. Compared are the time of a training step (leakyflow's alone and at its best,
sbi's with its validation), of 1,000 draws for one recording (from the statistics by sbi, from the recording by
leakyflow), and the time, from the simulations on, until the density of 2,000 held-out recordings is at least sbi's; in
it leakyflow's training steps are compiled. Results go to `benchmarks/results/speed_sbi.json`.
"""

import json
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from sbi.inference import NPE

import leakyflow as lf
from accuracy import N_DRAWS, RESULTS, held_out, log_density, scores
from leakyflow.likelihood.sufficient import compress
from leakyflow.models.statistics import summary_statistics
from leakyflow.simulator.dataset import Dataset
from training import step_seconds

N, BATCH = 20_000, 256
FOLDER = RESULTS.parents[1] / "runs" / "speed_sbi"


def usual(call: Callable[[], object], n: int = 20) -> float:
    """Median seconds of a call, after the first."""
    call()
    times = []
    for _ in range(n):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return float(np.median(times))


def statistics(recordings: lf.Batch) -> np.ndarray:
    """As our own network is given them, chunk by chunk."""
    blocks = [recordings[first : first + 2000] for first in range(0, len(recordings), 2000)]
    return np.concatenate([summary_statistics(block, compress(block)) for block in blocks])


def by_sbi(dataset: Dataset, test: Dataset) -> dict[str, float]:
    """Neural posterior estimation with sbi's defaults but the batch size."""
    torch.set_num_threads(1)
    torch.manual_seed(1)
    config = lf.load_config("standard")
    began = time.perf_counter()
    raw = statistics(dataset.recordings())
    mean, sd = raw.mean(0), raw.std(0)
    sd = np.where(sd > 1e-6 * (1.0 + np.abs(mean)), sd, 1.0)

    def tamed(values: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.arcsinh((values - mean) / sd).astype(np.float32))

    x, z = tamed(raw), torch.from_numpy(scores(config, dataset).astype(np.float32))
    inference = NPE(
        torch.distributions.MultivariateNormal(torch.zeros(4), torch.eye(4)), "nsf", show_progress_bars=False
    )
    inference.append_simulations(z, x)
    prepared = time.perf_counter()
    network = inference.train(training_batch_size=BATCH)
    ended = time.perf_counter()
    x_test = tamed(statistics(test.recordings()))
    z_test = torch.from_numpy(scores(config, test).astype(np.float32))
    with torch.no_grad():
        log_q = torch.cat(
            [network.log_prob(z_test[i : i + 500][None], x_test[i : i + 500])[0] for i in range(0, 2000, 500)]
        )
    posterior = inference.build_posterior()
    n_steps = len(inference.summary["training_loss"]) * (int(0.9 * N) // BATCH)  # sbi keeps a tenth for validation
    return {
        "step_ms": 1e3 * (ended - prepared) / n_steps,
        "draws_ms": 1e3 * usual(lambda: posterior.sample((N_DRAWS,), x=x_test[:1], show_progress_bars=False)),
        "seconds": ended - began,
        "nll": float(-log_q.mean()),
        "epochs": len(inference.summary["training_loss"]),
    }


def by_leakyflow(dataset: Dataset, test: Dataset, epochs: int) -> dict[str, float]:
    """The preset, from simulations to a posterior; the step without what an epoch takes besides."""
    config = lf.load_config("standard")
    config = replace(config, training=replace(config.training, n_simulations=N, epochs=epochs, batch_size=BATCH))
    began = time.perf_counter()
    posterior = lf.train(config, dataset, out=FOLDER / f"{time.time_ns()}").posterior
    seconds = time.perf_counter() - began
    truth, recordings = scores(config, test), test.recordings()
    nll = float(-log_density(posterior, recordings, truth[:, None]).mean())
    row = {"seconds": seconds, "nll": nll, "step_ms": 1e3 * step_seconds(config, N)}
    for name, correct in (("draws_ms", False), ("corrected_ms", True)):
        row[name] = 1e3 * usual(lambda: posterior.sample(recordings[0], n_draws=N_DRAWS, correct=correct))  # noqa: B023
    return row


def main() -> None:
    """Measure, print and save."""
    config = lf.load_config("standard")
    dataset, test = lf.make_dataset(config, N, seed=1), held_out(config)
    by_leakyflow(dataset, test, 1)  # compiles all else
    rows = {"leakyflow, 1 epoch": by_leakyflow(dataset, test, 1), "leakyflow, 8 epochs": by_leakyflow(dataset, test, 8)}
    rows["sbi"] = by_sbi(dataset, test)
    sbi = rows["sbi"]
    ours = next((row for name, row in rows.items() if name != "sbi" and row["nll"] <= sbi["nll"]), None)
    assert ours is not None, f"sbi's density was not reached: {rows}"
    ratios = {name: sbi[name] / ours[name] for name in ("step_ms", "draws_ms")}
    ratios |= {
        "corrected_ms": sbi["draws_ms"] / ours["corrected_ms"],
        "seconds_to_its_nll": sbi["seconds"] / ours["seconds"],
    }
    (RESULTS / "speed_sbi.json").write_text(json.dumps(rows | {"sbi over leakyflow": ratios}, indent=2) + "\n")
    for name, row in (rows | {"sbi over leakyflow": ratios}).items():
        print(f"{name:20s} " + "  ".join(f"{key} {value:.3g}" for key, value in row.items()))


if __name__ == "__main__":
    main()
