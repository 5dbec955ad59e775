"""A network under test, what it is tested on, and where the results go."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from leakyflow.diagnostics.calibration import LEAST_RECORDINGS
from leakyflow.diagnostics.results import Results
from leakyflow.errors import LeakyflowError
from leakyflow.models.posterior import Posterior
from leakyflow.seeds import evaluation_seed
from leakyflow.simulator.dataset import Dataset, make_dataset
from leakyflow.training.config import Config, load_config
from leakyflow.training.run import CONFIG, load_posterior, trained

__all__ = ["Subject"]


@dataclass(frozen=True, eq=False)
class Subject:
    """The network in a run's folder; it is loaded, and simulations are made, when they are asked for.

    Attributes:
        run: Folder of a run, finished or not.
        out: Folder to write to.
        n: Held-out recordings.
        seed: Of these, and of the draws; whatever it is, the network was not trained on these simulations.
        progress: Show a bar on the terminal.

    Raises:
        FileNotFoundError: If there is no such run.
        ValueError: If it has no network yet, or there are too few recordings to judge.
    """

    run: Path
    out: Path
    n: int = 1000
    seed: int = 0
    progress: bool = False

    def __post_init__(self) -> None:
        trained(self.run)
        if self.n < LEAST_RECORDINGS:
            raise LeakyflowError(f"Calibration needs at least {LEAST_RECORDINGS} held-out recordings, got {self.n}.")

    @cached_property
    def config(self) -> Config:
        """Settings of the run."""
        return load_config(self.run / CONFIG)

    @cached_property
    def posterior(self) -> Posterior:
        """The network under test."""
        return load_posterior(self.run)

    @cached_property
    def held_out(self) -> Dataset:
        """Simulations that the network has not seen."""
        return make_dataset(self.config, self.n, seed=evaluation_seed(self.seed, "held out"))

    @property
    def results(self) -> Results:
        """Where numbers and figures go."""
        return Results(self.out)
