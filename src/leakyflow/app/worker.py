"""A process for what takes long: the page stays alive, and what takes too long, or is not wanted any more, ends."""

import importlib
import multiprocessing
import queue
import threading
import time
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Literal

from leakyflow.errors import LeakyflowError

__all__ = ["Job", "Worker", "ready"]

State = Literal["waiting", "running", "done", "failed", "cancelled"]
POLL = 0.05  # s
MOST_WAITING = 16


class Job:
    """One call, on its way through a worker.

    Attributes:
        state: Where it is.
        message: What is going on, or what went wrong.
        share: Of it all that is done.
        so_far: What is known before it is done.
        result: Of the call, once it is done.
    """

    def __init__(self, function: str, arguments: tuple[Any, ...], seconds: float) -> None:
        self.function, self.arguments, self.seconds = function, arguments, seconds
        self.state: State = "waiting"
        self.message, self.share = "Waiting for its turn", 0.0
        self.so_far: Any = None
        self.result: Any = None
        self._began = time.monotonic()
        self._unwanted = threading.Event()
        self._ended = threading.Event()
        self._turn = threading.Lock()

    def cancel(self) -> None:
        """Give it up, wherever it is."""
        with self._turn:
            self._unwanted.set()
            if self.state == "waiting":
                self.end("cancelled", "Cancelled.")

    def begin(self) -> bool:
        """Say that it is its turn; not where it was given up."""
        with self._turn:
            if not self.unwanted:
                self.state, self.message = "running", "Beginning"
            return not self.unwanted

    @property
    def unwanted(self) -> bool:
        """Whether it was given up."""
        return self._unwanted.is_set()

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self._ended.is_set()

    @property
    def seconds_so_far(self) -> float:
        """Since it was submitted."""
        return time.monotonic() - self._began

    def wait(self, seconds: float | None = None) -> "Job":
        """Wait until it is over, or that long."""
        self._ended.wait(seconds)
        return self

    def end(self, state: State, message: str, result: Any = None) -> None:
        """Say how it ended; the first to say so is right."""
        if not self.over:
            self.state, self.message, self.result, self.share = state, message, result, 1.0
            self._ended.set()


class Worker:
    """Runs one job after another in a process of its own, which begins with the first.

    A job that is cancelled, late or deadly takes the process with it; the next one gets another.

    Example:
        >>> worker = Worker()
        >>> worker.submit("leakyflow.app.worker:ready", seconds=30.0).wait(30.0).state
        'done'
        >>> worker.close()
    """

    def __init__(self) -> None:
        self._jobs: queue.Queue[Job | None] = queue.Queue()
        self._process: Any = None
        self._pipe: Connection | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def submit(self, function: str, *arguments: Any, seconds: float) -> Job:
        """Call a function, as soon as it is its turn.

        Args:
            function: "module:name"; it is first given a function to tell its progress to.
            arguments: Of the function.
            seconds: That it may take.

        Raises:
            LeakyflowError: If too many wait already.
        """
        if self._jobs.qsize() >= MOST_WAITING:
            raise LeakyflowError(f"At most {MOST_WAITING} inferences may wait, and so many do. Try again later.")
        job = Job(function, arguments, seconds)
        self._jobs.put(job)
        return job

    @property
    def begun(self) -> bool:
        """Whether anything was asked of it."""
        return self._process is not None or not self._jobs.empty()

    def close(self) -> None:
        """End the process; what runs or waits is cancelled."""
        self._closed = True
        self._jobs.put(None)
        self._thread.join(10.0)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            if self._closed or not job.begin():
                job.end("cancelled", "Cancelled.")
                continue
            try:
                self._do(job)
            except Exception as error:  # whatever it is, the next job shall have its turn
                self._kill()
                job.end("failed", f"The worker failed ({type(error).__name__}: {error}). Try again.")
        self._kill()

    def _do(self, job: Job) -> None:
        pipe = self._alive()
        pipe.send((job.function, job.arguments))
        until = time.monotonic() + job.seconds
        while not job.over:
            if job.unwanted or self._closed:
                self._kill()
                job.end("cancelled", "Cancelled.")
            elif time.monotonic() > until:
                self._kill()
                job.end("failed", f"It took longer than {job.seconds:g} s and was ended. Choose a shorter window.")
            elif pipe.poll(POLL):
                self._hear(job, pipe)

    def _hear(self, job: Job, pipe: Connection) -> None:
        try:
            kind, message, value = pipe.recv()
        except (EOFError, OSError):
            self._kill()
            job.end("failed", "The process that worked on it ended, perhaps for lack of memory. Try again.")
            return
        if kind == "progress":
            job.message, (job.share, so_far) = message, value
            job.so_far = job.so_far if so_far is None else so_far
        else:
            job.end(kind, message, value)

    def _alive(self) -> Connection:
        if self._process is None or not self._process.is_alive() or self._pipe is None:
            context = multiprocessing.get_context("spawn")
            self._pipe, other = context.Pipe()
            self._process = context.Process(target=_serve, args=(other,), daemon=True)
            self._process.start()
            other.close()
        return self._pipe

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
        if self._pipe is not None:
            self._pipe.close()
        self._process = self._pipe = None


def ready(progress: Callable[[str, float], None]) -> None:
    """Do nothing: the process is there once this is done."""


def _serve(pipe: Connection) -> None:
    """What the process does: one call after another, until nobody is there."""
    warnings.simplefilter("ignore")  # the terminal is the user's
    while True:
        try:
            function, arguments = pipe.recv()
        except (EOFError, KeyboardInterrupt):
            return
        try:
            pipe.send(("done", "Done.", _called(function, arguments, pipe)))
        except LeakyflowError as error:
            pipe.send(("failed", str(error), None))
        except Exception as error:
            pipe.send(("failed", f"This was not foreseen: {type(error).__name__}: {error}", None))


def _called(function: str, arguments: tuple[Any, ...], pipe: Connection) -> Any:
    module, name = function.split(":")
    call: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return call(lambda message, share, so_far=None: pipe.send(("progress", message, (share, so_far))), *arguments)
