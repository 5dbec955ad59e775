"""What a caller says of a file, whether by options, on a page or for a whole folder: one value for all of them."""

from dataclasses import dataclass, fields
from typing import Any

__all__ = ["Layout", "Window"]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What a file leaves open: the arguments of `list_sweeps` but its file, where None leaves it to the reader.

    Attributes:
        channel: Number or name of the voltage.
        current: Number, name or path of the current.
        columns: Names of the columns of a table, with their units.
        units: Units of voltage and current, where the file gives none.
        dt_file: Sampling interval of the file, in ms.
        step: The injected current, where the file does not hold it.

    Example:
        >>> Layout(units="V,A").layout["units"]
        'V,A'
    """

    channel: int | str | None = None
    current: str | None = None
    columns: str | None = None
    units: str | None = None
    dt_file: float | None = None
    step: str | None = None

    @property
    def layout(self) -> dict[str, Any]:
        """As arguments of `list_sweeps`."""
        return _values(self, Layout)


@dataclass(frozen=True, kw_only=True)
class Window(Layout):
    """What is read of each sweep: the arguments of `read_recording` but its file, sweep and dt.

    Attributes:
        start: Beginning of the window, in ms.
        stop: End of the window, in ms.
        t_ref: Refractory period, in ms.
        spike_slope: Least slope of the upstroke of a spike, in mV/ms.
        spike_height: Least height of a spike, in mV.

    Example:
        >>> {name: value for name, value in Window(channel=0, stop=900.0).reading.items() if value is not None}
        {'channel': 0, 'stop': 900.0}
    """

    start: float | None = None
    stop: float | None = None
    t_ref: float | None = None
    spike_slope: float | None = None
    spike_height: float | None = None

    @property
    def reading(self) -> dict[str, Any]:
        """As arguments of `read_cell`."""
        return _values(self, Window)


def _values(one: Layout, known: type[Layout]) -> dict[str, Any]:
    """Of the fields of a class, whatever else a child of it holds."""
    return {field.name: getattr(one, field.name) for field in fields(known)}
