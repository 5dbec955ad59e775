"""Tables for a terminal of 80 columns."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    import pandas as pd

    from leakyflow.diagnostics.verdicts import Check
    from leakyflow.neuron.parameters import Parameters
    from leakyflow.recordings.sweeps import Sweep

__all__ = [
    "cell_table",
    "checks_table",
    "new_table",
    "posterior_table",
    "recovery_table",
    "rungs_table",
    "said_of_all",
    "sweeps_table",
]

SAID = ("electrode", "protocol", "clamp")  # of a sweep, in words
VERDICT_STYLES = {"pass": "green", "FAIL": "red", "limit": "dim"}


def new_table(*left: str, right: Sequence[str] = (), after: Sequence[str] = ()) -> Table:
    """Start a table with columns of text, of numbers, and of text again."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in left:
        table.add_column(name)
    for name in right:
        table.add_column(name, justify="right")
    for name in after:
        table.add_column(name)
    return table


def checks_table(finished: "dict[str, list[Check]]") -> Table:
    """The verdicts of each part of a diagnosis."""
    table = new_table("check", right=("found", "bound"), after=("verdict",))
    for part, found in finished.items():
        table.add_row(Text(part, style="bold"))
        for check in found:
            verdict = Text(check.verdict, style=VERDICT_STYLES[check.verdict])
            table.add_row(f"  {check.what}", check.found, check.bound, verdict)
    return table


def recovery_table(path: Path) -> Table:
    """How well a network finds each parameter, from the table in a file."""
    import pandas as pd

    table = new_table(
        "parameter", "unit", right=("prior SD", "RMSE", "contraction", "90 % coverage"), after=("verdict",)
    )
    for name, row in pd.read_csv(path, index_col="parameter").iterrows():
        numbers = f"{row.prior_sd:.3g}", f"{row.rmse:.3g}", f"{row.contraction:.3f}", f"{100 * row.coverage90:.1f} %"
        table.add_row(str(name), row.unit, *numbers, row.verdict)
    return table


def posterior_table(summary: "pd.DataFrame", truth: "Parameters | None") -> Table:
    """A posterior; two digits of the SD say how many are worth showing."""
    from leakyflow.likelihood.draws import n_decimals

    right = ("mean", "SD", "5 %", "95 %") if truth is None else ("true", "mean", "SD", "5 %", "95 %")
    table = new_table("parameter", right=right, after=("unit",))
    for name, row in summary.iterrows():
        true = [] if truth is None else [getattr(truth, str(name))]
        numbers = [*true, row["mean"], row["sd"], row["q05"], row["q95"]]
        n = n_decimals(row["sd"])
        table.add_row(str(name), *(f"{number:.{n}f}" for number in numbers), row["unit"])
    return table


def cell_table(summary: "pd.DataFrame") -> Table:
    """The posterior of a cell, with the spread between its sweeps, from `Spread.summary`."""
    from leakyflow.likelihood.draws import n_decimals

    table = new_table("parameter", right=("mean", "SD", "between", "5 %", "95 %"), after=("unit",))
    for name, row in summary.iterrows():
        n = n_decimals(max(row["sd"], 0.0 if row["between"] != row["between"] else row["between"]))
        exact = f"{row['sd']:.{n_decimals(row['sd'])}f}"
        between = "?" if row["between"] != row["between"] else f"{row['between']:.{n}f}"
        mean, low, high = (f"{row[key]:.{n}f}" for key in ("mean", "q05", "q95"))
        table.add_row(str(name), mean, exact, between, low, high, row["unit"])
    return table


def rungs_table(found: "pd.DataFrame") -> Table:
    """Neurons with more and more mechanisms; nats are those by which one is above the first."""
    judged = bool(found["explained"].notna().any())
    table = new_table(
        "neuron", right=("evidence", *(("held out", "eps_V", "missed") if judged else ()), "tau ms", "C pF")
    )
    above = found[["log_evidence", "log_density"]] - found[["log_evidence", "log_density"]].iloc[0]
    for name, row in found.iterrows():
        nats = [f"{value:+.1f}" if abs(value) < 1e4 else f"{value:+.0f}" for value in above.loc[str(name)].to_numpy()]
        of_held_out = [nats[1], f"{row.explained:.3f}", f"{row.count_error:.1f}"] if judged else []
        table.add_row(str(name), nats[0], *of_held_out, f"{row.tau:.3g}", f"{row.C:.3g}")
    return table


def said_of_all(sweeps: "Sequence[Sweep]") -> str:
    """What a file says of its sweeps where it says the same of all."""
    said = [(field, values.pop()) for field in SAID if len(values := {getattr(s, field) for s in sweeps}) == 1]
    return ", ".join(text if field == "clamp" else f"{field} {text}" for field, text in said if text)


def sweeps_table(sweeps: "Sequence[Sweep]") -> Table:
    """What to know of each sweep of a file; a sweep without a number cannot be read."""
    named = [field for field in SAID if len({getattr(sweep, field) for sweep in sweeps}) > 1]
    if any(sweep.name not in ("", str(sweep.index)) for sweep in sweeps):
        named.insert(0, "name")
    table = new_table(right=("sweep", "length ms", "dt ms", "V mV", "I pA", "spikes"), after=named)
    for sweep in sweeps:
        lengths = f"{sweep.duration:g}", f"{sweep.dt:g}"
        said = [Text(getattr(sweep, field)) for field in named]
        if sweep.index is None:
            table.add_row("-", *lengths, *("-" * 3), *said)
            continue
        ranges = ("{:.0f} to {:.0f}".format(*values) for values in (sweep.V_range, sweep.I_range))
        table.add_row(str(sweep.index), *lengths, *ranges, str(sweep.n_spikes), *said)
    return table
