"""What the networks that ship make of real cells: parameters, what is predicted of sweeps kept back, and the verdict.

    python benchmarks/real_verdicts.py
    python benchmarks/real_verdicts.py --networks cell --cells 171116sh
    python benchmarks/real_verdicts.py --table

Whole files of shared/recordings as `leakyflow infer` takes them, one in five sweeps kept back where there are four.
Results go to benchmarks/results/real_verdicts.json after each; interrupted, the same command continues.
"""

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any

import leakyflow as lf
from leakyflow.files import replacing

FOLDER = Path(__file__).parents[2] / "shared" / "recordings"
RESULTS = Path(__file__).parent / "results" / "real_verdicts.json"
NETWORKS = ("lif", "cell")
LEAST = -10.0  # share of V, below which it does not matter how little is explained
# The last four were not looked at while the networks were made.
CELLS: dict[str, tuple[str, dict[str, Any]]] = {
    "171116sh": ("steps_171116sh_0018.abf", {"start": 900, "stop": 2900}),
    "18711001": ("steps_18711001.abf", {}),
    "2019_07_24_0055_fsi": ("steps_2019_07_24_0055_fsi.abf", {"start": 900, "stop": 2900}),
    "C060109A1": ("C060109A1_IDrest_ch1_332.ibw", {}),
    "DRN157": ("training_DRN157.abf", {}),
    "DRN158": ("training_DRN158.abf", {}),
    "DRN160": ("training_DRN160.abf", {}),
    "DRN165": ("noise_DRN165.abf", {}),
    "DRN160 steps": ("steps_DRN160.abf", {}),
    "DRN165 steps": ("steps_DRN165.abf", {}),
    "190619B": ("steps_190619B_0003_abf1.abf", {"channel": 0}),
    "171116sh ramp": ("ramp_171116sh_0016.abf", {}),
    "171116sh, whole sweeps": ("steps_171116sh_0018.abf", {}),
    "2019_07_24_0055_fsi, whole sweeps": ("steps_2019_07_24_0055_fsi.abf", {}),
}


def main() -> None:
    """Judge what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", nargs="+", default=list(CELLS), choices=list(CELLS))
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=NETWORKS)
    parser.add_argument("--table", action="store_true", help="print the results as docs/real_cells.md has them")
    given = parser.parse_args()
    if given.table:
        print(table())
        return
    for network in given.networks:
        posterior = lf.load_posterior(network)
        for name in given.cells:
            if network not in finished().get(name, {}):
                row = judged(posterior, name)
                with replacing(RESULTS) as scratch:
                    found = finished()
                    scratch.write_text(
                        json.dumps(found | {name: found.get(name, {}) | {network: row}}, indent=1) + "\n"
                    )
                print(name, network, row, flush=True)


def finished() -> dict[str, Any]:
    """All results so far."""
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


def judged(posterior: lf.Posterior, name: str) -> dict[str, Any]:
    """One cell by one network."""
    file, window = CELLS[name]
    cell, begun = lf.read_cell(FOLDER / file, dt=posterior.dt, **window), time.perf_counter()
    found = posterior.check(cell)
    seconds = time.perf_counter() - begun
    summary, prediction = found.draws.summary(), found.prediction
    between = found.spread.summary(found.draws, posterior.prior)
    assert found.draws.diagnostics is not None
    (how,) = found.draws.diagnostics.itertuples()
    return {
        "sweeps": len(cell),
        "kept_back": int(prediction.unseen.sum()),
        "spikes": cell.n_spikes,
        "seconds": round(seconds),
        "method": how.method,
        "reliable": bool(how.reliable),
        "kind": found.kind,
        "on_the_whole": found.answers()[-1].short,
        "conflicts": [conflict.name for conflict in found.conflicts],
        "eps_V": prediction.eps_V,
        "missed": prediction.spikes_missed,
        "coverage": prediction.coverage,
        "parameters": {
            key: [
                float(f"{value:.4g}") for value in (summary["mean"][key], summary["sd"][key], between["between"][key])
            ]
            for key in ("tau", "C", "R_s", "V_th")
        },
    }


def _share(value: float) -> str:
    """In percent; nothing where it is not known. A neuron that runs away explains less than none of V by any number."""
    return "" if math.isnan(value) else f"{100 * value:.0f} %" if value > LEAST else f"< {100 * LEAST:.0f} %"


def table() -> str:
    """All results so far, in Markdown."""
    lines = [
        "| cell | network | sweeps (kept back), spikes | tau, ms | C, pF | R_s, MOhm | V explained | spikes missed | "
        "band holds | on the whole |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, networks in finished().items():
        for network, row in networks.items():
            shown = [_shown(row["parameters"][key], scale) for key, scale in (("tau", 1.0), ("C", 1.0), ("R_s", 1e3))]
            shares = [_share(row[key]) for key in ("eps_V", "missed", "coverage")]
            counted = f"{row['sweeps']} ({row['kept_back']}), {row['spikes']}"
            said = row["on_the_whole"].rstrip(".") + ("" if row["reliable"] else "; draws not reliable")
            said += f"; far out: {', '.join(row['conflicts'])}" if row["conflicts"] else ""
            lines.append("| " + " | ".join([name, f"`{network}`", counted, *shown, *shares, said]) + " |")
    return "\n".join(lines)


def _shown(values: list[float], scale: float) -> str:
    mean, sd, between = (value * scale for value in values)
    return f"{mean:.3g} ({sd:.1g}; {'?' if between != between else f'{between:.2g}'})"


if __name__ == "__main__":
    main()
