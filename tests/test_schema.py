import io
import zipfile
from typing import Any

import numpy as np
import pytest
from typing_extensions import TypedDict

from leakyflow.errors import LeakyflowError
from leakyflow.schema import Spec, load_arrays, load_json, reading

SPECS = {"a": Spec(np.float32, (None, 2)), "b": Spec(np.int64, ())}
ARRAYS: dict[str, Any] = {"a": np.ones((3, 2), np.float32), "b": np.int64(7)}
CURE = "Make it anew."


def test_arrays_of_the_right_form_are_read_and_others_not_looked_at(tmp_path):
    np.savez(tmp_path / "a.npz", **ARRAYS, more=np.array([{"an": "object"}]))
    found = load_arrays(tmp_path / "a.npz", SPECS, cure=CURE)
    assert found.keys() == SPECS.keys()
    np.testing.assert_array_equal(found["a"], ARRAYS["a"])
    assert found["b"] == 7


WRONG = {
    "type": {"a": np.ones((3, 2))},
    "byte order": {"a": np.ones((3, 2), ">f4")},
    "axes": {"a": np.ones(6, np.float32)},
    "length": {"a": np.ones((3, 3), np.float32)},
    "not a number": {"a": np.array([[1.0, np.nan]], np.float32)},
    "objects": {"a": np.array([[{"a": 1}, None]])},
    "text": {"b": np.array("seven")},
    "compound": {"b": np.zeros((), [("x", "i8")])},
    "missing": {"b": None},
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG.keys())
def test_each_wrong_array_is_named_with_what_to_do(tmp_path, change):
    path = tmp_path / "a.npz"
    np.savez(path, **{name: value for name, value in (ARRAYS | change).items() if value is not None})
    with pytest.raises(LeakyflowError, match=rf"{path}.*{next(iter(change))}.*{CURE}"):
        load_arrays(path, SPECS, cure=CURE)


def member(shape: tuple[int, ...], content: bytes = b"") -> bytes:
    """An array in NumPy's format that says to have this shape."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return file.getvalue() + content


@pytest.mark.parametrize(
    "content",
    [member((2**40, 2)), member((3, 2)), member((-3, 2)), member((3, 2), b"\0" * 7), b"", b"\x93NUMPY\x09\x00"],
    ids=["8 TiB", "no data", "negative", "few data", "empty", "another version"],
)
def test_what_an_array_says_of_itself_is_not_believed(tmp_path, content):
    path = tmp_path / "a.npz"
    np.savez(path, b=ARRAYS["b"])
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("a.npy", content)
    with pytest.raises(LeakyflowError, match=rf"{path}: `a`.*{CURE}"):
        load_arrays(path, SPECS, cure=CURE)


def test_errors_of_the_system_pass_as_they_are(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_arrays(tmp_path / "none.npz", SPECS, cure=CURE)
    with pytest.raises(IsADirectoryError):
        load_arrays(tmp_path, SPECS, cure=CURE)
    with pytest.raises(PermissionError), reading("a", "b", CURE):
        raise PermissionError(13, "Permission denied")


ERRORS = [
    MemoryError(),
    RecursionError("deep"),
    KeyError("a"),
    OSError("not HDF5"),
    OSError(22, "a seek"),
    zipfile.BadZipFile("x"),
]


@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_whatever_a_library_throws_becomes_one_error(error):
    match = rf"file: the part cannot be read \({type(error).__name__}.*{CURE}"
    with pytest.raises(LeakyflowError, match=match), reading("file", "the part", CURE):
        raise error


def test_interruptions_are_no_damage():
    with pytest.raises(KeyboardInterrupt), reading("file", "the part", CURE):
        raise KeyboardInterrupt


class Form(TypedDict, total=False):
    n: int
    names: dict[str, str]


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "its text"),
        (b"[]", "its text"),
        (b'{"n": "many"}', "n cannot be read"),
        (b'{"names": {"a": 3}}', "names.a cannot be read"),
        (b"[" * 10**6, "at most 1,000 bytes, got 1,000,000"),
        (b"[" * 900, "its text cannot be read .*recursion"),
    ],
)
def test_json_of_another_form_is_refused_at_its_first_difference(tmp_path, content, match):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(LeakyflowError, match=rf"a.json.*{match}.*{CURE}"):
        load_json(tmp_path / "a.json", Form, most=1000, cure=CURE)


def test_json_of_the_right_form_is_read(tmp_path):
    (tmp_path / "a.json").write_bytes(b'{"n": 3}')
    assert load_json(tmp_path / "a.json", Form, most=1000, cure=CURE) == {"n": 3}
