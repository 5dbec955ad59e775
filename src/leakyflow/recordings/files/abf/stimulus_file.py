"""The file that an output played: ABF or ATF, beside the recording, with one episode for each sweep."""

from collections.abc import Callable
from functools import cache
from itertools import islice
from pathlib import Path, PureWindowsPath

import numpy as np

from leakyflow.errors import LeakyflowError
from leakyflow.recordings.files.abf.channels import Output
from leakyflow.recordings.files.abf.file import AbfFile, load_abf
from leakyflow.recordings.files.raw import parsing

__all__ = ["Played", "open_played", "played_file", "played_waveform"]

Played = Callable[[int, int], np.ndarray]
"""Samples of an episode of a channel; raises IndexError where there is none."""

_LINE = 1000  # characters, of two counts
_FROM_FILE = 2  # nWaveformSource
_ALL_EPISODES, _SKIPS_FIRST = 0, -1  # lDACFileEpisodeNum; another number is that one episode


def played_file(file: AbfFile, output: Output) -> Path:
    """Find the stimulus file of an output.

    Args:
        file: The recording.
        output: The output that played it.

    Raises:
        LeakyflowError: If it is not beside the recording.
    """
    with parsing(file.path, "ABF", "stimulus file name"):
        if file.version == 1:
            named = file.header.sDACFilePath[output.index]
        else:
            named = file.abf._stringsSection._indexedStrings[file.header.lDACFilePathIndex[output.index]]
    name = PureWindowsPath(named.strip("\0 ")).name
    beside = [path for path in sorted(file.path.parent.iterdir()) if path.name.lower() == name.lower()]
    exact = [path for path in beside if path.name == name]
    if not name or not beside:
        raise LeakyflowError(
            f"The stimulus of {file.path.name} was played from the file {name!r}, which is missing.\n"
            f"Put it beside the recording, in {file.path.parent}, or pass current= with its path or with the number "
            "of a recorded channel.",
            argument="current",
        )
    return (exact or beside)[0]


def played_waveform(file: AbfFile, output: Output, sweep: int, played: Played, name: str) -> np.ndarray:
    """Read what an output played in a sweep from its stimulus file.

    Args:
        file: The recording.
        output: The output.
        sweep: Number of the sweep.
        played: The stimulus file, open.
        name: Its name, for errors.

    Returns:
        Command in the unit of the output, as long as the sweep.

    Raises:
        LeakyflowError: If the file has no episode for the sweep, or one that is shorter.
    """
    chosen, channel, scale, offset = _settings(file, output)
    episode = chosen - 1 if chosen > 0 else sweep + (1 if chosen == _SKIPS_FIRST else 0)
    samples = _episode(played, episode, channel)
    _, n_samples = file.sweeps[sweep]
    if samples is None or len(samples) < n_samples:
        found = "none" if samples is None else f"{len(samples)}"
        raise LeakyflowError(
            f"The stimulus file {name} must hold the {n_samples} samples that sweep {sweep} of {file.path.name} was "
            f"played, got {found} in its episode {episode + 1}. Put the file that was played beside the recording."
        )
    return samples[:n_samples] * scale + offset


def _settings(file: AbfFile, output: Output) -> tuple[int, int, float, float]:
    """Episode, channel, scale and offset; those of an output that played no file mean nothing."""
    if output.source != _FROM_FILE:
        return _ALL_EPISODES, 0, 1.0, 0.0
    table, n = file.header, output.index
    return table.lDACFileEpisodeNum[n], table.nDACFileADCNum[n], table.fDACFileScale[n], table.fDACFileOffset[n]


def _episode(played: Played, episode: int, channel: int) -> np.ndarray | None:
    """An episode; where the file has only one, it was played in every sweep."""
    try:
        return played(episode, channel)
    except IndexError:
        pass
    try:
        played(1, channel)
    except IndexError:
        return played(0, channel)
    return None


def open_played(path: Path) -> Played:
    """Open a stimulus file.

    Args:
        path: An ABF or ATF file.

    Raises:
        LeakyflowError: If it is damaged.
    """
    return _open_atf(path) if path.suffix.lower() == ".atf" else _open_abf(path)


def _open_abf(path: Path) -> Played:
    file = load_abf(path)

    @cache
    def read(episode: int, channel: int) -> np.ndarray:
        if episode >= len(file.sweeps):
            raise IndexError(episode)
        by_number = {found.number: found for found in file.channels}
        return file.samples(by_number.get(channel, file.channels[0]), episode)

    return read


def _open_atf(path: Path) -> Played:
    with parsing(path, "ATF"):
        traces, n_signals = _read_atf(path)

    def read(episode: int, channel: int) -> np.ndarray:
        column = episode * n_signals + (channel if channel < n_signals else 0)
        if column >= traces.shape[1]:
            raise IndexError(episode)
        return traces[:, column]

    return read


def _read_atf(path: Path) -> tuple[np.ndarray, int]:
    """Traces, one a column, and how many signals each episode has; pyABF's reader wants a line of signals."""
    import pandas as pd

    with path.open(encoding="latin-1") as file:
        if not file.readline().startswith("ATF"):
            raise LeakyflowError(f"{path.name} must begin with ATF. Copy it again from its source.")
        n_header, _ = (int(count) for count in file.readline(_LINE).split()[:2])
        header = list(islice(file, n_header))
        titles = file.readline()
        separator = "\t" if "\t" in titles else ","
        table = pd.read_csv(file, sep=separator, header=None, dtype=np.float64)
    signals = [line.split("=", 1)[1] for line in header if line.strip('" ').startswith("Signals=")]
    names = {name.strip('" \t\n') for line in signals for name in line.split("\t")} - {""}
    return table.to_numpy()[:, 1:], max(1, len(names))
