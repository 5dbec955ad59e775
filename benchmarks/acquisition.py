"""Is a neuron of the model still one after it was sampled as laboratories do, written to a file and read back?

    python benchmarks/acquisition.py run --network lif --n 200
    python benchmarks/acquisition.py table --network lif

`run` draws neurons and stimuli from the network's prior, simulates them by `leakyflow` at 10, 20 and 50 kHz (and at the
network's own dt, for comparison), draws a spike over each refractory period, as real cells have one, writes V and I to
a file, and reads it at the network's dt. Of each it keeps the verdict on typicality and whether each parameter's 90 %
interval holds the truth. Finished neurons are kept in `runs/acquisition/`, so it can be interrupted, and a larger `--n`
adds to them. `table` writes their shares to `benchmarks/results/acquisition.json`.

A neuron is one of its step: Euler's decay per step is 1 - dt / tau, and a noisy threshold is drawn anew at each. So
the truth is that of the neuron which does the same at the network's step (`at_step`): for tau and C exactly, for the
threshold by the normal distribution that crosses most alike while the voltage climbs at `CLIMB`. The table gives the
mean errors against the values as they were drawn, too, in posterior SDs.
"""

import argparse
import json
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

import leakyflow as lf
from leakyflow.errors import LeakyflowError
from leakyflow.models.posterior import Posterior
from leakyflow.simulator.config import SimulatorConfig

FOLDER = Path(__file__).parent.parent / "runs" / "acquisition"
RESULTS = Path(__file__).parent / "results" / "acquisition.json"
INTERVALS = (0.1, 0.05, 0.02)  # ms: 10, 20 and 50 kHz
SEED = 7_000_000
N_DRAWS = 500
RISE, PEAK = 0.4, 25.0  # ms, mV
CHUNK = 20
CLIMB = 0.07  # SDs of the threshold in a step of the network: 0.5 mV/ms in 0.2 ms, of 1.5 mV


@dataclass(frozen=True, kw_only=True)
class Fine:
    """What `make_dataset` takes: the network's simulator, at a finer step."""

    simulator: SimulatorConfig


def with_spikes(recording: lf.Recording) -> np.ndarray:
    """The voltage as an amplifier would show it: a spike from each crossing to the release."""
    V = recording.V.astype(np.float64)
    dt, n_time = recording.dt, recording.n_samples
    onsets = np.flatnonzero(recording.spikes)
    for k, stop in zip(onsets, np.append(onsets, n_time)[1:], strict=True):
        held = 1 + int(recording.refractory[k:stop].sum())
        t = dt * np.arange(1, held + 1)  # since the last sample before
        before, after = V[k - 1], V[k]
        up = before + (PEAK - before) * np.sin(np.pi / 2 * np.clip(t / RISE, 0, 1))
        down = after + (PEAK - after) * np.cos(np.pi / 2 * np.clip((t - RISE) / max(held * dt - RISE, dt), 0, 1)) ** 2
        V[k : k + held] = np.where(t < RISE, up, down)
    return V


def read_back(recording: lf.Recording, dt: float, folder: Path) -> lf.Recording:
    path = folder / "cell.npz"
    np.savez(path, dt_ms=recording.dt, V_mV=with_spikes(recording), I_pA=recording.I.astype(np.float64))
    return lf.read_recording(path, dt=dt, current="I_pA")


def at_step(truth: dict[str, float], dt: float, wider: float) -> dict[str, float]:
    """Parameters at a wider step of the neuron that does what this one does at dt."""
    k = round(wider / dt)
    kept = (1.0 - dt / truth["tau"]) ** np.arange(k + 1)
    shift, scale = threshold_of(k)
    changed = {"tau": wider / (1.0 - kept[k]), "C": truth["C"] * k / kept[:k].sum()}
    if noise := truth.get("threshold_noise"):
        changed |= {"V_th": truth["V_th"] - shift * noise, "threshold_noise": scale * noise}
    return truth | changed


def threshold_of(k: int) -> tuple[float, float]:
    """By how many SDs a threshold is lower, and how much less it spreads, of which the least of k draws counts."""
    x = np.arange(-6.0, 3.0, CLIMB)
    crossed = -np.expm1(k * np.log(ndtr(-x)))
    weight = crossed * np.append(1.0, np.cumprod(1.0 - crossed)[:-1])  # of being crossed here
    slope, at_zero = np.polyfit(x, ndtri(np.clip(crossed, 1e-15, 1.0 - 1e-15)), 1, w=np.sqrt(weight))
    return at_zero / slope, 1.0 / slope


def one(
    posterior: Posterior, typicality: lf.Typicality, recording: lf.Recording, drawn: dict[str, float], dt: float
) -> dict:
    """Verdict, and for each parameter whether its 90 % interval holds the truth, and how far that is off, in SDs."""
    truth = at_step(drawn, dt, posterior.dt)
    verdict = typicality.check(recording)
    draws = posterior.sample(recording, n_draws=N_DRAWS, seed=0)
    row: dict[str, Any] = {"p": verdict.p, "note": verdict.reason, "n_spikes": int(recording.spikes.sum())}
    for name in draws.names:
        low, high = np.quantile(draws[name], [0.05, 0.95])
        mean, sd = float(np.mean(draws[name])), float(np.std(draws[name]))
        holds = bool(low <= truth[name] <= high)
        row[name] = {"holds": holds, "error": (mean - truth[name]) / sd, "error_as_drawn": (mean - drawn[name]) / sd}
    return row


def run(network: str, n: int) -> None:
    posterior = lf.load_posterior(network)
    typicality = lf.typicality_of(posterior)
    own = posterior.network.simulator
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        for dt in (own.dt, *INTERVALS):
            path = FOLDER / f"{network}_{dt:g}.jsonl"
            done = len(path.read_text().splitlines()) if path.exists() else 0
            for first in range(done - done % CHUNK, n, CHUNK):
                dataset = lf.make_dataset(Fine(simulator=replace(own, dt=dt)), CHUNK, seed=SEED + first)
                truth = dataset.parameters()
                for i, recording in enumerate(dataset.recordings()):
                    if not done <= first + i < n:
                        continue
                    values = {name: float(getattr(truth, name)[i]) for name in posterior.names}
                    try:
                        seen = recording if dt == own.dt else read_back(recording, own.dt, Path(scratch))
                        row = one(posterior, typicality, seen, values, dt)
                        row["n_simulated"] = int(recording.spikes.sum())
                    except LeakyflowError as error:
                        row = {"refused": str(error)}
                    with path.open("a") as file:
                        file.write(json.dumps(row) + "\n")
                print(f"dt = {dt:g} ms: {min(first + CHUNK, n)} of {n}", flush=True)


def table(network: str) -> None:
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    results[network] = {}
    for path in sorted(FOLDER.glob(f"{network}_*.jsonl")):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        seen = [row for row in rows if "refused" not in row]
        names = [name for name in seen[0] if isinstance(seen[0][name], dict)]
        results[network][path.stem.split("_")[-1]] = {
            "n": len(rows),
            "refused": [row["refused"] for row in rows if "refused" in row],
            "typical": float(np.mean([row["p"] >= 0.05 for row in seen])),
            "very_atypical": float(np.mean([row["p"] < 0.005 for row in seen])),
            "other_number_of_spikes": float(np.mean([row["n_spikes"] != row["n_simulated"] for row in seen])),
            "holds90": {name: float(np.mean([row[name]["holds"] for row in seen])) for name in names},
            **{
                f"mean_{error}": {name: float(np.mean([row[name][error] for row in seen])) for name in names}
                for error in ("error", "error_as_drawn")
            },
        }
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    print(json.dumps(results[network], indent=2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=["run", "table"])
    parser.add_argument("--network", default="lif")
    parser.add_argument("--n", type=int, default=200)
    arguments = parser.parse_args()
    if arguments.step == "run":
        run(arguments.network, arguments.n)
    table(arguments.network)


if __name__ == "__main__":
    main()
