"""A recording saved to a file of its own, and read back identical."""

import os
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from leakyflow.recordings.raw import parsing
from leakyflow.recordings.recording import Recording

__all__ = ["load_exported", "save_recording"]

_MODULE = "leakyflow"  # the processing module of an exported NWB file, by which it is known


def save_recording(recording: Recording, path: str | Path) -> Path:
    """Save a recording to `.npz` or `.nwb`; `read_recording` returns it bit for bit.

    The NPZ file has the arrays `V_mV`, `I_pA`, `spikes`, `refractory`, `dt_ms` and `name`. The NWB file has a
    CurrentClampSeries with its stimulus, which other programs read, and spikes and refractory samples in a
    processing module. The file is written beside its place and then renamed, so that a file of this name is
    always whole; one that was there before is replaced.

    Args:
        recording: What to save.
        path: Where; the suffix says the format.

    Returns:
        The path.

    Raises:
        ValueError: If the suffix is neither `.npz` nor `.nwb`.
        OSError: If it cannot be written; then nothing is left of it.
    """
    path = Path(path)
    writers: dict[str, Callable[[Recording, Path], None]] = {".npz": _write_npz, ".nwb": _write_nwb}
    if path.suffix.lower() not in writers:
        raise ValueError(f"A recording is saved to .npz or .nwb, got {path.name!r}. Choose one of these suffixes.")
    partial = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix.lower()}")
    try:
        writers[path.suffix.lower()](recording, partial)
        partial.replace(path)
    except (OSError, RuntimeError) as error:  # HDF5 reports a full disk as either
        raise OSError(f"{path} could not be written: {error}\nFree some space, or choose another folder.") from error
    finally:
        partial.unlink(missing_ok=True)
    return path


def load_exported(path: Path, kind: str) -> Recording | None:
    """Read a file that `save_recording` wrote.

    Args:
        path: The file.
        kind: Its format.

    Returns:
        The recording, or None where the file comes from elsewhere.

    Raises:
        ValueError: If the file is damaged.
    """
    return {"NPZ": _load_npz, "NWB": _load_nwb}.get(kind, lambda path: None)(path)


def _write_npz(recording: Recording, path: Path) -> None:
    with path.open("wb") as file:
        np.savez(
            file,
            V_mV=recording.V,
            I_pA=recording.I,
            spikes=recording.spikes,
            refractory=recording.refractory,
            dt_ms=np.float64(recording.dt),
            name=np.array(recording.name),
        )
        file.flush()
        os.fsync(file.fileno())


def _load_npz(path: Path) -> Recording | None:
    with parsing(path, "NPZ"), zipfile.ZipFile(path) as archive:
        if not {"spikes.npy", "refractory.npy", "dt_ms.npy", "name.npy"} <= set(archive.namelist()):
            return None
    with parsing(path, "NPZ"), np.load(path, allow_pickle=False) as file:
        arrays = {key: file[key] for key in ("V_mV", "I_pA", "spikes", "refractory")}
        dt, name = float(file["dt_ms"]), str(file["name"])
    return _recording(*arrays.values(), dt=dt, name=name)


def _recording(V: Any, I: Any, spikes: Any, refractory: Any, *, dt: float, name: str) -> Recording:
    return Recording(
        V=np.asarray(V, dtype=np.float32),
        I=np.asarray(I, dtype=np.float32),
        spikes=np.asarray(spikes, dtype=bool),
        refractory=np.asarray(refractory, dtype=bool),
        dt=dt,
        name=name,
    )


def _write_nwb(recording: Recording, path: Path) -> None:
    from pynwb import NWBHDF5IO, NWBFile

    file = NWBFile(
        session_description=recording.name or "leakyflow recording",
        identifier=str(uuid4()),
        session_start_time=datetime.now(UTC),
    )
    _add_clamp(file, recording)
    _add_picture(file, recording)
    with NWBHDF5IO(str(path), "w") as io:
        io.write(file)


def _add_clamp(file: Any, recording: Recording) -> None:
    from pynwb.icephys import CurrentClampSeries, CurrentClampStimulusSeries

    amplifier = file.create_device(name="amplifier")
    electrode = file.create_icephys_electrode(name="electrode", description="current clamp", device=amplifier)
    # In mV and pA with a conversion to SI, the samples are the very numbers of the recording.
    V = CurrentClampSeries(
        name="voltage",
        data=recording.V,
        conversion=1e-3,
        electrode=electrode,
        gain=1.0,
        rate=1000.0 / recording.dt,
    )
    I = CurrentClampStimulusSeries(
        name="current",
        data=recording.I,
        conversion=1e-12,
        electrode=electrode,
        gain=1.0,
        rate=1000.0 / recording.dt,
    )
    file.add_acquisition(V)
    file.add_stimulus(I)
    file.add_intracellular_recording(electrode=electrode, response=V, stimulus=I)


def _add_picture(file: Any, recording: Recording) -> None:
    from pynwb import TimeSeries

    module = file.create_processing_module(
        name=_MODULE, description="Spikes replaced by the picture of the leaky integrate-and-fire neuron"
    )
    for field, meaning in (
        ("spikes", "1 at each spike"),
        ("refractory", "1 at the refractory samples after it"),
    ):
        samples = getattr(recording, field).astype(np.uint8)
        rate = 1000.0 / recording.dt
        module.add(TimeSeries(name=field, data=samples, unit="n/a", rate=rate, description=meaning))
    file.add_scratch(recording.dt, name="dt_ms", description="Sampling interval in ms, exact where 1 / rate is not")
    file.add_scratch(recording.name, name="recording_name", description="Name of the recording")


def _load_nwb(path: Path) -> Recording | None:
    import h5py

    with parsing(path, "NWB"), h5py.File(path) as file:
        if f"processing/{_MODULE}" not in file:
            return None
        V, I = file["acquisition/voltage/data"][:], file["stimulus/presentation/current/data"][:]
        spikes, refractory = (file[f"processing/{_MODULE}/{field}/data"][:] for field in ("spikes", "refractory"))
        dt, name = float(file["scratch/dt_ms"][()]), file["scratch/recording_name"].asstr()[()]
    return _recording(V, I, spikes, refractory, dt=dt, name=name)
