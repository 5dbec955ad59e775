"""Real cells by the ladder of neurons, beside a plain GIF, a plain LIF and the preset `lif`: what predicts them?

    python benchmarks/real_cells.py
    python benchmarks/real_cells.py --cells DRN157 C060109A1
    python benchmarks/real_cells.py --single
    python benchmarks/real_cells.py --onset
    python benchmarks/real_cells.py --jump
    python benchmarks/real_cells.py --noise
    python benchmarks/real_cells.py --table

For each cell of shared/recordings: inference on 60 s of noise, scores on frozen noise (Md* at 4 and 8 ms, explained
variance); else inference on two thirds of the sweeps, scores on every third. Results go to
benchmarks/results/real_cells.json after each model; interrupted, the same command continues. `--single` asks whether
single sweeps of 171116sh, from -100 pA to 150 pA above rheobase, agree on tau, C and the resistance. `--onset` fits an
exponential to the first rise of V in C060109A1; `--jump` reads the series resistance of two cells off the voltage just
after steps, without a model; `--noise` asks whether the
noises of the neurons that were found limit Md*.
"""

import argparse
import json
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.optimize import curve_fit

import gif
import leakyflow as lf
from leakyflow.diagnostics.comparison import keep_back, predicted
from leakyflow.diagnostics.prediction.spike_trains import coincidence, spike_times
from leakyflow.diagnostics.prediction.voltage import explained_variance
from leakyflow.files import replacing
from leakyflow.likelihood.climb_ladder import Fit, climb_ladder, fit_from
from leakyflow.likelihood.scanned import Scanned
from leakyflow.recordings.batch import Batch
from leakyflow.training.config import load_config

FOLDER = Path(__file__).parents[2] / "shared" / "recordings"
RESULTS = Path(__file__).parent / "results" / "real_cells.json"
SINGLE, SWEEPS = "171116sh single sweeps", 13
ONSET, RISE = "C060109A1 onset", 60.0  # ms at most, until the first spike
JUMP, STEP, AFTER = "jumps", 2179.0, (0.25, 1.25)  # ms: begin of the steps, and what a straight line is laid through
SMALLEST = 15.0  # pA, of a step that is read
N_REPEATS = 100  # simulations of frozen noise


class Case(NamedTuple):
    """What is known of a cell, and what is to be predicted."""

    train: lf.Cell
    test: lf.Cell
    frozen: bool  # whether all sweeps of the test have one current


def noise(name: str, train: str, dt: float) -> Case:
    """60 s of noise, and frozen noise."""
    read = partial(lf.read_cell, dt=dt)
    return Case(read(FOLDER / f"{train}_{name}.abf"), read(FOLDER / f"test_{name}.abf"), True)


def steps(file: str, dt: float = 0.2, **window: object) -> Case:
    """Two thirds of the sweeps, and every third."""
    train, test = keep_back(lf.read_cell(FOLDER / file, dt=dt, **window))
    assert test is not None
    return Case(train, test, False)


def igor() -> Case:
    """The weaker of two currents is predicted from the stronger."""
    read = [lf.read_cell(FOLDER / f"C060109A1_IDrest_ch1_{number}.ibw", dt=0.25) for number in (328, 332)]
    weak, strong = sorted(read, key=lambda cell: cell.n_spikes)
    return Case(strong, weak, False)


CASES = {
    "171116sh": partial(steps, "steps_171116sh_0018.abf", start=900, stop=2900),
    "DRN157": partial(noise, "DRN157", "training", 0.5),
    "DRN158": partial(noise, "DRN158", "training", 0.5),
    "DRN160": partial(noise, "DRN160", "training", 0.5),
    "DRN165": partial(noise, "DRN165", "noise", 0.5),
    "C060109A1": igor,
    "18711001": partial(steps, "steps_18711001.abf"),
    "2019_07_24_0055_fsi": partial(steps, "steps_2019_07_24_0055_fsi.abf", start=900, stop=2900),
    # Not looked at while the ladder was made.
    "171116sh ramp": partial(steps, "ramp_171116sh_0016.abf"),
    "DRN160 steps": partial(steps, "steps_DRN160.abf", dt=0.5),
    "DRN165 steps": partial(steps, "steps_DRN165.abf", dt=0.5),
    "190619B": partial(steps, "steps_190619B_0003_abf1.abf", channel=0),
}


def main() -> None:
    """Fit what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", nargs="+", default=list(CASES), choices=list(CASES))
    parser.add_argument("--single", action="store_true", help="fit single sweeps of one cell")
    parser.add_argument("--onset", action="store_true", help="fit an exponential to the onset of one cell")
    parser.add_argument("--jump", action="store_true", help="read series resistances off steps")
    parser.add_argument("--noise", action="store_true", help="print Md* with less noise")
    parser.add_argument("--table", action="store_true", help="print the results as docs/real_cells.md has them")
    arguments = parser.parse_args()
    if arguments.table:
        print(table(finished()))
        return
    if arguments.noise:
        quieter()
        return
    if arguments.single:
        keep(SINGLE, {"rungs": single()})
        return
    if arguments.onset:
        keep(ONSET, {"rises": [onset(igor().train[0]), onset(igor().test[0])]})
        return
    if arguments.jump:
        keep(JUMP, {name: jumps(f"steps_{name}.abf") for name in ("DRN160", "DRN165")})
        return
    for name in arguments.cells:
        done = finished().get(name, {})
        if "dendrite" in done:
            continue
        case = CASES[name]()
        for model, row in models(case):
            keep(name, finished().get(name, about(case)) | {model: row})
            print(name, model, {k: v for k, v in row.items() if k != "neuron"}, row.get("neuron"), flush=True)


def keep(name: str, found: dict) -> None:
    """Write the results of one cell beside those of the others."""
    with replacing(RESULTS) as scratch:
        scratch.write_text(json.dumps(finished() | {name: found}, indent=1) + "\n")


def single() -> dict:
    """Tau (ms), C (pF) and input resistance (MOhm) of each single sweep, by some neurons."""
    cell = lf.read_cell(FOLDER / "steps_171116sh_0018.abf", sweeps=range(SWEEPS), start=900, stop=2500)
    found: dict = {name: [] for name in ("electrode", "coupled threshold", "dendrite")}
    for sweep in cell:
        for fit in climb_ladder(lf.Cell([sweep]), list(found)):
            p = fit.neuron
            row = {"tau": p.tau, "C": p.C, "R": 1e3 * p.tau / p.C / (1.0 + p.sag), "R_s": 1e3 * p.R_s}
            found[fit.rung].append({key: float(f"{value:.4g}") for key, value in row.items()})
            print(sweep.name, fit.rung, found[fit.rung][-1], flush=True)
    return found


def quieter(rung: str = "coupled threshold") -> None:
    """Print Md* of the neurons found, with a tenth of the membrane's noise, and half of the threshold's."""
    for name in ("DRN157", "DRN158", "DRN160", "DRN165"):
        case, neuron = CASES[name](), finished()[name][rung]["neuron"]
        for key, factor in (("membrane_noise", 1.0), ("membrane_noise", 0.1), ("threshold_noise", 0.5)):
            p = lf.Parameters(**neuron | {key: factor * neuron[key]}).map(lambda value: np.full(N_REPEATS, value))
            spikes = lf.simulate(p, lf.from_array(current(case.test), dt=case.test.dt), seed=1).spikes
            print(name, key, factor, frozen(case, spikes), flush=True)


def onset(sweep: lf.Recording) -> dict:
    """Tau (ms) and C (pF) of the exponential that V follows from the onset of a step to just before its first spike."""
    begin = int(np.flatnonzero(np.abs(np.diff(sweep.I)) > 20.0)[0]) + 1
    end = min(int(np.flatnonzero(sweep.spikes)[0]) - round(2.0 / sweep.dt), begin + round(RISE / sweep.dt))
    t, V_0 = sweep.t[begin:end] - sweep.t[begin], sweep.V[:begin].mean()
    step = float(sweep.I[begin + 1 : end].mean() - sweep.I[:begin].mean())
    rise, tau = curve_fit(lambda t, rise, tau: rise * (1.0 - np.exp(-t / tau)), t, sweep.V[begin:end] - V_0, (20, 20))[
        0
    ]
    return {"step": step, "ms": float(t[-1]), "tau": float(tau), "C": float(tau * step / rise)}


def jumps(file: str) -> dict:
    """Series resistance (MOhm) by V just after each step, carried back to its begin: median, least and greatest."""
    found = [1e3 * rise / step for rise, step in map(jump, lf.read_cell(FOLDER / file, dt=0.1)) if abs(step) > SMALLEST]
    return {"n": len(found)} | {
        key: round(float(of(found)), 1) for key, of in (("median", np.median), ("least", min), ("greatest", max))
    }


def jump(sweep: lf.Recording) -> tuple[float, float]:
    """By how much V (mV) and I (pA) jump at the step."""
    before, after = (sweep.t > STEP - 100) & (sweep.t < STEP - 5), (sweep.t > STEP + 30) & (sweep.t < STEP + 100)
    I_0 = np.median(sweep.I[before])
    step = float(np.median(sweep.I[after]) - I_0)
    begin = np.flatnonzero((sweep.t > STEP - 20) & (np.abs(sweep.I - I_0) > max(abs(step), SMALLEST) / 2))
    if not len(begin):
        return 0.0, step
    t = sweep.t - sweep.t[begin[0]]
    first = (t > AFTER[0]) & (t < AFTER[1])
    at_once = np.polyfit(t[first], sweep.V[first], 1)[1]
    return float(at_once - sweep.V[(t > -5) & (t < -0.15)].mean()), step


def finished() -> dict:
    """All results so far."""
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


def table(results: dict) -> str:
    """All results so far, in Markdown."""
    lines = []
    for name, found in results.items():
        if name == SINGLE:
            lines += single_table(found["rungs"])
        if name in (SINGLE, ONSET, JUMP):
            continue
        train, test = found["train"], found["test"]
        lines += [
            f"### {name}\n",
            f"{train['sweeps']} sweep{'s'[: train['sweeps'] > 1]} of {train['seconds']:.0f} s in all with "
            f"{train['spikes']} spikes; kept back "
            f"{test['sweeps']} with {test['spikes']}; dt {found['dt']:g} ms.\n",
            "| neuron | log evidence | held out, nats | eps_V | spikes | tau, ms | C, pF | R_s, MOhm |",
            "|---|---|---|---|---|---|---|---|",
        ]
        lines += [line(model, row) for model, row in found.items() if isinstance(row, dict) and "neuron" in row]
        lines.append("")
    return "\n".join(lines)


def single_table(rungs: dict) -> list[str]:
    """How far single sweeps are apart."""
    lines = ["### Single sweeps of 171116sh\n", "| neuron | tau, ms | C, pF | R, MOhm |", "|---|---|---|---|"]
    for name, rows in rungs.items():
        shown = []
        for key in ("tau", "C", "R"):
            values = np.array([row[key] for row in rows])
            ratio = values.max() / values.min()
            shown.append(f"{np.median(values):.3g} ({values.min():.3g} to {values.max():.3g}, {ratio:.1f} x)")
        lines.append("| " + " | ".join([name, *shown]) + " |")
    return [*lines, ""]


def line(model: str, row: dict) -> str:
    """One neuron; of frozen noise the coincidence of spikes, else by how many a sweep's count is missed."""
    nats = [f"{row[key]:.0f}" if key in row else "" for key in ("log_evidence", "log_density")]
    spikes = f"Md* {row['Md4']:.2f}, {row['Md8']:.2f}" if "Md8" in row else f"off by {row['count_error']:.1f}"
    neuron, sd = row["neuron"], row.get("sd", {})
    shown = [f"{neuron[key]:.3g}" + (f" ({sd[key]:.2g})" if key in sd else "") for key in ("tau", "C")]
    R_s = f"{1e3 * neuron['R_s']:.1f}" if "R_s" in neuron else ""
    return "| " + " | ".join([model, *nats, f"{row['explained']:.3f}", spikes, *shown, R_s]) + " |"


def about(case: Case) -> dict:
    """What was shown, and what was kept back."""
    both = {"train": case.train, "test": case.test}
    return {"dt": case.train.dt} | {
        key: {"sweeps": len(cell), "seconds": cell.duration / 1e3, "spikes": cell.n_spikes}
        for key, cell in both.items()
    }


def models(case: Case) -> Iterator[tuple[str, dict]]:
    """Each model with its scores."""
    yield "GIF", of_gif(case, gif.fit_gif(case.train))
    yield "LIF", of_gif(case, gif.fit_gif(case.train, after_spikes=False))
    begun = time.perf_counter()
    yield "lif preset", of_fit(case, preset(case.train)) | {"seconds": round(time.perf_counter() - begun)}
    begun = time.perf_counter()
    for fit in climb_ladder(case.train):
        yield fit.rung, of_fit(case, fit) | {"seconds": round(time.perf_counter() - begun)}
        begun = time.perf_counter()


def preset(cell: lf.Cell) -> Fit:
    """The neuron of the preset `lif` at the mode of its exact posterior."""
    prior = load_config("lif").simulator.prior
    target = Scanned.of(Batch.of(cell), prior)
    return fit_from(target.guess()[0], target, cell, "lif preset")


def of_gif(case: Case, fitted: gif.Gif) -> dict:
    """Scores of a GIF."""
    V = [gif.given_spikes(fitted, sweep) for sweep in case.test]
    explained = explained_variance([s.V for s in case.test], V, [s.free for s in case.test])
    row = {"explained": explained, "neuron": {"tau": fitted.tau, "C": fitted.C, "V_rest": fitted.V_rest}}
    if case.frozen:
        trains = gif.simulate_gif(fitted, current(case.test), N_REPEATS, 0)
        return row | frozen(case, trains)
    n = max(s.n_samples for s in case.test)
    I = np.stack([np.pad(s.I.astype(np.float64), (0, n - s.n_samples), mode="edge") for s in case.test], axis=1)
    spikes = gif.simulate_gif(fitted, np.repeat(I, 20, axis=1), 20 * len(case.test), 0).reshape(len(case.test), 20, n)
    lasting = np.arange(n) < np.array([s.n_samples for s in case.test])[:, None, None]
    return row | counted(case, (spikes & lasting).sum(-1).mean(-1))


def of_fit(case: Case, fit: Fit) -> dict:
    """Scores of a rung."""
    found = predicted(fit, case.test)
    sd = np.sqrt(np.diag(fit.mode.covariance))
    natural = [np.asarray(fit.prior.natural(fit.mode.centre + sign * sd)) for sign in (-1.0, 1.0)]
    spread = dict(zip(fit.prior.inferred, (natural[1] - natural[0]) / 2.0, strict=True))
    row = {
        "log_evidence": fit.log_evidence,
        "log_density": found.log_density,
        "explained": found.explained,
        "neuron": {name: float(f"{value:.4g}") for name, value in fit.neuron.items()},
        "sd": {name: float(f"{value:.2g}") for name, value in spread.items()},
    }
    if not case.frozen:
        return row | counted(case, found.simulated)
    neurons = fit.neuron.map(lambda value: np.full(N_REPEATS, value))
    return row | frozen(case, lf.simulate(neurons, lf.from_array(current(case.test), dt=case.test.dt), seed=1).spikes)


def current(test: lf.Cell) -> np.ndarray:
    """The current of frozen noise, measured in every sweep."""
    n = min(sweep.n_samples for sweep in test)
    return np.mean([sweep.I[:n] for sweep in test], axis=0, dtype=np.float64)


def frozen(case: Case, spikes: np.ndarray) -> dict:
    """Coincidence of spike trains, and their rates."""
    dt = case.test.dt
    recorded = [np.flatnonzero(sweep.spikes) * dt for sweep in case.test]
    trains = spike_times(spikes, dt)
    return {f"Md{window}": coincidence(recorded, trains, window=window) for window in (4, 8)} | {
        "spikes": float(np.mean([len(own) for own in recorded])),
        "simulated": float(spikes.sum(-1).mean()),
    }


def counted(case: Case, counts: np.ndarray) -> dict:
    """Spike counts of sweeps that were kept back."""
    recorded = np.array([sweep.spikes.sum() for sweep in case.test])
    return {
        "count_error": float(np.abs(recorded - counts).mean()),
        "spikes": recorded.tolist(),
        "simulated": np.round(counts, 1).tolist(),
    }


if __name__ == "__main__":
    main()
