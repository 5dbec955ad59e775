"""The waveform of the epoch table of Clampex: steps, ramps and trains, sweep by sweep."""

import struct
from dataclasses import dataclass, replace

import numpy as np

from leakyflow.errors import LeakyflowError
from leakyflow.recordings.files.abf.channels import Output
from leakyflow.recordings.files.abf.file import AbfFile
from leakyflow.recordings.files.abf.user_list import UserList, user_list
from leakyflow.recordings.files.raw import parsing

__all__ = ["epoch_waveform"]

_SHAPES = {1: "Step", 2: "Ramp", 3: "Pulse", 4: "Tri", 5: "Cos", 7: "BiPhsc"}  # nEpochType, as pyABF names them
_UNKNOWN = "unknown"
_FIRST_HOLDING = 64  # Clampex holds for 1/64 of the sweep before the first epoch
_ABF1_EPOCHS = 10  # of each of two outputs


@dataclass(frozen=True, kw_only=True)
class _Epoch:
    """One column of the table; level in the unit of the output, times in samples."""

    number: int
    shape: str
    level: float
    level_step: float
    duration: int
    duration_step: int
    period: int
    width: int

    def of_sweep(self, sweep: int, changed: UserList | None) -> "_Epoch":
        level, duration = self.level + self.level_step * sweep, self.duration + self.duration_step * sweep
        epoch = replace(self, level=float(level), duration=int(duration))
        if changed is None or changed.epoch != self.number:
            return epoch
        value = changed[sweep]
        match changed.quantity:
            case "level":
                return replace(epoch, level=value)
            case "duration":
                return replace(epoch, duration=round(value))
            case "period":
                return replace(epoch, period=round(value))
        return replace(epoch, width=round(value))


def epoch_waveform(file: AbfFile, output: Output, sweep: int) -> np.ndarray:
    """Build what an output played in a sweep by its epoch table and user list.

    Args:
        file: The file.
        output: The output.
        sweep: Number of the sweep.

    Returns:
        Command in the unit of the output, as long as the sweep.

    Raises:
        LeakyflowError: If an epoch is of an unknown type, the epochs do not fit into the sweep, or a user list cannot
            be followed.
    """
    with parsing(file.path, "ABF", "epoch table"):
        table = _epochs_of_1(file, output) if file.version == 1 else _epochs_of_2(file, output)
    _check_shapes(table, file, output)
    changed = user_list(file, output)
    if changed is not None and changed.epoch not in [epoch.number for epoch in table]:
        raise LeakyflowError(
            f"A user list must change an epoch that is played, but that of {file.path.name} changes the "
            f"{changed.quantity} of epoch {_letter(changed.epoch)}, which {output.name} has not.\nPass current= with "
            "a recorded channel, or write V and I to a CSV file with the columns t_ms, V_mV, I_pA.",
            argument="current",
        )
    _, n_samples = file.sweeps[sweep]
    before = output.holding
    if output.keeps_last_level and sweep and table:
        before = table[-1].of_sweep(sweep - 1, changed).level
    return _play([epoch.of_sweep(sweep, changed) for epoch in table], file, output, n_samples, before)


def _check_shapes(table: list[_Epoch], file: AbfFile, output: Output) -> None:
    unknown = [_letter(epoch.number) for epoch in table if epoch.shape == _UNKNOWN]
    if unknown:
        raise LeakyflowError(
            f"The epochs of {output.name} in {file.path.name} must be steps, ramps, pulses, triangles or cosines, but "
            f"epoch {', '.join(unknown)} is of another type.\nPass current= with a recorded channel, or write V and I "
            "to a CSV file with the columns t_ms, V_mV, I_pA.",
            argument="current",
        )


def _letter(epoch: int) -> str:
    return chr(ord("A") + epoch) if epoch < 26 else str(epoch)


def _play(epochs: list[_Epoch], file: AbfFile, output: Output, n_samples: int, before: float) -> np.ndarray:
    from pyabf.waveform import EpochSweepWaveform

    at = n_samples // _FIRST_HOLDING
    lengths = [epoch.duration for epoch in epochs]
    if min(lengths, default=0) < 0 or at + sum(lengths) > n_samples:
        raise LeakyflowError(
            f"The epochs of {output.name} in {file.path.name} must fit into the sweep of {n_samples} samples, got "
            f"{lengths} after {at}. Its header is damaged: copy it again from its source, or pass current= with a "
            "recorded channel.",
            argument="current",
        )
    sweep = EpochSweepWaveform()
    sweep.addEpoch(0, at, float(before), "Step", 0, 0, [0] * 8)
    for epoch in epochs:
        width = min(epoch.width, epoch.period)
        sweep.addEpoch(at, at + epoch.duration, epoch.level, epoch.shape, width, epoch.period, [0] * 8)
        at += epoch.duration
    after = epochs[-1].level if output.keeps_last_level and epochs else output.holding
    sweep.addEpoch(at, n_samples, float(after), "Step", 0, 0, [0] * 8)
    return np.asarray(sweep.getWaveform(), dtype=np.float64)


def _epochs_of_2(file: AbfFile, output: Output) -> list[_Epoch]:
    table = file.abf._epochPerDacSection
    rows = [n for n in range(table._entryCount) if table.nDACNum[n] == output.number and table.nEpochType[n]]
    return [
        _Epoch(
            number=int(table.nEpochNum[n]),
            shape=_SHAPES.get(table.nEpochType[n], _UNKNOWN),
            level=table.fEpochInitLevel[n],
            level_step=table.fEpochLevelInc[n],
            duration=table.lEpochInitDuration[n],
            duration_step=table.lEpochDurationInc[n],
            period=table.lEpochPulsePeriod[n],
            width=table.lEpochPulseWidth[n],
        )
        for n in sorted(rows, key=lambda n: table.nEpochNum[n])
    ]


def _epochs_of_1(file: AbfFile, output: Output) -> list[_Epoch]:
    header = file.abf._headerV1
    with file.path.open("rb") as opened:
        opened.seek(2136)  # lEpochPulsePeriod and lEpochPulseWidth, which pyABF does not read
        trains = struct.unpack("<40i", opened.read(160))
    rows = [n + _ABF1_EPOCHS * output.index for n in range(_ABF1_EPOCHS)]
    return [
        _Epoch(
            number=n % _ABF1_EPOCHS,
            shape=_SHAPES.get(header.nEpochType[n], _UNKNOWN),
            level=header.fEpochInitLevel[n],
            level_step=header.fEpochLevelInc[n],
            duration=header.lEpochInitDuration[n],
            duration_step=header.lEpochDurationInc[n],
            period=trains[n],
            width=trains[n + 2 * _ABF1_EPOCHS],
        )
        for n in rows
        if header.nEpochType[n]
    ]
