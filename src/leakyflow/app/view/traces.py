"""Voltage over current with the spikes that are found; panning asks for more detail, decimated here."""

from typing import Any

import numpy as np
import panel as pn
from bokeh.models import ColumnDataSource
from bokeh.models.annotations import BoxAnnotation
from bokeh.models.ranges import Range1d

from leakyflow.app.trace import Drawn, Trace
from leakyflow.app.view.aside import Aside
from leakyflow.app.view.figures import BLUE, GREEN, GREY, ORANGE, panel

__all__ = ["TracePane"]

N_OVERLAID = 700  # points of each of many sweeps
SETTLED = 60  # ms after which a pan or zoom is followed

Found = tuple[dict[str, Drawn], list[dict[str, Drawn]]]


class TracePane:
    """The chosen sweep, others of its protocol, its spikes and the window.

    Args:
        aside: What is drawn after a pan or zoom is found there.
    """

    def __init__(self, aside: Aside) -> None:
        self.aside = aside
        self.upper = panel("V (mV)", height=300, x_range=Range1d(start=0.0, end=1000.0))
        self.lower = panel("I (pA)", height=130, x_range=self.upper.x_range, x="time (ms)")
        self.curves = {name: ColumnDataSource({"t": [], "x": []}) for name in ("V", "I", "spikes")}
        self.others = {name: ColumnDataSource({"t": [], "x": []}) for name in ("V", "I")}
        self.window = [BoxAnnotation(fill_color=GREY, fill_alpha=0.25, line_color=None, visible=False) for _ in "ab"]
        self.trace: Trace | None = None
        self.overlaid: list[Trace] = []
        self._asked = False
        self._draw()
        self.object = pn.Column(
            pn.pane.Bokeh(self.upper, sizing_mode="stretch_width"),
            pn.pane.Bokeh(self.lower, sizing_mode="stretch_width"),
            sizing_mode="stretch_width",
        )

    def show(self, trace: Trace, overlaid: list[Trace], *, keep_view: bool) -> None:
        """Show a sweep.

        Args:
            trace: The chosen one.
            overlaid: Others, drawn behind it.
            keep_view: Whether pan and zoom stay as they are.
        """
        self.trace, self.overlaid = trace, [other for other in overlaid if other.sweep != trace.sweep]
        if not keep_view:
            whole = {"start": 0.0, "end": trace.duration}
            self.upper.x_range.update(**whole, **{f"reset_{end}": at for end, at in whole.items()})
        self._fill()

    def mark(self, start: float | None, stop: float | None) -> None:
        """Shade what lies outside of the window."""
        for box, (left, right) in zip(self.window, ((None, start), (stop, None)), strict=True):
            box.update(left=left, right=right, visible=left is not None or right is not None)

    def clear(self) -> None:
        """Show nothing."""
        self.trace, self.overlaid = None, []
        for source in (*self.curves.values(), *self.others.values()):
            source.data = {"t": [], "x": []}

    def _draw(self) -> None:
        for plot, name, color in ((self.upper, "V", BLUE), (self.lower, "I", GREEN)):
            plot.multi_line("t", "x", source=self.others[name], color=GREY, alpha=0.5, line_width=0.8)
            plot.line("t", "x", source=self.curves[name], color=color, line_width=1.2)
        self.upper.scatter("t", "x", source=self.curves["spikes"], color=ORANGE, size=6, marker="inverted_triangle")
        for box in self.window:
            self.upper.add_layout(box)
        for end in ("start", "end"):
            self.upper.x_range.on_change(end, lambda attr, old, new: self._moved())

    def _moved(self) -> None:
        """Both ends of a range change one after the other: what is drawn waits for the last."""
        if self.trace is None or self._asked:
            return
        self._asked = True
        document = pn.state.curdoc or self.upper.document
        if document is None:
            self._settle()
        else:
            document.add_timeout_callback(self._settle, SETTLED)

    def _settle(self) -> None:
        self._asked = False
        if self.trace is not None:
            asked = self.trace, self.overlaid, *_ends(self.upper.x_range, self.trace.duration)
            self.aside.do("pan", lambda: _points(*asked), lambda found: self._seen(asked[0], found))

    def _seen(self, trace: Trace, found: Found) -> None:
        if trace is self.trace:  # not another one meanwhile
            self._put(found)

    def _fill(self) -> None:
        if self.trace is not None:
            self._put(_points(self.trace, self.overlaid, *_ends(self.upper.x_range, self.trace.duration)))

    def _put(self, found: Found) -> None:
        chosen, behind = found
        for name, points in chosen.items():
            self.curves[name].data = {"t": points.t, "x": points.x}
        for name, source in self.others.items():
            source.data = _lines([drawn[name] for drawn in behind])


def _points(trace: Trace, overlaid: list[Trace], start: float, stop: float) -> Found:
    """What is drawn of a stretch, of the chosen sweep and of others."""
    return trace.drawn(start, stop), [other.drawn(start, stop, n_points=N_OVERLAID) for other in overlaid]


def _ends(x_range: Any, duration: float) -> tuple[float, float]:
    start, stop = x_range.start, x_range.end
    numbers = all(isinstance(end, int | float) and np.isfinite(end) for end in (start, stop))
    return (max(0.0, start), min(duration, stop)) if numbers and start < stop else (0.0, duration)


def _lines(drawn: list[Drawn]) -> dict[str, Any]:
    return {"t": [points.t for points in drawn], "x": [points.x for points in drawn]}
