"""The amortized posterior: recordings in, draws out."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import keras
import numpy as np
import pandas as pd
from jaxtyping import Float32, Float64
from rich.progress import track

from leakyflow.models.correction import corrected, defensive, n_amortized, uncorrected
from leakyflow.models.frame import from_frame, to_frame
from leakyflow.models.network import Features, Network
from leakyflow.models.statistics import STATISTICS, summary_statistics
from leakyflow.recordings.recording import Recording, Recordings
from leakyflow.reference.draws import Draws
from leakyflow.reference.sufficient import compress
from leakyflow.reference.target import has_likelihood
from leakyflow.simulator.parameters import UNITS, Parameters
from leakyflow.simulator.prior import Prior

__all__ = ["Posterior"]

# Recordings summarized together, and rows (recordings x draws) sent through the flow together.
BLOCK = 256
ROWS = 2**14


class Posterior:
    """q(theta | recording), for every recording from the shortest to the longest it was trained on.

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
        return self.network.simulator.parameters

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
        recording: Recording | Sequence[Recording] | Recordings,
        *,
        n_draws: int = 1000,
        seed: int = 0,
        correct: bool | Literal["auto"] = "auto",
        progress: bool = False,
    ) -> Draws:
        """Draw from the posterior of one recording, or of each of many.

        Where the likelihood is known, the network's draws are corrected by it: drawn anew in proportion to likelihood
        x prior / density. Where these weights cannot be trusted (Pareto k-hat above 0.7), sequential Monte Carlo goes
        from the network's draws to the posterior, which takes seconds.

        Args:
            recording: One, or many; thousands are worked through in bounded memory.
            n_draws: Draws per recording.
            seed: The same seed gives the same draws; recording i has a stream of its own.
            correct: "auto" corrects where the prior has a likelihood in closed form, True insists on it, and False
                leaves the network's draws as they are.
            progress: Show a bar on the terminal.

        Returns:
            Draws of shape (draw, param) for one recording, (dataset, draw, param) for many. Their `diagnostics` hold
            for each recording the `method` ("importance", "SMC" or "uncorrected"), whether it is `reliable` (None
            where nothing was checked), `k_hat`, `efficiency` (effective share of the network's own draws), `ess`
            (effective sample size), `r_hat` and `acceptance` (of SMC), `log_evidence` (log density of the recording
            given its stimulus, averaged over the prior) and a `note`.

        Raises:
            ValueError: If a recording has another sampling interval or length than the network knows, there is no
                likelihood and `correct` is True, or uncorrected draws are not finite.

        References:
            Radev, Mertens, Voss, Ardizzone & Koethe (2020), BayesFlow, IEEE TNNLS. Vehtari, Simpson, Gelman, Yao &
            Gabry (2024), Pareto smoothed importance sampling, JMLR 25.
        """
        if n_draws < 1 or seed < 0:
            raise ValueError(f"`n_draws` must be positive and `seed` not negative, got {n_draws} and {seed}.")
        if correct not in ("auto", True, False):
            raise ValueError(f'`correct` must be "auto", True or False, got {correct!r}.')
        exact = has_likelihood(self.prior) if correct == "auto" else bool(correct)
        n_raw = n_amortized(n_draws) if exact else n_draws
        recordings, single = self.as_recordings(recording)
        z = np.empty((len(recordings), n_draws, len(self.names)))
        rows: list[dict] = []
        for block, _, features, summary in self.blocks(recordings, progress=progress):
            indices = range(block.start, block.stop)
            streams = (np.random.default_rng([seed, i]) for i in indices)
            noise = np.stack([stream.standard_normal((n_raw, len(self.names))) for stream in streams])
            latent, log_spread = defensive(noise) if exact else (noise, None)
            w, log_q = self._in_rows(self.network.from_latent, latent, summary)
            z_raw, log_det = from_frame(features.frame, w)
            if log_spread is not None:
                # One more number than the stream of the noise: another stream.
                seeds = [np.random.SeedSequence([seed, i, 1]) for i in indices]
                z[block], more = corrected(
                    recordings[block], self.prior, z_raw, log_q + log_det, log_spread, n_draws=n_draws, seeds=seeds
                )
                rows += more
            else:
                z[block] = z_raw
                note = "the prior has no likelihood in closed form" if correct == "auto" else ""
                rows += [uncorrected(note) for _ in indices]
        values = self.prior.natural(z)
        self._check_finite(values, recordings)
        diagnostics = pd.DataFrame(rows, index=pd.Index(recordings.names, name="recording"))
        names = None if single else recordings.names
        return Draws(self.names, values[0] if single else values, names, source=self.name, diagnostics=diagnostics)

    def log_prob(
        self,
        recording: Recording | Sequence[Recording] | Recordings,
        parameters: Parameters | Mapping[str, np.ndarray],
    ) -> Float64[np.ndarray, "*dataset draw"]:
        """Log density of the posterior, in the parameters' units.

        Args:
            recording: One, or many.
            parameters: Values of the inferred parameters: of shape (draw,) or a number for one recording,
                (dataset, draw) for many. A `Draws` will do.

        Returns:
            Of the same shape; -inf where the posterior has no density.
        """
        recordings, single = self.as_recordings(recording)
        given = parameters._asdict() if isinstance(parameters, Parameters) else parameters
        columns = np.broadcast_arrays(*(np.asarray(given[name], np.float64) for name in self.names))
        theta = np.stack(columns, axis=-1)
        shape = theta.shape[:-1]
        expected = 2 - single
        if len(shape) > expected or (not single and shape[0] != len(recordings)):
            raise ValueError(
                f"Parameters must have shape {'(draw,)' if single else f'({len(recordings)}, draw)'}, got {shape}."
            )
        theta = theta.reshape(len(recordings), -1, len(self.names))
        log_q = np.empty(theta.shape[:-1])
        for rows, _, features, summary in self.blocks(recordings):
            log_q[rows] = self._log_prob_block(theta[rows], features, summary)
        return log_q.reshape(shape)

    def _log_prob_block(
        self, theta: Float64[np.ndarray, "dataset draw param"], features: Features, summary: np.ndarray
    ) -> Float64[np.ndarray, "dataset draw"]:
        z, supported = self.prior.scores(theta)
        w, log_det_frame = to_frame(features.frame, z)
        supported &= np.isfinite(log_det_frame)
        w = np.where(supported[..., None], w, 0.0)
        log_q = self._in_rows(self.network.log_density, w, summary)
        log_det = np.where(supported, log_det_frame, 0.0) - self.prior.log_det_jacobian(z)
        return np.where(supported, log_q + log_det, -np.inf)

    def summary_features(
        self, recording: Recording | Sequence[Recording] | Recordings
    ) -> Float32[np.ndarray, "dataset feature"]:
        """What the summary network makes of recordings; one row for each."""
        recordings, _ = self.as_recordings(recording)
        return np.concatenate([summary for *_, summary in self.blocks(recordings)])

    def statistics(self, recording: Recording | Sequence[Recording] | Recordings) -> pd.DataFrame:
        """Named summary statistics of recordings; one row for each (see `models.statistics.STATISTICS`)."""
        recordings, _ = self.as_recordings(recording)
        values = summary_statistics(recordings, compress(recordings))
        return pd.DataFrame(values, columns=list(STATISTICS), index=pd.Index(recordings.names, name="recording"))

    def as_recordings(self, recording: Recording | Sequence[Recording] | Recordings) -> tuple[Recordings, bool]:
        """Recordings in one form, and whether it was a single one.

        Raises:
            ValueError: If one has another sampling interval or length than the network knows.
        """
        single = isinstance(recording, Recording)
        if isinstance(recording, Recordings):
            recordings = recording
        else:
            recordings = Recordings.from_list([recording] if isinstance(recording, Recording) else recording)
        if not len(recordings):
            raise ValueError("At least one recording is needed, got none.")
        shortest, longest = self.duration
        if abs(recordings.dt - self.dt) > 1e-9:
            raise ValueError(
                f"The network `{self.name}` takes recordings at dt={self.dt:g} ms, got dt={recordings.dt:g} ms. "
                f"Read the file with dt={self.dt:g}."
            )
        durations = recordings.n_samples * recordings.dt
        bad = (durations < shortest - 1e-6) | (durations > longest + 1e-6)
        if bad.any():
            raise ValueError(
                f"The network `{self.name}` takes recordings of {shortest:g} to {longest:g} ms, got "
                f"{durations[bad][0]:g} ms ({bad.sum()} of {bad.size} recordings; first: "
                f"{recordings.names[bad.argmax()] or bad.argmax()}). Choose a window with start= and stop=."
            )
        return recordings, single

    def blocks(
        self, recordings: Recordings, *, progress: bool = False
    ) -> Iterator[tuple[slice, Recordings, Features, np.ndarray]]:
        """Go through recordings in bounded memory: their places, themselves, their features and summaries."""
        starts = range(0, len(recordings), BLOCK)
        for first in track(starts, "sampling", disable=not progress, transient=True):
            rows = slice(first, min(first + BLOCK, len(recordings)))
            block = recordings[rows].padded_to(self.network.simulator.n_time)  # one compiled shape
            features = self.network.features(block)
            yield rows, block, features, self.network.summarize(self.network.inputs(features, block))

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

    def _check_finite(self, values: np.ndarray, recordings: Recordings) -> None:
        bad = ~np.isfinite(values).all(axis=(1, 2))
        if bad.any():
            first = bad.argmax()
            raise ValueError(
                f"The network `{self.name}` gave draws that are not finite for {bad.sum()} of {bad.size} recordings "
                f"(first: {recordings.names[first] or first}). They are far from everything it was trained on; check "
                "units, window and spikes, or train a network with a wider prior."
            )
