"""A recording saved to a file of its own, and read back identical."""

import io
import zipfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from leakyflow.errors import LeakyflowError
from leakyflow.files import replacing
from leakyflow.recordings.files.door import as_numbers, as_text, check_size
from leakyflow.recordings.files.npz import load_npz
from leakyflow.recordings.files.raw import parsing
from leakyflow.recordings.recording import TRACES, Recording

__all__ = ["load_exported", "save_recording"]

# Of a recording, and their names in files.
FIELDS = {
    "V": "V_mV", "I": "I_pA", "spikes": "spikes", "refractory": "refractory", "I_electrode": "I_electrode_pA",
}  # fmt: skip
BOOLEAN = ("spikes", "refractory")
# Beyond what any simulation of a neuron is: a membrane breaks down at 1 V, and 1 uA goes into none. Closer limits are
# those of real cells, which are checked where they are read.
LIMITS = {"V": (1000.0, "mV"), "I": (1e6, "pA"), "I_electrode": (1e6, "pA")}
_MODULE = "leakyflow"  # the processing module of an exported NWB file, by which it is known


def save_recording(recording: Recording, path: str | Path) -> Path:
    """Save a recording to `.npz` or `.nwb`; `read_recording` returns it bit for bit.

    The NPZ file has the arrays `V_mV`, `I_pA`, `spikes`, `refractory`, `dt_ms` and `name`, and
    `I_electrode_pA` where the current at a sample is not the mean over the step after it. The NWB file has a
    CurrentClampSeries with its stimulus, which other programs read, and the others in a processing module. The file
    is written beside its place and then renamed, so that a file of this name is always whole; one that was there
    before is replaced.

    Args:
        recording: What to save.
        path: Where; the suffix says the format.

    Returns:
        The path.

    Raises:
        ValueError: If the suffix is neither `.npz` nor `.nwb`.
        OSError: If it cannot be written; then nothing is left of it.

    Example:
        >>> import leakyflow as lf
        >>> recording = lf.make_dataset(lf.load_config("quick"), 1, seed=1).recordings()[0]
        >>> save_recording(recording, "cell.npz").name
        'cell.npz'
    """
    path = Path(path)
    writers: dict[str, Callable[[Recording, Path], None]] = {".npz": _write_npz, ".nwb": _write_nwb}
    if path.suffix.lower() not in writers:
        raise LeakyflowError(f"A recording is saved to .npz or .nwb, got {path.name!r}. Choose one of these suffixes.")
    try:
        with replacing(path) as scratch:
            writers[path.suffix.lower()](recording, scratch)
    except OSError as error:
        raise OSError(f"{path} could not be written: {error}\nFree some space, or choose another folder.") from error
    return path


def load_exported(path: Path, format: str) -> Recording | None:
    """Read a file that `save_recording` wrote.

    Args:
        path: The file.
        format: Its format.

    Returns:
        The recording, or None where the file comes from elsewhere.

    Raises:
        ValueError: If the file is damaged.
    """
    return {"NPZ": _load_npz, "NWB": _load_nwb}.get(format, lambda path: None)(path)


def _write_npz(recording: Recording, path: Path) -> None:
    arrays = {field: trace for field in TRACES if (trace := getattr(recording, field)) is not None}
    units = {field: FIELDS[field] for field in arrays}
    with path.open("wb") as file:
        np.savez(
            file,
            **{units[field]: trace for field, trace in arrays.items()},
            dt_ms=np.float64(recording.dt),
            name=np.array(recording.name),
        )


def _load_npz(path: Path) -> Recording | None:
    with parsing(path, "NPZ"), zipfile.ZipFile(path) as archive:
        if not {"spikes.npy", "refractory.npy", "dt_ms.npy", "name.npy"} <= set(archive.namelist()):
            return None
    arrays = load_npz(path)
    missing = {"V_mV", "I_pA"} - set(arrays)
    if missing:
        raise LeakyflowError(
            f"{path.name} must hold V_mV and I_pA of a saved recording, got {', '.join(arrays)}. Save it again."
        )
    return _recording(arrays, name=as_text(arrays["name"], what="name", where=path.name), path=path)


def _recording(arrays: Mapping[str, np.ndarray], *, name: str, path: Path) -> Recording:
    """Build the recording of arrays whose types, shapes and lengths are checked first.

    Raises:
        LeakyflowError: If they are not those of a recording.
    """
    checked = {
        field: as_numbers(arrays[name], what=name, where=path.name) for field, name in FIELDS.items() if name in arrays
    }
    lengths = {field: len(samples) for field, samples in checked.items()}
    if len(set(lengths.values())) > 1:
        raise LeakyflowError(f"The arrays of {path.name} must have the same length, got {lengths}. Copy it again.")
    dt = as_numbers(arrays["dt_ms"], what="dt_ms", where=path.name, n_dim=(0,))
    try:
        traces: dict[str, Any] = {
            field: samples.astype(bool if field in BOOLEAN else np.float32) for field, samples in checked.items()
        }
        recording = Recording(**traces, dt=float(dt), name=name)
        _check_limits(recording)
    except LeakyflowError as error:
        raise LeakyflowError(f"{path.name} is no recording as it was saved: {error}") from error
    return recording


def _check_limits(recording: Recording) -> None:
    for field, (limit, unit) in LIMITS.items():
        values = getattr(recording, field)
        if values is not None and (largest := float(np.abs(values).max())) > limit:
            raise LeakyflowError(
                f"{field} must stay within +-{limit:g} {unit}, got up to {largest:.3g} {unit}. Copy it again."
            )


def _write_nwb(recording: Recording, path: Path) -> None:
    import h5py
    from pynwb import NWBHDF5IO, NWBFile

    file = NWBFile(
        session_description=recording.name or "leakyflow recording",
        identifier=str(uuid4()),
        session_start_time=datetime.now(UTC),
    )
    _add_clamp(file, recording)
    _add_preprocessed(file, recording)
    buffer = io.BytesIO()  # HDF5 itself crashes the process on a full disk
    with h5py.File(buffer, "w") as whole, NWBHDF5IO(mode="w", file=whole) as writer:
        writer.write(file)
    path.write_bytes(buffer.getbuffer())


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


def _add_preprocessed(file: Any, recording: Recording) -> None:
    from pynwb import TimeSeries

    module = file.create_processing_module(
        name=_MODULE, description="Spikes replaced, as the leaky integrate-and-fire neuron sees them"
    )
    rate = 1000.0 / recording.dt
    for field, unit, meaning in (
        ("spikes", "n/a", "1 at each spike"),
        ("refractory", "n/a", "1 at the refractory samples after it"),
        ("I_electrode", "pA", "Current through the electrode at the moment of each sample"),
    ):
        samples = getattr(recording, field)
        if samples is not None:
            samples = samples.astype(np.uint8) if field in BOOLEAN else samples
            module.add(TimeSeries(name=FIELDS[field], data=samples, unit=unit, rate=rate, description=meaning))
    file.add_scratch(recording.dt, name="dt_ms", description="Sampling interval in ms, exact where 1 / rate is not")
    file.add_scratch(recording.name, name="recording_name", description="Name of the recording")


def _load_nwb(path: Path) -> Recording | None:
    import h5py

    with parsing(path, "NWB"), h5py.File(path) as file:
        if f"processing/{_MODULE}" not in file:
            return None
        sets = {"V_mV": file["acquisition/voltage/data"], "I_pA": file["stimulus/presentation/current/data"]}
        module = file[f"processing/{_MODULE}"]
        names = [FIELDS[field] for field in BOOLEAN] + [name for name in (FIELDS["I_electrode"],) if name in module]
        sets |= {name: module[f"{name}/data"] for name in names}
        sets["dt_ms"] = file["scratch/dt_ms"]
        for part in sets.values():
            check_size(part.size * part.dtype.itemsize, what=part.name, where=path.name)
        arrays = {field: np.asarray(part[()]) for field, part in sets.items()}
        name = file["scratch/recording_name"].asstr()[()]
    return _recording(arrays, name=as_text(name, what="recording_name", where=path.name), path=path)
