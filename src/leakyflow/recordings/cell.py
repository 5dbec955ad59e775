"""All that was recorded of one neuron."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from leakyflow.errors import LeakyflowError
from leakyflow.recordings.finding import Finding
from leakyflow.recordings.recording import Recording

__all__ = ["Cell", "as_cell"]


@dataclass(frozen=True, eq=False)
class Cell:
    """One or more sweeps of one neuron, with one sampling interval.

    Its log likelihood is the sum over the sweeps: each begins at rest, whatever came before.

    Attributes:
        sweeps: At least one recording.
        name: Where it comes from, for tables and figures; that of the only sweep by default.
        findings: What a reader warns of between the sweeps; each has its own besides.
        left_out: Sweeps of the file that could not be used, by their number, with the reason.

    Raises:
        LeakyflowError: If there is no sweep, or their sampling intervals differ.

    Example:
        >>> import numpy as np
        >>> rest = np.full(600, -70.0, np.float32)
        >>> quiet = np.zeros(600, bool)
        >>> sweep = Recording(V=rest, I=0 * rest, spikes=quiet, refractory=quiet, dt=0.2, name="sweep 0")
        >>> Cell([sweep, sweep], name="cell").duration
        240.0
    """

    sweeps: Sequence[Recording]
    name: str = ""
    findings: tuple[Finding, ...] = ()
    left_out: Mapping[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sweeps", tuple(self.sweeps))
        if not self.sweeps:
            raise LeakyflowError("A cell needs at least one sweep, got none. Choose its sweeps with sweeps=.")
        intervals = sorted({sweep.dt for sweep in self.sweeps})
        if len(intervals) > 1:
            raise LeakyflowError(
                f"All sweeps of a cell must have the same dt, got {intervals} ms. Read them with one dt=."
            )
        if not self.name and len(self.sweeps) == 1:
            object.__setattr__(self, "name", self.sweeps[0].name)

    @property
    def dt(self) -> float:
        """Sampling interval, in ms."""
        return self.sweeps[0].dt

    @property
    def duration(self) -> float:
        """Length of all sweeps together, in ms."""
        return sum(sweep.duration for sweep in self.sweeps)

    @property
    def n_spikes(self) -> int:
        """Number of spikes in all sweeps."""
        return sum(int(sweep.spikes.sum()) for sweep in self.sweeps)

    def __len__(self) -> int:
        return len(self.sweeps)

    def __iter__(self) -> Iterator[Recording]:
        return iter(self.sweeps)

    def __getitem__(self, index: int) -> Recording:
        return self.sweeps[index]


def as_cell(recording: Recording | Cell) -> Cell:
    """A recording is a cell of one sweep."""
    return recording if isinstance(recording, Cell) else Cell((recording,))
