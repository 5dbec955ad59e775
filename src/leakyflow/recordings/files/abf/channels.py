"""What an ABF file recorded and commanded, by the numbers of the digitizer's inputs and outputs."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pyabf import ABF

__all__ = ["EPISODIC", "LONG_HEADER", "Channel", "Output", "channels_of", "outputs_of"]

EPISODIC = 5  # nOperationMode: only here does Clampex play what it commands
LONG_HEADER = 6144  # bytes; shorter ones of version 1 hold no outputs


@dataclass(frozen=True, kw_only=True)
class Channel:
    """A recorded channel (ADC).

    Attributes:
        index: Place among the recorded channels.
        number: Number of the input on the digitizer.
        name: As the file writes it.
        unit: As the file writes it.
    """

    index: int
    number: int
    name: str
    unit: str

    def __str__(self) -> str:
        return f"{self.name} [{self.unit}]"


@dataclass(frozen=True, kw_only=True)
class Output:
    """A commanded output (DAC).

    Attributes:
        index: Place in the file's table of outputs.
        number: Number of the output on the digitizer.
        name: As the file writes it.
        unit: As the file writes it.
        holding: Level between sweeps, in the unit.
        source: 0 nothing is played, 1 the epoch table, 2 a stimulus file (Clampex's nWaveformSource).
        keeps_last_level: True where the level of the last epoch stays until the next sweep.
    """

    index: int
    number: int
    name: str
    unit: str
    holding: float
    source: int
    keeps_last_level: bool

    def __str__(self) -> str:
        return f"{self.name} [{self.unit}]"


def channels_of(abf: "ABF", version: int) -> tuple[Channel, ...]:
    """What was recorded.

    Args:
        abf: As pyABF read it.
        version: 1 or 2.
    """
    numbers = abf._headerV1.nADCSamplingSeq if version == 1 else abf._adcSection.nADCNum
    return tuple(
        Channel(index=n, number=int(numbers[n]), name=_clean(abf.adcNames[n]), unit=_clean(abf.adcUnits[n]))
        for n in range(abf.channelCount)
    )


def _clean(text: str) -> str:
    return text.strip("\0 ")


def outputs_of(abf: "ABF", version: int) -> tuple[Output, ...]:
    """What was commanded.

    Args:
        abf: As pyABF read it.
        version: 1 or 2.
    """
    return _outputs_of_1(abf) if version == 1 else _outputs_of_2(abf)


def _outputs_of_2(abf: "ABF") -> tuple[Output, ...]:
    table, strings = abf._dacSection, abf._stringsSection._indexedStrings
    return tuple(
        Output(
            index=n,
            number=int(table.nDACNum[n]),
            name=_clean(strings[table.lDACChannelNameIndex[n]]),
            unit=_clean(strings[table.lDACChannelUnitsIndex[n]]),
            holding=float(abf.holdingCommand[n]),
            source=_source(abf, table, n),
            keeps_last_level=bool(table.nInterEpisodeLevel[n]),
        )
        for n in range(table._entryCount)
    )


def _outputs_of_1(abf: "ABF") -> tuple[Output, ...]:
    """Four outputs, of which the first two can play a waveform; pyABF mistakes epochs for holding levels."""
    if abf.dataByteStart < LONG_HEADER:
        return ()
    header = abf._headerV1
    return tuple(
        Output(
            index=n,
            number=n,
            name=_clean(header.sDACChannelName[n]),
            unit=_clean(header.sDACChannelUnit[n]),
            holding=_level(header.fInstrumentHoldingLevel[n]),
            source=_source(abf, header, n) if n < len(header.nWaveformEnable) else 0,
            keeps_last_level=n < len(header.nWaveformEnable) and bool(header.nInterEpisodeLevel[n]),
        )
        for n in range(len(header.sDACChannelName))
    )


def _level(level: float) -> float:
    """Bytes that were never filled read as huge or tiny numbers; pyABF cleans those of version 2."""
    return float(level) if abs(level) < 1e6 else np.nan


def _source(abf: "ABF", table: Any, n: int) -> int:
    played = table.nWaveformEnable[n] and abf.nOperationMode == EPISODIC
    return int(table.nWaveformSource[n]) if played else 0
