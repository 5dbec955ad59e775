"""Igor binary waves, by igor2: voltage in one file, current in another."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from leakyflow.errors import LeakyflowError
from leakyflow.recordings.files.choices import Choices
from leakyflow.recordings.files.igor_partner import by_content, find_partner, named_partner
from leakyflow.recordings.files.igor_wave import load_wave
from leakyflow.recordings.files.raw import Source
from leakyflow.recordings.files.signals import to_source

__all__ = ["open_igor"]


@contextmanager
def open_igor(path: Path, choices: Choices) -> Iterator[Source]:
    """Open a pair of Igor binary waves; units tell which is the voltage. Two dimensions are sweeps.

    The partner is the file beside it whose name differs in one place (ch0 and ch1, Ch0 and Ch3, V and I) and which
    holds the other quantity, as many samples, as often.

    Args:
        path: Either file of the pair.
        choices: `current` is the other file; `units` are for waves without, `dt_file` for a wave without a scaled x.

    Raises:
        LeakyflowError: If a file is damaged, the other one is missing, or they do not fit together.
    """
    if choices.channel is not None:
        raise LeakyflowError(
            f"`channel` must be left out for an Igor wave, got {choices.channel!r}: {path.name} is one channel.",
            argument="channel",
        )
    first = load_wave(path, choices)
    if choices.step:
        yield to_source([first], path, choices, measured=True)
        return
    if choices.current is not None:
        second = load_wave(named_partner(choices.current, path), choices)
        pair = by_content(first, second, choices, named=True)
    else:
        pair = by_content(first, find_partner(path, first, choices), choices, named=False)
    if {signal.kind for signal in pair} != {"voltage", "current"}:
        raise LeakyflowError(
            f"Two Igor waves must be one voltage and one current, got {path.name} and its partner in "
            f"{', '.join(repr(signal.unit) for signal in pair)}.\n"
            "Pass current= with the wave of the injected current; a pair without a voltage cannot be used.",
            argument="current",
        )
    # The name of the file was the caller's choice; it names no channel within a file.
    found = replace(choices, current=None)
    source = to_source(pair, path, found, measured=True)
    if choices.current is None:
        yield source
    else:
        yield Source(n_sweeps=source.n_sweeps, read=lambda sweep: replace(source.read(sweep), confirmed=True))
