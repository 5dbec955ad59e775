"""Tables of what was measured, written into the pages from `benchmarks/results`: `python docs/_site/tables.py`.

A page marks a table by `<!-- table: NAME -->` and `<!-- end of table -->`. A test fails where one is not what its
numbers give.
"""

import importlib
import io
import json
import re
import statistics
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[1]
sys.path[:0] = [str(DOCS), str(DOCS.parent), str(DOCS.parent / "benchmarks")]

from _site.markdown import table  # noqa: E402
from leakyflow.layout import ON_ACCELERATOR  # noqa: E402

__all__ = ["TABLES", "outdated", "renewed"]

MARKED = re.compile(r"(<!-- table: ([\w ,]+) -->\n).*?(<!-- end of table -->)", re.DOTALL)


def results(name: str) -> Any:
    """What a benchmark measured."""
    return json.loads((DOCS.parent / "benchmarks" / "results" / f"{name}.json").read_text(encoding="utf-8"))


def printed(benchmark: str, place: int) -> str:
    """One of the tables that a benchmark prints."""
    said = io.StringIO()
    with redirect_stdout(said):
        importlib.import_module(f"benchmarks.{benchmark}").table()
    lines = re.findall(r"(?:^\|.*\n?)+", said.getvalue(), re.MULTILINE)[place].strip().splitlines()
    return "\n".join(line for line in lines if not re.fullmatch(r"\| \w+ [| ]+", line))  # of one that has nothing there


def of_cell(place: int) -> str:
    """Of one real cell, with what was recorded of it."""
    name = list(results("real_cells"))[place]
    found = results("real_cells")[name]
    return importlib.import_module("benchmarks.real_cells").table({name: found}).strip()


def training_steps() -> str:
    """Of a step beside the time of a matrix product."""
    head = ["network", "step, ms", "operations, M", "matrix product, GFLOP/s", "times the product's time"]
    rows = []
    for n, said in (("1", ", one CPU"), ("2", ", two")):
        for name, row in results("training")["steps"][n].items():
            numbers = [
                f"{row['step_ms']:.2f}",
                f"{row['operations_M']:,.0f}",
                f"{row['multiply_GFLOPs']:.0f}",
                f"{row['ratio']:.2f}",
            ]
            rows.append([f"`{name}`{said}", *numbers])
    return table(head, rows)


def from_nothing() -> str:
    """The whole training."""
    return table(
        ["simulations", "s"], [[f"{int(n):,}", f"{s:.0f}"] for n, s in results("training")["from_nothing_s"].items()]
    )


def beside_sbi() -> str:
    """The same simulations and statistics by both."""
    head = ["", "training step, ms", "1,000 draws of one recording, ms", "NLL", "s from simulations to it"]
    found = results("speed_sbi")
    rows = []
    for name, label in (
        ("leakyflow, 1 epoch", "`standard`, one epoch"),
        ("leakyflow, 8 epochs", "`standard`, its eight epochs"),
        ("sbi", "sbi"),
    ):
        row = found[name]
        draws = f"{row['draws_ms']:.0f}" + (
            f" amortized, {row['corrected_ms']:.0f} corrected" if "corrected_ms" in row else ""
        )
        rows.append([label, f"{row['step_ms']:.1f}", draws, f"{row['nll']:.2f}", f"{row['seconds']:.0f}"])
    ratio = found["sbi over leakyflow"]
    draws = f"{ratio['draws_ms']:.2g} amortized, {ratio['corrected_ms']:.2g} corrected"
    rows.append(["sbi over one epoch", f"{ratio['step_ms']:.0f}", draws, "", f"{ratio['seconds_to_its_nll']:.0f}"])
    return table(head, rows)


def cold() -> str:
    """Whole processes."""
    names = {
        "infer": "`leakyflow infer --network lif`, table, verdict, figure and draws",
        "sweeps": "`leakyflow sweeps`",
        "help": "`leakyflow --help`",
    }
    found = results("cold")
    rows = [
        [label, *(f"{found[name][run]['wall_s']:.1f}" for run in ("first", "again"))] for name, label in names.items()
    ]
    return table(["command", "first, s", "again, s"], rows)


def batch() -> str:
    """Many files."""
    rows = [
        [
            f"{row['n']:,}",
            f"{row['wall_s']:.0f}",
            f"{row['cpu_s']:.0f}",
            f"{row['largest_process_GiB']:.2f}",
            str(row["ok"]),
        ]
        for row in results("batch")["runs"]
    ]
    return table(["files", "s", "processor, s", "largest process, GiB", "inferred"], rows)


def gpu() -> str:
    """Each way of computing something on a GPU; what is chosen there in bold."""
    found, sizes = results("gpu"), results("gpu")["sizes"]
    n = f"{sizes['n_simulations']:,} recordings of {sizes['t_max']:g} ms simulated"
    rows = [[n, row["way"], f"{row['seconds']:.1f} s"] for row in found["simulating"]]
    for row in found["training"]:
        whole = f"the whole recipe in {row['recipe_s'] / 60:.1f} minutes"
        rows.append([f"training step of `{row['network']}`", row["way"], f"{row['step_ms']:.1f} ms: {whole}"])
    work = f"likelihood of all mechanisms, {sizes['n_draws']:,} draws x {sizes['n_samples']:,} samples"
    for row in found["likelihood"]:
        rows.append([work, f"{row['precision']}, {row['unroll']} samples a step", f"{row['ms']:.0f} ms"])
    for row in found["correcting"]:
        took = f"{row['seconds']:.2f} s" if "seconds" in row else f"{row['ms_per_recording']:.0f} ms a recording"
        rows.append([f"1,000 draws, {row['what']}", row["way"], took])
    chosen = {
        "processors",
        "as laid out for a GPU",
        "layers of Keras",
        f"float64, {ON_ACCELERATOR.unroll} samples a step",
    }
    rows = [[what, f"**{way}**" if way in chosen else way, took] for what, way, took in rows]
    return table(["what", "way", found["machine"]["device"]], rows)


def likelihood() -> str:
    """How the scan is run."""
    head = [
        "neuron",
        "precision",
        "draws side by side",
        "unrolled",
        "s",
        "times a matrix product's",
        "largest error, nats",
    ]
    rows = [
        [
            row["neuron"],
            row["precision"],
            row["side_by_side"],
            row["unroll"],
            f"{row['seconds']:.2f}",
            f"{row['times_bound']:.1f}",
            f"{row['largest_error']:.2f}",
        ]
        for row in results("likelihood")["rows"]
    ]
    return table(head, rows)


def predictor() -> str:
    """Beside particle filters."""
    found: dict[str, list[dict]] = {}
    for row in results("predictor"):
        found.setdefault(row["neuron"], []).append(row)
    rows = []
    for name, each in found.items():
        n = len(each)
        error, sd = sum(row["error"] for row in each) / n, sum(row["error_sd"] ** 2 for row in each) ** 0.5 / n
        rows.append([name, ", ".join(str(row["spikes"]) for row in each), f"{error:.2f}", f"{sd:.2f}"])
    return table(["neuron", "spikes", "error of the log likelihood, nats", "standard error"], rows)


def acquisition() -> str:
    """Neurons of the model, sampled as laboratories do, written and read back."""
    found = results("acquisition")["lif"]
    names = list(next(iter(found.values()))["holds90"])
    head = ["sampled at", "read", "typical", *(f"`{name}`" for name in names)]
    rows = []
    for dt in sorted(found, key=float, reverse=True):
        row = found[dt]
        n = row["n"] - len(row["refused"])
        shares = [row["typical"], *(row["holds90"][name] for name in names)]
        rows.append([f"{1 / float(dt):g} kHz", f"{n} of {row['n']}", *(f"{100 * share:.0f} %" for share in shares)])
    return table(head, rows)


def one_cell() -> str:
    """Single sweeps of a cell, and all."""
    rows = []
    for row in results("real_cell"):
        sweep = re.search(r"sweep (\d+)", row["sweeps"])
        values = [
            f"{row[name][0] * scale:.3g} ({row[name][1] * scale:.2g})"
            for name, scale in (("tau", 1), ("C", 1), ("R_s", 1e3))
        ]
        rows.append(
            [
                row["model"],
                sweep[1] if sweep else "all four",
                *values,
                f"{row['log_evidence']:.0f}",
                f"{row['seconds']:.0f}",
            ]
        )
    return table(["model", "sweeps", "tau, ms", "C, pF", "R_s, MOhm", "log evidence", "s"], rows)


NETWORKS = ("standard", "lif")  # whose typicality was measured


def percent(share: float) -> str:
    """A share with three digits."""
    return f"{100 * share:.0f} %" if share == 1.0 else f"{100 * share:.1f} %"


def false_alarms() -> str:
    """How often recordings of the model are atypical."""
    found = {name: results("typicality")[name]["held_out"] for name in NETWORKS}
    spiking = {name: [key for key in rows if key.endswith("spikes and more")] for name, rows in found.items()}
    said = {"2,000 held-out recordings": "recordings", "silent": 0, "few spikes": 1, "many spikes": 2}
    said |= {"sets of 10 (500 of them)": "sets of 10", "sets of 100 (100 of them)": "sets of 100"}
    rows = []
    for label, key in said.items():
        each = [found[name][spiking[name][key] if isinstance(key, int) else key] for name in NETWORKS]
        low, high = (f"{100 * end:.1f}" for end in each[0]["band"])
        rows.append([label, *(percent(row["atypical"]) for row in each), f"{low} to {high} %"])
    return table(["p < 5 %", *(f"`{name}`" for name in NETWORKS), "95 % of times, if exact"], rows)


def power() -> str:
    """How often faults are seen, and whether those that are not seen do harm."""
    rows = []
    for fault in results("typicality")["standard"]["bench"]:
        cells = [fault]
        for name in NETWORKS:
            found = results("typicality")[name]
            failed = found["failures"].get(fault, {})
            cells += [percent(found["bench"][fault]["atypical"])]
            cells += [failed.get(key, "") for key in ("wrong", "wrong_and_typical")]
        rows.append(cells)
    heads = [head for name in NETWORKS for head in (f"`{name}`", "wrong", "wrong and typical")]
    return table(["fault", *heads], rows)


def faint() -> str:
    """How often faults of a tenth of the size are seen, one by one and in sets."""
    rows = []
    for fault in results("typicality")["standard"]["faint"]:
        each = [results("typicality")[name]["faint"][fault] for name in NETWORKS]
        rows.append([fault, *(percent(part["atypical"]) for found in each for part in found.values())])
    heads = [head for name in NETWORKS for head in (f"`{name}`", "sets of 20")]
    return table(["fault, a tenth of it", *heads], rows)


def real_windows() -> str:
    """Posteriors of windows of real recordings: how far their means are from the exact one's, in its SDs."""
    rows = []
    for window, row in results("real_recordings").items():
        file, sweep, start, stop = window.rsplit(":", 3)
        away = {
            kind: max(abs(row[kind][name][0] - mean) / sd for name, (mean, sd) in row["exact"].items())
            for kind in ("amortized", "corrected")
        }
        name = f"`{file}`" + (f", sweep {sweep}" if sweep else "")
        numbers = [*(f"{away[kind]:.2f}" for kind in away), f"{row['k_hat']:.2f}", f"{row['efficiency']:.2f}"]
        rows.append([name, f"{start} to {stop}", str(row["spikes"]), *numbers])
    head = ["file", "window, ms", "spikes", "network's own, SDs", "corrected, SDs", "k-hat", "efficiency"]
    return table(head, rows)


def recipe() -> str:
    """Losses of the literal recipe."""
    lines = (DOCS.parent / "src/leakyflow/networks/lstm/history.csv").read_text(encoding="utf-8").splitlines()[1:]
    found = {int(row[0]): row for row in (line.split(",") for line in lines)}
    rows = [[epoch, *(f"{float(x):.2f}" for x in found[epoch][1:3])] for epoch in (1, 10, 50, 100, 200, 300)]
    return table(["epoch", "training loss", "validation loss"], rows)


def prior_predictive() -> str:
    """Simulated cells beside real ones."""
    said = {
        "resistance": ("input resistance (MOhm)", 0),
        "sag": ("sag ratio", 2),
        "rheobase": ("rheobase (pA)", 0),
        "rate": ("highest rate in a step (Hz)", 0),
        "adaptation": ("adaptation index", 2),
        "isi_cv": ("CV of the intervals", 2),
        "lowest": ("lowest V (mV)", 0),
        "highest": ("highest V, spikes aside (mV)", 0),
    }
    found = results("prior_predictive")
    rows = []
    for name, (label, digits) in said.items():
        simulated = " / ".join(f"{found['simulated'][name][q]:.{digits}f}" for q in ("0.05", "0.5", "0.95"))
        real = sorted(row[name] for row in found["real"].values() if row[name] is not None)
        rows.append([label, simulated, ", ".join(f"{x:.{digits}f}" for x in real)])
    return table(["", "simulated, 5 / 50 / 95 %", "real"], rows)


def explorer() -> str:
    """Of the page in the browser."""
    said = {
        "page": "from the command to the page",
        "plot": "first plot of 17 sweeps of 3 s",
        "pan": "a pan of 60 s at 20 kHz, until all is drawn",
        "sweep": "verdict on a sweep by `lif`, network in memory",
        "cell": "verdict on 17 sweeps by `lif`, network in memory",
        "command": "the same by `leakyflow infer --network lif`, from the prompt",
    }
    rows = []
    for name, text in said.items():
        row = results("explorer")[name]
        clock = f"{row['median_s']:.2f}" if "median_s" in row else f"{row['wall_s']:.1f}"
        rows.append([text, clock, f"{row['cpu_s']:.1f}" if "cpu_s" in row else "", f"{row['load']:.0f}"])
    return table(["", "clock, s", "processor, s", "load of the machine"], rows)


def band() -> str:
    """Of a voltage that is predicted, by where its errors come from."""
    said = {"as fitted": "of sweeps as fitted", "one step": "left out by one step", "new fit": "left out by a new fit"}
    cells: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for row in results("band").values():
        cells.setdefault((row["cell"], row["n_sweeps"]), []).append(row)
    rows = []
    for (name, n), found in sorted(cells.items(), key=lambda one: one[0][1]):
        shown = []
        for kind in said:
            holds = statistics.mean(row["holds"][kind] for row in found)
            widths = [row["half_width"][kind] for row in found]
            shown.append(f"{100 * holds:.0f} %; {statistics.median(widths):.1f}, {max(widths):.1f}")
        rows.append([name, str(n), *shown])
    return table(["cell", "sweeps", *said.values()], rows)


def quick() -> str:
    """Of the network that `leakyflow run` trains."""
    head = ["parameter", "prior SD", "RMSE of the posterior mean", "contraction", "90 % interval holds the truth"]
    rows = [
        [
            f"`{name}` ({row['unit']})",
            f"{row['prior_sd']:.1f}",
            f"{row['rmse']:.2f}",
            f"{row['contraction']:.3f}",
            f"{100 * row['coverage90']:.1f} %",
        ]
        for name, row in results("quick")["parameters"].items()
    ]
    return table(head, rows)


TABLES: dict[str, Callable[[], str]] = {
    **{
        f"accuracy {name}": lambda place=place: printed("accuracy", place)
        for place, name in enumerate(("standard", "standard, cost", "lif", "lif, cost"))
    },
    **{
        f"ablation {name}": lambda place=place: printed("ablation", place)
        for place, name in enumerate(results("ablation"))
    },
    **{f"cell {name}": lambda place=place: of_cell(place) for place, name in enumerate(results("real_cells"))},
    "real verdicts": lambda: importlib.import_module("benchmarks.real_verdicts").table(),
    "accuracy cells": lambda: importlib.import_module("benchmarks.accuracy_cells").summary(),
    "acquisition": acquisition,
    "backends": lambda: printed("backends", 0),
    "band": band,
    "batch": batch,
    "cold": cold,
    "false alarms": false_alarms,
    "explorer": explorer,
    "faint": faint,
    "from nothing": from_nothing,
    "gpu": gpu,
    "frozen noise": lambda: printed("frozen_noise", 0),
    "horizon": lambda: printed("horizon", 0),
    "inference, cells": lambda: printed("inference", 2),
    "inference, many": lambda: printed("inference", 1),
    "inference, one": lambda: printed("inference", 0),
    "likelihood": likelihood,
    "one cell": one_cell,
    "power": power,
    "predictor": predictor,
    "prior predictive": prior_predictive,
    "quick": quick,
    "real windows": real_windows,
    "recipe": recipe,
    "simulations": lambda: printed("sensitivity", 0),
    "speed beside sbi": beside_sbi,
    "training steps": training_steps,
}


def renewed(text: str) -> str:
    """A page with its tables as the numbers are now."""
    return MARKED.sub(lambda found: f"{found[1]}{TABLES[found[2]]()}\n{found[3]}", text)


def outdated() -> list[str]:
    """Pages whose tables are not what the numbers give."""
    pages = {page.name: page.read_text(encoding="utf-8") for page in sorted(DOCS.glob("*.md"))}
    return [name for name, text in pages.items() if renewed(text) != text]


if __name__ == "__main__":
    for name in outdated():
        page = DOCS / name
        page.write_text(renewed(page.read_text(encoding="utf-8")), encoding="utf-8")
        print(f"{name} is renewed")
