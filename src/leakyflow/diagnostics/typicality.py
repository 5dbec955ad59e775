"""Typicality: is a recording like the simulations that the network was trained on?

A network answers for any recording; its answer means something only where the recording could have come from the
model. Whether it could is asked of model checks, of named statistics and of what the network itself sees, each laid
beside a cloud of simulations. Other simulations, on which nothing was fitted, say how often a recording of the model
looks as unusual, so that p-values are exact, whatever the scores miss.
"""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int

from leakyflow.diagnostics.cloud import ATYPICAL, Cloud
from leakyflow.diagnostics.features import N_CHECKED, features_of
from leakyflow.diagnostics.reasons import reason_of
from leakyflow.diagnostics.sets import LARGEST_SET, N_NULL, Sets
from leakyflow.diagnostics.typicality_file import read_typicality, write_typicality
from leakyflow.diagnostics.wording import typicality_note
from leakyflow.errors import LeakyflowError
from leakyflow.models.posterior import Block, Posterior
from leakyflow.recordings.batch import Batch
from leakyflow.recordings.recording import Recording
from leakyflow.seeds import evaluation_seed
from leakyflow.simulator.dataset import Dataset, make_dataset
from leakyflow.training.run import SHIPPED

__all__ = ["TYPICALITY", "Projection", "Typicality", "Verdict", "typicality_of"]

TYPICALITY = "typicality.npz"  # within a run's folder
N_SIMULATIONS = 8000
# Of the simulations: half calibrate; of the rest a quarter says how the parts of the score compare.
CALIBRATION, COMPARISON = 0.5, 0.25
# Simulations that a stratum of spike counts needs on either side, for its own p-values down to 1 in 200.
LEAST_STRATUM = 200


class Verdict(NamedTuple):
    """What simulations say of one recording."""

    p: float  # share of simulations at least as unusual
    typical: bool  # p >= 5 %, which 1 in 20 simulations misses, too
    note: str  # the verdict in words, with what is unusual
    reason: str = ""  # what stands out most, in a sentence


class Projection(NamedTuple):
    """The two directions in which simulations differ most."""

    cloud: Float64[np.ndarray, "simulation 2"]
    points: Float64[np.ndarray, "dataset 2"]
    p: Float64[np.ndarray, " dataset"]
    share: tuple[float, float]  # of the variance of the cloud


class Typicality:
    """What recordings of the model look like to one network.

    Made by `typicality_of`, `Typicality.fit` or `Typicality.load`.

    Args:
        posterior: By whose network recordings are seen.
        edges: Least number of spikes of each stratum but the first.
        clouds: What is typical in each stratum.
        sets: What is typical of sets.
    """

    def __init__(
        self, posterior: Posterior, edges: Int[np.ndarray, " edge"], clouds: Sequence[Cloud], sets: Sets
    ) -> None:
        self.posterior = posterior
        self.edges = edges
        self.clouds = tuple(clouds)
        self.sets = sets
        self._null: dict[int, np.ndarray] = {}  # of sets, by their size

    @classmethod
    def fit(cls, posterior: Posterior, dataset: Dataset, *, seed: int = 0) -> "Typicality":
        """Learn from simulations what is typical.

        Args:
            posterior: Of a trained network.
            dataset: From the same simulator settings, under another seed than the training set.
            seed: Of the kernel of the test of sets.

        Raises:
            ValueError: If the dataset was drawn from other settings, or holds too few recordings, or the network knows
                whole cells.
        """
        _must_know_sweeps(posterior)
        if dataset.config != posterior.network.simulator:
            raise LeakyflowError(
                "Typicality is about the simulations that the network was trained on, but the dataset was drawn from "
                "other settings. Make it with make_dataset and the configuration of the run."
            )
        least = 2 * round(LEAST_STRATUM / CALIBRATION)
        if len(dataset) < least:
            raise LeakyflowError(f"Typicality needs at least {least} simulations, got {len(dataset)}. Simulate more.")
        parts = [(features_of(posterior, block), block.n_spikes) for _, block in dataset.chunks()]
        features, n_spikes = (np.concatenate(values) for values in zip(*parts, strict=True))
        n_calibration = round(CALIBRATION * len(dataset))
        n_compared = round(COMPARISON * (len(dataset) - n_calibration))
        # 0: calibration, 1: comparison, 2: fit.
        use = np.searchsorted([n_calibration, n_calibration + n_compared], np.arange(len(dataset)), side="right")
        edges = _strata(n_spikes[:n_calibration])
        stratum = np.searchsorted(edges, n_spikes, side="right")
        clouds = [
            Cloud.fit(*(features[(stratum == i) & (use == part)] for part in (2, 1, 0))) for i in range(len(edges) + 1)
        ]
        sets = Sets.fit(features[use == 2], features[use == 0], seed)
        return cls(posterior, edges, clouds, sets)

    @property
    def n_calibration(self) -> int:
        """Simulations that p-values are counted among, over all strata."""
        return sum(len(cloud.calibration) for cloud in self.clouds)

    def p_value(self, recording: Recording | Sequence[Recording] | Batch) -> Float64[np.ndarray, " dataset"]:
        """How unusual each recording is: the share of simulations that are at least as unusual.

        A recording drawn from the model has p below 5 % in 5 % of cases, among those that are silent as among those
        with few or many spikes: its score is compared with those of simulations that nothing was fitted on
        (a conformal p-value; Vovk, Gammerman & Shafer 2005, Algorithmic Learning in a Random World).

        Args:
            recording: One, or many.
        """
        recordings, _ = self.posterior.as_recordings(recording)
        return self._p_values(features_of(self.posterior, recordings), recordings)

    def check(self, recording: Recording) -> Verdict:
        """Say whether a recording is typical, and what is not."""
        return self.most_unusual([recording])[1]

    def most_unusual(
        self, recordings: Sequence[Recording], blocks: Sequence[Block] | None = None
    ) -> tuple[int, Verdict]:
        """The place of the most unusual of some recordings, and what there is to say of it by itself.

        Args:
            recordings: At least one.
            blocks: Of these recordings, from `Posterior.blocks`, where they were made before.
        """
        batch, _ = self.posterior.as_recordings(recordings)
        features = features_of(self.posterior, batch, blocks)
        p_values = self._p_values(features, batch)
        worst = int(p_values.argmin())
        cloud, p = self.clouds[int(self._strata(batch)[worst])], float(p_values[worst])
        reason = reason_of(cloud, cloud.scale.scores(features[worst : worst + 1]))
        return worst, Verdict(p, p >= ATYPICAL, typicality_note(p, reason), reason)

    def set_p_value(self, recordings: Sequence[Recording] | Batch) -> float:
        """How unusual recordings are as a set, by their maximum mean discrepancy from simulations.

        Many small deviations in one direction add up, which no single recording shows. The hypothesis is that all were
        drawn from the prior, their stimuli included: sweeps of one cell, or under one protocol, are no such set.
        The null distribution is of sets as large, drawn from simulations that are not in the reference. There are only
        so many: over their accidents the level of 5 % has an SD of 1 to 2 %.

        Args:
            recordings: At most 200, so that sets drawn from the simulations differ.

        Returns:
            p-value, at least 1 / 1000.

        Raises:
            ValueError: If there are more.

        References:
            Gretton, Borgwardt, Rasch, Schölkopf & Smola (2012), A kernel two-sample test, JMLR 13.
        """
        checked, _ = self.posterior.as_recordings(recordings)
        if len(checked) > LARGEST_SET:
            raise LeakyflowError(
                f"A set may hold at most {LARGEST_SET} recordings, got {len(checked)}: a larger one has no null "
                "distribution. Test a random part of it."
            )
        n = len(checked)
        if n not in self._null:
            self._null[n] = self.sets.null(n)
        embedded = self.sets.embedding(self.sets.points(features_of(self.posterior, checked)))
        found = self.sets.distance(embedded.mean(0, keepdims=True))[0]
        return float((1 + np.sum(self._null[n] >= found)) / (N_NULL + 1))

    def projection(self, recording: Recording | Sequence[Recording] | Batch) -> Projection:
        """Lay recordings on the cloud of simulations, in the plane of its first two principal components."""
        recordings, _ = self.posterior.as_recordings(recording)
        features = features_of(self.posterior, recordings)
        plane = slice(N_CHECKED, N_CHECKED + 2)
        cloud, points = (x[:, plane].astype(np.float64) for x in (self.sets.simulations, self.sets.points(features)))
        first, second = self.sets.share[:2].tolist()
        return Projection(cloud, points, self._p_values(features, recordings), (first, second))

    def save(self, path: str | Path) -> None:
        """Write an NPZ file: numbers only, below 1 MB."""
        write_typicality(Path(path), self.posterior, self.edges, self.clouds, self.sets)

    @classmethod
    def load(cls, path: str | Path, posterior: Posterior) -> "Typicality":
        """Read what `save` wrote.

        Args:
            path: The file.
            posterior: By the same network.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it is damaged, of another network, or of another revision of the formulas behind it. Only
                numbers are read from it.
        """
        try:
            return cls(posterior, *read_typicality(Path(path), posterior))
        except LeakyflowError as error:
            raise LeakyflowError(f"{path} does not say what is typical of `{posterior.name}`: {error}") from error

    def _strata(self, recordings: Batch) -> Int[np.ndarray, " dataset"]:
        return np.searchsorted(self.edges, recordings.n_spikes, side="right")

    def _p_values(self, features: np.ndarray, recordings: Batch) -> Float64[np.ndarray, " dataset"]:
        stratum, p = self._strata(recordings), np.empty(len(recordings))
        for i in np.unique(stratum):
            cloud, rows = self.clouds[i], stratum == i
            p[rows] = cloud.p_value(cloud.score(features[rows]))
        return p


def typicality_of(posterior: Posterior) -> Typicality:
    """What is typical to a network, from the folder of its run.

    Where the folder does not say, 8000 simulations do, which takes a minute; they are kept in the folder of a run if it
    can be written, and never among the networks that ship. They come from a seed of their own, so that the answer is
    the same each time.

    Args:
        posterior: Of a trained network.

    Raises:
        ValueError: If the network knows whole cells: typicality is of single sweeps.

    Example:
        >>> import leakyflow as lf
        >>> posterior, config = lf.load_posterior("standard"), lf.load_config("standard")
        >>> dataset = lf.make_dataset(config, 20, seed=7)
        >>> typicality = typicality_of(posterior)
        >>> typicality.p_value(dataset.recordings()).shape
        (20,)
        >>> typicality.check(dataset.recordings()[4]).typical
        True
    """
    _must_know_sweeps(posterior)
    path = None if posterior.folder is None else posterior.folder / TYPICALITY
    if path is not None:
        with suppress(FileNotFoundError, ValueError):  # training went on: what was typical to another network
            return Typicality.load(path, posterior)
    typicality = Typicality.fit(
        posterior, make_dataset(posterior.network, N_SIMULATIONS, seed=evaluation_seed(0, "typicality"))
    )
    if path is not None and not path.is_relative_to(SHIPPED):
        with suppress(OSError):  # a folder of someone else's
            typicality.save(path)
    return typicality


def _must_know_sweeps(posterior: Posterior) -> None:
    if posterior.network.takes_cells:
        raise LeakyflowError(
            f"Typicality is of single sweeps, but `{posterior.name}` knows whole cells. Ask `adequacy_of` whether it "
            "predicts a cell, or take a network of single sweeps, such as `lif`."
        )


def _strata(n_spikes: Int[np.ndarray, " dataset"]) -> Int[np.ndarray, " edge"]:
    """Silent recordings, those with few spikes and those with many, as far as there are enough of them."""
    spiking = n_spikes[n_spikes > 0]
    edges: list[int] = []
    for edge in (1, int(np.median(spiking)) + 1) if len(spiking) else ():
        below = (n_spikes < edge) & (n_spikes >= (edges[-1] if edges else 0))
        if min(below.sum(), np.sum(n_spikes >= edge)) >= LEAST_STRATUM:
            edges.append(edge)
    return np.array(edges, np.int64)
