import threading
import time

import pytest

from leakyflow.batches.limit import Late, limited


def spin(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.001)


def test_work_that_takes_longer_is_stopped_in_any_thread():
    found = []

    def work() -> None:
        try:
            with limited(0.05):
                spin(20.0)
        except Late:
            found.append("late")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(timeout=10.0)
    assert found == ["late"]


def test_work_that_is_done_in_time_is_left_alone():
    for _ in range(3):
        with limited(1.0):
            pass
    spin(1.2)


def test_an_error_within_the_time_passes():
    with pytest.raises(ZeroDivisionError), limited(10.0):
        1 / 0  # noqa: B018
