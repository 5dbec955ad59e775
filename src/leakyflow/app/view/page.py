"""All of the page together."""

from collections.abc import Callable
from typing import Any, NamedTuple

import panel as pn

from leakyflow.app.result import Result
from leakyflow.app.session import Session
from leakyflow.app.told import told
from leakyflow.app.trace import Trace
from leakyflow.app.view.aside import Aside
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
KINDS = "ABF, NWB, Igor, a table, MATLAB, …"
WELCOME = f"Drop a recording on the left ({KINDS}), choose a sweep, and press Infer."
LISTED = f"Choose a recording on the left, or drop one there ({KINDS}); then choose a sweep, and press Infer."


class Page(pn.template.VanillaTemplate):
    """Panel's plainest page, without the font that it would fetch from elsewhere."""

    _resources = {"css": {}}  # noqa: RUF012


class Explorer:
    """The page of one browser.

    Args:
        session: What it sees.
        dark: Whether it is dark.
        key: By which a page in the other theme goes on with this session.
    """

    def __init__(self, session: Session, *, dark: bool = False, key: str = "") -> None:
        self.session, self.key = session, key
        self.aside = Aside(self._wrong)
        self.notice = html(notice(WELCOME, bad=False))
        self.traces = TracePane(self.aside)
        self.settings = SettingsPane(session, self._set, self._lay_out, lambda: self._draw(keep_view=True))
        self.results = ResultPane(session, self._say, dark=dark)
        self.infer = InferPane(session, self._found, self.results.expect, self.results.give_up, self._set, self._say)
        self.files = FilesPane(
            session, dark=dark, opened=self._open, arrived=self._add, chosen=self._choose, notice=self._say
        )
        self.findings = html("")
        self.dark = dark

    def begin(self) -> None:
        """Once the page is seen: list the files, open the only one, or go on where another page was."""
        self.session.prepare()
        if self.session.shelf.unlisted:
            self.aside.do("files", self.session.shelf.browse, self._listed)
        elif self.session.file is not None:
            self.files.list_files(self.session.file, quietly=True)
            self._renew()
        elif len(self.session.shelf.entries) == 1:
            self.files.list_files(0)
        if self.session.results:
            self._found(self.session.results[-1])
        self.infer.go_on()

    def _listed(self, left_out: str) -> None:
        self.files.list_files(self.session.file, quietly=True)
        if self.session.file is not None and not left_out:
            return
        self._say(left_out or (LISTED if self.session.shelf.entries else WELCOME), bool(left_out))

    def page(self) -> Page:
        """The page, to be served."""
        theme, other = ("dark", "default") if self.dark else ("default", "dark")
        there = f"?theme={other}&amp;go_on={self.key}"
        link = pn.pane.HTML(f'<a href="{there}" style="color:inherit">{"Light" if self.dark else "Dark"}</a>')
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

    def _wrong(self, error: Exception) -> None:
        self._say(told(error), True)

    def _tried(self, act: Callable[[], None]) -> bool:
        """Do something that a person can make fail: then say why, and go on."""
        try:
            act()
        except Exception as error:
            self._wrong(error)
            return False
        return True

    def _add(self, name: str, content: bytes) -> None:
        self.aside.do(f"add {name}", lambda: self.session.shelf.add(name, content), self.files.list_files)

    def _open(self, number: int) -> None:
        self._say(f"Reading {self.session.shelf.entries[number].name} …", False)
        self._take(lambda: self.session.open(number))

    def _lay_out(self, changes: dict[str, Any]) -> None:
        if self.session.asked[0] is not None:
            self._take(lambda: self.session.lay_out(**changes))

    def _take(self, act: Callable[[], None]) -> None:
        self.aside.do("open", act, lambda _: self._renew(), otherwise=self._unread)

    def _unread(self, error: Exception) -> None:
        """Say why a file is not read, and where a person says what it leaves open."""
        self.settings.show(self.session.asked[1])
        self._say("\n".join(filter(None, (told(error), self.settings.where(error)))), True)

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
        if self.session.file is not None:
            self.aside.do("draw", self._read, lambda read: self._drawn(read, keep_view), otherwise=self._undrawn)

    def _read(self) -> "_Read":
        """What is drawn of the chosen sweep, and what is said of it; in a thread."""
        session = self.session
        trace = session.trace()
        overlaid = session.overlay() if session.overlaid else []
        return _Read(trace, overlaid, _checked(session))

    def _undrawn(self, error: Exception) -> None:
        self.traces.clear()
        self._wrong(error)

    def _drawn(self, read: "_Read", keep_view: bool) -> None:
        self.traces.show(read.trace, read.overlaid, keep_view=keep_view)
        self.traces.mark(self.session.choice.start, self.session.choice.stop)
        self.findings.object = read.findings

    def _found(self, result: Result) -> None:
        if self._tried(lambda: self.results.show(result)):
            self._say("The verdict and the posterior are below the recording.", False)


class _Read(NamedTuple):
    trace: Trace
    overlaid: list[Trace]
    findings: str


def _checked(session: Session) -> str:
    """What the checks find in the window, and how many spikes the model sees there."""
    try:
        recording = session.recording()
    except Exception as error:
        return notice(told(error), bad=True)
    n = int(recording.spikes.sum())
    lines = [f"{recording.name}: {recording.duration:g} ms, {n} spike{'s' if n != 1 else ''}."]
    lines += [str(finding) for finding in recording.findings]
    return notice("\n".join(lines), bad=len(lines) > 1)
