"""Typicality: is a recording like the simulations that the network was trained on?

A network answers for any recording; its answer means something only where the recording could have come from the
model. Whether it could is asked of model checks, of named statistics and of what the network itself sees, each laid
beside a cloud of simulations. Other simulations, on which nothing was fitted, say how often a recording of the model
looks as unusual, so that p-values are exact, whatever the scores miss.
"""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import scipy.special
import scipy.stats
from jaxtyping import Float, Float16, Float32, Float64, Int

from leakyflow.diagnostics.checks import CHECKS, UNSPECIFIC, check_statistics
from leakyflow.models.posterior import Posterior
from leakyflow.models.statistics import STATISTICS, summary_statistics
from leakyflow.recordings.recording import Recording, Recordings
from leakyflow.reference.sufficient import compress
from leakyflow.simulator.dataset import Dataset, make_dataset
from leakyflow.training.run import replacing

__all__ = ["ATYPICAL", "TYPICALITY", "VERY_ATYPICAL", "Projection", "Typicality", "Verdict", "typicality_of"]

TYPICALITY = "typicality.npz"  # within a run's folder
ATYPICAL, VERY_ATYPICAL = 0.05, 0.005
# Of the simulations: no training set's seed, nor one of the held-out sets made from them.
SEED = 3_000_000
N_SIMULATIONS = 8000
# Of the simulations: half calibrate; of the rest a quarter says how the parts of the score compare.
CALIBRATION, COMPARISON = 0.5, 0.25
# Simulations that a stratum of spike counts needs on either side, for its own p-values down to 1 in 200.
LEAST_STRATUM = 200
NORMAL = np.linspace(-3.2, 3.2, 97)  # normal scores of the quantiles that are kept
FAR = 1000.0  # the largest score
RIDGE = 1e-3  # added to the unit variance of scores, below which relations between them are not resolved
N_NAMED = 2  # reasons given
REMARKABLE = 2.5  # normal score from which on a single number is named
PARTS = ("checks", "statistics", "relations", "features")
N_FREQUENCIES, N_AXES, N_NULL, LARGEST_SET = 256, 12, 999, 200
CLIP = 6.0  # of scores, where means over sets and pictures must not be one recording's

_CHECKED, _NAMED = len(CHECKS), len(CHECKS) + len(STATISTICS)  # features before the named statistics, the learned
_LABELS = [
    *CHECKS.values(),
    *(f"`{name}` ({text.split(' [')[0]})" for name, text in STATISTICS.items()),
]
# A check says what is wrong; a statistic, and a check that sees everything, come after it.
_WEIGHTS = np.array(
    [1.0 if name not in UNSPECIFIC else 1 / 3 for name in CHECKS]
    + [1 / 3 if name not in CHECKS else 0.0 for name in STATISTICS]
)


class Verdict(NamedTuple):
    """What simulations say of one recording."""

    p: float  # share of simulations at least as unusual
    typical: bool  # p >= 5 %, which 1 in 20 simulations misses, too
    note: str  # the verdict in words, with what is unusual


class Projection(NamedTuple):
    """The two directions in which simulations differ most."""

    cloud: Float64[np.ndarray, "simulation 2"]
    points: Float64[np.ndarray, "dataset 2"]
    p: Float64[np.ndarray, " dataset"]
    share: tuple[float, float]  # of the variance of the cloud


class Scale(NamedTuple):
    """Quantiles of some numbers under the model, which turn them into normal scores."""

    quantiles: Float32[np.ndarray, "feature level"]

    @classmethod
    def fit(cls, values: Float64[np.ndarray, "dataset feature"]) -> "Scale":
        """Take the quantiles of each column."""
        levels = scipy.stats.norm.cdf(NORMAL)
        return cls(np.quantile(values, levels, axis=0).T.astype(np.float32))

    def scores(self, values: Float64[np.ndarray, "dataset feature"]) -> Float64[np.ndarray, "dataset feature"]:
        """Normal scores: of ties the middle, and beyond the last quantile on along the tail's own slope."""
        out = np.empty(values.shape)
        for i, knots in enumerate(self.quantiles.astype(np.float64)):
            x = values[:, i]
            upper = np.interp(x, knots, NORMAL)
            lower = -np.interp(-x, -knots[::-1], -NORMAL[::-1])
            below, above = knots[0] - x, x - knots[-1]
            out[:, i] = (upper + lower) / 2.0
            # Ties at an end: what is beyond is beyond all of them.
            out[:, i] += np.where(above > 0.0, NORMAL[-1] + above / _slope(knots[::-1]) - out[:, i], 0.0)
            out[:, i] += np.where(below > 0.0, NORMAL[0] - below / _slope(knots) - out[:, i], 0.0)
        return np.clip(out, -FAR, FAR)


def _slope(knots: Float64[np.ndarray, " level"]) -> float:
    """Width of the tail that begins a scale, per normal score; not below the rounding of single precision."""
    n_tail = len(NORMAL) // 4
    return float(abs(knots[n_tail] - knots[0]) / (NORMAL[n_tail] - NORMAL[0]) + 1e-6 + 1e-5 * abs(knots[0]))


class Cloud(NamedTuple):
    """What is typical among recordings with similar numbers of spikes."""

    scale: Scale  # of all features
    relations: Float32[np.ndarray, "named named"]  # inverse of the correlation of the scores of checks and statistics
    learned: Float32[np.ndarray, "learned learned"]  # the same of the learned features
    parts: Scale  # of the parts of the score
    calibration: Float32[np.ndarray, " simulation"]  # scores of simulations that nothing was fitted on, ascending

    @classmethod
    def fit(cls, fitted: Any, compared: Any, calibration: Any) -> "Cloud":
        """Fit the parts of the score, how they compare, and their distribution, each to features of its own."""
        scale = Scale.fit(fitted)
        z = scale.scores(fitted)
        cloud = cls(
            scale, _precision(z[:, :_NAMED]), _precision(z[:, _NAMED:]), Scale.fit(np.zeros((2, 4))), np.empty(0)
        )
        cloud = cloud._replace(parts=Scale.fit(cloud._measure(scale.scores(compared))))
        return cloud._replace(calibration=np.sort(cloud.score(calibration)))

    def score(self, features: Float64[np.ndarray, "dataset feature"]) -> Float32[np.ndarray, " dataset"]:
        """How unusual recordings are: log of the sum of the inverse tail probabilities of the parts."""
        surprise = -scipy.special.log_ndtr(-self.part_scores(self.scale.scores(features)))
        return scipy.special.logsumexp(surprise, axis=1).astype(np.float32)

    def part_scores(self, z: Float64[np.ndarray, "dataset feature"]) -> Float64[np.ndarray, "dataset part"]:
        """Normal score of each part, large where it is unusual."""
        return self.parts.scores(self._measure(z))

    def p_value(self, score: Float32[np.ndarray, " dataset"]) -> Float64[np.ndarray, " dataset"]:
        """Share of simulations, the recording among them, that are at least as unusual."""
        n = len(self.calibration)
        return (1.0 + n - np.searchsorted(self.calibration, score, side="left")) / (n + 1.0)

    def _measure(self, z: Float64[np.ndarray, "dataset feature"]) -> Float64[np.ndarray, "dataset part"]:
        named, learned = z[:, :_NAMED], z[:, _NAMED:]
        largest = [np.abs(z[:, part]).max(1) for part in (slice(_CHECKED), slice(_CHECKED, _NAMED))]
        return np.stack([*largest, _log_distance(named, self.relations), _log_distance(learned, self.learned)], axis=-1)


def _precision(z: Float64[np.ndarray, "dataset feature"]) -> Float32[np.ndarray, "feature feature"]:
    return np.linalg.inv(np.cov(z.T) + RIDGE * np.eye(z.shape[1])).astype(np.float32)


def _log_distance(z: np.ndarray, precision: np.ndarray) -> Float64[np.ndarray, " dataset"]:
    return np.log1p(np.einsum("ni,ij,nj->n", z, precision.astype(np.float64), z, optimize=True).clip(min=0.0))


class Sets(NamedTuple):
    """What is typical of sets of recordings, whatever their numbers of spikes.

    A recording is a point of the scores of its checks and the leading principal components of those of all else.
    """

    scale: Scale  # of all features
    axes: Float32[np.ndarray, "feature axis"]  # principal components, scaled to unit variance
    share: Float32[np.ndarray, " axis"]  # of the variance, of each
    frequencies: Float32[np.ndarray, "point frequency"]
    mean: Float32[np.ndarray, " embedding"]  # of the reference
    simulations: Float16[np.ndarray, "simulation point"]  # disjoint from the reference: sets for comparison

    @classmethod
    def fit(cls, reference: Any, simulations: Any, seed: int) -> "Sets":
        """Fit to a reference, and keep the points of other simulations."""
        scale = Scale.fit(reference)
        others = _clipped(scale, reference)[:, _CHECKED:]
        variance, axes = np.linalg.eigh(np.cov(others.T))
        variance, axes = variance[::-1][:N_AXES], axes[:, ::-1][:, :N_AXES]
        n_points = _CHECKED + N_AXES
        # The bandwidth is the usual distance between two points over sqrt(2).
        frequencies = np.random.default_rng(seed).standard_normal((n_points, N_FREQUENCIES)) / np.sqrt(n_points)
        sets = cls(
            scale,
            (axes / np.sqrt(variance)).astype(np.float32),
            (variance / np.trace(np.cov(others.T))).astype(np.float32),
            frequencies.astype(np.float32),
            np.zeros(0, np.float32),
            np.zeros((0, 0), np.float16),
        )
        mean = sets.embedding(sets.points(reference)).mean(0)
        return sets._replace(mean=mean.astype(np.float32), simulations=sets.points(simulations).astype(np.float16))

    def points(self, features: Float64[np.ndarray, "dataset feature"]) -> Float32[np.ndarray, "dataset point"]:
        """Where recordings lie."""
        z = _clipped(self.scale, features)
        return np.concatenate([z[:, :_CHECKED], z[:, _CHECKED:] @ self.axes], axis=1).astype(np.float32)

    def embedding(self, points: Float[np.ndarray, "dataset point"]) -> Float64[np.ndarray, "dataset embedding"]:
        """Random Fourier features of a Gaussian kernel (Rahimi & Recht 2007, NIPS), beside a linear one."""
        x = points.astype(np.float64)
        phase = x @ self.frequencies
        waves = np.concatenate([np.cos(phase), np.sin(phase)], axis=1) / np.sqrt(N_FREQUENCIES)
        return np.concatenate([waves, x / np.sqrt(x.shape[1])], axis=1)

    def distance(self, means: Float64[np.ndarray, "set embedding"]) -> Float64[np.ndarray, " set"]:
        """Squared discrepancy of sets from the reference, by their mean embeddings."""
        return ((means - self.mean) ** 2).sum(1)

    def null(self, n: int) -> Float64[np.ndarray, " set"]:
        """Discrepancies of sets of n simulations, always the same ones."""
        rows = np.random.default_rng(n).integers(len(self.simulations), size=(N_NULL, n))
        embedded = self.embedding(self.simulations)
        return self.distance(np.stack([embedded[row].mean(0) for row in rows]))


def _clipped(scale: Scale, features: np.ndarray) -> Float64[np.ndarray, "dataset feature"]:
    return np.clip(scale.scores(features), -CLIP, CLIP)


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
            ValueError: If the dataset was drawn from other settings, or holds too few recordings.
        """
        if dataset.config != posterior.network.simulator:
            raise ValueError(
                "Typicality is about the simulations that the network was trained on, but the dataset was drawn from "
                "other settings. Make it with make_dataset and the configuration of the run."
            )
        least = 2 * round(LEAST_STRATUM / CALIBRATION)
        if len(dataset) < least:
            raise ValueError(f"Typicality needs at least {least} simulations, got {len(dataset)}. Simulate more.")
        parts = [(_features(posterior, block), block.n_spikes) for _, block in dataset.chunks()]
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

    def p_value(self, recording: Recording | Sequence[Recording] | Recordings) -> Float64[np.ndarray, " dataset"]:
        """How unusual each recording is: the share of simulations that are at least as unusual.

        A recording drawn from the model has p below 5 % in 5 % of cases, among those that are silent as among those
        with few or many spikes: its score is compared with those of simulations that nothing was fitted on
        (a conformal p-value; Vovk, Gammerman & Shafer 2005, Algorithmic Learning in a Random World).

        Args:
            recording: One, or many.
        """
        recordings, _ = self.posterior.as_recordings(recording)
        return self._p_values(_features(self.posterior, recordings), recordings)

    def check(self, recording: Recording) -> Verdict:
        """Say whether a recording is typical, and what is not."""
        recordings, _ = self.posterior.as_recordings(recording)
        features = _features(self.posterior, recordings)
        p = float(self._p_values(features, recordings)[0])
        cloud = self.clouds[int(self._strata(recordings)[0])]
        return Verdict(p, p >= ATYPICAL, _in_words(p, cloud, cloud.scale.scores(features)))

    def set_p_value(self, recordings: Sequence[Recording] | Recordings) -> float:
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
            raise ValueError(
                f"A set may hold at most {LARGEST_SET} recordings, got {len(checked)}: a larger one has no null "
                "distribution. Test a random part of it."
            )
        n = len(checked)
        if n not in self._null:
            self._null[n] = self.sets.null(n)
        embedded = self.sets.embedding(self.sets.points(_features(self.posterior, checked)))
        found = self.sets.distance(embedded.mean(0, keepdims=True))[0]
        return float((1 + np.sum(self._null[n] >= found)) / (N_NULL + 1))

    def projection(self, recording: Recording | Sequence[Recording] | Recordings) -> Projection:
        """Lay recordings on the cloud of simulations, in the plane of its first two principal components."""
        recordings, _ = self.posterior.as_recordings(recording)
        features = _features(self.posterior, recordings)
        plane = slice(_CHECKED, _CHECKED + 2)
        cloud, points = (x[:, plane].astype(np.float64) for x in (self.sets.simulations, self.sets.points(features)))
        first, second = self.sets.share[:2].tolist()
        return Projection(cloud, points, self._p_values(features, recordings), (first, second))

    def save(self, path: str | Path) -> None:
        """Write an NPZ file: numbers only, below 1 MB."""
        arrays: dict[str, Any] = {"fingerprint": _fingerprint(self.posterior), "edges": self.edges}
        parts: dict[str, Any] = {"sets": self.sets, **{f"cloud{i}": cloud for i, cloud in enumerate(self.clouds)}}
        for name, part in parts.items():
            for field, value in part._asdict().items():
                arrays[f"{name}.{field}"] = value.quantiles if isinstance(value, Scale) else value
        with replacing(Path(path)) as scratch:
            np.savez_compressed(scratch, **arrays)

    @classmethod
    def load(cls, path: str | Path, posterior: Posterior) -> "Typicality":
        """Read what `save` wrote.

        Args:
            path: The file.
            posterior: By the same network.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it is of another network or another version. Only numbers are read from it.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = dict(file)
            if not np.array_equal(arrays["fingerprint"], _fingerprint(posterior)):
                raise ValueError("it is of another network or version")
            edges = arrays["edges"]
            clouds = [_read(Cloud, arrays, f"cloud{i}") for i in range(len(edges) + 1)]
            return cls(posterior, edges, clouds, _read(Sets, arrays, "sets"))
        except FileNotFoundError:
            raise
        except (ValueError, KeyError, OSError, EOFError) as error:
            raise ValueError(f"{path} does not say what is typical of `{posterior.name}`: {error}.") from error

    def _strata(self, recordings: Recordings) -> Int[np.ndarray, " dataset"]:
        return np.searchsorted(self.edges, recordings.n_spikes, side="right")

    def _p_values(self, features: np.ndarray, recordings: Recordings) -> Float64[np.ndarray, " dataset"]:
        stratum, p = self._strata(recordings), np.empty(len(recordings))
        for i in np.unique(stratum):
            cloud, rows = self.clouds[i], stratum == i
            p[rows] = cloud.p_value(cloud.score(features[rows]))
        return p


def typicality_of(posterior: Posterior) -> Typicality:
    """What is typical to a network, from the folder of its run.

    Where the folder does not say, 8000 simulations do, which takes a minute; they are kept in the folder if it can be
    written. They come from a seed of their own, so that the answer is the same each time.

    Args:
        posterior: Of a trained network.
    """
    path = None if posterior.folder is None else posterior.folder / TYPICALITY
    if path is not None:
        with suppress(FileNotFoundError, ValueError):  # training went on: what was typical to another network
            return Typicality.load(path, posterior)
    typicality = Typicality.fit(posterior, make_dataset(posterior.network, N_SIMULATIONS, seed=SEED))
    if path is not None:
        with suppress(OSError):  # a folder of someone else's
            typicality.save(path)
    return typicality


def _read(kind: Any, arrays: dict[str, np.ndarray], name: str) -> Any:
    values = {field: arrays[f"{name}.{field}"] for field in kind._fields}
    scales = {field for field, of in kind.__annotations__.items() if of is Scale}
    return kind(**{field: Scale(value) if field in scales else value for field, value in values.items()})


def _fingerprint(posterior: Posterior) -> np.ndarray:
    """Of the weights, and of the names of all features."""
    digest = hashlib.sha256("".join([*CHECKS, *STATISTICS]).encode())
    for weight in posterior.network.approximator.summary_network.weights:
        digest.update(np.ascontiguousarray(keras.ops.convert_to_numpy(weight)).tobytes())
    return np.frombuffer(digest.digest(), np.uint8)


def _features(posterior: Posterior, recordings: Recordings) -> Float64[np.ndarray, "dataset feature"]:
    """Checks, statistics and learned features."""
    parts = []
    for _, block, _, summary in posterior.blocks(recordings):
        s = compress(block)
        parts.append(np.concatenate([check_statistics(block, s), summary_statistics(block, s), summary], axis=1))
    return np.concatenate(parts)


def _strata(n_spikes: Int[np.ndarray, " dataset"]) -> Int[np.ndarray, " edge"]:
    """Silent recordings, those with few spikes and those with many, as far as there are enough of them."""
    spiking = n_spikes[n_spikes > 0]
    edges: list[int] = []
    for edge in (1, int(np.median(spiking)) + 1) if len(spiking) else ():
        below = (n_spikes < edge) & (n_spikes >= (edges[-1] if edges else 0))
        if min(below.sum(), np.sum(n_spikes >= edge)) >= LEAST_STRATUM:
            edges.append(edge)
    return np.array(edges, np.int64)


def _in_words(p: float, cloud: Cloud, z: Float64[np.ndarray, "1 feature"]) -> str:
    """The verdict in a sentence."""
    if p >= ATYPICAL:
        return f"Typical (p = {p:.2g}): {100 * p:.2g} % of simulations are at least as unusual."
    word, n = ("Very atypical", 1 / VERY_ATYPICAL) if p < VERY_ATYPICAL else ("Atypical", 1 / ATYPICAL)
    return f"{word} (p = {p:.2g}; so is 1 simulation in {n:.0f}). {_reason(cloud, z)}"


def _reason(cloud: Cloud, z: Float64[np.ndarray, "1 feature"]) -> str:
    """What stands out most: single numbers if they do, else the part of the score that does."""
    named, part_scores = z[0, :_NAMED], cloud.part_scores(z)[0]
    salience = np.abs(named) * _WEIGHTS
    largest = np.argsort(-salience)[:N_NAMED]
    if np.abs(named[largest[0]]) >= REMARKABLE:
        remarkable = [i for i in largest if salience[i] >= salience[largest[0]] / 3.0]
        sides = [f"{_LABELS[i]} is {'above' if named[i] > 0 else 'below'} {_beyond(named[i])}" for i in remarkable]
        return _sentence("; ".join(sides))
    share = _beyond(part_scores.max())
    if PARTS[int(part_scores.argmax())] == "features":
        return _sentence(f"what the network makes of it is further out than {share}")
    first, second = np.argsort(-named * (cloud.relations @ named))[:2]
    return _sentence(f"{_LABELS[first]} and {_LABELS[second]} do not fit each other: further out than {share}")


def _beyond(z: float) -> str:
    """A share of simulations, never more than they resolve."""
    return f"{100 * min(float(scipy.stats.norm.cdf(abs(z))), 0.999):.1f} % of simulations"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
