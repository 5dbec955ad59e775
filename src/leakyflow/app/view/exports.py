"""Files to take along, and what reproduces the page."""

import io
from collections.abc import Callable
from typing import Any

import panel as pn

from leakyflow.app.exporting import KINDS, SIMULATORS, Export
from leakyflow.app.result import Result
from leakyflow.app.session import Session
from leakyflow.app.view.follow import follow
from leakyflow.app.view.style import html
from leakyflow.app.view.text import code, notice
from leakyflow.app.worker import Job

__all__ = ["ExportPane"]

WIDE: dict[str, Any] = {"sizing_mode": "stretch_width"}


class ExportPane:
    """Choose a kind, have it written, download it.

    Args:
        session: Whose.
        result: What is exported.
        warn: Shows a text, and whether it is bad.
    """

    def __init__(self, session: Session, result: Result, warn: Callable[[str, bool], None]) -> None:
        self.session, self.result, self._warn = session, result, warn
        options = {label: kind for kind, label in KINDS.items()}
        options |= {f"Neuron for {label}": kind for kind, label in SIMULATORS.items()}
        self.kind = pn.widgets.Select(name="What", options=options, **WIDE)
        names = list(result.mean)
        self.without = pn.widgets.MultiChoice(name="Leave out, where a simulator lacks it", options=names, **WIDE)
        self.button = pn.widgets.Button(name="Write", button_type="primary")
        self.button.on_click(lambda _: self._write())
        self.place = pn.Column(**WIDE)
        self.object = pn.Column(
            *(pn.Row(self.kind, self.without, **WIDE), self.button, self.place),
            html(f"<b>The same on the command line</b>{code(result.choice.command(result.file), label='Command')}"),
            html(f"<b>The same in Python</b>{code(result.choice.python(result.file), label='Python')}"),
            **WIDE,
        )

    def _write(self) -> None:
        without = tuple(self.without.value) if self.kind.value in SIMULATORS else ()
        try:
            job = self.session.export(self.result, self.kind.value, without)
        except ValueError as error:
            self._warn(str(error), True)
            return
        self.button.disabled = True
        self.place[:] = [pn.pane.Str("Writing …")]
        follow(job, tick=lambda job: None, end=self._end)

    def _end(self, job: Job) -> None:
        self.button.disabled = False
        self.place[:] = []
        if job.state != "done":
            self._warn(job.message, job.state == "failed")
            return
        self._warn("", False)
        written: Export = job.result
        download = pn.widgets.FileDownload(
            io.BytesIO(written.content), filename=written.name, label=f"Download {written.name}", button_type="success"
        )
        notes = [html(notice(text, bad=False)) for text in written.notes]
        self.place[:] = [download, *notes]
