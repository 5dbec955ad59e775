"""A page of all cells that opens from disk: a table that sorts, with a small picture of each."""

import html
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from leakyflow.batches.manifest import Manifest
from leakyflow.neuron.parameters import UNITS

__all__ = ["page"]

HEAD = (
    *("", "file", "status", "sweeps", "spikes", "on the whole", "eps_V", "spikes missed", "in the band"),
    *("typical (p)", "k-hat"),
)
SAID = {"exact": "the model", "adequate": "adequate", "vague": "little to predict", "wrong": "wrong"}
SCORES = {"eps_V": ".2f", "spikes_missed": ".2f", "coverage": ".2f", "p_typical": ".2g", "k_hat": ".2f"}
TEMPLATE = Path(__file__).with_name("index.html")


def page(table: pd.DataFrame, manifest: Manifest) -> str:
    """The page, in itself but for pictures and draws."""
    names = [name for name in UNITS if f"{name}_mean" in table]
    counts = table["status"].value_counts()
    head = [*HEAD, *(f"{name} ({UNITS[name]})" for name in names)]
    said = {
        "TITLE": f"{len(table)} of {len(manifest.files)} cells",
        "COUNTS": ", ".join(f"{n} {status}" for status, n in counts.items()),
        "ABOUT": f"{manifest.folder}, by the network {manifest.network}, leakyflow {manifest.versions['leakyflow']}",
        "HEAD": "".join(f"<th>{html.escape(name)}</th>" for name in head),
        "ROWS": "\n".join(_row(row, names) for row in table.to_dict("records")),
    }
    text = TEMPLATE.read_text(encoding="utf-8")
    for name, value in said.items():
        text = text.replace(f"{{{{{name}}}}}", value if name in ("HEAD", "ROWS") else html.escape(value))
    return text


def _row(row: Mapping[Any, Any], names: list[str]) -> str:
    return f"<tr class={row['status']}>{''.join(_cells(row, names))}</tr>"


def _cells(row: Mapping[Any, Any], names: list[str]) -> Iterator[str]:
    file = html.escape(str(row["file"]))
    if row["status"] != "ok":
        yield f"<td></td><td>{file}</td><td>{html.escape(row['status'])}</td>"
        yield f'<td data-value="" colspan={len(HEAD) - 3 + len(names)}>{html.escape(row["error"])}</td>'
        return
    yield f'<td><img loading="lazy" src="{html.escape(row["picture"])}" alt=""></td>'
    yield f'<td><a href="{html.escape(row["draws"])}">{file}</a></td><td>ok</td>'
    yield _number(row["n_sweeps"], "d") + _number(row["n_spikes"], "d")
    yield f'<td title="{html.escape(str(row["verdict"]))}">{SAID[row["kind"]]}</td>'
    yield from (_number(row[name], form) for name, form in SCORES.items())
    for name in names:
        mean, sd = row[f"{name}_mean"], row[f"{name}_sd"]
        yield f"<td data-value={mean:.8g}>{mean:.4g} <small>± {sd:.2g}</small></td>"


def _number(value: Any, form: str) -> str:
    shown = "" if pd.isna(value) else format(int(value) if form == "d" else float(value), form)
    return f'<td data-value="{"" if pd.isna(value) else value}">{shown}</td>'
