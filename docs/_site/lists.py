"""Lists that the package holds: parameters, mechanisms, statistics, what is checked."""

import math
from collections.abc import Mapping

from _site.markdown import table
from leakyflow.diagnostics.checks import CHECKS
from leakyflow.diagnostics.predictive import FEATURES
from leakyflow.models.statistics import STATISTICS
from leakyflow.neuron.mechanisms import MECHANISMS
from leakyflow.neuron.parameter import Parameter, Support
from leakyflow.neuron.parameters import TABLE

__all__ = ["checks", "features", "mechanisms", "parameters", "statistics"]

READERS = {"rest": "the rest before the stimulus", "spikes": "the spikes", None: ""}


def parameters() -> str:
    """Those of every neuron."""
    added = {row.name for mechanism in MECHANISMS for row in mechanism.parameters}
    return _parameters([row for row in TABLE.values() if row.name not in added])


def mechanisms() -> str:
    """A section for each, with its parameters."""
    return "\n\n".join(
        f"### {one.name}\n\n{one.meaning[0].upper()}{one.meaning[1:]}.\n\n{_parameters(one.parameters)}"
        for one in MECHANISMS
    )


def statistics() -> str:
    """What networks see of a sweep."""
    return _named(STATISTICS)


def checks() -> str:
    """What typicality looks at besides."""
    return _named(CHECKS)


def features() -> str:
    """What predictions are compared by."""
    return _named(FEATURES)


def _named(entries: Mapping[str, str]) -> str:
    return table(["name", "meaning"], [[f"`{name}`", meaning] for name, meaning in entries.items()])


def _parameters(rows: list[Parameter] | tuple[Parameter, ...]) -> str:
    head = ["parameter", "symbol", "unit", "meaning", "support", "off", "of each", "can be read off"]
    shown = [_parameter(row) for row in rows]
    told = len(head) if any(row[-1] for row in shown) else len(head) - 1
    return table(head[:told], [row[:told] for row in shown])


def _parameter(row: Parameter) -> list[str]:
    off = "" if row.off is None else f"{row.off:g}"
    known = [f"`{row.name}`", f"${row.symbol}$", row.unit, row.meaning]
    return [*known, _support(row.support), off, row.scope, READERS[row.reader]]


def _support(support: Support) -> str:
    if not math.isfinite(support.low):
        return "any"
    least = f"{'from' if support.closed else 'above'} {support.low:g}"
    return f"{least}, below {support.high:g}" if math.isfinite(support.high) else least
