import gzip
import zipfile
from pathlib import Path

import pytest

from leakyflow.recordings.files import format
from leakyflow.recordings.files.format import file_format
from leakyflow.recordings.read import read_recording
from tests.recordings.synthetic import WRITERS, sweep, write

UNREADABLE = {
    "a.pdf": (b"%PDF-1.7\n%\xe2\xe3", "is a PDF"),
    "a.png": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is a picture"),
    "a.jpg": (b"\xff\xd8\xff\xe0\0\x10JFIF", "is a picture"),
    "a.tif": (b"II*\0\x08\0\0\0", "is a picture"),
    "a.dat": (b"DAT2\0\0\0\0v2x90.2" + bytes(200), "HEKA PatchMaster(.|\n)*read_arrays"),
    "b.dat": (b"DAT1\0\0\0\0v9.00" + bytes(200), "HEKA PatchMaster"),
    "a.xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500), "is a spreadsheet. Save the sheet as CSV"),
    "a.pkl": (b"\x80\x04\x95\x0c\0\0\0", "pickle, which can run code and is never loaded"),
    "a.npy": (b"\x93NUMPY\x01\0v\0", "single NumPy array(.|\n)*numpy.savez"),
    "a.cfs": (b'CEDFILE"' + bytes(100), "CED Signal"),
    "a.7z": (b"7z\xbc\xaf\x27\x1c", "is an archive. Unpack it"),
    "a.rhd": (b"\xc6\x91\x27\x69\x01\0", "Intan"),
    "a.json": (b'{"V": [1, 2]}', "is JSON"),
    "a.nml": (b'<?xml version="1.0"?>', "is an XML document"),
    "a.csv": (b"<!DOCTYPE html><html>", "web page, not a recording: the download went wrong"),
    "a.abf": (b"version https://git-lfs.github.com/spec/v1\n", "pointer of Git LFS"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_is_named_with_the_way_to_convert_it(name, tmp_path):
    content, match = UNREADABLE[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=match):
        read_recording(tmp_path / name)


@pytest.mark.parametrize(("member", "match"), [("xl/workbook.xml", "spreadsheet"), ("cell.abf", "archive")])
def test_archives_are_told_by_what_is_in_them(member, match, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w") as archive:
        archive.writestr("[Content_Types].xml", "")
        archive.writestr(member, "x")
    with pytest.raises(ValueError, match=match):
        read_recording(tmp_path / "a.xlsx")


@pytest.mark.parametrize("kind", [kind for kind in WRITERS if not kind.endswith(".gz")])
def test_the_content_alone_tells_the_format(kind, tmp_path):
    path = write(kind, tmp_path)
    assert file_format(path.rename(tmp_path / "a.dat")) == file_format(tmp_path / "a.dat")
    named = write(kind, tmp_path)
    assert file_format(named) == file_format(tmp_path / "a.dat")


@pytest.mark.parametrize("kind", ["csv", "abf", "npz", "itx", "mat73", "wcp"])
@pytest.mark.parametrize("suffix", [".gz", ""])
def test_gzip_is_unpacked_whatever_it_is_called(kind, suffix, tmp_path):
    path = write(kind, tmp_path)
    packed = path.with_name(path.name + suffix)
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert read_recording(packed).spikes.sum() == 3


def test_gzip_that_is_cut_or_larger_than_memory_allows_is_refused(tmp_path, monkeypatch):
    from leakyflow.recordings.files import door

    path = write("csv.gz", tmp_path, *sweep(0.1), 0.1)
    content = path.read_bytes()
    path.write_bytes(content[:-100])
    with pytest.raises(ValueError, match=r"cannot be unpacked to its end(.|\n)*copy it again"):
        read_recording(path)
    path.write_bytes(content)
    monkeypatch.setattr(door, "MAX_BYTES", 1000)
    with pytest.raises(ValueError, match="must be at most"):
        read_recording(path)


def test_a_packed_abf_finds_its_stimulus_beside_it(real_recordings, tmp_path):
    name = "chirp_171116sh_0017.abf"
    (tmp_path / f"{name}.gz").write_bytes(gzip.compress((real_recordings / name).read_bytes(), 1))
    with pytest.raises(ValueError, match="is missing"):
        read_recording(tmp_path / f"{name}.gz", sweep=1)
    (tmp_path / "sine sweep magnitude 20.abf").symlink_to(real_recordings / "sine sweep magnitude 20.abf")
    assert read_recording(tmp_path / f"{name}.gz", sweep=1, stop=1000.0).I.max() > 5


@pytest.mark.parametrize("kind", ["abf", "nwb"])
@pytest.mark.parametrize("choice", [{"columns": "t_ms,V_mV,I_pA"}, {"units": "mV,pA"}, {"step": "1,2,3"}])
def test_choices_that_do_not_go_with_a_format_are_refused(kind, choice, tmp_path):
    with pytest.raises(ValueError, match=f"Leave {next(iter(choice))}= out"):
        read_recording(write(kind, tmp_path), **choice)


@pytest.mark.parametrize("suffix", list(format._SUFFIXES))
def test_the_page_of_files_has_every_suffix(suffix):
    page = Path(__file__).parents[3] / "docs" / "files.md"
    assert f"`{suffix}`" in page.read_text()
