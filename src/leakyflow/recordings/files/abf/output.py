"""What each output commanded in each sweep, and which of them command a current."""

import re
from functools import cache
from pathlib import Path

import numpy as np

from leakyflow.recordings.files.abf.channels import Output
from leakyflow.recordings.files.abf.epochs import epoch_waveform
from leakyflow.recordings.files.abf.file import AbfFile
from leakyflow.recordings.files.abf.stimulus_file import Played, open_played, played_file, played_waveform
from leakyflow.recordings.files.units import quantity, scale

__all__ = ["Commands", "current_scale"]

_NOTHING, _EPOCHS, _FILE = 0, 1, 2
_SCALE = re.compile(r"(?P<number>\d+(?:[.,]\d+)?)\s*(?P<current>[fpnuµm]?A)\s*/\s*(?P<voltage>[uµm]?V)")


def current_scale(output: Output) -> float | None:
    """Give the factor from the unit of an output to pA.

    An output in volts whose name or unit holds the scale of the amplifier, as `Cmd 10 pA/mV`, commands a current.

    Args:
        output: The output.

    Returns:
        The factor, or None where the output commands no current.
    """
    if quantity(output.unit) == "current":
        return scale(output.unit, "pA")
    found = _SCALE.search(output.unit) or _SCALE.search(output.name)
    if found is None or quantity(output.unit) not in ("voltage", ""):
        return None
    volts = scale(output.unit, "mV") if quantity(output.unit) == "voltage" else 1.0
    per_mV = float(found["number"].replace(",", ".")) * scale(found["current"], "pA") / scale(found["voltage"], "mV")
    return per_mV * volts


class Commands:
    """The commands of a file; a stimulus file is read once.

    Args:
        file: The recording.
        stimulus: A stimulus file to take in place of the one that the recording names.
    """

    def __init__(self, file: AbfFile, stimulus: Path | None = None) -> None:
        self.file = file
        self._stimulus = stimulus
        self._open = cache(open_played)

    def of(self, output: Output, sweep: int) -> np.ndarray:
        """Command of an output in a sweep.

        Args:
            output: The output.
            sweep: Number of the sweep.

        Returns:
            Command in the unit of the output; NaN where it is not known.

        Raises:
            LeakyflowError: If a stimulus file is missing or does not fit, or the table of epochs cannot be.
        """
        if output.source == _FILE or self._stimulus is not None:
            path = self._stimulus or played_file(self.file, output)
            return played_waveform(self.file, output, sweep, self._played(path), path.name)
        if output.source == _EPOCHS:
            return epoch_waveform(self.file, output, sweep)
        level = output.holding if output.source == _NOTHING else np.nan
        return np.full(self.file.sweeps[sweep][1], level)

    def _played(self, path: Path) -> Played:
        return self._open(path)
