import os
import threading

import pytest

from leakyflow.cpu import n_cpu, shared


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs an operating system that binds to cores")
def test_cores_are_those_that_the_process_is_bound_to():
    before = os.sched_getaffinity(0)
    assert n_cpu() == len(before)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert n_cpu() == 1
    finally:
        os.sched_setaffinity(0, before)


def test_elsewhere_they_are_the_machines(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert n_cpu() == 7
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert n_cpu() == 1


def test_pieces_come_back_in_their_order_and_one_alone_starts_no_thread():
    names: list[str] = []

    def noted(piece: int) -> int:
        names.append(threading.current_thread().name)
        return -piece

    assert shared(noted, [3]) == [-3]
    assert names == [threading.current_thread().name]
    assert shared(noted, range(5)) == [0, -1, -2, -3, -4]
    assert not set(names[1:]) & {names[0]}
