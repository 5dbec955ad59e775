"""All of the page together."""

from collections.abc import Callable
from typing import Any

import panel as pn

from leakyflow.app.result import Result
from leakyflow.app.session import Session
from leakyflow.app.told import told
from leakyflow.app.view.files import FilesPane
from leakyflow.app.view.infer import InferPane
from leakyflow.app.view.results import ResultPane
from leakyflow.app.view.settings import SettingsPane
from leakyflow.app.view.style import html
from leakyflow.app.view.text import notice
from leakyflow.app.view.traces import TracePane

__all__ = ["Explorer", "Page"]

WIDE: dict[str, Any] = {"sizing_mode": "stretch_width"}
UNSEEN = {"whole", "network", "n_draws", "seed", "amortized"}  # what changes nothing before it is inferred
WELCOME = "Drop a recording (ABF, NWB, Igor, a table, MATLAB, …), or choose one from the list."


class Page(pn.template.VanillaTemplate):
    """Panel's plainest page, without the font that it would fetch from elsewhere."""

    _resources = {"css": {}}  # noqa: RUF012


class Explorer:
    """The page of one browser.

    Args:
        session: What it sees.
        dark: Whether it is dark.
    """

    def __init__(self, session: Session, *, dark: bool = False) -> None:
        self.session = session
        self.notice = html(notice(WELCOME, bad=False))
        self.traces = TracePane()
        self.settings = SettingsPane(self._set, self._lay_out, lambda: self._draw(keep_view=True))
        self.infer = InferPane(session, self._found, self._set, self._say)
        self.results = ResultPane(session, self._say, dark=dark)
        self.files = FilesPane(session, dark=dark, opened=self._open, chosen=self._choose, notice=self._say)
        self.findings = html("")
        self.dark = dark
        if len(session.shelf.entries) == 1:
            self.files.list_files(0)

    def page(self) -> Page:
        """The page, to be served."""
        theme, other = ("dark", "default") if self.dark else ("default", "dark")
        link = pn.pane.HTML(f'<a href="?theme={other}" style="color:inherit">{"Light" if self.dark else "Dark"}</a>')
        return Page(
            title="leakyflow",
            theme=theme,
            header=[link],
            header_background="#005b8f",
            sidebar=[pn.Column(self.files.dropper, self.files.files, self.infer.object, self.settings.object, **WIDE)],
            main=[
                pn.Column(
                    *(self.notice, self.files.table, self.traces.object, self.findings, self.results.object), **WIDE
                )
            ],
            sidebar_width=300,
        )

    def _say(self, text: str, bad: bool) -> None:
        self.notice.object = notice(text, bad=bad)

    def _tried(self, act: Callable[[], None]) -> bool:
        """Do something that a file or a person can make fail: then say why, and go on."""
        try:
            act()
        except Exception as error:  # one bad file never ends the server
            self._say(told(error), True)
            return False
        return True

    def _open(self, number: int) -> None:
        if self._tried(lambda: self.session.open(number)):
            self._renew()

    def _lay_out(self, changes: dict[str, Any]) -> None:
        if self.session.file is not None and self._tried(lambda: self.session.lay_out(**changes)):
            self._renew()

    def _renew(self) -> None:
        """The sweeps are others."""
        self._say("", False)
        self.settings.show(self.session.choice)
        self.files.list_sweeps()
        self._draw(keep_view=False)

    def _choose(self, sweep: int) -> None:
        if self._tried(lambda: self.session.choose(sweep=sweep)):
            self._say("", False)
            self._draw(keep_view=True)

    def _set(self, changes: dict[str, Any]) -> None:
        if self._tried(lambda: self.session.choose(**changes)) and not changes.keys() & UNSEEN:
            self._draw(keep_view=True)

    def _draw(self, *, keep_view: bool) -> None:
        if self.session.file is None:
            return
        if self._tried(lambda: self._show_trace(keep_view)):
            self._check()
        else:
            self.traces.clear()

    def _show_trace(self, keep_view: bool) -> None:
        trace = self.session.trace()
        overlaid = self.session.overlay() if self.settings.overlay.value else []
        self.traces.show(trace, overlaid, keep_view=keep_view)
        self.traces.mark(self.session.choice.start, self.session.choice.stop)

    def _check(self) -> None:
        """Say what the checks find in the window, and how many spikes the model sees there."""
        try:
            recording = self.session.recording()
        except Exception as error:
            self.findings.object = notice(told(error), bad=True)
            return
        n = int(recording.spikes.sum())
        lines = [f"{recording.name}: {recording.duration:g} ms, {n} spike{'s' if n != 1 else ''}."]
        lines += [str(finding) for finding in recording.findings]
        self.findings.object = notice("\n".join(lines), bad=len(lines) > 1)

    def _found(self, result: Result) -> None:
        self._tried(lambda: self.results.show(result))
