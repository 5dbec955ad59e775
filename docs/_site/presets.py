"""The page of presets: what each is for, what it believes of neurons and stimuli, and its file."""

from importlib import resources
from math import isnan

import pandas as pd

import leakyflow as lf
from _site.markdown import table
from leakyflow.report.settings import parameters, stimuli

__all__ = ["presets"]

QUANTILES = {"q01": "1 %", "q50": "50 %", "q99": "99 %"}


def presets() -> str:
    """A section for each."""
    return "\n\n".join(_section(name) for name in lf.presets())


def _section(name: str) -> str:
    source = (resources.files("leakyflow.training") / "presets" / f"{name}.toml").read_text(encoding="utf-8")
    said = []
    for line in source.splitlines():
        if not line.startswith("#"):
            break
        said.append(line.removeprefix("# "))
    config = lf.load_config(name)
    prior = parameters(config.simulator.prior).drop(columns=["meaning", "symbol"])
    prior.insert(0, "parameter", [f"`{parameter}`" for parameter in config.simulator.prior.root])
    shown = [f"## {name}", " ".join(said), _frame(prior), _frame(stimuli(config.simulator))]
    return "\n\n".join([*shown, f":::{{dropdown}} {name}.toml\n```toml\n{source}```\n:::"])


def _frame(frame: pd.DataFrame) -> str:
    rows = [[_shown(cell) for cell in row] for row in frame.itertuples(index=False)]
    return table([QUANTILES.get(str(column), str(column)) for column in frame.columns], rows)


def _shown(cell: object) -> str:
    if isinstance(cell, float):
        return "" if isnan(cell) else f"{cell:.3g}"
    return "" if cell is None else str(cell)
