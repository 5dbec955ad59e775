"""Build the project's report and its appendix, as HTML and PDF, from a finished run and the results of the benchmarks.

    leakyflow train --config standard --out runs/standard
    leakyflow diagnose runs/standard
    python report/build.py runs/standard
    python report/build.py runs/standard --cell-network runs/lif

The text is in `report.md` and `appendix.md`; every number in it comes from the run, its diagnostics, or
`benchmarks/results/`. With the network of real cells and the folder of real recordings, the report shows a cell, too.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from leakyflow.report.page import TEMPLATES
from leakyflow.report.run import Facts, facts_of
from leakyflow.report.settings import symbol
from leakyflow.training.config import load_config

HERE = Path(__file__).parent
RESULTS = HERE.parent / "benchmarks" / "results"
BENCHMARKS = (
    "accuracy",
    "real_recordings",
    "real_verdicts",
    "sensitivity",
    "simulator",
    "inference",
    "training",
    "typicality",
)
RECORDINGS = HERE.parent.parent / "shared" / "recordings"
TITLES = {
    "report": "Bayesian inference of leaky integrate-and-fire neurons from current-clamp recordings",
    "appendix": "Appendix: definitions, settings, all diagnostics and benchmarks",
}
# The cell that is shown: a few spikes near rheobase.
CELL = ("steps_171116sh_0018.abf", 12, 1100.0, 1900.0)
POSTERIORS = {"amortized": "network alone", "corrected": "corrected"}


def read_benchmarks(folder: Path = RESULTS) -> dict[str, Any]:
    """All results, by the name of the benchmark.

    Raises:
        FileNotFoundError: If one was not run.
    """
    missing = [name for name in BENCHMARKS if not (folder / f"{name}.json").is_file()]
    if missing:
        raise FileNotFoundError(f"No {', '.join(missing)} in {folder}. See benchmarks/.")
    return {name: json.loads((folder / f"{name}.json").read_text()) for name in BENCHMARKS}


def accuracy(found: dict[str, Any]) -> pd.DataFrame:
    """One row per posterior: how far it is from the exact one, and what it cost."""
    rows = []
    for name, row in found.items():
        parts = [(label, row[which]) for which, label in POSTERIORS.items() if which in row] or [("", row)]
        for which, part in parts:
            own = which != POSTERIORS["corrected"]
            label = {"exact": "exact, against itself"}.get(name, name.replace("_", " "))
            line = {"posterior": f"{label}, {which}" if which else label, "median": part["c2st"]["median"]}
            line |= {"q90": part["c2st"]["q90"], "sd_ratio": ", ".join(f"{x:.2f}" for x in part["sd_ratio"])}
            share = part.get("efficiency", {})
            line |= {"efficiency": share.get("median"), "efficiency05": share.get("q05")}
            line["above_exact"] = row.get("above_exact") if own else None
            line["seconds"] = part.get("seconds_per_recording")
            kl = row.get("forward_kl", {}) if own else {}
            line |= {"kl": kl.get("mean"), "kl_largest": kl.get("largest")}
            line |= {name: row.get(name) if own else None for name in ("simulations", "epochs", "cpu_seconds")}
            rows.append(line | {"failed": part.get("k_hat_above_0.7")})
    return pd.DataFrame(rows).astype({"efficiency": float, "above_exact": float, "kl": float})


def real_cells(found: dict[str, Any]) -> pd.DataFrame:
    """One row per window and parameter: the three posteriors beside each other."""
    rows = []
    for window, row in found.items():
        file, sweep, start, stop = window.rsplit(":", 3)
        place = f"{file}, {f'sweep {sweep}, ' if sweep else ''}{start} to {stop} ms"
        for name in row["exact"]:
            line = {"window": place, "name": name, "symbol": symbol(name), "spikes": row["spikes"]}
            for which in ("amortized", "corrected", "exact"):
                mean, sd = row[which][name]
                line |= {which: f"{mean:.3g} ± {sd:.2g}", f"{which}_mean": mean, f"{which}_sd": sd}
            rows.append(line | {"k_hat": row["k_hat"], "efficiency": row["efficiency"]})
    frame = pd.DataFrame(rows)
    frame["where"] = frame.window.where(~frame.window.duplicated(), "")
    for which in ("amortized", "corrected"):
        frame[f"{which}_off"] = (frame[f"{which}_mean"] - frame.exact_mean).abs() / frame.exact_sd
    return frame


def real_posteriors(cells: pd.DataFrame) -> pd.DataFrame:
    """One row per window, a column for each parameter: mean and SD of the corrected posterior."""
    wide = cells.pivot(index="window", columns="name", values="corrected")[list(dict.fromkeys(cells.name))]
    return cells.groupby("window", sort=False).spikes.first().to_frame().join(wide).reset_index()


def false_alarms(found: dict[str, Any]) -> pd.DataFrame:
    """One row per group of held-out recordings, a column for each network."""
    rows: dict[str, dict[str, Any]] = {}
    for preset, part in found.items():
        for group, row in part["held_out"].items():
            if isinstance(row, dict):
                label = group if "spikes" not in group else f"{group.replace('0 spikes and more', 'silent')} ({preset})"
                line = rows.setdefault(label, {"group": label})
                low, high = row["band"]
                line |= {f"{preset}_n": row["n"], preset: row["atypical"]}
                line |= {f"{preset}_band": f"{100 * low:.1f} to {100 * high:.1f} %"}
    return pd.DataFrame(list(rows.values()))


def power(found: dict[str, Any]) -> pd.DataFrame:
    """One row per fault and network: share called atypical, and wrong posteriors among 50."""
    rows = []
    for preset, part in found.items():
        for fault, row in part["bench"].items():
            failures = part["failures"].get(fault, {})
            line = {"network": preset, "fault": fault, "n": row["n"], "atypical": row["atypical"], "very": row["very"]}
            rows.append(line | {key: failures.get(key) for key in ("wrong", "wrong_and_typical")})
    return pd.DataFrame(rows).astype({"wrong": float, "wrong_and_typical": float})


def faint(found: dict[str, Any]) -> pd.DataFrame:
    """One row per network and fault, ten times fainter."""
    rows = [
        {"network": preset, "fault": fault, "one": row["recordings"]["atypical"], "set": row["sets of 20"]["atypical"]}
        for preset, part in found.items()
        for fault, row in part["faint"].items()
    ]
    return pd.DataFrame(rows)


def real_verdicts(found: dict[str, Any]) -> pd.DataFrame:
    """One row per network and window of a real cell."""
    rows = [{"network": preset} | row for preset, part in found.items() for row in part["real"].values()]
    return pd.DataFrame(rows)


def cell_verdicts(found: dict[str, Any]) -> pd.DataFrame:
    """One row per recording: what the network of cells predicts, and the verdict."""
    rows = []
    for name, networks in found.items():
        if row := networks.get("cell"):
            line = {"cell": name, "kept_back": f"{row['sweeps']} ({row['kept_back']})", "kind": row["kind"]}
            line |= {"eps_V": max(row["eps_V"], 0.0), "missed": row["missed"]}
            rows.append(line | {"reliable": "yes" if row["reliable"] else "no"})
    return pd.DataFrame(rows)


def simulator(found: dict[str, Any]) -> pd.DataFrame:
    """One row per program, on one CPU and on all."""
    rows = [
        {"cpus": cpus, "program": program} | row
        for cpus in ("one CPU", f"{found['machine']['n_cpu']} CPUs")
        for program, row in found["brian2"][cpus].items()
    ]
    return pd.DataFrame(rows)


def by_key(found: dict[str, Any], name: str) -> pd.DataFrame:
    """Nested results as rows."""
    return pd.DataFrame([{name: key} | row for key, row in found.items()])


def cell(network: Path, recordings: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Values and figures of one real cell."""
    import leakyflow as lf
    from leakyflow.diagnostics.plots.posteriors import plot_pairs
    from leakyflow.diagnostics.plots.recordings import plot_recording_posterior
    from leakyflow.diagnostics.predictive import posterior_predictive

    posterior = lf.load_posterior(network)
    file, sweep, start, stop = CELL
    recording = lf.read_recording(recordings / file, sweep=sweep, start=start, stop=stop, dt=posterior.dt)
    draws = posterior.sample(recording, n_draws=1000, seed=0)
    predictive = posterior_predictive(recording, draws, posterior.prior, seed=0)
    values = {"name": recording.name, "note": lf.typicality_of(posterior).check(recording).note}
    values |= {"check": predictive.check(recording), "network": posterior.name}
    figure = plot_recording_posterior(recording, predictive, draws, posterior.prior)
    return values, {"cell": figure, "cell_pairs": plot_pairs(draws, posterior.prior)}


def build(facts: Facts, out: Path, shown: tuple[dict[str, Any], dict[str, Any]] | None) -> list[Path]:
    """Write both documents in both formats."""
    found = read_benchmarks()
    cells, sizes = real_cells(found["real_recordings"]), by_key(found["sensitivity"]["simulations"], "n")
    values = {
        "b": found,
        "accuracy": {preset: accuracy(rows) for preset, rows in found["accuracy"].items()},
        "cells": cells,
        "real_posteriors": real_posteriors(cells),
        "false_alarms": false_alarms(found["typicality"]),
        "power": power(found["typicality"]),
        "faint": faint(found["typicality"]),
        "real_verdicts": real_verdicts(found["typicality"]),
        "cell_verdicts": cell_verdicts(found["real_verdicts"]),
        "of_cell": {"simulations": load_config("cell").training.n_simulations},
        "simulator": simulator(found["simulator"]),
        "sizes": sizes.assign(n=sizes.n.astype(int)),
        "steps": pd.concat(
            [by_key(rows, "network").assign(cpus=cpus) for cpus, rows in found["training"]["steps"].items()]
        ),
        "conditions": {
            name.replace(", ", "_"): pd.DataFrame(part["parameters"])
            for name, part in found["sensitivity"].items()
            if "parameters" in part
        },
        "cell": None if shown is None else shown[0],
    }
    facts.figures.update({} if shown is None else shown[1])
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for name, title in TITLES.items():
        page = facts.page(f"{name}.md", title=title, folders=(HERE, TEMPLATES), **values)
        written += [page.write_html(out / f"{name}.html"), page.write_pdf(out / f"{name}.pdf")]
    return written


def main() -> None:
    """Build everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a finished run")
    parser.add_argument("--diagnostics", type=Path, help="what `leakyflow diagnose` wrote, if not in the run")
    parser.add_argument("--cell-network", type=Path, help="folder of a run for real cells")
    parser.add_argument("--recordings", type=Path, default=RECORDINGS, help="folder of real recordings")
    parser.add_argument("--out", type=Path, default=HERE.parent / "build" / "report")
    arguments = parser.parse_args()
    try:
        facts = facts_of(arguments.run, arguments.diagnostics)
        real = arguments.cell_network is not None and arguments.recordings.is_dir()
        shown = cell(arguments.cell_network, arguments.recordings) if real else None
        written = build(facts, arguments.out, shown)
    except (ValueError, OSError) as error:
        sys.exit(f"{error}")
    print(f"Written to {arguments.out}: {', '.join(path.name for path in written)}")


if __name__ == "__main__":
    main()
