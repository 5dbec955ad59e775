"""The button that infers, how far it is, and the one that cancels."""

from collections.abc import Callable
from html import escape

import panel as pn

from leakyflow.app.limits import MOST_DRAWS
from leakyflow.app.result import Early, Result
from leakyflow.app.session import Session
from leakyflow.app.view.follow import follow
from leakyflow.app.view.style import html
from leakyflow.app.worker import Job

__all__ = ["InferPane"]


class InferPane:
    """Choose a network, and infer.

    Args:
        session: Whose.
        found: Is called with each result.
        early: Is called with what is known before.
        given_up: Is called with the reason where nothing more will come.
        changed: Is called where the network, draws or seed are others.
        notice: Shows a text, and whether it is bad.
    """

    def __init__(
        self,
        session: Session,
        found: Callable[[Result], None],
        early: Callable[[Early], None],
        given_up: Callable[[str], None],
        changed: Callable[[dict[str, object]], None],
        notice: Callable[[str, bool], None],
    ) -> None:
        self.session, self._found, self._early, self._notice = session, found, early, notice
        self._given_up = given_up
        self._job: Job | None = None
        self._shown: Early | None = None
        choice = session.choice
        wide = {"sizing_mode": "stretch_width"}
        self.whole = pn.widgets.RadioBoxGroup(
            options={"This sweep": False, "All sweeps, as one cell": True}, value=choice.whole
        )
        names = {source: name for name, source in session.networks.items()}
        self.network = pn.widgets.Select(
            name="Network", options=list(session.networks), value=names[choice.network], **wide
        )
        self.draws = pn.widgets.IntInput(
            name="Draws", value=choice.n_draws, start=100, end=MOST_DRAWS, step=500, **wide
        )
        self.seed = pn.widgets.IntInput(name="Seed", value=choice.seed, start=0, **wide)
        self.amortized = pn.widgets.Checkbox(name="Leave the network's draws uncorrected", value=choice.amortized)
        self.button = pn.widgets.Button(name="Infer", button_type="primary", **wide)
        self.stop = pn.widgets.Button(name="Cancel", disabled=True, **wide)
        self.bar = pn.indicators.Progress(value=0, max=100, visible=False, **wide)
        self.said = html("")
        for field, name in (
            (self.draws, "n_draws"),
            (self.seed, "seed"),
            (self.amortized, "amortized"),
            (self.whole, "whole"),
        ):
            field.param.watch(lambda event, name=name: changed({name: event.new}), "value")
        self.network.param.watch(lambda event: changed({"network": event.new}), "value")
        self.button.on_click(lambda _: self._infer())
        self.stop.on_click(lambda _: self._cancel())
        self.object = pn.Column(
            *(self.whole, self.network, pn.Row(self.draws, self.seed), self.amortized),
            *(pn.Row(self.button, self.stop), self.bar, self.said),
            **wide,
        )

    def _infer(self) -> None:
        try:
            self.session.infer()
        except ValueError as error:
            self._notice(str(error), True)
            return
        self._notice("", False)
        self.go_on()

    def go_on(self) -> None:
        """Follow the inference of this session, if there is one."""
        self._job, self._shown = self.session.inferring, None
        if self._job is not None:
            self._running(True)
            follow(self._job, tick=self._tick, end=self._end)

    def _cancel(self) -> None:
        if self._job is not None:
            self._job.cancel()

    def _tick(self, job: Job) -> None:
        if job is not self._job:
            return
        if job.so_far is not self._shown:
            self._shown = job.so_far
            self._early(job.so_far)
        self.bar.value = int(100 * job.share)
        self.said.object = escape(f"{job.message} … {job.seconds_so_far:.0f} s")

    def _end(self, job: Job) -> None:
        if job is not self._job:
            return
        self._running(False)
        self.session.shown(job)
        self.session.prepare()  # anew, where the process is gone
        if job.state == "done":
            self.session.keep(job.result)
            self._found(job.result)
        else:
            self._given_up(job.message)
            self._notice(job.message, job.state == "failed")

    def _running(self, on: bool) -> None:
        self.button.disabled, self.stop.disabled, self.bar.visible = on, not on, on
        self.bar.value, self.said.object = 0, ""
