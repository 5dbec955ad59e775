"""Does the verdict on typicality keep its false alarms, and does it see recordings that no neuron of the model made?

    python benchmarks/typicality.py run --preset standard
    python benchmarks/typicality.py run --preset lif --recordings FOLDER
    python benchmarks/typicality.py table

`run` uses the network that ships under that name, and writes its part of `benchmarks/results/typicality.json`: false
alarms on 2,000 held-out simulations, alarms on each kind of misspecified recording, and among 50 of each how often a
wrong posterior (a true parameter outside of its 99 % interval, by corrected draws) goes with a verdict of "typical".
FOLDER holds the real recordings of `REAL`.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import scipy.stats

import leakyflow as lf
from leakyflow.diagnostics.cloud import ATYPICAL, VERY_ATYPICAL
from leakyflow.diagnostics.typicality import Typicality
from leakyflow.models.posterior import Posterior
from leakyflow.simulator.dataset import Dataset
from leakyflow.simulator.simulate import simulate_traces

RESULTS = Path(__file__).parent / "results" / "typicality.json"
HELD_OUT_SEED = 4_000_000
N_HELD_OUT, N_BENCH, N_POSTERIORS = 2000, 400, 50
N_SETS, SET_SIZES, FAINT_SET = 10_000, (1, 10, 100), 20
N_DRAWS, INTERVAL = 500, 0.99
MAINS, HUM = 50.0, 1.0  # Hz, mV
SERIES_RESISTANCE = 0.02  # GOhm
THRESHOLD_NOISE = 2.0  # mV
ADAPTATION, ADAPTATION_TAU = 0.15, 100.0  # each spike's current as a share of the largest injected, ms
# FILE, sweep, window (ms), what it is.
REAL = (
    ("steps_171116sh_0018.abf", 2, 100, 900, "171116sh, step of -50 pA"),
    ("steps_171116sh_0018.abf", 5, 100, 900, "171116sh, step of 25 pA"),
    ("steps_171116sh_0018.abf", 8, 100, 900, "171116sh, step of 100 pA"),
    ("steps_171116sh_0018.abf", 12, 100, 900, "171116sh, step of 200 pA"),
    ("steps_171116sh_0018.abf", 16, 100, 900, "171116sh, step of 300 pA"),
    ("ramp_171116sh_0016.abf", 10, 0, 1000, "171116sh, ramp"),
    ("steps_DRN165.abf", 3, 2100, 3000, "DRN165, weak step"),
    ("steps_DRN165.abf", 15, 2100, 3000, "DRN165, strong step"),
    ("noise_DRN165.abf", 0, 10000, 11000, "DRN165, noise"),
    ("noise_subthreshold_DRN165.abf", 0, 2000, 3000, "DRN165, small noise"),
    ("C060109A1_IDrest_ch1_328.ibw", None, 600, 1500, "C060109A1, step"),
    ("C060109A1_IDrest_ch1_332.ibw", None, 600, 1500, "C060109A1, step"),
)

# --- recordings that no neuron of the model made


def again(dataset: Dataset, **changed: float) -> lf.Batch:
    """The same neurons and currents, with other values of some parameters."""
    recordings, parameters = dataset.recordings(), dataset.parameters().replace(**changed)
    n = len(recordings)
    parameters = parameters.map(lambda value: np.broadcast_to(value, n))
    traces = simulate_traces(parameters, recordings.I, recordings.dt, seed=dataset.seed + 1, index=np.arange(n))
    return replace(recordings, **traces._asdict())


def louder(dataset: Dataset) -> lf.Batch:
    """Three times the membrane noise."""
    return again(dataset, membrane_noise=3.0 * np.asarray(dataset.parameters().membrane_noise))  # type: ignore[arg-type]


def adapting(dataset: Dataset, strength: float = ADAPTATION) -> lf.Batch:
    """Each spike adds to a hyperpolarizing current, which decays (Gerstner et al. 2014, chapter 6)."""
    recordings, p = dataset.recordings(), dataset.parameters()
    I, dt, rng = recordings.I.astype(np.float64), recordings.dt, np.random.default_rng(dataset.seed)
    n, n_time = I.shape
    n_ref = np.rint(p.t_ref / dt).astype(int)
    jump = strength * np.abs(I).max(1)
    V, spikes, refractory = np.empty((n, n_time)), np.zeros((n, n_time), bool), np.zeros((n, n_time), bool)
    V[:, 0] = p.V_rest + p.tau / p.C * I[:, 0] + p.membrane_noise * np.sqrt(p.tau / 2.0) * rng.standard_normal(n)
    w, held = np.zeros(n), np.zeros(n, int)
    for k in range(n_time - 1):
        noise = p.membrane_noise * np.sqrt(dt) * rng.standard_normal(n)
        U = V[:, k] + dt * ((p.V_rest - V[:, k]) / p.tau + (I[:, k] - w) / p.C) + noise
        still = held > 0
        spike = ~still & (U + p.threshold_noise * rng.standard_normal(n) >= p.V_th)
        released = p.V_reset + p.reset_noise * rng.standard_normal(n)
        V[:, k + 1] = np.where(still, V[:, k], np.where(spike, released, U))
        spikes[:, k + 1], refractory[:, k + 1] = spike, still
        held = np.where(spike, n_ref, np.maximum(held - 1, 0))
        w += -dt / ADAPTATION_TAU * w + jump * spike
    return replace(recordings, V=V.astype(np.float32), spikes=spikes, refractory=refractory)


def measured(dataset: Dataset, change: Callable[[lf.Batch], np.ndarray]) -> lf.Batch:
    """The same recordings with something added to the measured voltage, in mV."""
    recordings = dataset.recordings()
    V = (recordings.V + change(recordings)).astype(np.float32)
    for k in range(V.shape[1] - 2, -1, -1):  # from a spike on, what is measured at its end
        V[:, k] = np.where(recordings.refractory[:, k + 1], V[:, k + 1], V[:, k])
    return replace(recordings, V=V)


def humming(recordings: lf.Batch, amplitude: float = HUM) -> np.ndarray:
    """Mains hum of some phase."""
    phase = np.random.default_rng(1).uniform(0.0, 2.0 * np.pi, (len(recordings), 1))
    return amplitude * np.sin(2e-3 * np.pi * MAINS * recordings.dt * np.arange(recordings.V.shape[1]) + phase)


def resistance(recordings: lf.Batch, R: float = SERIES_RESISTANCE) -> np.ndarray:
    """The voltage over an uncompensated series resistance."""
    return R * recordings.I


def silenced(recordings: lf.Batch, V: np.ndarray, I: np.ndarray | None = None) -> lf.Batch:
    """Recordings without spikes."""
    nothing = np.zeros(V.shape, bool)
    I = recordings.I if I is None else I
    return replace(recordings, V=V.astype(np.float32), I=I.astype(np.float32), spikes=nothing, refractory=nothing)


def flat(dataset: Dataset) -> lf.Batch:
    """An electrode outside of the cell: noise of 20 uV around some voltage."""
    recordings, rng = dataset.recordings(), np.random.default_rng(1)
    level = rng.normal(-60.0, 20.0, (len(recordings), 1))
    return silenced(recordings, level + 0.02 * rng.standard_normal(recordings.V.shape))


def scaled(dataset: Dataset, factor: float) -> lf.Batch:
    """Current in another unit."""
    recordings = dataset.recordings()
    return replace(recordings, I=np.asarray(factor * recordings.I, np.float32))


def swapped(dataset: Dataset) -> lf.Batch:
    """Voltage taken for current, and current for voltage."""
    recordings = dataset.recordings()
    return silenced(recordings, recordings.I, recordings.V)


def blocked(dataset: Dataset) -> lf.Batch:
    """After their third spike, neurons stay depolarized and fire no more."""
    recordings, p = dataset.recordings(), dataset.parameters()
    order = np.cumsum(recordings.spikes, axis=1)
    rng = np.random.default_rng(1)
    V, spikes, refractory = recordings.V.astype(np.float64), recordings.spikes.copy(), recordings.refractory.copy()
    plateau, rate = p.V_th + 10.0, recordings.dt / 5.0
    for row in range(len(recordings)):
        if order[row].max() == 0:
            continue
        last = int(np.argmax(order[row] == min(3, order[row].max())))
        begin = last + 1 + int(np.argmin(np.append(refractory[row, last + 1 :], False)))
        spikes[row, begin:] = refractory[row, begin:] = False
        for k in range(begin, V.shape[1]):
            V[row, k] = V[row, k - 1] + rate * (plateau[row] - V[row, k - 1]) + 0.13 * rng.standard_normal()
    return replace(recordings, V=V.astype(np.float32), spikes=spikes, refractory=refractory)


BENCH: dict[str, Callable[[Dataset], lf.Batch]] = {
    "none": lambda dataset: dataset.recordings(),
    "adaptation current": adapting,
    "membrane noise x 3": louder,
    "noisy threshold": partial(again, threshold_noise=THRESHOLD_NOISE),
    "series resistance": partial(measured, change=resistance),
    "50 Hz hum": partial(measured, change=humming),
    "flat electrode": flat,
    "current x 1000": partial(scaled, factor=1000.0),
    "current / 1000": partial(scaled, factor=0.001),
    "swapped channels": swapped,
    "depolarization block": blocked,
}
# Ten times less, for sets.
FAINT: dict[str, Callable[[Dataset], lf.Batch]] = {
    "adaptation current": partial(adapting, strength=0.1 * ADAPTATION),
    "series resistance": partial(measured, change=partial(resistance, R=0.1 * SERIES_RESISTANCE)),
    "50 Hz hum": partial(measured, change=partial(humming, amplitude=0.1 * HUM)),
}
# No posterior of these can be right: no neuron is behind them, or one a thousand times as large as any.
NO_TRUTH = ("flat electrode", "swapped channels", "current x 1000", "current / 1000")
# No misspecification where the parameter is inferred.
INFERRED = {"membrane noise x 3": "membrane_noise", "noisy threshold": "threshold_noise"}
# What shows only where there are so many spikes.
NEEDS_SPIKES = {"adaptation current": 2, "noisy threshold": 1, "depolarization block": 1}


# --- measurements


def alarms(p: np.ndarray) -> dict[str, Any]:
    """Share of recordings called atypical."""
    return {"n": len(p), "atypical": float((p < ATYPICAL).mean()), "very": float((p < VERY_ATYPICAL).mean())}


def band(level: float, n: int) -> list[float]:
    """Where the share of n recordings below a level lies in 95 % of cases."""
    return [float(x) / n for x in scipy.stats.binom.interval(0.95, n, level)]


def held_out(typicality: Typicality, posterior: Posterior) -> dict[str, object]:
    """False alarms of recordings and of sets, and the time that verdicts take."""
    recordings = lf.make_dataset(posterior.network, N_HELD_OUT, seed=HELD_OUT_SEED).recordings()
    typicality.p_value(recordings[:300])
    began = time.perf_counter()
    p = typicality.p_value(recordings)
    seconds, times = (time.perf_counter() - began) * 1000 / N_HELD_OUT, []
    for i in range(12):
        began = time.perf_counter()
        typicality.check(recordings[i])
        times.append(time.perf_counter() - began)
    row: dict[str, object] = {"recordings": alarms(p) | {"band": band(ATYPICAL, len(p)), "ks": ks(p)}}
    row |= {"seconds_per_1000": seconds, "seconds_per_recording": float(np.median(times[2:]))}
    n_spikes, edges = recordings.n_spikes, [0, *typicality.edges.tolist(), np.inf]
    for low, high in pairwise(edges):
        some = p[(n_spikes >= low) & (n_spikes < high)]
        row[f"{low} spikes and more"] = alarms(some) | {"band": band(ATYPICAL, len(some))}
    many = lf.make_dataset(posterior.network, N_SETS, seed=HELD_OUT_SEED + 2).recordings()
    for size in SET_SIZES:
        n_sets = min(N_SETS // size, 500)
        p = np.array([typicality.set_p_value(many[i * size : (i + 1) * size]) for i in range(n_sets)])
        row[f"sets of {size}"] = alarms(p) | {"band": band(ATYPICAL, n_sets)}
    return row


def ks(p: np.ndarray) -> float:
    """Probability of p-values less uniform than these."""
    return float(scipy.stats.kstest(p, "uniform").pvalue)


def bench(typicality: Typicality, dataset: Dataset) -> dict[str, object]:
    """Alarms of misspecified recordings, and the reason most often given."""
    rows: dict[str, object] = {}
    for name, make in BENCH.items():
        recordings = make(dataset)
        affected = recordings.n_spikes >= NEEDS_SPIKES.get(name, 0)
        p = typicality.p_value(recordings)
        row = alarms(p[affected])
        row |= {"unaffected": alarms(p[~affected])} if not affected.all() else {}
        example = recordings[int(np.flatnonzero(affected)[np.argsort(p[affected])[affected.sum() // 2]])]
        rows[name] = row | {"example": typicality.check(example).note}
        print(name, rows[name], flush=True)
    faint: dict[str, object] = {}
    for name, make in FAINT.items():
        recordings = make(dataset)
        recordings = recordings.take(np.flatnonzero(recordings.n_spikes >= NEEDS_SPIKES.get(name, 0)))
        n_sets = len(recordings) // FAINT_SET
        sets = [recordings[i * FAINT_SET : (i + 1) * FAINT_SET] for i in range(n_sets)]
        p = np.array([typicality.set_p_value(some) for some in sets])
        faint[name] = {"recordings": alarms(typicality.p_value(recordings)), f"sets of {FAINT_SET}": alarms(p)}
        print(name, faint[name], flush=True)
    return {"bench": rows, "faint": faint}


def failures(typicality: Typicality, posterior: Posterior, dataset: Dataset, name: str) -> dict[str, object]:
    """How often a wrong posterior goes with each verdict."""
    recordings, truth = BENCH[name](dataset), dataset.parameters()
    affected = recordings.n_spikes >= NEEDS_SPIKES.get(name, 0)
    rows = np.flatnonzero(affected)[:N_POSTERIORS]
    recordings, typical = recordings.take(rows), typicality.p_value(recordings.take(rows)) >= ATYPICAL
    draws = posterior.sample(recordings, n_draws=N_DRAWS, seed=1)
    tail = (1.0 - INTERVAL) / 2.0
    low, high = np.quantile(draws.array, [tail, 1.0 - tail], axis=1)
    true = np.stack([np.asarray(getattr(truth, parameter))[rows] for parameter in posterior.names], axis=-1)
    wrong = ((true < low) | (true > high)).any(axis=1)
    assert draws.diagnostics is not None
    unreliable = ~draws.diagnostics.reliable.to_numpy().astype(bool)
    counts = {
        "typical": int(typical.sum()),
        "wrong": int(wrong.sum()),
        "wrong_and_typical": int((wrong & typical).sum()),
    }
    return {"n": len(rows)} | counts | {"wrong_typical_reliable": int((wrong & typical & ~unreliable).sum())}


def real(typicality: Typicality, posterior: Posterior, folder: Path) -> dict[str, object]:
    """Verdicts on real recordings."""
    rows = {}
    for file, sweep, start, stop, what in REAL:
        stop = min(stop, start + posterior.duration[1])
        recording = lf.read_recording(folder / file, sweep=sweep, start=start, stop=stop, dt=posterior.dt)
        verdict = typicality.check(recording)
        row = {"what": what, "spikes": int(recording.spikes.sum()), "p": verdict.p, "note": verdict.note}
        rows[f"{file}:{'' if sweep is None else sweep}:{start}:{stop:g}"] = row
        print(row, flush=True)
    return rows


def keep(preset: str, **found: object) -> None:
    """Add to the results."""
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    results.setdefault(preset, {}).update(found)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")


def run(preset: str, recordings: Path | None, steps: list[str]) -> None:
    """All measurements of one network."""
    posterior = lf.load_posterior(preset)
    typicality = lf.typicality_of(posterior)
    dataset = lf.make_dataset(posterior.network, N_BENCH, seed=HELD_OUT_SEED + 1)
    if "real" in steps and recordings is not None:
        keep(preset, real=real(typicality, posterior, recordings))
    if "bench" in steps:
        keep(preset, **bench(typicality, dataset))
    if "held_out" in steps:
        keep(preset, held_out=held_out(typicality, posterior))
    if "failures" in steps:
        rows = json.loads(RESULTS.read_text()).get(preset, {}).get("failures", {}) if RESULTS.exists() else {}
        for name in BENCH:
            if name not in (*NO_TRUTH, *rows) and INFERRED.get(name) not in posterior.names:
                rows[name] = failures(typicality, posterior, dataset, name)
                keep(preset, failures=rows)
                print(name, rows[name], flush=True)


# --- tables


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def table() -> None:
    """Print the results as Markdown."""
    for preset, found in json.loads(RESULTS.read_text()).items():
        print(f"\n### {preset}\n\n| held-out | n | p < 5 % | band | p < 0.5 % |\n|---|---|---|---|---|")
        for name, row in found.get("held_out", {}).items():
            if isinstance(row, dict):
                low, high = (percent(x) for x in row["band"])
                cells = [name, f"{row['n']}", percent(row["atypical"]), f"{low} to {high}", percent(row["very"])]
                print("| " + " | ".join(cells) + " |")
        head = "| misspecified | n | p < 5 % | p < 0.5 % | posterior wrong | wrong and called typical |"
        print(f"\n{head}\n" + "|---" * 6 + "|")
        for name, row in found.get("bench", {}).items():
            failed = found.get("failures", {}).get(name)
            cells = [name, f"{row['n']}", percent(row["atypical"]), percent(row["very"])]
            cells += [f"{failed[key]} of {failed['n']}" if failed else "" for key in ("wrong", "wrong_and_typical")]
            print("| " + " | ".join(cells) + " |")
        print(f"\n| ten times fainter | recordings, p < 5 % | sets of {FAINT_SET}, p < 5 % |\n|---|---|---|")
        for name, row in found.get("faint", {}).items():
            print(f"| {name} | " + " | ".join(percent(part["atypical"]) for part in row.values()) + " |")
        print("\n| real recording | what | spikes | p | verdict |\n|---|---|---|---|---|")
        for name, row in found.get("real", {}).items():
            print(f"| {name} | {row['what']} | {row['spikes']} | {row['p']:.2g} | {row['note']} |")


def main() -> None:
    """Run one step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("run", "table"))
    parser.add_argument("--preset", default="standard", help="standard or lif")
    parser.add_argument("--recordings", type=Path, help="folder of real recordings")
    steps = ["real", "bench", "held_out", "failures"]
    parser.add_argument("--only", nargs="*", default=steps, choices=steps, help="measurements; all by default")
    arguments = parser.parse_args()
    if arguments.step == "table":
        table()
    else:
        run(arguments.preset, arguments.recordings, arguments.only)


if __name__ == "__main__":
    main()
