"""Tables and sentences as HTML, with everything that comes from a file or a person escaped."""

import re
from collections.abc import Iterable, Sequence
from html import escape
from math import isnan

from leakyflow.app.result import Answered, Parameter, Result

__all__ = ["answers", "code", "compared", "notice", "posterior", "sweeps", "table"]


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, label: str) -> str:
    """A table.

    Args:
        head: Names of its columns.
        rows: Their texts.
        label: What it is, for those who hear the page, and for tests.

    Example:
        >>> table(["a"], [["<b>"]], label="x")
        '<table class="lf" aria-label="x"><tr><th>a</th></tr><tr><td>&lt;b&gt;</td></tr></table>'
    """
    heads = "".join(f"<th>{escape(text)}</th>" for text in head)
    lines = "".join("<tr>" + "".join(f"<td>{escape(text)}</td>" for text in row) + "</tr>" for row in rows)
    return f'<table class="lf" aria-label="{escape(label)}"><tr>{heads}</tr>{lines}</table>'


def posterior(parameters: Sequence[Parameter], *, several: bool = False) -> str:
    """The posterior beside the prior, with units.

    Args:
        parameters: To show.
        several: Whether sweeps may differ.
    """
    rows = []
    for p in parameters:
        between = [("?" if isnan(p.between) else p.shown(p.between))] if several else []
        interval = f"{p.shown(p.low)} to {p.shown(p.high)}"
        rows.append([p.name, p.unit, p.shown(p.mean), p.exactly(p.sd), *between, interval, p.prior, p.meaning])
    spread = ["SD between sweeps"] if several else []
    head = ["parameter", "unit", "mean", "SD", *spread, "90 % interval", "prior", "meaning"]
    return table(head, rows, label="Posterior")


def sweeps(result: Result) -> str:
    """What was recorded and predicted of each sweep, those kept back among them."""
    rows = [
        (
            sweep.name,
            "kept back" if sweep.unseen else "used",
            str(len(sweep.spikes)),
            "{1} ({0} to {2})".format(*sweep.n_spikes),
            f"{sweep.eps_V:.3f}",
            f"{100 * sweep.inside:.0f} %",
        )
        for sweep in result.sweeps
    ]
    head = ("sweep", "part", "spikes", "predicted", "explained variance of V", "V in the 90 % band")
    return table(head, rows, label="Prediction of each sweep")


def compared(results: Sequence[Result]) -> str:
    """Results beside each other: mean and SD of each parameter."""
    names = dict.fromkeys(p.name for result in results for p in result.parameters)
    rows = []
    for name in names:
        found = [next((p for p in result.parameters if p.name == name), None) for result in results]
        unit = next(p.unit for p in found if p)
        rows.append([f"{name} ({unit})", *(f"{p.shown(p.mean)} ± {p.shown(p.sd)}" if p else "–" for p in found)])
    for number, question in enumerate(answer.question for answer in results[0].answers):
        rows.append([question, *(result.answers[number].short for result in results)])
    head = ["", *(f"{result.title}, network {result.choice.network}" for result in results)]
    return table(head, rows, label="Comparison")


def answers(found: Iterable[Answered]) -> str:
    """The verdict: what is bad stands out."""
    items = [
        f'<li class="{"good" if a.good else "bad"}"><b>{escape(a.question)} {escape(a.short)}</b> {_words(a.text)}</li>'
        for a in found
    ]
    return f'<ul class="lf verdict" aria-label="Verdict">{"".join(items)}</ul>'


def _words(text: str) -> str:
    """A sentence, in which `names` stand as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def notice(text: str, *, bad: bool) -> str:
    """What a person must see; nothing where there is nothing to say."""
    kind = "bad" if bad else "good"
    role = "alert" if bad else "status"
    return f'<div class="lf notice {kind}" role="{role}">{escape(text)}</div>' if text else ""


def code(text: str, *, label: str) -> str:
    """Something to type or to run."""
    return f'<pre class="lf" aria-label="{escape(label)}">{escape(text)}</pre>'
