"""Neurodata Without Borders, by pynwb: current-clamp series, each with its stimulus."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from leakyflow.recordings.raw import RawSweep, Source, parsing, pick
from leakyflow.recordings.units import scale

__all__ = ["open_nwb"]


@contextmanager
def open_nwb(path: Path, *, channel: int | str | None, current: int | str | Path | None) -> Iterator[Source]:
    """Open an NWB file; each CurrentClampSeries is a sweep, ordered by sweep number, starting time and name.

    The current is the CurrentClampStimulusSeries that belongs to it, plus its bias current, which NWB keeps
    apart.

    Args:
        path: The file.
        channel: Name or number of the electrode; all when None.
        current: Name of the stimulus series, where the file does not say which belongs to the sweep.

    Raises:
        ValueError: If the file is damaged, or has no current clamp, or only voltage clamp.
    """
    from pynwb import NWBHDF5IO

    with warnings.catch_warnings():
        # Old namespaces and missing optional fields are not the reader's business.
        warnings.simplefilter("ignore")
        with parsing(path, "NWB"):
            io = NWBHDF5IO(str(path), mode="r", load_namespaces=True)
        try:
            with parsing(path, "NWB"):
                file = io.read()
            sweeps = _sweeps(file, path, channel)
            yield Source(n_sweeps=len(sweeps), read=lambda sweep: _read(file, path, sweeps[sweep], current))
        finally:
            io.close()


def _sweeps(file: Any, path: Path, channel: int | str | None) -> list[Any]:
    from pynwb.icephys import CurrentClampSeries, IZeroClampSeries, VoltageClampSeries

    recorded = list(file.acquisition.values())
    clamped = [s for s in recorded if isinstance(s, CurrentClampSeries) and not isinstance(s, IZeroClampSeries)]
    if not clamped:
        found = sorted({type(series).__name__ for series in recorded}) or ["nothing"]
        clamps_voltage = any(isinstance(series, VoltageClampSeries) for series in recorded)
        hint = "This is a voltage-clamp file: the current was recorded. " if clamps_voltage else ""
        raise ValueError(
            f"{path.name} must hold a CurrentClampSeries in its acquisition, which holds "
            f"{', '.join(found)}.\n"
            f"{hint}Use a current-clamp recording whose injected current is known."
        )
    if channel is not None:
        electrodes = dict(enumerate(dict.fromkeys(series.electrode.name for series in clamped)))
        chosen = electrodes[pick(channel, electrodes, option="channel", what="electrode", where=path.name)]
        clamped = [series for series in clamped if series.electrode.name == chosen]
    return sorted(clamped, key=_order)


def _order(series: Any) -> tuple[float, float, str]:
    number = np.inf if series.sweep_number is None else float(series.sweep_number)
    return number, _begin(series), series.name


def _begin(series: Any) -> float:
    """Time of the first sample, in s."""
    return float(series.starting_time if series.timestamps is None else series.timestamps[0])


def _read(file: Any, path: Path, series: Any, current: int | str | Path | None) -> RawSweep:
    stimulus = _stimulus(file, path, series, current)
    V, I = _samples(series, path, "mV"), _samples(stimulus, path, "pA")
    dt = _interval(series, path)
    if not np.isclose(dt, _interval(stimulus, path), rtol=1e-6) or len(I) < len(V):
        raise ValueError(
            f"A stimulus must have the samples of its response, got {len(I)} every "
            f"{_interval(stimulus, path):g} ms in {stimulus.name!r} and {len(V)} every {dt:g} ms in "
            f"{series.name!r} of {path.name}. Pass current= with another."
        )
    bias = _bias(series)
    return RawSweep(
        V=V,
        I=I[: len(V)] + bias,
        dt=dt,
        voltage=f"{series.name} [{series.unit}]",
        current=f"{stimulus.name} [{stimulus.unit}]" + (f" and bias current {bias:g} pA" if bias else ""),
        measured=False,
        confirmed=current is not None,
    )


def _bias(series: Any) -> float:
    """Holding current of the amplifier, in pA; NaN stands for none in many files."""
    bias = np.nan if series.bias_current is None else float(series.bias_current)
    return bias * 1e12 if np.isfinite(bias) else 0.0


def _stimulus(file: Any, path: Path, series: Any, current: int | str | Path | None) -> Any:
    """Find the stimulus of a response: as the caller says, as the file says, or by sweep number or time."""
    from pynwb.icephys import CurrentClampStimulusSeries

    stimuli = [s for s in file.stimulus.values() if isinstance(s, CurrentClampStimulusSeries)]
    if current is not None:
        names = {n: stimulus.name for n, stimulus in enumerate(stimuli)}
        return stimuli[pick(str(current), names, option="current", what="stimulus", where=path.name)]
    for belongs in (partial(_listed, file), _same_sweep, _same_time):
        found = [stimulus for stimulus in stimuli if belongs(series, stimulus)]
        if len(found) == 1:
            return found[0]
    listing = ", ".join(repr(stimulus.name) for stimulus in stimuli) or "none"
    raise ValueError(
        f"{path.name} must say which CurrentClampStimulusSeries was injected in {series.name!r}: no table, "
        "sweep number or starting time does. Pass current= with the name of the series; the file has "
        f"{listing}."
    )


def _listed(file: Any, series: Any, stimulus: Any) -> bool:
    table = file.intracellular_recordings
    if table is None:
        return False
    responses, stimuli = table["responses"]["response"], table["stimuli"]["stimulus"]
    return any(responses[row].timeseries is series and stimuli[row].timeseries is stimulus for row in range(len(table)))


def _same_sweep(series: Any, stimulus: Any) -> bool:
    same = series.sweep_number is not None and series.sweep_number == stimulus.sweep_number
    return same and series.electrode is stimulus.electrode


def _same_time(series: Any, stimulus: Any) -> bool:
    return abs(_begin(series) - _begin(stimulus)) < 1e-5 and series.electrode is stimulus.electrode


def _samples(series: Any, path: Path, unit: str) -> np.ndarray:
    with parsing(path, "NWB"):
        samples = np.asarray(series.data[:], dtype=np.float64)
    if samples.ndim != 1:
        raise ValueError(f"{series.name!r} of {path.name} must have one dimension, time, got {samples.shape}.")
    # The factors are multiplied first: 1e-3 * 1000 is 1, while V * 1e-3 * 1000 need not be V.
    return samples * (series.conversion * scale(series.unit, unit)) + series.offset * scale(series.unit, unit)


def _interval(series: Any, path: Path) -> float:
    """Sampling interval, in ms."""
    if series.timestamps is None:
        return 1000.0 / float(series.rate)
    steps = np.diff(np.asarray(series.timestamps[:], dtype=np.float64)) * 1000.0
    if not len(steps) or np.ptp(steps) > 0.5 * steps.mean():
        raise ValueError(f"The timestamps of {series.name!r} in {path.name} must be evenly spaced. Resample them.")
    return float(steps.mean())
