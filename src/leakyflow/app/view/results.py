"""A posterior on the page: verdict, table, figures, what if, exports, and others beside it."""

import base64
from collections.abc import Callable
from html import escape
from typing import Any

import panel as pn

from leakyflow.app.result import Early, Result
from leakyflow.app.session import Session
from leakyflow.app.view import figures, text
from leakyflow.app.view.exports import ExportPane
from leakyflow.app.view.follow import follow
from leakyflow.app.view.style import html
from leakyflow.app.view.whatif import StimulusPane, WhatIfPane
from leakyflow.app.worker import Job

__all__ = ["ResultPane"]

WIDE: dict[str, Any] = {"sizing_mode": "stretch_width"}
ACTIVE = ".bk-header .bk-tab.bk-active { color: var(--panel-on-background-color); font-weight: bold; }"
WORTH = "What this is worth"
PAIRS, WHAT_IF = 2, 3  # tabs whose content is made when they are first seen


class ResultPane:
    """The newest result, with tabs.

    Args:
        session: Whose.
        notice: Shows a text, and whether it is bad.
        dark: Whether the page is dark.
    """

    def __init__(self, session: Session, notice: Callable[[str, bool], None], *, dark: bool = False) -> None:
        self.session, self._notice, self.dark = session, notice, dark
        self._waiting: Any = None  # what says that it is not known yet what parameters are worth
        self.object = pn.Column(**WIDE)

    def expect(self, early: Early) -> None:
        """Show the parameters, while it is asked what they are worth."""
        title = f"<h3>{escape(early.title)}, network {escape(early.network)}</h3>"
        self._waiting = html(text.notice(f"{WORTH} is being worked out: the sweeps are predicted.", bad=False))
        self.object[:] = [html(title), self._waiting, html(text.posterior(early.parameters))]

    def give_up(self, why: str) -> None:
        """Say that nobody will know what parameters are worth that are shown already."""
        if self._waiting is not None:
            self._waiting.object = text.notice(f"{WORTH} is not known. {why}", bad=True)
            self._waiting = None

    def show(self, result: Result) -> None:
        """Show a result."""
        self._waiting = None
        self.pairs = pn.Column(pn.pane.Str("Drawing …"), **WIDE)
        self.what_if = WhatIfPane(self.session, result, self._notice)
        self.seen: set[int] = set()
        tabs = pn.Tabs(
            ("Posterior", _posterior(result)),
            ("Prediction", _prediction(result)),
            ("Pairs", self.pairs),
            ("What if", self.what_if.object),
            ("Another stimulus", StimulusPane(self.session, result, self._notice).object),
            ("Compare", html(text.compared(self.session.results))),
            ("Export", ExportPane(self.session, result, self._notice).object),
            dynamic=True,
            stylesheets=[ACTIVE],
            **WIDE,
        )
        tabs.param.watch(lambda event: self._turned(event.new, result), "active")
        title = f"<h3>{escape(result.title)}, network {escape(result.choice.network)}</h3>"
        self.object[:] = [html(title), html(text.answers(result.answers)), tabs]

    def _turned(self, tab: int, result: Result) -> None:
        if tab in self.seen:
            return
        self.seen.add(tab)
        if tab == WHAT_IF:
            self.what_if.simulate()
        elif tab == PAIRS:
            follow(self.session.export(result, "pairs"), tick=lambda job: None, end=self._paired)

    def _paired(self, job: Job) -> None:
        if job.state != "done":
            self._notice(job.message, job.state == "failed")
            return
        picture = base64.b64encode(job.result.content).decode()
        style = "lf pairs dark" if self.dark else "lf pairs"
        image = f'<img class="{style}" alt="Pair plot" src="data:image/png;base64,{picture}">'
        self.pairs[:] = [html(image)]


def _posterior(result: Result) -> Any:
    table = html(text.posterior(result.parameters, several=result.several))
    return pn.Column(table, figures.marginals(result), **WIDE)


def _prediction(result: Result) -> Any:
    """One sweep at a time, first one that was kept back; with the scores of all, and the f-I curve."""
    names = {f"{s.name}{' (kept back)' if s.unseen else ''}": place for place, s in enumerate(result.sweeps)}
    first = next((place for place, sweep in enumerate(result.sweeps) if sweep.unseen), 0)
    choose = pn.widgets.Select(name="Sweep", options=names, value=first, **WIDE)
    place = pn.Column(figures.prediction(result.sweeps[first]), **WIDE)

    def other(event: Any) -> None:
        place[:] = [figures.prediction(result.sweeps[event.new])]

    choose.param.watch(other, "value")
    curve = [] if result.rates is None else [figures.rates(result.rates)]
    return pn.Column(choose, place, html(text.sweeps(result)), *curve, **WIDE)
