"""How the Allen Cell Types Database lays sweeps out in NWB 1.0."""

import re
from dataclasses import dataclass
from typing import Any

from leakyflow.recordings.files.nwb.series import natural
from leakyflow.recordings.files.raw import CURRENT_CLAMP, VOLTAGE_CLAMP
from leakyflow.recordings.files.units import quantity

__all__ = ["WHOLE", "AllenSweep", "allen_sweeps", "unit_of"]

WHOLE = slice(None)
_SWEEP = re.compile(r"sweep_\d+", re.IGNORECASE)


@dataclass(frozen=True, eq=False, kw_only=True)
class AllenSweep:
    """One epoch of the file.

    Attributes:
        name: As the file writes it.
        response: Group with the voltage.
        stimulus: Group with the current.
        samples: Which of response and stimulus.
        clamp: Clamp mode.
        electrode: Name of the electrode; empty where the file has none.
        protocol: Name of the stimulus; empty where the file has none.
    """

    name: str
    response: Any
    stimulus: Any
    samples: tuple[slice, slice]
    clamp: str
    electrode: str
    protocol: str


def allen_sweeps(file: Any) -> list[AllenSweep]:
    """List epochs named Sweep_N; where there is none, responses that have a stimulus of their own name.

    Args:
        file: The file, as h5py opened it.
    """
    epochs = file.get("epochs", {})
    found = [_epoch(name, epochs[name]) for name in epochs if _SWEEP.fullmatch(name)]
    if not found:
        responses, stimuli = file.get("acquisition/timeseries", {}), file.get("stimulus/presentation", {})
        found = [_sweep(n, responses[n], stimuli[n], (WHOLE, WHOLE)) for n in responses if n in stimuli]
    return sorted((sweep for sweep in found if sweep is not None), key=lambda sweep: natural(sweep.name))


def _epoch(name: str, epoch: Any) -> AllenSweep | None:
    if not all(f"{part}/timeseries/data" in epoch for part in ("response", "stimulus")):
        return None
    response, stimulus = epoch["response"], epoch["stimulus"]
    return _sweep(name, response["timeseries"], stimulus["timeseries"], (_samples(response), _samples(stimulus)))


def _samples(part: Any) -> slice:
    """The epoch may be a part of a longer series."""
    if "idx_start" not in part or "count" not in part:
        return WHOLE
    first, count = int(part["idx_start"][()]), int(part["count"][()])
    if first == 0 and count >= part["timeseries/data"].shape[0]:
        return WHOLE
    return slice(first, first + count)


def _sweep(name: str, response: Any, stimulus: Any, samples: tuple[slice, slice]) -> AllenSweep:
    notes = [group for group in (response, stimulus) if group is not None]
    return AllenSweep(
        name=name,
        response=response,
        stimulus=stimulus,
        samples=samples,
        clamp=_clamp(response, stimulus),
        electrode=_said(notes, "electrode_name"),
        protocol=_said(notes, "aibs_stimulus_name") or _said(notes, "stimulus_description"),
    )


def _clamp(response: Any, stimulus: Any) -> str:
    classes = [_text(name) for name in response.attrs.get("ancestry", [])]
    if "CurrentClampSeries" in classes:
        return CURRENT_CLAMP
    if "VoltageClampSeries" in classes:
        return VOLTAGE_CLAMP
    return CURRENT_CLAMP if quantity(unit_of(response)) != "current" else VOLTAGE_CLAMP


def _said(groups: list[Any], key: str) -> str:
    return next((_text(group[key][()]) for group in groups if key in group), "")


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def unit_of(series: Any) -> str:
    """Give the unit of a series, as the file writes it.

    Args:
        series: Group of the file.
    """
    return _text(series["data"].attrs.get("unit", ""))
