"""NWB 1.0 as the Allen Cell Types Database serves it, by h5py; pynwb reads version 2 only."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from leakyflow.errors import LeakyflowError
from leakyflow.recordings.files.nwb.alignment import Trace, align
from leakyflow.recordings.files.nwb.allen import WHOLE, AllenSweep, allen_sweeps, unit_of
from leakyflow.recordings.files.nwb.series import (
    bias_pA,
    check_data,
    check_interval,
    check_number,
    make_trace,
)
from leakyflow.recordings.files.raw import CURRENT_CLAMP, OtherSweep, RawSweep, Source, parsing, pick

__all__ = ["open_version_1"]


@contextmanager
def open_version_1(path: Path, *, channel: int | str | None, current: int | str | Path | None) -> Iterator[Source]:
    """Open a file of version 1.

    Args:
        path: The file.
        channel: As in `open_nwb`.
        current: Name of the sweep whose stimulus to take, where it is not the sweep's own.
    """
    import h5py

    with parsing(path, "NWB"):
        file = h5py.File(path, "r")
    with file:
        with parsing(path, "NWB", "list of sweeps"):
            sweeps = allen_sweeps(file)
        wanted = _of_electrode([sweep for sweep in sweeps if sweep.clamp == CURRENT_CLAMP], channel, path)
        if not wanted:
            hint = "This is a voltage-clamp file. " if sweeps else ""
            raise LeakyflowError(
                f"{path.name} must hold current-clamp sweeps with their stimulus, as epochs/Sweep_1, but there are "
                f"none. {hint}Use a current-clamp recording, or convert it to NWB 2."
            )
        yield Source(
            n_sweeps=len(wanted),
            read=lambda index: _read(file, path, wanted[index], current, wanted),
            others=lambda: tuple(_other(sweep, path) for sweep in sweeps if sweep.clamp != CURRENT_CLAMP),
        )


def _of_electrode(sweeps: list[AllenSweep], channel: int | str | None, path: Path) -> list[AllenSweep]:
    if channel is None:
        return sweeps
    electrodes = dict(enumerate(dict.fromkeys(sweep.electrode for sweep in sweeps)))
    chosen = electrodes[pick(channel, electrodes, option="channel", what="electrode", where=path.name)]
    return [sweep for sweep in sweeps if sweep.electrode == chosen]


def _read(
    file: Any, path: Path, sweep: AllenSweep, current: int | str | Path | None, sweeps: list[AllenSweep]
) -> RawSweep:
    names = {n: found.name for n, found in enumerate(sweeps)}
    of = sweep if current is None else sweeps[
        pick(str(current), names, option="current", what="sweep with a stimulus", where=path.name)
    ]  # fmt: skip
    V = _trace(file, path, sweep, sweep.response, sweep.samples[0], "mV")
    I = _trace(file, path, of, of.stimulus, of.samples[1], "pA")
    injected = align(I, V, by_time=sweep.samples[1] == WHOLE, where=path.name)
    with parsing(path, "NWB", f"bias current of {sweep.name}"):
        bias = bias_pA(sweep.response["bias_current"][()]) if "bias_current" in sweep.response else 0.0
    n = len(injected)
    return RawSweep(
        V=V.samples[:n],
        I=injected + bias,
        dt=V.dt,
        voltage=f"{sweep.name} response [{unit_of(sweep.response)}]",
        current=f"{of.name} stimulus [{unit_of(of.stimulus)}]" + (f" and bias current {bias:g} pA" if bias else ""),
        measured=False,
        confirmed=current is not None,
        name=sweep.name,
        electrode=sweep.electrode,
        protocol=sweep.protocol,
    )


def _trace(file: Any, path: Path, sweep: AllenSweep, series: Any, samples: slice, to: str) -> Trace:
    name = f"{sweep.name} {'response' if to == 'mV' else 'stimulus'}"
    with parsing(path, "NWB", name):
        data = series["data"]
        check_data(data, name=name, path=path)
        return make_trace(
            data,
            name=name,
            path=path,
            unit=unit_of(series),
            to=to,
            conversion=1.0 if _is_in_units(file) else data.attrs.get("conversion", 1.0),
            dt=_interval(series, name, path),
            begin=_begin(series, name, path),
            part=samples,
        )


def _is_in_units(file: Any) -> bool:
    """The first Allen files hold volts and amperes beside a conversion that was applied already."""
    made_by = file.get("general/generated_by")
    pairs = dict(row for row in made_by.asstr()[()].tolist() if len(row) == 2) if made_by is not None else {}
    return bool(re.fullmatch(r"1\.0(\..*)?", pairs.get("version", "")))


def _interval(series: Any, name: str, path: Path) -> float:
    if "starting_time" in series:
        return check_interval(series["starting_time"].attrs.get("rate"), None, name=name, path=path)
    return check_interval(None, series.get("timestamps"), name=name, path=path)


def _begin(series: Any, name: str, path: Path) -> float:
    if "starting_time" in series:
        return 1000.0 * check_number(series["starting_time"][()], "starting time", name=name, path=path)
    return 1000.0 * check_number(series["timestamps"][0], "first timestamp", name=name, path=path)


def _other(sweep: AllenSweep, path: Path) -> OtherSweep:
    with parsing(path, "NWB", sweep.name):
        dt = _interval(sweep.response, sweep.name, path)
        return OtherSweep(
            name=sweep.name,
            clamp=sweep.clamp,
            electrode=sweep.electrode,
            protocol=sweep.protocol,
            duration=sweep.response["data"].shape[0] * dt,
            dt=dt,
        )
