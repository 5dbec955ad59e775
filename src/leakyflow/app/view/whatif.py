"""What if: other parameters against the recording, and a stimulus of one's own."""

from collections.abc import Callable
from typing import Any

import numpy as np
import panel as pn

from leakyflow.app.result import Parameter, Result, Simulated
from leakyflow.app.session import Session
from leakyflow.app.view.figures import response
from leakyflow.app.view.follow import follow
from leakyflow.app.whatif import Wanted
from leakyflow.app.worker import Job

__all__ = ["StimulusPane", "WhatIfPane"]

WIDE: dict[str, Any] = {"sizing_mode": "stretch_width"}
FIELDS = {
    "amplitude": "Amplitude (pA)",
    "onset": "Onset (ms)",
    "duration": "Duration (ms)",
    "t_max": "Length of all (ms)",
    "holding": "Holding (pA)",
    "frequency": "Frequency of a sinusoid (Hz)",
}


class _Simulating:
    """A figure that follows what a worker simulates; only the newest counts.

    Args:
        session: Whose.
        result: The posterior.
        notice: Shows a text, and whether it is bad.
    """

    def __init__(self, session: Session, result: Result, notice: Callable[[str, bool], None]) -> None:
        self.session, self.result = session, result
        self.place = pn.Column(**WIDE)
        self.said = pn.pane.Str("", **WIDE)
        self._notice = notice
        self._job: Job | None = None

    def _ask(self, submit: Callable[[], Job], show: Callable[[Simulated], None]) -> None:
        try:
            self._job = submit()
        except ValueError as error:
            self._notice(str(error), True)
            return
        self.said.object = "Simulating …"
        follow(self._job, tick=lambda job: None, end=lambda job: self._end(job, show))

    def _end(self, job: Job, show: Callable[[Simulated], None]) -> None:
        if job is not self._job:
            return
        if job.state == "done":
            self._notice("", False)
            show(job.result)
        elif job.state == "failed":
            self.said.object = ""
            self._notice(job.message, True)


class WhatIfPane(_Simulating):
    """Sliders that begin at the posterior mean."""

    def __init__(self, session: Session, result: Result, notice: Callable[[str, bool], None]) -> None:
        super().__init__(session, result, notice)
        self.sliders = {parameter.name: _slider(parameter) for parameter in result.parameters}
        for slider in self.sliders.values():
            slider.param.watch(lambda _: self.simulate(), "value_throttled")
        names = {sweep.name: place for place, sweep in enumerate(result.sweeps)}
        first = max(names.values(), key=lambda place: len(result.sweeps[place].spikes))
        self.sweep = pn.widgets.Select(name="Against", options=names, value=first, **WIDE)
        self.sweep.param.watch(lambda _: self.simulate(), "value")
        back = pn.widgets.Button(name="Back to the posterior mean")
        back.on_click(lambda _: self._reset())
        grid = pn.GridBox(*self.sliders.values(), ncols=2, **WIDE)
        self.object = pn.Column(self.sweep, grid, back, self.said, self.place, **WIDE)

    def simulate(self) -> None:
        """Simulate the neuron of the sliders."""
        values = {name: float(slider.value) for name, slider in self.sliders.items()}
        self._ask(lambda: self.session.what_if(self.result, self.sweep.value, values), self._show)

    def _show(self, found: Simulated) -> None:
        over = self.result.sweeps[self.sweep.value]
        if len(found.I) != len(over.I):  # another sweep was chosen meanwhile
            return
        away = float(np.sqrt(np.mean((found.band[1] - over.V) ** 2)))
        said = f"{found.n_spikes[1]} spikes, {len(over.spikes)} recorded; V is {away:.2f} mV away (root mean square)."
        self.said.object = said
        self.place[:] = [response(found, over=over)]

    def _reset(self) -> None:
        for parameter in self.result.parameters:
            self.sliders[parameter.name].value = parameter.mean
        self.simulate()


class StimulusPane(_Simulating):
    """A stimulus of one's own, and what neurons of the posterior would do."""

    def __init__(self, session: Session, result: Result, notice: Callable[[str, bool], None]) -> None:
        super().__init__(session, result, notice)
        plain = Wanted()
        self.kind = pn.widgets.Select(name="Stimulus", options=["step", "ramp", "sinusoid", "noise"], **WIDE)
        self.fields = {
            name: pn.widgets.FloatInput(name=label, value=getattr(plain, name), **WIDE)
            for name, label in FIELDS.items()
        }
        button = pn.widgets.Button(name="Simulate", button_type="primary")
        button.on_click(lambda _: self.simulate())
        grid = pn.GridBox(self.kind, *self.fields.values(), ncols=3, **WIDE)
        self.object = pn.Column(grid, button, self.said, self.place, **WIDE)

    def simulate(self) -> None:
        """Simulate neurons of the posterior under this stimulus."""
        values: dict[str, Any] = {name: field.value for name, field in self.fields.items()}
        self._ask(lambda: self.session.under(self.result, Wanted(kind=self.kind.value, **values)), self._show)

    def _show(self, found: Simulated) -> None:
        low, middle, high = found.n_spikes
        self.said.object = f"{middle} spikes ({low} to {high} in 90 % of the neurons of this posterior)."
        self.place[:] = [response(found)]


def _slider(parameter: Parameter) -> Any:
    low, high = parameter.prior_range
    low, high = min(low, parameter.low), max(high, parameter.high)
    step = 10.0**-parameter.decimals
    return pn.widgets.FloatSlider(
        name=f"{parameter.name} ({parameter.unit})", start=low, end=high, step=step, value=parameter.mean, **WIDE
    )
