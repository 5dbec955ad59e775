"""Sweeps whose truth is known, and files of every format that hold them."""

import struct
from pathlib import Path

import numpy as np

from .writers import CONTAINERS, INTEGERS, TEXT, write_gzip, write_mat

TAU, C, V_REST = 20.0, 100.0, -70.0  # ms, pF, mV: 200 MOhm
SPIKES = (250.0, 330.0, 410.0)  # ms, onsets


def spike_shape(dt, height=80.0, width=1.0):
    """A spike of `height` mV above its onset: up within `width` ms, down within three times that."""
    up = np.arange(0, width, dt)[1:]
    down = np.arange(0, 3 * width, dt)
    rise = height * np.sin(np.pi / 2 * up / width)
    fall = height * np.cos(np.pi / 2 * down / (3 * width)) ** 2
    return np.concatenate([rise, fall])


def sweep(dt=0.05, duration=600.0, spikes=SPIKES, height=80.0, noise=0.0, seed=0):
    """A step of 130 pA from 100 ms on, with spikes added to the exact response of the membrane."""
    t = np.arange(round(duration / dt)) * dt
    I = np.where(t >= 100.0, 130.0, 0.0)
    V = subthreshold(t)
    for onset in spikes:
        shape = spike_shape(dt, height)
        first = round(onset / dt) + 1
        V[first : first + len(shape)] += shape[: max(0, len(V) - first)]
    return V + noise * np.random.default_rng(seed).normal(size=len(V)), I


def subthreshold(t):
    return V_REST + 130.0 * TAU / C * -np.expm1(-np.clip(t - 100.0, 0, None) / TAU)


def write_csv(path, V, I, dt, names=("t_ms", "V_mV", "I_pA")):
    table = np.column_stack([np.arange(len(V)) * dt, V, I])
    np.savetxt(path, table, delimiter=",", header=",".join(names), comments="", fmt="%.9g")


def write_npz(path, V, I, dt):
    np.savez(path, t_ms=np.arange(len(V)) * dt, V_mV=V, I_pA=I)


def write_abf(path, V, I, dt, units=("mV", "pA")):
    """pyABF writes one channel; two are interleaved and declared in the header of ABF 1."""
    from pyabf.abfWriter import writeABF1

    both = np.column_stack([V, I]).reshape(1, -1)
    writeABF1(both, str(path), 2 * round(1000 / dt))
    file = bytearray(Path(path).read_bytes())
    struct.pack_into("<h", file, 120, 2)  # nADCNumChannels
    for offset in (378, 410):  # nADCPtoLChannelMap, nADCSamplingSeq
        struct.pack_into("<16h", file, offset, *range(16))
    for n, (name, unit) in enumerate(zip(("Im", "Vm"), units, strict=True)):  # swapped, as they often are
        struct.pack_into("10s", file, 442 + 10 * n, name.encode().ljust(10))
        struct.pack_into("8s", file, 602 + 8 * n, unit.encode().ljust(8))
    Path(path).write_bytes(file)


def write_nwb(path, V, I, dt, *, bias=None, stimulus=True, clamp="current", shift=0.0):
    from datetime import UTC, datetime

    from pynwb import NWBHDF5IO, NWBFile, icephys

    file = NWBFile(session_description="x", identifier="x", session_start_time=datetime(2020, 1, 1, tzinfo=UTC))
    electrode = file.create_icephys_electrode(name="e", description="x", device=file.create_device(name="d"))
    common = {"electrode": electrode, "gain": 1.0, "rate": 1000.0 / dt, "starting_time": 0.0}
    if clamp == "current":
        file.add_acquisition(icephys.CurrentClampSeries(name="response", data=V * 1e-3, bias_current=bias, **common))
    else:
        file.add_acquisition(icephys.VoltageClampSeries(name="response", data=I * 1e-12, **common))
    if stimulus:
        common["starting_time"] = shift
        file.add_stimulus(icephys.CurrentClampStimulusSeries(name="injected", data=I, conversion=1e-12, **common))
    with NWBHDF5IO(str(path), "w") as io:
        io.write(file)


def write_ibw(path, samples, dt, unit, *, x_unit="s", name="wave"):
    """Version 2: a header of 16 bytes, 110 of the wave, the samples, 16 of padding; with a checksum."""
    # type, next, name, version, folder, file name, data units, x units, points, modified, x step, x origin
    head = (4, b"", name.encode(), 0, 0, b"", unit.encode(), x_unit.encode(), len(samples), 0, dt / 1000, 0.0)
    wave = struct.pack(">h4s20shh4s4s4sihdd", *head)
    wave = wave.ljust(110, b"\0")
    size = len(wave) + 8 * len(samples) + 16
    header = struct.pack(">hiii", 2, size, 0, 0)
    total = sum(struct.unpack(f">{(len(header) + len(wave)) // 2}h", header + wave))
    checksum = struct.pack(">h", ((-total + 2**15) % 2**16) - 2**15)
    Path(path).write_bytes(header + checksum + wave + np.asarray(samples, ">f8").tobytes() + b"\0" * 16)


def write_ibw_pair(path, V, I, dt):
    write_ibw(path, V * 1e-3, dt, "V")
    write_ibw(Path(path).with_name(Path(path).name.replace("ch1", "ch0")), I * 1e-12, dt, "A")


WRITERS = {
    "csv": ("cell.csv", write_csv),
    "npz": ("cell.npz", write_npz),
    "abf": ("cell.abf", write_abf),
    "nwb": ("cell.nwb", write_nwb),
    "ibw": ("cell_ch1_3.ibw", write_ibw_pair),
    **TEXT,
    **CONTAINERS,
    **INTEGERS,
    "csv.gz": ("cell.csv.gz", write_gzip(write_csv, "cell.csv")),
    "nwb.gz": ("cell.nwb.gz", write_gzip(write_nwb, "cell.nwb")),
    "mat.gz": ("cell.mat.gz", write_gzip(write_mat, "cell.mat")),
}


def write(kind, folder, V=None, I=None, dt=0.05):
    if V is None:
        V, I = sweep(dt)
    name, writer = WRITERS[kind]
    writer(folder / name, V, I, dt)
    return folder / name
