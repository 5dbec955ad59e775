"""The amortized posterior: recordings in, draws out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import keras
import numpy as np
import pandas as pd
from jaxtyping import Bool, Float32, Float64
from rich.progress import track

from leakyflow.errors import LeakyflowError
from leakyflow.likelihood.draws import Draws
from leakyflow.likelihood.prepare import has_exact_likelihood, has_likelihood, prepare
from leakyflow.likelihood.read_off import read_off_for, read_off_parameters
from leakyflow.likelihood.reference import reference_posterior
from leakyflow.likelihood.scanned import Scanned
from leakyflow.likelihood.sufficient import compress
from leakyflow.models.cell_statistics import CELL_STATISTICS, cell_statistics
from leakyflow.models.correction import as_amortized, checked, corrected, defensive, n_amortized
from leakyflow.models.local import from_local, to_local
from leakyflow.models.network import Features, Network
from leakyflow.models.statistics import STATISTICS, summary_statistics
from leakyflow.neuron.parameters import UNITS, Parameters
from leakyflow.recordings.batch import Batch
from leakyflow.recordings.cell import Cell
from leakyflow.recordings.recording import Recording
from leakyflow.seeds import stream
from leakyflow.simulator.prior import Prior

if TYPE_CHECKING:
    from leakyflow.diagnostics.adequacy import Adequacy

__all__ = ["Block", "Posterior"]

# Sweeps summarized together, and rows (recordings x draws) sent through the flow together.
BLOCK = 256
ROWS = 2**14


class Block(NamedTuple):
    """What a network sees of some recordings or cells."""

    rows: slice  # their places
    recordings: Batch
    features: Features
    summary: Float32[np.ndarray, "dataset feature"]


class Posterior:
    """q(theta | recording), for every recording from the shortest to the longest it was trained on, or for cells.

    Made by `load_posterior` or `train`.

    Args:
        network: A trained network.
        name: Of the network, for tables and figures.
        folder: Of its run; None where it has none.
    """

    def __init__(self, network: Network, *, name: str, folder: Path | None = None) -> None:
        self.network = network
        self.name = name
        self.folder = folder

    @property
    def names(self) -> tuple[str, ...]:
        """Inferred parameters."""
        return self.network.names

    @property
    def units(self) -> dict[str, str]:
        """Unit of each inferred parameter."""
        return {name: UNITS[name] for name in self.names}

    @property
    def prior(self) -> Prior:
        """What was believed before the recording."""
        return self.network.simulator.prior

    @property
    def dt(self) -> float:
        """Sampling interval of recordings, in ms."""
        return self.network.simulator.dt

    @property
    def duration(self) -> tuple[float, float]:
        """Shortest and longest recording, in ms."""
        return self.network.simulator.duration

    def sample(
        self,
        recording: Recording | Cell | Sequence[Recording | Cell] | Batch,
        *,
        n_draws: int = 1000,
        seed: int = 0,
        correct: bool | Literal["auto"] = "auto",
        progress: bool = False,
        blocks: Sequence[Block] | None = None,
    ) -> Draws:
        """Draw from the posterior of one recording, or of each of many.

        The network's draws are corrected by the likelihood: drawn anew in proportion to likelihood x prior / density.
        Where these weights cannot be trusted (Pareto k-hat above 0.7), the posterior is found without them, which
        takes seconds to minutes: by sequential Monte Carlo from the network's draws where a regression holds the
        likelihood, and where it is a scan over samples by a proposal that learns from draws which are not far off
        (k-hat up to 1, or weights that leave few), else by a search as in `reference_posterior`.

        Args:
            recording: One, or many; thousands are worked through in bounded memory. A cell of several sweeps is
                inferred from all of them: by a network that was trained on cells, else by the likelihood alone, as by
                `reference_posterior`, and so is one recording that is shorter or longer than the network knows.
            n_draws: Draws per recording.
            seed: The same seed gives the same draws; recording i has a stream of its own.
            correct: "auto" corrects where the prior has some noise, and hence a likelihood, True insists on it, and
                False leaves the network's draws as they are. Where the noises are read off, "auto" leaves draws as they
                are, too, but for recordings whose posterior the network missed: the network allows for the error of
                what is read, the likelihood takes it at its word, and draws weighed by it are too narrow.
            progress: Show a bar on the terminal.
            blocks: Of these recordings, from `blocks`, where they were made before.

        Returns:
            Draws of shape (draw, param) for one recording, (dataset, draw, param) for many. Their `diagnostics` hold
            for each recording the `method` ("importance", "SMC", "search" or "amortized"), whether it is `reliable`
            (None where nothing was checked), `k_hat` and `efficiency` (effective share) of the network's own draws,
            `ess` (effective sample size), `r_hat` and `acceptance` (of SMC), `log_evidence` (log density of the
            recording given its stimulus, averaged over the prior) and a `note`.

        Raises:
            ValueError: If a recording has another sampling interval than the network, or another length than it knows
                and is one of many, or `correct` is False; if there is no likelihood and `correct` is True; or if
                amortized draws are not finite.

        References:
            Radev, Mertens, Voss, Ardizzone & Koethe (2020), BayesFlow, IEEE TNNLS. Vehtari, Simpson, Gelman, Yao &
            Gabry (2024), Pareto smoothed importance sampling, JMLR 25.
        """
        if n_draws < 1 or seed < 0:
            raise LeakyflowError(f"`n_draws` must be positive and `seed` not negative, got {n_draws} and {seed}.")
        if correct not in ("auto", True, False):
            raise LeakyflowError(f'`correct` must be "auto", True or False, got {correct!r}.')
        exact = has_exact_likelihood(self.prior) if correct == "auto" else bool(correct)
        n_own = n_amortized(n_draws) if exact else n_draws
        single, batch = isinstance(recording, Recording | Cell), _as_batch(recording)
        if not self.network.takes_cells and self._searches(batch, alone=single and correct is not False):
            return self._of_cells(batch, single, n_draws=n_draws, seed=seed, correct=correct)
        recordings, _ = self.as_recordings(batch)
        names = recordings.cell_names
        z = np.empty((len(names), n_draws, len(self.names)))
        rows: list[dict] = []
        read_off: list[Mapping[str, np.ndarray]] = []
        for block, own, features, summary in blocks or self.blocks(recordings, progress=progress):
            indices = range(block.start, block.stop)
            rngs = (np.random.default_rng(stream(seed, "draws", i)) for i in indices)
            noise = np.stack([rng.standard_normal((n_own, len(self.names))) for rng in rngs])
            latent, log_spread = defensive(noise) if exact else (noise, None)
            w, log_q = self._in_rows(self.network.from_latent, latent, summary)
            z_own, log_det = from_local(features.local, w)
            target = features.target
            if log_spread is not None:
                target = target or prepare(own, self.prior)
                seeds = [stream(seed, "correction", i) for i in indices]
                z[block], more = corrected(target, z_own, log_q + log_det, log_spread, n_draws=n_draws, seeds=seeds)
                rows += more
            elif correct == "auto" and isinstance(target, Scanned):
                seeds = [stream(seed, "correction", i) for i in indices]
                z[block], more = checked(target, z_own, log_q + log_det, seeds=seeds)
                rows += more
            else:
                z[block] = z_own
                note = "the prior has no noise, and so no likelihood" if correct == "auto" else ""
                rows += [as_amortized(note) for _ in indices]
            read_off.append(own.cell_means(target.read_off if target else read_off_parameters(own, self.prior)))
        values = self.prior.natural(z)
        self._check_finite(values, names)
        diagnostics = pd.DataFrame(rows, index=pd.Index(names, name="recording"))
        joined = {name: np.concatenate([part[name] for part in read_off]) for name in (read_off[0] if read_off else ())}
        draws = Draws(self.names, values, names, source=self.name, diagnostics=diagnostics, dt=self.dt)
        means = {name: draws[name].mean(-1) for name in self.names}
        draws = replace(draws, given=self.prior.known | read_off_for(self.prior.known | means, joined))
        return draws.of(0) if single else draws

    def _searches(self, batch: Batch, *, alone: bool) -> bool:
        """Whether a network of single sweeps is given cells, or one sweep that is shorter or longer than it knows."""
        if batch.n_cells < len(batch):
            return True
        known = abs(batch.dt - self.dt) < 1e-9 and has_likelihood(self.prior)
        return alone and known and bool(self._unknown(batch).any())

    def _unknown(self, batch: Batch) -> Bool[np.ndarray, " dataset"]:
        """Which sweeps are shorter or longer than those of the simulations."""
        durations, (shortest, longest) = batch.n_samples * batch.dt, self.duration
        return (durations < shortest - 1e-6) | (durations > longest + 1e-6)

    def _of_cells(self, batch: Batch, single: bool, *, n_draws: int, seed: int, correct: bool | str) -> Draws:
        """Of what the network does not know, several sweeps or a long one: by a search with the likelihood of all."""
        if correct is False:
            raise LeakyflowError(
                f"The network `{self.name}` knows single sweeps: its own draws of a cell do not exist. Leave out "
                "correct=False, or pass one sweep.",
                argument="correct",
            )
        seeds = [int(stream(seed, "cell", i).generate_state(1)[0]) for i in range(batch.n_cells)]
        parts = [
            reference_posterior(cell, self.prior, n_draws=n_draws, seed=own)
            for cell, own in zip(batch.cells(), seeds, strict=True)
        ]
        if single:
            return replace(parts[0], source=self.name)
        table = pd.concat([part.diagnostics for part in parts if part.diagnostics is not None])
        values = np.stack([part.array for part in parts])
        given = {name: np.array([(part.given or {})[name] for part in parts]) for name in parts[0].given or {}}
        draws = Draws(self.names, values, batch.cell_names, source=self.name, diagnostics=table, dt=batch.dt)
        return replace(draws, given=given)

    def check(
        self, cell: Recording | Cell, *, hold_out: Sequence[int] | Literal["auto"] = "auto", seed: int = 0
    ) -> "Adequacy":
        """Infer a cell, but for some sweeps that are kept back, and say what the result is worth.

        Args:
            cell: A recording, or all sweeps of a cell.
            hold_out: Places of the sweeps, from 0, that are kept back; "auto" keeps back one in five, where there are
                at least four.
            seed: The same seed gives the same answer.

        Returns:
            Whether the data are sound, the parameters those of neurons, and the model one that predicts, and is the
            cell exactly: in numbers, and, as a string, in words.

        Raises:
            LeakyflowError: If there is no such sweep, or the network cannot take the recording.
        """
        from leakyflow.diagnostics.adequacy import adequacy_of

        return adequacy_of(self, cell, hold_out=hold_out, seed=seed)

    def log_prob(
        self,
        recording: Recording | Cell | Sequence[Recording | Cell] | Batch,
        parameters: Parameters | Mapping[str, np.ndarray],
        *,
        blocks: Sequence[Block] | None = None,
    ) -> Float64[np.ndarray, "*dataset draw"]:
        """Log density of the network's own posterior, in the parameters' units.

        It belongs to the draws of `sample(correct=False)`. Corrected draws are of another density, that of the exact
        posterior: see `corrected_log_prob`.

        Args:
            recording: One, or many.
            parameters: Values of the inferred parameters: of shape (draw,) or a number for one recording,
                (dataset, draw) for many. A `Draws` will do.
            blocks: Of these recordings, from `blocks`, where they were made before.

        Returns:
            Of the same shape; -inf where the posterior has no density.

        Raises:
            ValueError: If the shape is another, or a recording does not suit the network.
        """
        recordings, single = self.as_recordings(recording)
        theta, shape = self._values(parameters, recordings.n_cells, single)
        log_q = np.empty(theta.shape[:-1])
        for rows, _, features, summary in blocks or self.blocks(recordings):
            log_q[rows] = self._log_prob_block(theta[rows], features, summary)
        return log_q.reshape(shape)

    def corrected_log_prob(
        self,
        recording: Recording | Cell | Sequence[Recording | Cell] | Batch,
        parameters: Parameters | Mapping[str, np.ndarray],
        draws: Draws,
    ) -> Float64[np.ndarray, "*dataset draw"]:
        """Log density of the exact posterior, in the parameters' units: that of corrected draws.

        The log likelihood and the log prior less the log evidence, which the draws were corrected with. It is known
        to about 1 / sqrt(effective sample size) nats.

        Args:
            recording: One, or many.
            parameters: As for `log_prob`.
            draws: Corrected draws of the same recordings, from `sample` or `reference_posterior`.

        Returns:
            Of the parameters' shape; -inf where the posterior has no density.

        Raises:
            ValueError: If the draws are of other recordings, or an evidence is not known.
        """
        recordings, single = self.as_recordings(recording)
        theta, shape = self._values(parameters, recordings.n_cells, single)
        evidence = _log_evidence(draws, recordings.cell_names)
        z, supported = self.prior.scores(theta)
        log_joint = prepare(recordings, self.prior).log_joint(np.where(supported[..., None], z, 0.0))
        log_p = log_joint - evidence[:, None] - np.where(supported, self.prior.log_det_jacobian(z), 0.0)
        return np.where(supported, log_p, -np.inf).reshape(shape)

    def _values(
        self, parameters: Parameters | Mapping[str, np.ndarray], n: int, single: bool
    ) -> tuple[Float64[np.ndarray, "dataset draw param"], tuple[int, ...]]:
        """Values of the inferred parameters of n recordings, and the shape that they came in."""
        given = [getattr(parameters, x) if isinstance(parameters, Parameters) else parameters[x] for x in self.names]
        theta = np.stack(np.broadcast_arrays(*(np.asarray(value, np.float64) for value in given)), axis=-1)
        shape = theta.shape[:-1]
        if len(shape) > 2 - single or (not single and shape[:1] != (n,)):
            raise LeakyflowError(
                f"Parameters must have shape {'(draw,)' if single else f'({n}, draw)'}, got {shape}.",
                argument="parameters",
            )
        return theta.reshape(n, -1, len(self.names)), shape

    def _log_prob_block(
        self, theta: Float64[np.ndarray, "dataset draw param"], features: Features, summary: np.ndarray
    ) -> Float64[np.ndarray, "dataset draw"]:
        z, supported = self.prior.scores(theta)
        w, log_det_local = to_local(features.local, z)
        supported &= np.isfinite(log_det_local)
        w = np.where(supported[..., None], w, 0.0)
        log_q = self._in_rows(self.network.log_density, w, summary)
        log_det = np.where(supported, log_det_local, 0.0) - self.prior.log_det_jacobian(z)
        return np.where(supported, log_q + log_det, -np.inf)

    def summary_features(
        self, recording: Recording | Cell | Sequence[Recording | Cell] | Batch
    ) -> Float32[np.ndarray, "dataset feature"]:
        """What the summary network makes of recordings; one row for each."""
        recordings, _ = self.as_recordings(recording)
        return np.concatenate([summary for *_, summary in self.blocks(recordings)])

    def statistics(self, recording: Recording | Cell | Sequence[Recording | Cell] | Batch) -> pd.DataFrame:
        """Named summary statistics of recordings, or of cells; one row for each.

        They are `models.statistics.STATISTICS`, or, where the network takes cells, those of
        `models.cell_statistics.CELL_STATISTICS`, which are pooled over sweeps.
        """
        recordings, _ = self.as_recordings(recording)
        index = pd.Index(recordings.cell_names, name="recording")
        if self.network.takes_cells:
            return pd.DataFrame(cell_statistics(recordings), columns=list(CELL_STATISTICS), index=index)
        values = summary_statistics(recordings, compress(recordings))
        return pd.DataFrame(values, columns=list(STATISTICS), index=index)

    def as_recordings(self, recording: Recording | Cell | Sequence[Recording | Cell] | Batch) -> tuple[Batch, bool]:
        """What the network takes in one form, and whether it was a single one.

        A network of cells takes any number of sweeps of any length, for its features are sums over samples; others take
        single sweeps of the lengths that they know.

        Raises:
            LeakyflowError: If one has another sampling interval than the network knows, or is not what it takes.
        """
        single, recordings = isinstance(recording, Recording | Cell), _as_batch(recording)
        if recordings.n_cells < len(recordings) and not self.network.takes_cells:
            raise LeakyflowError(
                f"The network `{self.name}` takes single sweeps, got {recordings.n_cells} cells of {len(recordings)} "
                "sweeps together. Pass one sweep of each; `sample` takes whole cells."
            )
        if abs(recordings.dt - self.dt) > 1e-9:
            raise LeakyflowError(
                f"The network `{self.name}` takes recordings at dt={self.dt:g} ms, got dt={recordings.dt:g} ms. "
                f"Read the file with dt={self.dt:g}."
            )
        bad = self._unknown(recordings) & (not self.network.takes_cells)
        if bad.any():
            (shortest, longest), first = self.duration, bad.argmax()
            raise LeakyflowError(
                f"The network `{self.name}` takes recordings of {shortest:g} to {longest:g} ms, got "
                f"{recordings.n_samples[first] * recordings.dt:g} ms ({bad.sum()} of {bad.size} recordings; first: "
                f"{recordings.names[first] or first}). Choose a window with start= and stop=, or pass it by itself to "
                "`sample`, which infers it by its likelihood.",
                argument=("start", "stop"),
            )
        return recordings, single

    def blocks(self, recordings: Batch, *, progress: bool = False) -> Iterator[Block]:
        """Go through recordings or cells in bounded memory: their places, themselves, their features and summaries."""
        spans = _spans(recordings)
        for rows in track(spans, "sampling", disable=not progress, transient=True):
            block = recordings.of_cells(rows)
            if not self.network.takes_cells:
                block = block.padded_to(self.network.simulator.n_time)  # one compiled shape
            features = self.network.features(block)
            summary = self.network.summarize(self.network.inputs(features, features.recordings))
            yield Block(rows, features.recordings, features, summary)

    def _in_rows(self, function, w, summary):  # type: ignore[no-untyped-def]
        """Apply a function of (w, summary) to recordings x draws, a bounded number of rows at a time."""
        n, n_draws, n_params = w.shape
        flat, row = w.reshape(-1, n_params), np.repeat(np.arange(n), n_draws)
        parts = [
            function(flat[first : first + ROWS].astype(np.float32), summary[row[first : first + ROWS]])
            for first in range(0, len(flat), ROWS)
        ]

        def joined(*arrays: np.ndarray) -> np.ndarray:
            out = np.concatenate(arrays).astype(np.float64)
            return out.reshape(n, n_draws, *out.shape[1:])

        return keras.tree.map_structure(joined, *parts)

    def _check_finite(self, values: np.ndarray, names: tuple[str, ...]) -> None:
        bad = ~np.isfinite(values).all(axis=(1, 2))
        if bad.any():
            first = bad.argmax()
            raise LeakyflowError(
                f"The network `{self.name}` gave draws that are not finite for {bad.sum()} of {bad.size} recordings "
                f"(first: {names[first] or first}). They are far from everything it was trained on; check "
                "units, window and spikes, or train a network with a wider prior."
            )


def _spans(recordings: Batch) -> list[slice]:
    """Cells that are summarized together: of at most `BLOCK` sweeps, or one that has more."""
    ends, spans, first = np.cumsum(np.bincount(recordings.cell, minlength=recordings.n_cells)), [], 0
    while first < len(ends):
        before = int(ends[first - 1]) if first else 0
        last = max(first + 1, int(np.searchsorted(ends, before + BLOCK, side="right")))
        spans.append(slice(first, last))
        first = last
    return spans


def _as_batch(recording: Recording | Cell | Sequence[Recording | Cell] | Batch) -> Batch:
    if isinstance(recording, Sequence | Batch) and not len(recording):
        raise LeakyflowError("At least one recording is needed, got none.")
    return Batch.of(recording)


def _log_evidence(draws: Draws, names: tuple[str, ...]) -> Float64[np.ndarray, " dataset"]:
    table = draws.diagnostics
    if table is None or tuple(table.index) != names:
        raise LeakyflowError(
            f"`draws` must be of the same {len(names)} recordings, got "
            f"{'draws without diagnostics' if table is None else f'those of {len(table)} others'}. Pass what `sample` "
            "gave for these recordings.",
            argument="draws",
        )
    evidence = table["log_evidence"].to_numpy(np.float64)
    if not np.isfinite(evidence).all():
        raise LeakyflowError(
            f"The evidence must be known, and is not for {np.sum(~np.isfinite(evidence))} of {len(names)} recordings: "
            "their draws are uncorrected. Take `log_prob`, or sample with correct=True.",
            argument="draws",
        )
    return evidence
