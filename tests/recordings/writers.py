"""Files of the formats that are no ABF, NWB, CSV, NPZ or single wave, each with one voltage and one current."""

import gzip
import struct
from pathlib import Path

import numpy as np


def columns(V, I, dt):
    return np.column_stack([np.arange(len(V)) * dt, V, I])


def write_txt(path, V, I, dt):
    """Spaces, a decimal comma, and quantities in words."""
    np.savetxt(path, columns(V, I, dt), header="Time(ms) Voltage(mV) Current(pA)", comments="", fmt="%.9g")
    path.write_text(path.read_text().replace(".", ","))


def write_atf(path, V, I, dt):
    header = '"AcquisitionMode=Episodic Stimulation"\n"Signals="\t"IN 0"\t"Cmd 0"\n'
    titles = '"Time (s)"\t"Trace #1 (mV)"\t"Trace #1 (pA)"\n'
    rows = "\n".join("\t".join(f"{x:.9g}" for x in row) for row in columns(V, I, dt) * [1e-3, 1, 1])
    path.write_text(f"ATF\t1.0\n2\t3\n{header}{titles}{rows}\n")


def write_itx(path, V, I, dt):
    rows = "\n".join(f"\t{v:.9g}\t{i:.9g}" for v, i in zip(V * 1e-3, I * 1e-12, strict=True))
    scale = f'X SetScale/P x 0,{dt / 1000:.9g},"s", Vm_1, Im_1\n'
    units = 'X SetScale y 0,0,"V", Vm_1\nX SetScale d 0,0,"A", Im_1\n'
    path.write_text(f"IGOR\nWAVES/D\tVm_1\tIm_1\nBEGIN\n{rows}\nEND\n{scale}{units}")


def write_mat(path, V, I, dt):
    """A structure beside loose variables, as people keep them."""
    from scipy.io import savemat

    savemat(path, {"cell1": {"Vm_mV": V[:, None], "Iinj_nA": I * 1e-3}, "fs_Hz": 1000 / dt, "note": "a cell"})


def write_mat73(path, V, I, dt):
    """HDF5 behind 512 bytes of MATLAB's; its arrays are transposed, its text numbers."""
    import h5py

    with h5py.File(path, "w", userblock_size=512) as file:
        file["V"] = V[None, :]
        file["I"] = I[None, :] * 1e-12
        file["dt"] = np.array([[dt / 1000]])
        for name, unit in (("V_units", "mV"), ("I_units", "A")):
            file[name] = np.array([[ord(letter)] for letter in unit], np.uint16)
            file[name].attrs["MATLAB_class"] = np.bytes_("char")
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: PCWIN64".ljust(124) + b"\x00\x02IM")


def write_hdf5(path, V, I, dt):
    import h5py

    with h5py.File(path, "w") as file:
        file["cell/response"], file["cell/stimulus"] = V * 1e-3, I
        file["cell/response"].attrs["unit"] = "V"
        file["cell/stimulus"].attrs["units"] = "pA"
        file["cell/time"] = np.arange(len(V)) * dt / 1000
        file["cell/time"].attrs["unit"] = "s"


def need_filter(file, name, number=32099):
    """Store a dataset of an open HDF5 file anew, said to be packed by a filter that no program knows.

    A reader that needs it asks HDF5 for a plugin of that number; what is stored are the bare samples.
    """
    import h5py

    samples, attributes = np.asarray(file[name]), dict(file[name].attrs)
    del file[name]
    layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    layout.set_chunk(samples.shape)
    layout.set_filter(number, h5py.h5z.FLAG_OPTIONAL, ())
    space = h5py.h5s.create_simple(samples.shape)
    h5py.h5d.create(file.id, name.encode(), h5py.h5t.py_create(samples.dtype, logical=True), space, dcpl=layout)
    file[name].id.write_direct_chunk((0,) * samples.ndim, samples.tobytes(), filter_mask=0)
    file[name].attrs.update(attributes)


def counts(x):
    """16 bits, and the value of one; no less than 1e-9 of it."""
    one = max(float(np.nanmax(np.abs(x))), 1e-6) / 32000
    return np.round(np.nan_to_num(x) / one).astype(np.int16), one


def write_wavesurfer(path, V, I, dt):
    import h5py

    (v, one_v), (i, one_i) = counts(V), counts(I)
    with h5py.File(path, "w") as file:
        header = file.create_group("header")
        header["AcquisitionSampleRate"] = np.array([[1000 / dt]])
        header["AIChannelNames"] = np.array([b"Vm", b"unused", b"Im"])
        header["AIChannelUnits"] = np.array([b"mV", b"V", b"pA"])
        header["AIChannelScales"] = np.array([[0.01, 1.0, 0.0005]])
        header["IsAIChannelActive"] = np.array([[1, 0, 1]], np.uint8)
        slopes = np.array([one_v * 0.01, one_i * 0.0005])
        header["AIScalingCoefficients"] = np.column_stack([0 * slopes, slopes, 0 * slopes, 0 * slopes])
        file["sweep_0001/analogScans"] = np.stack([v, i])


def write_wcp(path, V, I, dt):
    (v, one_v), (i, one_i) = counts(V), counts(I)
    n_sectors = -(-4 * len(V) // 512)
    data = np.zeros(256 * n_sectors, np.int16)
    data[: 2 * len(V)] = np.column_stack([v, i]).ravel()
    vmax = [10.0, 10.0]
    lines = ["VER=9", "RTIME=01/01/2020 10:00:00", "NC=2", "NR=1", "NBH=2", "NBA=2", f"NBD={n_sectors}", "AD=10"]
    lines += ["ADCMAX=32767", f"NP={len(V)}", f"DT={dt / 1000:.9g}"]
    for n, (name, unit, one) in enumerate((("Vm", "mV", one_v), ("Im", "pA", one_i))):
        lines += [f"YN{n}={name}", f"YU{n}={unit}", f"YG{n}={vmax[n] / 32767 / one:.15g}", f"YO{n}={n}"]
    record = struct.pack("<8s4sfff8f", b"ACCEPTED", b"TEST", 0.0, 0.0, dt / 1000, *(vmax + [0.0] * 6))
    header = ("\r\n".join(lines) + "\r\n").encode().ljust(1024, b"\0")
    path.write_bytes(header + record.ljust(1024, b"\0") + data.tobytes())


def write_edr(path, V, I, dt):
    (v, one_v), (i, one_i) = counts(V), counts(I)
    lines = ["VER=6.4", "NC=2", f"NP={2 * len(V)}", "NBH=2048", "ADCMAX=32767", f"DT={dt / 1000:.9g}", "AD=10", "TU=s"]
    for n, (name, unit, one) in enumerate((("Vm", "mV", one_v), ("Im", "pA", one_i))):
        lines += [f"YN{n}={name}", f"YU{n}={unit}", f"YCF{n}={10 / 32768 / one:.15g}", f"YAG{n}=1", f"YZ{n}=0"]
        lines += [f"YO{n}={n}"]
    header = ("\r\n".join(lines) + "\r\n").encode().ljust(2048, b" ")
    path.write_bytes(header + np.column_stack([v, i]).astype("<i2").tobytes())


def write_axograph(path, V, I, dt):
    """Version 2: times as first and step, then columns of scaled 16-bit numbers."""
    file = struct.pack(">4sHH", b"AxGr", 2, 3)
    file += struct.pack(">l80pff", len(V), b"Time (s)", 0.0, dt / 1000)
    for title, x in ((b"Vm (V)", V * 1e-3), (b"Im (A)", I * 1e-12)):
        one = max(float(np.abs(x).max()), 1e-20) / 32000
        file += struct.pack(">l80pf", len(x), title, one) + np.round(x / one).astype(">i2").tobytes()
    path.write_bytes(file)


def write_smr(path, V, I, dt):
    """Blocks of up to 30,000 samples, chained; ticks of 10 us."""
    from neo.rawio.spike2rawio import blockHeaderDesciption, channelHeaderDesciption1, headerDescription

    header = np.zeros(1, headerDescription)
    header["system_id"], header["us_per_time"], header["dtime_base"] = 6, 10, 1e-6
    header["channels"], header["copyright"] = 2, b"(C) CED 87"
    infos, blocks, at, ticks = b"", b"", 512 + 2 * 140, round(dt * 100)
    for name, unit, x in ((b"Vm", b"mV", V), (b"Im", b"nA", I * 1e-3)):
        samples, one = counts(x)
        starts = range(0, len(x), 30_000)
        info = np.zeros(1, channelHeaderDesciption1)
        info["firstblock"], info["blocks"], info["l_chan_dvd"], info["kind"] = at, len(starts), ticks, 1
        info["title"], unit = bytes([len(name)]) + name, bytes([len(unit)]) + unit
        infos += (info.tobytes() + struct.pack("<ff6sh", one * 6553.6, 0.0, unit, 0)).ljust(140, b"\0")
        for start in starts:
            part = samples[start : start + 30_000]
            block = np.zeros(1, blockHeaderDesciption)
            block["start_time"], block["end_time"] = start * ticks, (start + len(part) - 1) * ticks
            block["items"], block["succ_block"] = len(part), at + 20 + 2 * len(part)
            at += 20 + 2 * len(part)
            blocks += block.tobytes() + part.tobytes()
    path.write_bytes(header.tobytes().ljust(512, b"\0") + infos + blocks)


def write_pxp(path, V, I, dt):
    """Records of type 3 hold whole wave files."""
    from .synthetic import write_ibw

    records = b""
    for n, (x, unit) in enumerate(((V * 1e-3, "V"), (I * 1e-12, "A"))):
        part = Path(path).with_suffix(f".{n}")
        write_ibw(part, x, dt, unit, name=f"Record{'AB'[n]}0")
        records += struct.pack(">hhi", 3, 0, part.stat().st_size) + part.read_bytes()
        part.unlink()
    path.write_bytes(struct.pack(">hhi", 2, 1, 4) + b"hist" + records)  # the version shows the order of bytes


def write_gzip(writer, name):
    def write(path, V, I, dt):
        writer(Path(path).with_name(name), V, I, dt)
        plain = Path(path).with_name(name)
        path.write_bytes(gzip.compress(plain.read_bytes(), 1))
        plain.unlink()

    return write


TEXT = {"txt": ("cell.txt", write_txt), "atf": ("cell.atf", write_atf), "itx": ("cell.itx", write_itx)}
CONTAINERS = {
    "mat": ("cell.mat", write_mat),
    "mat73": ("cell.mat", write_mat73),
    "hdf5": ("cell.hdf5", write_hdf5),
    "pxp": ("cell.pxp", write_pxp),
}
INTEGERS = {
    "wavesurfer": ("cell.h5", write_wavesurfer),
    "wcp": ("cell.wcp", write_wcp),
    "edr": ("cell.edr", write_edr),
    "axograph": ("cell.axgd", write_axograph),
    "spike2": ("cell.smr", write_smr),
}
