"""Watch a job of a worker from the page, without waiting for it."""

from collections.abc import Callable
from typing import Any

import panel as pn

from leakyflow.app.worker import Job

__all__ = ["follow"]

EVERY = 150  # ms


def follow(job: Job, *, tick: Callable[[Job], None], end: Callable[[Job], None]) -> None:
    """Look at a job now and then.

    Args:
        job: That was submitted.
        tick: Is told of it while it waits and runs.
        end: Is told of it once, when it is over.
    """
    watch: list[Any] = []

    def look() -> None:
        if not job.over:
            tick(job)
            return
        if watch:
            watch.pop().stop()
            end(job)

    watch.append(pn.state.add_periodic_callback(look, period=EVERY))
