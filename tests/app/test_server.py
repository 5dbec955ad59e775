import socket
import sys
from types import SimpleNamespace

import pytest

from leakyflow.app.server import ADDRESS, free_port
from leakyflow.errors import LeakyflowError
from tests.cli.terminal import is_one_screen, leakyflow_, said
from tests.fresh import run_python


def test_a_port_that_is_taken_is_refused_and_passed_over():
    with socket.socket() as other:
        other.bind((ADDRESS, 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(LeakyflowError, match=f"{port} is taken"):
            free_port(port)
        assert free_port(None) != port


def test_the_command_says_what_is_wrong_before_it_serves(tmp_path):
    result = leakyflow_("app", tmp_path / "missing", "--no-browser")
    assert is_one_screen(result)
    assert "no file or folder" in said(result)


def test_without_panel_the_command_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "panel", None)
    result = leakyflow_("app", "--no-browser")
    assert is_one_screen(result)
    assert "pip install 'leakyflow[app]'" in said(result)


def test_the_logic_needs_no_panel():
    code = (
        "import sys, leakyflow.app.session, leakyflow.app.server; print(*{'panel', 'bokeh', 'jax'} & set(sys.modules))"
    )
    assert run_python(code).stdout.split() == []


def test_an_upload_is_stopped_at_the_limit_whatever_the_browser_says(monkeypatch):
    pytest.importorskip("panel")
    from leakyflow.app.view import dropper

    monkeypatch.setattr(dropper, "UPLOAD_BYTES", 10)
    arrived, refused = [], []
    one = dropper.Dropper(lambda name, content: arrived.append((name, content)), refused.append)

    def send(name: str, chunk: int, n: int, data: bytes) -> None:
        event = {"name": name, "chunk": chunk, "total_chunks": n, "data": data, "type": ""}
        one._process_event(SimpleNamespace(event_name="upload_event", data=event))

    send("large.csv", 1, 3, b"x" * 8)
    send("large.csv", 2, 3, b"x" * 8)
    send("large.csv", 3, 3, b"x" * 8)
    assert (arrived, len(refused)) == ([], 1)
    send("small.csv", 1, 2, b"ab")
    send("small.csv", 2, 2, b"c")
    assert arrived == [("small.csv", b"abc")]
    assert one.value == {}
