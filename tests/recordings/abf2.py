"""ABF 2 files by bytes, as Clampex lays them out: pyABF writes version 1 without outputs only."""

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

BLOCK = 512


@dataclass(frozen=True, kw_only=True)
class In:
    """A recorded input."""

    number: int = 0
    name: str = "IN 0"
    unit: str = "mV"


@dataclass(frozen=True, kw_only=True)
class Out:
    """A commanded output; source 1 plays the epochs, 2 a file."""

    number: int = 0
    name: str = "Cmd 0"
    unit: str = "pA"
    holding: float = 0.0
    source: int = 1
    epochs: tuple[tuple[int, float, float, int, int], ...] = ()  # type, level, step, duration, step
    train: tuple[int, int] = (0, 0)  # period and width of each epoch, in samples
    keeps_last: bool = False
    file: str = ""
    episode: int = 0


def write_abf2(path, sweeps, *, inputs=(In(),), outputs=(Out(),), dt=0.05, user_lists=(), mode=5, protocol="steps"):
    """Write sweeps of shape (channel, time) as 4-byte floats; user lists are (output, parameter, text)."""
    strings = ["", "Clampex", rf"C:\Params\{protocol}.pro"]
    sections = {
        236: (4, [np.ascontiguousarray(np.asarray(sweep, "<f4").T).tobytes() for sweep in sweeps]),
        92: (128, [_input(found, strings) for found in inputs]),
        108: (256, [_output(found, strings) for found in outputs]),
        156: (48, [row for found in outputs for row in _epochs(found)]),
        172: (64, [_user_list(found, strings) for found in user_lists]),
        316: (8, [struct.pack("<ii", 0, np.size(sweep)) for sweep in sweeps]),
        76: (512, [_protocol(dt, mode)]),
    }
    text = b"SSCH" + bytes(40) + b"\0\0" + b"\0".join(s.encode("latin-1") for s in strings[1:]) + b"\0"
    sections[220] = (len(text), [text])
    header = bytearray(BLOCK)
    struct.pack_into("<4s4BIIIIIHHHH", header, 0, b"ABF2", 0, 0, 6, 2, BLOCK, len(sweeps), 20200101, 0, 0, 1, 1, 0, 0)
    struct.pack_into("<III", header, 60, 1, 0, 0)
    struct.pack_into("<I", header, 72, 2)
    body = b""
    for offset, (size, rows) in sections.items():
        content = b"".join(rows)
        count = len(content) // size if size else 0
        struct.pack_into("<IIq", header, offset, 1 + len(body) // BLOCK if rows else 0, size if rows else 0, count)
        body += content + bytes(-len(content) % BLOCK)
    Path(path).write_bytes(bytes(header) + body)
    return Path(path)


def _index(text, strings):
    strings.append(text)
    return len(strings) - 1


def _input(found, strings):
    row = bytearray(128)
    struct.pack_into("<h", row, 0, found.number)
    struct.pack_into("<3f", row, 28, 1.0, 1.0, 0.0)  # programmable gain
    struct.pack_into("<4f", row, 40, 1.0, 0.0, 1.0, 0.0)  # instrument and signal
    struct.pack_into("<ii", row, 74, _index(found.name, strings), _index(found.unit, strings))
    return bytes(row)


def _output(found, strings):
    row = bytearray(256)
    struct.pack_into("<h", row, 0, found.number)
    struct.pack_into("<f", row, 12, found.holding)
    struct.pack_into("<ii", row, 24, _index(found.name, strings), _index(found.unit, strings))
    struct.pack_into("<hhh", row, 40, found.source > 0, found.source, found.keeps_last)
    struct.pack_into("<ffih", row, 46, 1.0, 0.0, found.episode, 0)
    if found.file:
        struct.pack_into("<i", row, 118, _index(rf"C:\Params\{found.file}", strings))
    return bytes(row)


def _epochs(found):
    for n, (kind, level, step, duration, duration_step) in enumerate(found.epochs):
        yield struct.pack(
            "<hhhffiiii", n, found.number, kind, level, step, duration, duration_step, *found.train
        ).ljust(48, b"\0")


def _user_list(found, strings):
    number, parameter, text = found
    return struct.pack("<hhhhi", number, 1, parameter, 0, _index(text, strings)).ljust(64, b"\0")


def _protocol(dt, mode):
    row = bytearray(512)
    struct.pack_into("<hf", row, 0, mode, dt * 1000)
    struct.pack_into("<f", row, 110, 10.0)
    struct.pack_into("<i", row, 118, 32768)
    return bytes(row)


def membrane(I, dt, *, tau=20.0, R=0.2, rest=-70.0, noise=0.05, seed=0):
    """Voltage of a passive cell driven by a current; R in GOhm."""
    from scipy.signal import lfilter

    keep = np.exp(-dt / tau)
    driven = lfilter([1 - keep], [1, -keep], I, zi=[keep * I[0]])[0]
    return rest + R * driven + noise * np.random.default_rng(seed).normal(size=len(I))
