"""The current-clamp responses of an NWB 2 file, from its table of recordings and from its acquisition."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from leakyflow.errors import LeakyflowError
from leakyflow.recordings.files.nwb.part import Part, begin_of, dt_of, referenced
from leakyflow.recordings.files.nwb.series import natural
from leakyflow.recordings.files.raw import parsing, pick

__all__ = ["Response", "electrode_of", "list_responses", "order"]


@dataclass(frozen=True, kw_only=True)
class Response:
    """A current-clamp response.

    Attributes:
        part: Its samples.
        stimulus: The stimulus that the table of recordings gives it; None where it gives none.
    """

    part: Part
    stimulus: Part | None

    @property
    def name(self) -> str:
        """That of the series, and which samples of it."""
        name, span = str(self.part.series.name), self.part.samples
        return name if span is None else f"{name} {span.start}-{span.stop}"


def list_responses(file: Any, path: Path, channel: int | str | None) -> list[Response]:
    """List what can be read, in order.

    Args:
        file: The file, as pynwb gives it.
        path: The file.
        channel: Name or number of the electrode; all when None.

    Raises:
        LeakyflowError: If there is none.
    """
    with parsing(path, "NWB", "table of intracellular recordings"):
        responses = _listed(file)
    with parsing(path, "NWB", "acquisition"):
        listed = {id(response.part.series) for response in responses}
        recorded = list(file.acquisition.values())
        loose = [series for series in recorded if _clamps_current(series) and id(series) not in listed]
        responses += [Response(part=Part(series), stimulus=None) for series in loose]
    if not responses:
        raise _no_current_clamp(path, recorded)
    responses = [found for found in responses if _is_of(found, channel, responses, path)]
    with parsing(path, "NWB", "acquisition"):
        return sorted(responses, key=partial(order, path))


def _listed(file: Any) -> list[Response]:
    table = file.intracellular_recordings
    if table is None:
        return []
    rows = table["responses"]["response"], table["stimuli"]["stimulus"]
    pairs = [(referenced(rows[0][row]), referenced(rows[1][row])) for row in range(len(table))]
    return [
        Response(part=response, stimulus=stimulus if stimulus is not None and stimulus.series is not response.series
                  else None)
        for response, stimulus in pairs
        if response is not None and _clamps_current(response.series)
    ]  # fmt: skip


def _clamps_current(series: Any) -> bool:
    from pynwb.icephys import CurrentClampSeries, IZeroClampSeries

    return isinstance(series, CurrentClampSeries) and not isinstance(series, IZeroClampSeries)


def _no_current_clamp(path: Path, recorded: list[Any]) -> LeakyflowError:
    from pynwb.icephys import VoltageClampSeries

    found = sorted({type(series).__name__ for series in recorded}) or ["nothing"]
    clamps_voltage = any(isinstance(series, VoltageClampSeries) for series in recorded)
    hint = "This is a voltage-clamp file: the current was recorded. " if clamps_voltage else ""
    return LeakyflowError(
        f"{path.name} must hold a CurrentClampSeries in its acquisition, which holds {', '.join(found)}.\n"
        f"{hint}Use a current-clamp recording whose injected current is known."
    )


def _is_of(response: Response, channel: int | str | None, responses: list[Response], path: Path) -> bool:
    """Whether a response is of the electrode that the caller chose."""
    if channel is None:
        return True
    electrodes = dict(enumerate(dict.fromkeys(electrode_of(found.part.series) for found in responses)))
    chosen = electrodes[pick(channel, electrodes, option="channel", what="electrode", where=path.name)]
    return electrode_of(response.part.series) == chosen


def electrode_of(series: Any) -> str:
    """Name of the electrode; empty where the file has none.

    Args:
        series: The series.
    """
    electrode = getattr(series, "electrode", None)
    return "" if electrode is None else str(electrode.name)


def order(path: Path, response: Response) -> tuple[Any, ...]:
    """Key to sort by: the file's own sweep number, then time, then the name as people count.

    Args:
        path: The file.
        response: What to sort.
    """
    series, part = response.part.series, response.part
    number = np.inf if series.sweep_number is None else float(series.sweep_number)
    begin = begin_of(series, path)
    shift = 0.0 if part.samples is None else part.samples.start * dt_of(series, path)
    return number, begin + shift if np.isfinite(begin) else 0.0, natural(str(series.name))
