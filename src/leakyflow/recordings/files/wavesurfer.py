"""HDF5 files of WaveSurfer (Janelia): sweeps of 16-bit counts, with scales in the header."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from leakyflow.errors import LeakyflowError
from leakyflow.recordings.files.choices import Choices
from leakyflow.recordings.files.door import check_size
from leakyflow.recordings.files.pairing import Signal
from leakyflow.recordings.files.raw import Source, parsing
from leakyflow.recordings.files.signals import to_source

if TYPE_CHECKING:
    import h5py

__all__ = ["is_wavesurfer", "open_wavesurfer"]

_SWEEPS = ("sweep_", "trial_")


def is_wavesurfer(file: "h5py.File") -> bool:
    """Whether an HDF5 file has the header and the sweeps of WaveSurfer."""
    return "header" in file and any(name.startswith(_SWEEPS) for name in file)


@contextmanager
def open_wavesurfer(path: Path, choices: Choices) -> Iterator[Source]:
    """Open a WaveSurfer file: the analog inputs that were active, in their units.

    The package pywavesurfer asks for versions of NumPy and h5py of 2023; its formula of the samples is followed.

    Args:
        path: The file.
        choices: `channel` and `current` are names of inputs; `step` where the current was not recorded.

    Raises:
        LeakyflowError: If the file is damaged, or no input is a voltage or a current.
    """
    import h5py

    with parsing(path, "WaveSurfer"), h5py.File(path) as file:
        signals = _signals(file)
    if not signals:
        raise LeakyflowError(f"{path.name} must have analog inputs, but none was active. Use another file.")
    yield to_source(signals, path, choices, measured=True)


def _signals(file: "h5py.File") -> list[Signal]:
    header = file["header"]
    rate = float(np.ravel(_entry(header, "AcquisitionSampleRate", "Acquisition/SampleRate"))[0])
    active = np.ravel(_entry(header, "IsAIChannelActive", "Acquisition/IsAnalogChannelActive")).astype(bool)
    names = _texts(_entry(header, "AIChannelNames", "Acquisition/AnalogChannelNames"))
    units = _texts(_entry(header, "AIChannelUnits", "Acquisition/AnalogChannelUnits"))
    scales = np.ravel(_entry(header, "AIChannelScales", "Acquisition/AnalogChannelScales"))[active]
    coefficients = _entry(header, "AIScalingCoefficients", "Acquisition/AnalogScalingCoefficients")
    coefficients = np.reshape(coefficients, (len(scales), -1))
    sweeps = [_counts(file[name]["analogScans"]) for name in sorted(file) if name.startswith(_SWEEPS)]
    return [
        Signal(
            name=names[channel],
            unit=units[channel],
            sweeps=[np.polyval(coefficients[n, ::-1], counts[n]) / scales[n] for counts in sweeps],
            dt=1000.0 / rate,
        )
        for n, channel in enumerate(np.flatnonzero(active))
    ]


def _entry(header: "h5py.Group", name: str, before: str) -> Any:
    """A setting of the header; versions before 0.95 keep it elsewhere."""
    return header[name if name in header else before][()]


def _texts(values: Any) -> list[str]:
    return [text.decode("utf-8", errors="replace").strip("\0 ") for text in np.ravel(values).tolist()]


def _counts(dataset: "h5py.Dataset") -> np.ndarray:
    check_size(dataset.size * 8, what=dataset.name, where=dataset.file.filename)
    return np.asarray(dataset[()], dtype=np.float64)
