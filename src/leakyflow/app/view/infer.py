"""The button that infers, how far it is, and the one that cancels."""

from collections.abc import Callable

import panel as pn

from leakyflow.app.limits import MOST_DRAWS
from leakyflow.app.result import Result
from leakyflow.app.session import Session
from leakyflow.app.view.follow import follow
from leakyflow.app.worker import Job

__all__ = ["InferPane"]


class InferPane:
    """Choose a network, and infer.

    Args:
        session: Whose.
        found: Is called with each result.
        changed: Is called where the network, draws or seed are others.
        notice: Shows a text, and whether it is bad.
    """

    def __init__(
        self,
        session: Session,
        found: Callable[[Result], None],
        changed: Callable[[dict[str, object]], None],
        notice: Callable[[str, bool], None],
    ) -> None:
        self.session, self._found, self._notice = session, found, notice
        self._job: Job | None = None
        wide = {"sizing_mode": "stretch_width"}
        self.whole = pn.widgets.RadioBoxGroup(
            options={"This sweep": False, "All sweeps, as one cell": True}, value=False
        )
        self.network = pn.widgets.Select(name="Network", options=list(session.networks), **wide)
        self.draws = pn.widgets.IntInput(name="Draws", value=1000, start=100, end=MOST_DRAWS, step=500, **wide)
        self.seed = pn.widgets.IntInput(name="Seed", value=0, start=0, **wide)
        self.amortized = pn.widgets.Checkbox(name="Leave the network's draws uncorrected")
        self.button = pn.widgets.Button(name="Infer", button_type="primary", **wide)
        self.stop = pn.widgets.Button(name="Cancel", disabled=True, **wide)
        self.bar = pn.indicators.Progress(value=0, max=100, visible=False, **wide)
        self.said = pn.pane.Str("", **wide)
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
            self._job = self.session.infer()
        except ValueError as error:
            self._notice(str(error), True)
            return
        self._running(True)
        self._notice("", False)
        follow(self._job, tick=self._tick, end=self._end)

    def _cancel(self) -> None:
        if self._job is not None:
            self._job.cancel()

    def _tick(self, job: Job) -> None:
        if job is self._job:
            self.bar.value, self.said.object = int(100 * job.share), f"{job.message} … {job.seconds_so_far:.0f} s"

    def _end(self, job: Job) -> None:
        if job is not self._job:
            return
        self._running(False)
        if job.state == "done":
            self.session.keep(job.result)
            self._found(job.result)
        else:
            self._notice(job.message, job.state == "failed")

    def _running(self, on: bool) -> None:
        self.button.disabled, self.stop.disabled, self.bar.visible = on, not on, on
        self.bar.value, self.said.object = 0, ""
