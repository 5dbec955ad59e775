"""Contraction with more data: how much narrower the posterior is, the longer the same neuron has been recorded."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float64, Int64

from leakyflow.diagnostics.recovery import prior_sd
from leakyflow.errors import LeakyflowError
from leakyflow.likelihood.prepare import has_exact_likelihood
from leakyflow.models.posterior import Posterior
from leakyflow.recordings.batch import Batch
from leakyflow.seeds import evaluation_seed, stream
from leakyflow.simulator.grid import n_steps
from leakyflow.simulator.simulate import as_recordings, simulate_traces
from leakyflow.simulator.stimulus_prior import draw_stimuli

__all__ = ["Contraction", "measure_contraction"]

N_WINDOWS = 5
# Slopes are taken over the windows of at least this share of the longest, where the prior hardly counts.
LONG_END = 0.4
# Of a slope of -1/2, beside two standard errors: what the prior and the first sample still contribute.
SLOPE_BAND = 0.1
# Median posterior SD over the exact one, outside of which a network is called overconfident or too wide.
RATIO_BAND = (0.9, 1.1)
# Least and most spikes of the groups of windows.
SPIKES = ((0, 0), (1, 1), (2, 3), (4, 7), (8, 15), (16, 31), (32, np.inf))
N_BOOTSTRAP = 1000
# The sampler of the exact posterior has as many particles at least.
N_EXACT_DRAWS = 2000


@dataclass(frozen=True, eq=False, kw_only=True)
class Contraction:
    """Posterior SDs of the same neurons, each seen through windows that begin together and end later and later.

    Attributes:
        names: Inferred parameters.
        durations: Lengths of the windows, in ms, from the shortest.
        sd: Of each posterior ("amortized", "corrected", "exact"), in the parameters' units. The exact one is
            there for the first neurons only, or not at all.
        n_spikes: Within each window.
        prior_sd: SD of each parameter's prior.
        seed: Of the bootstrap.
    """

    names: tuple[str, ...]
    durations: Float64[np.ndarray, " window"]
    sd: dict[str, Float64[np.ndarray, "_ window param"]]
    n_spikes: Int64[np.ndarray, "dataset window"]
    prior_sd: Float64[np.ndarray, " param"]
    seed: int = 0

    def by_duration(self) -> pd.DataFrame:
        """SD over prior SD: parameter, posterior, group, duration (ms), median, q25, q75 and n, the number of neurons.

        Neurons that spike within the longest window are one group, the others another.
        """
        rows = [
            {"parameter": name, "posterior": which, "group": group, "duration": duration}
            | _quartiles(sd[: len(neurons)][neurons, j, i] / self.prior_sd[i])
            for which, sd in self.sd.items()
            for group, neurons in self._groups(len(sd))
            for i, name in enumerate(self.names)
            for j, duration in enumerate(self.durations)
        ]
        return pd.DataFrame(rows)

    def by_spikes(self) -> pd.DataFrame:
        """SD over prior SD: parameter, posterior, fewest and most spikes, median, q25, q75 and n, of windows."""
        rows = []
        for which, sd in self.sd.items():
            counts = self.n_spikes[: len(sd)]
            for fewest, most in SPIKES:
                within = (counts >= fewest) & (counts <= most)
                if within.any():
                    rows += [
                        {"parameter": name, "posterior": which, "fewest": fewest, "most": most}
                        | _quartiles(sd[within][:, i] / self.prior_sd[i])
                        for i, name in enumerate(self.names)
                    ]
        return pd.DataFrame(rows)

    def slopes(self) -> pd.DataFrame:
        """Slope of log SD over log duration at the long end: parameter, posterior, group, slope, error, n, square_root.

        The median over neurons of the slope of each, with its bootstrap standard error over neurons. `square_root`
        says whether it agrees with -1/2, the law of a parameter about which every stretch of the recording says as
        much as the one before (Bernstein & von Mises; van der Vaart 1998, Asymptotic Statistics, chapter 10). Three
        things break it for an exact posterior too: what the prior and the first sample say counts for much (V_rest,
        from where the recording begins), what there is to know comes by spikes (V_th of silent neurons is only
        bounded, by the largest voltage), or an edge is sought and not a mean (V_th under a hard threshold lies between
        the largest voltage survived and the least that spiked: slopes down to -1). So hold it against the corrected
        or the exact posterior's.
        """
        far = self.durations >= LONG_END * self.durations[-1]
        x = np.log(self.durations[far])
        x -= x.mean()
        rows = []
        for which, sd in self.sd.items():
            slope = np.einsum("w,nwp->np", x, np.log(sd[:, far])) / np.sum(x**2)
            for group, neurons in self._groups(len(sd)):
                of_group = slope[neurons]
                rng = np.random.default_rng(stream(self.seed, "bootstrap"))
                again = of_group[rng.integers(len(of_group), size=(N_BOOTSTRAP, len(of_group)))]
                # One neuron says nothing of the others.
                errors = np.median(again, axis=1).std(axis=0, ddof=1) if len(of_group) > 1 else np.nan * of_group[0]
                for name, median, error in zip(self.names, np.median(of_group, axis=0), errors, strict=True):
                    row = {"parameter": name, "posterior": which, "group": group, "slope": median, "error": error}
                    agrees = bool(abs(median + 0.5) <= SLOPE_BAND + 2 * error)
                    rows.append(row | {"n": len(of_group), "square_root": agrees})
        return pd.DataFrame(rows)

    def ratios(self) -> pd.DataFrame:
        """SD over that of the exact posterior of the same window: parameter, posterior, duration, median, q25, q75, n.

        Where no exact posterior was sampled, the corrected one counts as exact. Empty without either.
        """
        rows = [
            {"parameter": name, "posterior": which, "duration": duration} | _quartiles(ratio[:, j, i])
            for which, ratio in self._ratios()
            for i, name in enumerate(self.names)
            for j, duration in enumerate(self.durations)
        ]
        return pd.DataFrame(rows, columns=["parameter", "posterior", "duration", "median", "q25", "q75", "n"])

    def verdicts(self) -> pd.DataFrame:
        """One row per parameter and posterior: ratio, the median over all windows, and verdict.

        The verdict is overconfident, too wide or good.
        """
        rows = [
            {"parameter": name, "posterior": which, "ratio": median, "verdict": _verdict(median)}
            for which, ratio in self._ratios()
            for name, median in zip(self.names, np.median(ratio, axis=(0, 1)), strict=True)
        ]
        return pd.DataFrame(rows, columns=["parameter", "posterior", "ratio", "verdict"])

    def _groups(self, n: int) -> Iterator[tuple[str, Bool[np.ndarray, " dataset"]]]:
        """Those among the first n neurons that spike, and that do not; empty groups are left out."""
        spikes = self.n_spikes[:n, -1] > 0
        yield from ((group, rows) for group, rows in (("spiking", spikes), ("silent", ~spikes)) if rows.any())

    def _ratios(self) -> Iterator[tuple[str, Float64[np.ndarray, "dataset window param"]]]:
        exact = next((which for which in ("exact", "corrected") if which in self.sd), None)
        for which, sd in self.sd.items():
            if exact is not None and which != exact:
                yield which, sd[: len(self.sd[exact])] / self.sd[exact]


def measure_contraction(
    posterior: Posterior,
    *,
    durations: Sequence[float] | None = None,
    n: int = 100,
    n_exact: int = 4,
    n_draws: int = 500,
    seed: int = 0,
) -> Contraction:
    """Watch the posteriors of neurons drawn from the prior contract as their recordings grow longer.

    Each neuron is recorded once. Its windows are cuts of that recording: it is Markov, so a cut one is a recording
    like any other. The network's own protocols are drawn at the length of its shortest recording and repeated, so
    that every window holds a stimulus, and twice the time says twice as much.

    Args:
        posterior: Of a trained network.
        durations: Of the windows, in ms, from the shortest; five from the network's shortest to its longest if None.
        n: Number of neurons.
        n_exact: The first of them for which the exact posterior is sampled too, which takes seconds for each
            window; 0 leaves it out.
        n_draws: Draws per window.
        seed: Of everything random.

    Returns:
        SDs of the network's own and, where the likelihood is known, of the corrected and the exact posteriors.

    Raises:
        ValueError: If a number is out of range, a duration is off the grid or beyond the network, or there is no
            likelihood to sample the exact posterior by.

    Example:
        >>> import leakyflow as lf
        >>> posterior = lf.load_posterior("standard")
        >>> found = measure_contraction(posterior, durations=[100.0, 200.0], n=2, n_exact=0, n_draws=50)
        >>> found.durations
        array([100., 200.])
        >>> found.sd["corrected"].shape  # neurons, windows, parameters
        (2, 2, 4)
    """
    exact, network = has_exact_likelihood(posterior.prior), posterior.network
    simulator = network.simulator
    if n < 2 or not 0 <= n_exact <= n:
        raise LeakyflowError(f"`n` must be at least 2 and `n_exact` between 0 and n, got n={n}, n_exact={n_exact}.")
    if n_exact and not exact:
        raise LeakyflowError("Without a likelihood there is no exact posterior to sample. Pass n_exact=0.")
    lengths = _lengths(durations, posterior)
    whole = _repeated(posterior, n, lengths[-1], evaluation_seed(seed, "contraction"))
    corrections = {"amortized": False} | ({"corrected": True} if exact else {})
    sd: dict[str, np.ndarray] = {which: np.empty((n, len(lengths), len(posterior.names))) for which in corrections}
    if n_exact:
        sd["exact"] = np.empty((n_exact, len(lengths), len(posterior.names)))
    n_spikes = np.empty((n, len(lengths)), np.int64)
    for j, length in enumerate(lengths):
        window = whole.cut(np.full(n, length, np.int32))
        n_spikes[:, j] = window.n_spikes
        for which, correct in corrections.items():
            sd[which][:, j] = posterior.sample(window, n_draws=n_draws, seed=seed, correct=correct).array.std(1, ddof=1)
        for i in range(n_exact):
            # Its sampler takes a second to import.
            from leakyflow.likelihood.reference import reference_posterior

            draws = reference_posterior(window[i], posterior.prior, n_draws=N_EXACT_DRAWS, seed=seed)
            sd["exact"][i, j] = draws.array.std(0, ddof=1)
    return Contraction(
        names=posterior.names,
        durations=np.array(lengths) * simulator.dt,
        sd=sd,
        n_spikes=n_spikes,
        prior_sd=prior_sd(posterior.prior),
        seed=seed,
    )


def _lengths(durations: Sequence[float] | None, posterior: Posterior) -> list[int]:
    """Samples of each window."""
    dt, (shortest, longest) = posterior.dt, posterior.duration
    if durations is None:
        durations = [round(value / dt) * dt for value in np.linspace(shortest, longest, N_WINDOWS)]
    lengths = [n_steps(value, dt, name="durations") for value in durations]
    rising = len(lengths) > 1 and bool((np.diff(lengths) > 0).all())
    if not rising or durations[0] < shortest - 1e-6 or durations[-1] > longest + 1e-6:
        raise LeakyflowError(
            f"`durations` must be two or more, rising from at least {shortest:g} to at most {longest:g} ms, the range "
            f"of the network `{posterior.name}`; got {', '.join(f'{value:g}' for value in durations) or 'none'}."
        )
    return lengths


def _repeated(posterior: Posterior, n: int, n_time: int, seed: int) -> Batch:
    """Neurons drawn from the prior, under a short protocol again and again."""
    simulator, index = posterior.network.simulator, np.arange(n)
    period = n_steps(simulator.duration[0], simulator.dt)
    n_samples = np.full(n, period)
    I, _ = draw_stimuli(simulator.stimuli, index=index, n_samples=n_samples, n_time=period, dt=simulator.dt, seed=seed)
    I = np.tile(I, (1, -(-n_time // period)))[:, :n_time]
    traces = simulate_traces(simulator.prior.sample(n, seed), I, simulator.dt, seed=seed, index=index)
    return as_recordings(traces, I, simulator.dt)


def _quartiles(values: Float64[np.ndarray, " value"]) -> dict[str, float]:
    low, median, high = np.quantile(values, [0.25, 0.5, 0.75])
    return {"median": float(median), "q25": float(low), "q75": float(high), "n": len(values)}


def _verdict(ratio: float) -> str:
    low, high = RATIO_BAND
    return "overconfident" if ratio < low else "too wide" if ratio > high else "good"
