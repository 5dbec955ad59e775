"""Files that people have beside their recordings, and that cannot be read: what they are, and what to do instead."""

__all__ = ["what_it_is"]

_HTML = "is a web page, not a recording: the download went wrong. Download the raw file"
_ARCHIVE = "is an archive. Unpack it, and pass the recording in it"
_PICTURE = "is a picture. A recording must hold its samples: export them from the program that drew it"
_HEKA = (
    "is a bundle of HEKA PatchMaster, which no library that leakyflow uses reads. Export it from PatchMaster (Tree > "
    "Export, format Igor, MATLAB or ASCII), or read it by another package, such as myokit.formats.heka, and pass the "
    "arrays to leakyflow.read_arrays"
)
_EXCEL = "is a spreadsheet. Save the sheet as CSV, with the columns t_ms, V_mV and I_pA"
_PICKLE = (
    "looks like a Python pickle, which can run code and is never loaded. Load it yourself and pass the arrays to "
    "leakyflow.read_arrays, or save them by numpy.savez(path, V_mV=V, I_pA=I, dt_ms=dt)"
)
_NPY = (
    "is a single NumPy array. Save both by numpy.savez(path, V_mV=V, I_pA=I, dt_ms=dt), or pass the arrays to "
    "leakyflow.read_arrays"
)
_BEGINNINGS: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "is a PDF. A recording must hold its samples: ask for the data behind it"),
    (b"\x89PNG", _PICTURE),
    (b"\xff\xd8\xff", _PICTURE),
    (b"GIF8", _PICTURE),
    (b"II*\0", _PICTURE),
    (b"MM\0*", _PICTURE),
    (b"DATA\0", _HEKA),
    (b"DAT1", _HEKA),
    (b"DAT2", _HEKA),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", _EXCEL + " (or another document of Microsoft Office, without samples)"),
    (b"\x93NUMPY", _NPY),
    (b"CEDFILE", "is a file of CED Signal (.cfs). Export it from Signal as MATLAB data or as text"),
    (b"7z\xbc\xaf", _ARCHIVE),
    (b"Rar!", _ARCHIVE),
    (b"BZh", _ARCHIVE),
    (b"\xfd7zXZ", _ARCHIVE),
    (b"\x28\xb5\x2f\xfd", _ARCHIVE),
    (b"PAR1", "is a Parquet table. Save it as CSV, with the columns t_ms, V_mV and I_pA"),
    (b"CDF\x01", "is a NetCDF file of version 3. Save V and I as NetCDF 4 (HDF5), NPZ or CSV"),
    (b"CDF\x02", "is a NetCDF file of version 3. Save V and I as NetCDF 4 (HDF5), NPZ or CSV"),
    (b"\xc6\x91\x27\x69", "is a file of Intan (.rhd). Convert it to NWB, by neuroconv for instance"),
    (b"\xac\x27\x91\xd6", "is a file of Intan (.rhs). Convert it to NWB, by neuroconv for instance"),
    (b"version https://git-lfs", "is a pointer of Git LFS, not the file itself. Fetch it: git lfs pull"),
    (b"/annex/objects", "is a pointer of git-annex, not the file itself. Fetch it: datalad get, or git annex get"),
    (b"<!DOCTYPE html", _HTML),
    (b"<!doctype html", _HTML),
    (b"<html", _HTML),
    (b"<?xml", "is an XML document, which holds a description rather than samples. Pass the file of the samples"),
    (b"{", "is JSON. Save V and I as NPZ or CSV, with the names t_ms, V_mV and I_pA"),
    (b"\x80\x02", _PICKLE),
    (b"\x80\x03", _PICKLE),
    (b"\x80\x04", _PICKLE),
    (b"\x80\x05", _PICKLE),
)
_MEMBERS = {"xl/": _EXCEL, "content.xml": _EXCEL, "word/": "is a document of Word, without samples", "": _ARCHIVE}


def what_it_is(head: bytes, members: list[str]) -> str:
    """Say what a file is that no reader takes, and how to get at its samples; empty where that is not known.

    Args:
        head: Its first bytes.
        members: Names in it, where it is a ZIP archive.

    Example:
        >>> what_it_is(b"%PDF-1.7", [])[:9]
        'is a PDF.'
    """
    if members:
        return next(text for name, text in _MEMBERS.items() if any(member.startswith(name) for member in members))
    return next((text for beginning, text in _BEGINNINGS if head.lstrip(b" \r\n\t").startswith(beginning)), "")
