"""Inputs that once ended in another error than ours, or in none at all, as small as they still do it.

Found by `python -m benchmarks.fuzz`; each stays here. Configurations, networks, data sets and tables have theirs beside
their tests.
"""

from contextlib import suppress

import pytest

from leakyflow.errors import LeakyflowError
from leakyflow.recordings.files.abf.stimulus_file import open_played
from leakyflow.recordings.files.nwb.series import natural
from leakyflow.recordings.read import read_recording
from leakyflow.recordings.sweeps import list_sweeps

ROWS = b"".join(b"%.1f,-70.%d,%d\n" % (0.1 * k, k % 7, 10 * (k > 500)) for k in range(2000))
FILES = {
    "a name of 5,000 digits": ("cell.csv", b"Time(ms)" + b"9" * 5000 + b",V_mV,I_pA\n" + ROWS),
    "a number of 400 digits": ("cell.csv", b"t_ms,V_mV,I_pA\n" + ROWS + b"200.0," + b"9" * 400 + b",10\n"),
    "a header of 5,000 digits": ("cell.atf", b"ATF\t1.0\n" + b"9" * 5000 + b"\t3\n" + ROWS),
    "a header of squares": ("cell.atf", "ATF\t1.0\n²\t3\n".encode("latin-1") + ROWS),
    "a header without end": ("cell.atf", b"ATF\t1.0\n999999999\t3\n" + ROWS),
}


@pytest.mark.parametrize(("name", "content"), FILES.values(), ids=FILES)
@pytest.mark.parametrize("use", [read_recording, list_sweeps])
def test_what_once_failed_is_read_or_refused_in_words(name, content, use, tmp_path):
    (tmp_path / name).write_bytes(content)
    with suppress(LeakyflowError):
        use(tmp_path / name)


def test_another_error_would_be_seen(tmp_path, monkeypatch):
    monkeypatch.setattr("leakyflow.recordings.files.opening.file_format", lambda path: 1 / 0)
    with pytest.raises(ZeroDivisionError), suppress(LeakyflowError):
        read_recording(tmp_path)


def test_a_stimulus_file_whose_header_has_no_end_is_refused(tmp_path):
    (tmp_path / "a.atf").write_bytes(b"ATF\t1.0\n999999999999\t3\n" + ROWS)
    with pytest.raises(LeakyflowError, match=r"a\.atf"):
        open_played(tmp_path / "a.atf")


def test_names_are_sorted_whatever_number_they_hold():
    long = "sweep_" + "9" * 5000
    assert sorted([long, "sweep_10", "sweep_2"], key=natural)[:2] == ["sweep_2", "sweep_10"]
