import struct

import numpy as np
import pytest

from leakyflow.recordings.files import with_neo
from leakyflow.recordings.read import read_recording
from leakyflow.recordings.sweeps import list_sweeps
from tests.recordings.synthetic import sweep, write
from tests.recordings.writers import INTEGERS

V, I = sweep(0.1)
KINDS = [kind for kind in INTEGERS if kind != "wavesurfer"]


@pytest.mark.parametrize("kind", KINDS)
def test_without_neo_the_error_says_what_to_install(kind, tmp_path, monkeypatch):
    path = write(kind, tmp_path)
    monkeypatch.setattr(with_neo, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install 'leakyflow\[neo\]'"):
        read_recording(path)


@pytest.mark.parametrize("kind", KINDS)
def test_times_and_lengths_are_those_of_the_file(kind, tmp_path):
    (found,) = list_sweeps(write(kind, tmp_path, V, I, 0.1))
    assert found.dt == 0.1
    assert found.duration == pytest.approx(600.0)


def test_files_of_64_bits_of_ced_need_its_own_package(tmp_path, monkeypatch):
    (tmp_path / "a.smrx").write_bytes(b"S64\x0b" + bytes(2000))
    monkeypatch.setattr(with_neo, "find_spec", lambda name: None if name == "sonpy" else name)
    with pytest.raises(ValueError, match=r"pip install sonpy(.|\n)*\.mat"):
        read_recording(tmp_path / "a.smrx")


def two_records(path, gain):
    """Append the only record of a file of WinWCP, with another amplification."""
    content = path.read_bytes()
    header, record = content[:1024].replace(b"NR=1", b"NR=2"), content[1024:]
    other = bytearray(record)
    struct.pack_into("<2f", other, 24, 10.0 * gain, 10.0 * gain)
    path.write_bytes(header + record + bytes(other))


def test_records_of_winwcp_are_sweeps(tmp_path):
    path = write("wcp", tmp_path, V, I, 0.1)
    two_records(path, 1.0)
    assert [sweep.n_spikes for sweep in list_sweeps(path)] == [3, 3]


def test_records_of_winwcp_with_other_gains_are_refused(tmp_path):
    path = write("wcp", tmp_path, V, I, 0.1)
    two_records(path, 2.0)
    with pytest.raises(ValueError, match="must have the same gain, got 2"):
        read_recording(path, sweep=0)


def test_spike2_files_of_several_blocks_are_whole(tmp_path):
    long = np.tile(V, 6)
    (found,) = list_sweeps(write("spike2", tmp_path, long, np.tile(I, 6), 0.1))
    assert found.duration == pytest.approx(3600.0)
    assert found.n_spikes == 18


def test_a_voltage_alone_takes_the_step_that_is_said(tmp_path):
    path = write("edr", tmp_path, V, I, 0.1)
    path.write_bytes(path.read_bytes().replace(b"YU1=pA", b"YU1=Pa"))
    with pytest.raises(ValueError, match="must have the current"):
        read_recording(path)
    assert read_recording(path, step="130,100,500").I.max() == pytest.approx(130.0)
