import os

import pytest

from leakyflow.cpu import n_cpu


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
