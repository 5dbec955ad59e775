"""An ABF file as pyABF reads it: channels, outputs and sweeps by their physical numbers."""

import struct
import warnings
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Any

import numpy as np

from leakyflow.errors import LeakyflowError
from leakyflow.recordings.files.abf.channels import EPISODIC, Channel, Output, channels_of, outputs_of
from leakyflow.recordings.files.abf.door import check_header
from leakyflow.recordings.files.raw import parsing

if TYPE_CHECKING:
    from pyabf import ABF

__all__ = ["AbfFile", "load_abf"]


@dataclass(frozen=True, eq=False, kw_only=True)
class AbfFile:
    """What is taken from an ABF file.

    Attributes:
        path: The file.
        abf: As pyABF read it.
        version: 1 or 2.
        dt: Sampling interval, in ms.
        protocol: Name of the protocol; empty where there is none.
        channels: What was recorded.
        outputs: What was commanded.
        sweeps: First sample and number of samples of each sweep.
    """

    path: Path
    abf: "ABF"
    version: int
    dt: float
    protocol: str
    channels: tuple[Channel, ...]
    outputs: tuple[Output, ...]
    sweeps: tuple[tuple[int, int], ...]

    def samples(self, channel: Channel, sweep: int) -> np.ndarray:
        """Recorded samples of a sweep, in the unit of the channel."""
        first, n_samples = self.sweeps[sweep]
        with np.errstate(invalid="ignore"):  # a NaN of the file, which is found where it matters
            return self.abf.data[channel.index, first : first + n_samples].astype(np.float64)

    @property
    def header(self) -> Any:
        """The table that says what each output plays."""
        return self.abf._headerV1 if self.version == 1 else self.abf._dacSection


def load_abf(path: Path) -> AbfFile:
    """Load an ABF file and its samples.

    Args:
        path: The file.

    Raises:
        LeakyflowError: If the file is damaged, or holds no samples.
    """
    import pyabf

    check_header(path)
    with parsing(path, "ABF"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        abf = pyabf.ABF(str(path), loadData=False)
        with path.open("rb") as file:
            abf._loadAndScaleData(file)
        version = int(abf.abfVersion["major"])
        sweeps = _sweeps(abf, version, path)
        if max(count for _, count in sweeps) < 2:
            raise LeakyflowError(f"{path.name} must hold sweeps, but it has no samples. Copy it again from its source.")
        return AbfFile(
            path=path,
            abf=abf,
            version=version,
            dt=_interval(abf, version),
            protocol="" if abf.protocol in ("None", "(untitled)") else PureWindowsPath(abf.protocolPath).stem,
            channels=channels_of(abf, version),
            outputs=outputs_of(abf, version),
            sweeps=sweeps,
        )


def _interval(abf: "ABF", version: int) -> float:
    """In ms; pyABF's own rate is cut to whole Hz."""
    if version == 1:
        return float(abf._headerV1.fADCSampleInterval) * abf.channelCount / 1000.0
    return float(abf._protocolSection.fADCSequenceInterval) / 1000.0


def _sweeps(abf: "ABF", version: int, path: Path) -> tuple[tuple[int, int], ...]:
    n_samples = abf.data.shape[1]
    if abf.sweepCount == 1:
        return ((0, n_samples),)
    lengths = _lengths_of_1(abf, path) if version == 1 else abf._synchArraySection.lLength
    if len(set(lengths)) <= 1:
        each = n_samples // abf.sweepCount
        return tuple((sweep * each, each) for sweep in range(abf.sweepCount))
    counts = np.asarray(lengths[: abf.sweepCount], dtype=np.int64) // abf.channelCount
    if len(counts) < abf.sweepCount or (counts < 0).any() or counts.sum() > n_samples:
        raise LeakyflowError(
            f"The sweeps of {path.name} must add up to its {n_samples} samples, got {counts.sum()} in {len(counts)} "
            f"lengths for {abf.sweepCount} sweeps. The file is damaged: copy it again from its source."
        )
    return tuple(zip((np.cumsum(counts) - counts).tolist(), counts.tolist(), strict=True))


def _lengths_of_1(abf: "ABF", path: Path) -> list[int]:
    """Version 1 keeps the length of each sweep where pyABF does not look."""
    first, count = abf._headerV1.lSynchArrayPtr, abf._headerV1.lSynchArraySize
    if abf.nOperationMode == EPISODIC or not 0 < count <= abf.sweepCount:
        return []
    with path.open("rb") as file:
        file.seek(first * 512)
        pairs = struct.unpack(f"<{2 * count}i", file.read(8 * count))
    return list(pairs[1::2])
