import os
import time

import pytest

from leakyflow.app.worker import Worker
from leakyflow.errors import LeakyflowError

HERE = "tests.app.test_worker"


def tell(progress, value):
    progress("half", 0.5)
    return value


def refuse(progress):
    raise LeakyflowError("`sweep` must be 0.")


def stumble(progress):
    raise KeyError("x")


def sleep(progress, seconds):
    progress("asleep", 0.1)
    time.sleep(seconds)


def die(progress):
    os._exit(9)


@pytest.fixture(scope="module")
def worker():
    one = Worker()
    one.submit(f"{HERE}:tell", 0, seconds=120.0).wait(120.0)
    yield one
    one.close()


def works(worker) -> bool:
    return worker.submit(f"{HERE}:tell", 7, seconds=120.0).wait(120.0).result == 7


def test_a_result_comes_back(worker):
    job = worker.submit(f"{HERE}:tell", [1, 2], seconds=60.0).wait(60.0)
    assert (job.state, job.result) == ("done", [1, 2])


@pytest.mark.parametrize(("name", "said"), [("refuse", "`sweep` must be 0."), ("stumble", "not foreseen: KeyError")])
def test_what_goes_wrong_is_said_and_the_next_job_works(worker, name, said):
    job = worker.submit(f"{HERE}:{name}", seconds=60.0).wait(60.0)
    assert job.state == "failed"
    assert said in job.message
    assert works(worker)


def test_a_process_that_dies_takes_no_other_job_with_it(worker):
    job = worker.submit(f"{HERE}:die", seconds=60.0).wait(60.0)
    assert job.state == "failed"
    assert "ended" in job.message
    assert works(worker)


def test_what_takes_too_long_is_ended(worker):
    job = worker.submit(f"{HERE}:sleep", 600.0, seconds=1.0).wait(120.0)
    assert job.state == "failed"
    assert "longer than 1 s" in job.message
    assert works(worker)


def test_a_job_is_cancelled_while_it_runs_and_while_it_waits(worker):
    running = worker.submit(f"{HERE}:sleep", 600.0, seconds=600.0)
    waiting = worker.submit(f"{HERE}:tell", 1, seconds=60.0)
    while running.message != "asleep":
        time.sleep(0.02)
    waiting.cancel()
    assert waiting.state == "cancelled"  # at once
    running.cancel()
    assert running.wait(60.0).state == "cancelled"
    assert waiting.wait(60.0).state == "cancelled"
    assert works(worker)


def test_closing_ends_what_runs():
    one = Worker()
    job = one.submit(f"{HERE}:sleep", 600.0, seconds=600.0)
    one.close()
    assert job.wait(30.0).state == "cancelled"
