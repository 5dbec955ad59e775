"""Figures of the page, by Bokeh: colours of the package's own, readable on a light and on a dark page."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import panel as pn
from bokeh.models.annotations import BoxAnnotation
from bokeh.models.tickers import BasicTicker
from bokeh.plotting import figure as bokeh_figure

from leakyflow.app.decimate import decimated
from leakyflow.app.result import Curve, Parameter, Predicted, Rates, Result, Simulated

__all__ = ["BLUE", "GREEN", "GREY", "ORANGE", "marginals", "panel", "prediction", "rates", "response"]

figure: Any = bokeh_figure  # its types know none of its tools

# Okabe & Ito (2008), as in the package's figures, but for a blue that is seen on a dark page, too.
BLUE, ORANGE, GREEN, GREY = "#2B8FD6", "#D55E00", "#009E73", "#8c8c8c"
SKY = "#56B4E9"
WIDE: dict[str, Any] = {"sizing_mode": "stretch_width"}
TOOLS = "xpan,xwheel_zoom,box_zoom,reset,save"
MOST_POINTS = 4000  # of a curve that does not follow a zoom
SMALL = 150  # pixels: a figure less high has room for few numbers
SIZE = 180  # of the panel of a parameter
LABEL, NUMBER = "14px", "12px"  # others than the defaults of either theme, which would take their place


def panel(y: str, *, height: int, x_range: Any = None, x: str = "") -> Any:
    """An empty figure over time.

    Args:
        y: Label of its axis.
        height: In pixels.
        x_range: Of another one, to pan and zoom together.
        x: Label of the axis of time.
    """
    linked = {} if x_range is None else {"x_range": x_range}
    plot = figure(height=height, sizing_mode="stretch_width", tools=TOOLS, active_scroll="xwheel_zoom", **linked)
    plot.yaxis.axis_label, plot.xaxis.axis_label = y, x
    plot.yaxis.axis_label_text_font_style = plot.xaxis.axis_label_text_font_style = "normal"
    plot.axis.axis_label_text_font_size, plot.axis.major_label_text_font_size = LABEL, NUMBER  # in both themes
    if height < SMALL:
        plot.yaxis.ticker = BasicTicker(desired_num_ticks=3, num_minor_ticks=0)
    plot.toolbar.logo = None
    plot.toolbar.autohide = True
    plot.min_border_left = 65
    return plot


def prediction(sweep: Predicted) -> Any:
    """A sweep over what is predicted of it, its spikes over those of simulated neurons, and the current."""
    upper = panel("V (mV)", height=280)
    at = _drawn(sweep.V)
    t, V = sweep.t[at], sweep.V_predicted[at]
    upper.varea(t, V - sweep.half_width, V + sweep.half_width, color=SKY, alpha=0.45, legend_label="90 % band")
    upper.line(t, V, color=BLUE, line_width=1.2, legend_label="predicted, recorded spikes given")
    upper.line(t, sweep.V[at], color=ORANGE, line_width=1.1, legend_label="recorded")
    _legend(upper)
    raster = _spikes(sweep.trains, upper.x_range, recorded=sweep.spikes)
    return _stacked(upper, raster, _current(sweep.I, sweep.dt, upper.x_range))


def response(found: Simulated, *, over: Predicted | None = None) -> Any:
    """What simulated neurons do, over the recording where there is one."""
    upper = panel("V (mV)", height=260)
    if over is not None:
        at = _drawn(over.V)
        upper.line(over.t[at], over.V[at], color=ORANGE, line_width=1.2, legend_label="recorded")
    _band(upper, found)
    _legend(upper)
    raster = _spikes(found.trains, upper.x_range, recorded=None if over is None else over.spikes)
    return _stacked(upper, raster, _current(found.I, found.dt, upper.x_range))


def rates(found: Rates) -> Any:
    """The f-I curve with its band; sweeps that were kept back are filled."""
    plot = panel("rate (Hz)", height=280, x="I (pA)")
    low, middle, high = found.predicted
    plot.varea(found.current, low, high, color=SKY, alpha=0.45, legend_label="predicted, 5 to 95 %")
    plot.line(found.current, middle, color=BLUE, line_width=1.4, legend_label="predicted, median")
    for those, name, fill in ((~found.unseen, "recorded", None), (found.unseen, "kept back", ORANGE)):
        x, y = found.current[those], found.recorded[those]
        plot.scatter(x, y, size=8, line_color=ORANGE, fill_color=fill, line_width=2, legend_label=name)
    _legend(plot)
    return _stacked(plot)


def marginals(result: Result) -> Any:
    """Each parameter's posterior with its prior."""
    plots = [_marginal(p, result.draws[:, i]) for i, p in enumerate(result.parameters)]
    return pn.FlexBox(*(pn.pane.Bokeh(plot) for plot in plots))


def _marginal(parameter: Parameter, values: np.ndarray) -> Any:
    curve: Curve = parameter.curve
    density, edges = np.histogram(values, bins=30, range=(curve.x[0], curve.x[-1]), density=True)
    plot = figure(width=SIZE, height=SIZE - 20, tools="", title=f"{parameter.name} ({parameter.unit})")
    plot.quad(top=density, bottom=0, left=edges[:-1], right=edges[1:], color=BLUE, alpha=0.8, line_color=None)
    plot.line(*curve, color=GREY, line_width=2)
    box = BoxAnnotation(left=parameter.low, right=parameter.high, fill_color=SKY, fill_alpha=0.15, line_color=None)
    plot.add_layout(box)
    plot.xaxis.major_label_text_font_size = NUMBER
    plot.title.text_font_size = LABEL
    plot.yaxis.visible = False
    plot.ygrid.visible = False
    plot.xaxis.ticker = BasicTicker(desired_num_ticks=3)
    plot.toolbar.logo = None
    return plot


def _drawn(x: np.ndarray) -> np.ndarray:
    """Samples of a curve that is drawn once."""
    return decimated(x, 0, len(x), n_points=MOST_POINTS)


def _band(plot: Any, found: Simulated) -> None:
    low, middle, high = found.band
    one = bool(np.all(high == low))
    at = _drawn(middle)
    if not one:
        plot.varea(at * found.dt, low[at], high[at], color=SKY, alpha=0.45, legend_label="simulated, 5 to 95 %")
    plot.line(at * found.dt, middle[at], color=BLUE, line_width=1.1, legend_label="simulated" if one else "median")


def _spikes(trains: Sequence[np.ndarray], x_range: Any, *, recorded: np.ndarray | None) -> Any:
    """Simulated trains over each other, and the recorded one below."""
    plot = panel("spikes", height=110, x_range=x_range)
    x = np.concatenate([*trains, np.zeros(0)])
    y = np.repeat(np.arange(len(trains), dtype=float), [len(train) for train in trains])
    plot.scatter(x, y, marker="dash", angle=np.pi / 2, size=6, color=BLUE)
    if recorded is not None:
        plot.scatter(recorded, np.full(len(recorded), -3.0), marker="dash", angle=np.pi / 2, size=12, color=ORANGE)
    plot.ygrid.visible = False
    plot.yaxis.major_tick_line_color = plot.yaxis.minor_tick_line_color = None
    plot.yaxis.major_label_text_font_size = "0pt"
    return plot


def _current(I: np.ndarray, dt: float, x_range: Any) -> Any:
    plot = panel("I (pA)", height=120, x_range=x_range, x="time (ms)")
    at = _drawn(I)
    plot.step(at * dt, I[at], mode="after", color=GREEN, line_width=1.3)
    return plot


def _legend(plot: Any) -> None:
    plot.legend.orientation = "horizontal"
    plot.legend.click_policy = "hide"
    plot.add_layout(plot.legend[0], "above")
    plot.legend.border_line_color = plot.legend.background_fill_color = None
    plot.legend.padding = 0


def _stacked(*plots: Any) -> Any:
    """Figures below each other."""
    return pn.Column(*(pn.pane.Bokeh(plot, **WIDE) for plot in plots), **WIDE)
