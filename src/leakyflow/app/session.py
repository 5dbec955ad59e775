"""What one browser sees and does. Knows nothing of a browser."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from leakyflow.app.choice import Choice
from leakyflow.app.limits import INFERENCE_SECONDS, MOST_OVERLAID, MOST_RESULTS, QUICK_SECONDS
from leakyflow.app.result import Result
from leakyflow.app.shelf import Shelf
from leakyflow.app.trace import Trace, read_traces
from leakyflow.app.whatif import Wanted
from leakyflow.app.worker import Job, Worker
from leakyflow.errors import LeakyflowError
from leakyflow.recordings.read import read_recording
from leakyflow.recordings.recording import Recording
from leakyflow.recordings.sweeps import Sweep, list_sweeps

__all__ = ["Session", "Workers", "shipped_networks"]

NETWORKS = Path(__file__).parents[1] / "networks"
KEPT_SAMPLES = 30_000_000  # of traces, all together: 480 MB
PREFERRED = "lif"
INFER = "leakyflow.app.inference:infer"


class Workers(NamedTuple):
    """The processes that all sessions share: one for inference, one for what takes a moment."""

    inference: Worker
    quick: Worker

    @classmethod
    def begin(cls) -> "Workers":
        """Two that are idle."""
        return cls(Worker(), Worker())

    def close(self) -> None:
        """End both."""
        for worker in self:
            worker.close()


def shipped_networks() -> dict[str, str]:
    """Networks to choose from, each with itself; that for real recordings first.

    Example:
        >>> list(shipped_networks())[0]
        'lif'
    """
    names = sorted(path.parent.name for path in NETWORKS.glob("*/network.weights.h5"))
    return {name: name for name in sorted(names, key=lambda name: name != PREFERRED)}


class Session:
    """Files, choices and results of one browser.

    Args:
        shelf: Its files.
        workers: Shared by all.
        networks: What may be chosen, by name: that of a network that ships, or the folder of a run.
    """

    def __init__(self, shelf: Shelf, workers: Workers, networks: Mapping[str, str] | None = None) -> None:
        self.shelf, self.workers = shelf, workers
        self.networks = dict(networks or shipped_networks())
        self.file: int | None = None
        self.listed: tuple[Sweep, ...] = ()
        self.choice = Choice(network=next(iter(self.networks.values())))
        self.overlaid = False
        self.results: list[Result] = []
        self._unread: tuple[int, Choice] | None = None  # a file that could not be read so, and how it was tried
        self._traces: OrderedDict[int, Trace] = OrderedDict()
        self._jobs: dict[str, Job] = {}

    @property
    def name(self) -> str:
        """Of the file that is open."""
        return self._opened.name

    @property
    def asked(self) -> tuple[int | None, Choice]:
        """The file that was asked for last, and how it is read; it may be another than the one that is open."""
        return self._unread or (self.file, self.choice)

    @property
    def readable(self) -> tuple[int, ...]:
        """Numbers of the sweeps that can be read."""
        return tuple(sweep.index for sweep in self.listed if sweep.index is not None)

    def open(self, number: int) -> None:
        """Open a file of the shelf, and choose its first sweep; where it cannot be read, what was open stays.

        Raises:
            LeakyflowError: If it cannot be read.
        """
        kept = {name: getattr(self.choice, name) for name in ("whole", "network", "n_draws", "seed", "amortized")}
        self._take(number, Choice(**kept))

    def lay_out(self, **changes: Any) -> None:
        """Say what the file that was asked for leaves open, and list it anew; so one can be opened that was refused.

        Args:
            changes: Arguments of `list_sweeps`; `current` may name another file beside it.

        Raises:
            LeakyflowError: If the file cannot be read so.
        """
        number, choice = self.asked
        assert number is not None
        current = changes.get("current")
        if isinstance(current, str) and Path(current).suffix:
            changes["current"] = str(self.shelf.neighbour(number, current))
        elif isinstance(current, str) and ("/" in current or "\\" in current):
            raise LeakyflowError(f"`current` must name a channel or a file, got the path {current!r}.")
        self._take(number, replace(choice, **changes, sweep=None))

    def choose(self, **changes: Any) -> None:
        """Change sweep, window, spike detection, network, draws or seed.

        Raises:
            LeakyflowError: If one of them cannot be; then nothing is changed.
        """
        known = {field.name for field in fields(Choice)} - self.choice.layout.keys()
        assert changes.keys() <= known, changes
        if changes.get("sweep", self.choice.sweep) not in (None, *self.readable):
            raise LeakyflowError(f"There is no sweep {changes['sweep']!r}. Choose one from the list.")
        if "network" in changes:
            changes["network"] = self.networks[changes["network"]]
        self.choice = replace(self.choice, **changes)
        if "sweep" in changes:
            self._unread = None  # back to the file that is open

    def trace(self) -> Trace:
        """The chosen sweep, with the spikes that the settings find.

        Raises:
            LeakyflowError: If it cannot be read.
        """
        return self._with_spikes([self._number])[0]

    def overlay(self) -> list[Trace]:
        """All sweeps of the chosen one's protocol.

        Raises:
            LeakyflowError: If one of them cannot be read.
        """
        mine = self._sweep(self._number)
        same = [s.index for s in self.listed if s.index is not None and _protocol(s) == _protocol(mine)]
        return self._with_spikes(same[:MOST_OVERLAID])

    def recording(self) -> Recording:
        """The chosen window as the model sees it, with what its checks found.

        Raises:
            LeakyflowError: If a check refuses it.
        """
        return read_recording(self._path, sweep=self.choice.sweep, **self.choice.reading)

    def checks(self, sweep: int) -> str:
        """What the checks say of one sweep, in a word or two; `recording` says it in whole sentences."""
        try:
            found = read_recording(self._path, sweep=sweep, **self.choice.reading).findings
        except Exception:
            return "cannot be used"
        return f"{len(found)} warning{'s' if len(found) != 1 else ''}" if found else "fine"

    def infer(self) -> Job:
        """Infer the neuron of the chosen window; what this session was inferring is cancelled.

        Raises:
            LeakyflowError: If no file is open, or the one that was asked for last could not be read.
        """
        arguments = (self._path, self.name, self.choice)
        if self._unread is not None:
            raise LeakyflowError(
                f"{self.shelf.entries[self._unread[0]].name} could not be read, and {self.name} is still open. Choose "
                f"a sweep of {self.name}, another file, or say what the file leaves open."
            )
        return self._submit("inference", INFER, *arguments, seconds=INFERENCE_SECONDS)

    @property
    def inferring(self) -> Job | None:
        """The inference whose end no page has shown yet, if there is one."""
        return self._jobs.get(INFER)

    def shown(self, job: Job) -> None:
        """Take note that the end of an inference was shown."""
        if self._jobs.get(INFER) is job:
            del self._jobs[INFER]

    def prepare(self) -> None:
        """Have the network loaded that is chosen, while people look at their files."""
        if not self.workers.inference.begun:
            prepare = "leakyflow.app.inference:prepare"
            self.workers.inference.submit(prepare, self.choice.network, seconds=INFERENCE_SECONDS)

    def keep(self, result: Result) -> None:
        """Keep a result beside the others, once; the oldest goes where there are too many."""
        others = [one for one in self.results if (one.file, one.choice) != (result.file, result.choice)]
        self.results = [*others, result][-MOST_RESULTS:]

    def what_if(self, result: Result, sweep: int, changes: Mapping[str, float]) -> Job:
        """Simulate a neuron with other parameters under the current of one sweep of a result, by its place."""
        over = result.sweeps[sweep]
        values = result.mean | dict(changes)
        return self._submit("quick", "leakyflow.app.whatif:simulated", values, over.I, over.dt)

    def under(self, result: Result, wanted: Wanted, *, n: int = 100) -> Job:
        """Simulate neurons of a posterior under a stimulus of one's own."""
        return self._submit("quick", "leakyflow.app.whatif:under", result.neurons(n), wanted, result.sweeps[0].dt)

    def export(self, result: Result, kind: str, without: tuple[str, ...] = ()) -> Job:
        """Write a result as a file to download."""
        function = "leakyflow.app.exporting:exported"
        return self._submit("inference", function, result, kind, without, seconds=INFERENCE_SECONDS)

    def close(self) -> None:
        """Cancel what runs, and remove what was uploaded."""
        for job in self._jobs.values():
            job.cancel()
        self.shelf.close()

    @property
    def _opened(self) -> Any:
        if self.file is None:
            raise LeakyflowError("No file is open. Drop one, or choose one from the list.")
        return self.shelf.entries[self.file]

    @property
    def _path(self) -> Path:
        assert self._opened
        assert self.file is not None
        return self.shelf.path(self.file)

    @property
    def _number(self) -> int:
        if self.choice.sweep is None:
            raise LeakyflowError("No sweep of this file can be read. Choose another file.")
        return self.choice.sweep

    def _sweep(self, number: int) -> Sweep:
        return next(sweep for sweep in self.listed if sweep.index == number)

    def _take(self, number: int, choice: Choice) -> None:
        path, self._unread = self.shelf.path(number), (number, choice)
        listed = tuple(list_sweeps(path, **choice.layout, every=True))
        first = next((sweep.index for sweep in listed if sweep.index is not None), None)
        self.file, self.listed, self.choice = number, listed, replace(choice, sweep=first)
        self._unread = None
        self._traces.clear()

    def _with_spikes(self, numbers: list[int]) -> list[Trace]:
        missing = tuple(number for number in numbers if number not in self._traces)
        if missing:
            plain = replace(self.choice, spike_slope=None, spike_height=None)
            self._traces.update({trace.sweep: trace for trace in read_traces(self._path, plain, missing)})
        found = [self._traces[number] for number in numbers]
        self._forget(numbers)
        slope, height = self.choice.spike_slope, self.choice.spike_height
        return found if slope is None and height is None else [trace.with_spikes(slope, height) for trace in found]

    def _forget(self, needed: list[int]) -> None:
        """Let go of traces that were read first, while there are too many."""
        while sum(len(trace.V) for trace in self._traces.values()) > KEPT_SAMPLES:
            spare = [number for number in self._traces if number not in needed]
            if not spare:
                return
            del self._traces[spare[0]]

    def _submit(self, worker: str, function: str, *arguments: Any, seconds: float = QUICK_SECONDS) -> Job:
        """Give a job to a worker; a session has one of each kind: the newest."""
        before = self._jobs.get(function)
        if before is not None and not before.over and (worker == "inference" or before.state == "waiting"):
            before.cancel()
        job = getattr(self.workers, worker).submit(function, *arguments, seconds=seconds)
        self._jobs[function] = job
        return job


def _protocol(sweep: Sweep) -> tuple[str, str, float]:
    """What sweeps over each other have in common."""
    return sweep.protocol, sweep.electrode, float(np.round(sweep.dt, 9))
