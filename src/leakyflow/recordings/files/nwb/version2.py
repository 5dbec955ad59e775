"""NWB 2, by pynwb: its responses, from the table of intracellular recordings and from the acquisition."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from leakyflow.recordings.files.nwb.alignment import align
from leakyflow.recordings.files.nwb.part import Part, dt_of, protocol_of, trace_of
from leakyflow.recordings.files.nwb.responses import Response, electrode_of, list_responses, order
from leakyflow.recordings.files.nwb.series import bias_pA
from leakyflow.recordings.files.nwb.stimulus import Currents, find_currents
from leakyflow.recordings.files.raw import NO_CLAMP, VOLTAGE_CLAMP, OtherSweep, RawSweep, Source, parsing

__all__ = ["open_version_2"]


@contextmanager
def open_version_2(path: Path, *, channel: int | str | None, current: int | str | Path | None) -> Iterator[Source]:
    """Open a file of version 2.

    Args:
        path: The file.
        channel: As in `open_nwb`.
        current: As in `open_nwb`.
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
            responses = list_responses(file, path, channel)
            yield Source(
                n_sweeps=len(responses),
                read=lambda sweep: _read(file, path, responses[sweep], current),
                others=partial(_others, file, path),
            )
        finally:
            io.close()


def _read(file: Any, path: Path, response: Response, current: int | str | Path | None) -> RawSweep:
    series = response.part.series
    found = find_currents(file, path, series, response.stimulus, current)
    V = trace_of(response.part, path, "mV")
    bias = bias_pA(series.bias_current)
    I, command = _aligned(found, V, bias, path)
    n = min(len(I), len(V.samples))
    stimulus = found.injected.series
    return RawSweep(
        V=V.samples[:n],
        I=I[:n],
        dt=V.dt,
        voltage=f"{series.name} [{series.unit}]",
        current=f"{stimulus.name} [{stimulus.unit}]"
        + (f" and bias current {bias:g} pA" if bias and not found.measured else ""),
        measured=found.measured,
        confirmed=current is not None,
        command=None if command is None or len(command) < n else command[:n],
        name=response.name if series.sweep_number is None else f"{series.sweep_number} ({response.name})",
        electrode=electrode_of(series),
        protocol=protocol_of(series),
    )


def _aligned(found: Currents, V: Any, bias: float, path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """The current, and the command beside a measured one; a measured current holds the bias current already."""
    traces = []
    for part in (found.injected, found.command):
        if part is not None:
            by_time = part.is_whole
            traces.append(align(trace_of(part, path, "pA"), V, by_time=by_time, where=path.name))
    if not found.measured:
        return traces[0] + bias, None
    return traces[0], traces[1] + bias if len(traces) > 1 else None


def _others(file: Any, path: Path) -> tuple[OtherSweep, ...]:
    from pynwb.icephys import IZeroClampSeries, VoltageClampSeries

    found = [
        (series, NO_CLAMP if isinstance(series, IZeroClampSeries) else VOLTAGE_CLAMP)
        for series in file.acquisition.values()
        if isinstance(series, VoltageClampSeries | IZeroClampSeries)
    ]
    with parsing(path, "NWB", "acquisition"):
        found.sort(key=lambda pair: order(path, Response(part=Part(pair[0]), stimulus=None)))
        return tuple(
            OtherSweep(
                name=str(series.name),
                clamp=clamp,
                electrode=electrode_of(series),
                protocol=protocol_of(series),
                duration=series.data.shape[0] * dt_of(series, path),
                dt=dt_of(series, path),
            )
            for series, clamp in found
        )
