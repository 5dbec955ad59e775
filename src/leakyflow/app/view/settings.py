"""Window, spike detection, and what the file leaves open; each acts at once."""

from collections.abc import Callable
from typing import Any

import panel as pn

from leakyflow.app.choice import Choice
from leakyflow.app.session import Session

__all__ = ["SettingsPane"]

WINDOW = {
    "start": "Start of the window (ms)",
    "stop": "End of the window (ms)",
    "t_ref": "Refractory period (ms)",
    "spike_slope": "Least slope of a spike (mV/ms)",
    "spike_height": "Least height of a spike (mV)",
}
LAYOUT = {
    "channel": "Voltage: channel or column",
    "current": "Current: channel, command or file",
    "columns": "Columns: t_ms,V_mV,I_pA",
    "units": "Units of V and I: mV,pA",
    "dt_file": "Sampling interval (ms)",
    "step": "Step: pA,ms,ms",
}
OPEN = "What the file leaves open"


class SettingsPane:
    """Fields that are empty leave the choice to the reader.

    Args:
        session: Whose.
        changed: Is called with the settings of a window that changed.
        laid_out: Is called with what is said of the file.
        overlaid: Is called where sweeps are to be laid over each other, or not any more.
    """

    def __init__(
        self,
        session: Session,
        changed: Callable[[dict[str, Any]], None],
        laid_out: Callable[[dict[str, Any]], None],
        overlaid: Callable[[], None],
    ) -> None:
        self._changed, self._laid_out, self._quiet = changed, laid_out, False
        self.window = {name: _number(label) for name, label in WINDOW.items()}
        self.layout = {name: _number(label) if name == "dt_file" else _text(label) for name, label in LAYOUT.items()}
        self.session, self._overlaid = session, overlaid
        self.overlay = pn.widgets.Checkbox(name="Lay sweeps of this protocol over each other", value=session.overlaid)
        self.overlay.param.watch(lambda event: self._laid_over(event.new), "value")
        for fields, act in ((self.window, changed), (self.layout, laid_out)):
            for name, field in fields.items():
                field.param.watch(lambda event, name=name, act=act: self._acted(act, name, event.new), "value")
        self.object = pn.Accordion(
            ("Window and spikes", pn.Column(*self.window.values(), self.overlay, sizing_mode="stretch_width")),
            (OPEN, pn.Column(*self.layout.values(), sizing_mode="stretch_width")),
            active=[0],
            sizing_mode="stretch_width",
        )

    def show(self, choice: Choice) -> None:
        """Show what is chosen."""
        self._quiet = True
        try:
            for fields in (self.window, self.layout):
                for name, field in fields.items():
                    value = getattr(choice, name)
                    field.value = value if value is not None or isinstance(field, pn.widgets.FloatInput) else ""
        finally:
            self._quiet = False

    def where(self, error: Exception) -> str:
        """Where what an error asks for is said on this page, whose place is opened; nothing where it is not here."""
        labels = [LAYOUT[name] for name in getattr(error, "arguments", ()) if name in LAYOUT]
        if not labels:
            return ""
        self.object.active = [0, 1]
        return f"Say it on the left, under {OPEN!r}, as {' or '.join(map(repr, labels))}."

    def _laid_over(self, on: bool) -> None:
        self.session.overlaid = on
        self._overlaid()

    def _acted(self, act: Callable[[dict[str, Any]], None], name: str, value: Any) -> None:
        if not self._quiet:
            act({name: None if value == "" else value})


def _number(label: str) -> Any:
    return pn.widgets.FloatInput(name=label, value=None, placeholder="as found", step=1.0, sizing_mode="stretch_width")


def _text(label: str) -> Any:
    return pn.widgets.TextInput(name=label, value="", placeholder="as found", sizing_mode="stretch_width")
