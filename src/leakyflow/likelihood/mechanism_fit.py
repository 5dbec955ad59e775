r"""A first look at a cell with its mechanisms: one regression, with time constants from a grid that gets finer.

.. math:: (y_{k+1} - y_k) / dt = c_0 + c_1 y_k + c_2 I_k + c_3 (I_{k+1} - I_k) / dt + \sum_i a_i s_{i,k} - b w_k + e_k

is that of `instrument` with s, which decays after spikes, and w, which follows the voltage. Given their time constants
all is linear (Mensi et al. 2012, Journal of Neurophysiology 107), and the products of all columns hold those of every
choice of time constants.

Of several modes of a posterior, as where a slow current takes the place of a fast one, this tells which is worth a
search.
"""

from collections.abc import Callable
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int
from scipy.signal import lfilter

from leakyflow.likelihood.instrument import CENTRE, ORIGIN, SPREAD, TAU, C
from leakyflow.likelihood.scan import Trace
from leakyflow.likelihood.target import score_of
from leakyflow.neuron.mechanisms import MECHANISMS
from leakyflow.simulator.distributions import AbstractDistribution
from leakyflow.simulator.prior import Prior

__all__ = ["mechanism_start"]

# Prior scores of the time constants that are tried first, and the steps of those around the best that are tried next.
SCORES = np.linspace(-2.8, 2.8, 8)
FINER, AROUND = (0.3, 0.3, 0.1), np.arange(-2, 3)
# The coefficients' prior as in `instrument`, but that most of the electrode's voltage is taken off beforehand.
PASSIVE = CENTRE * np.array([1.0, 1.0, 1.0, 0.0])
# Share of the squares that numbers in double precision leave even where all is explained.
LEAST_UNEXPLAINED = 1e-12
# A search hardly finds its way from no sag at all, nor from a threshold noise (mV) as wide as the voltages at spikes
# are where the threshold moves.
LEAST_SAG, MOST_NOISE = 0.03, 2.5
# Of scores: no search begins farther out.
FARTHEST = 3.0

Tried = list[Float64[np.ndarray, " _"]]  # prior scores of time constants, for each term


class _Term(NamedTuple):
    """What is linear in an amplitude."""

    name: str
    tau_name: str
    tau: Any  # ms; a distribution or a number
    follows_voltage: bool  # else it decays after spikes
    centre: float  # of the prior of its coefficient
    spread: float

    @classmethod
    def of(cls, prior: Prior, name: str, tau_name: str, follows_voltage: bool, unit: float) -> "_Term":
        """That of an inferred amplitude, of which a unit makes so much of the coefficient."""
        low, middle, high = (unit * float(prior.distributions[name].from_unconstrained(z)) for z in (-1.0, 0.0, 1.0))
        return cls(name, tau_name, prior.root[tau_name], follows_voltage, middle, 0.5 * abs(high - low))

    @property
    def first_tried(self) -> Float64[np.ndarray, " _"]:
        """Prior scores of time constants; a known one has none."""
        return SCORES if isinstance(self.tau, AbstractDistribution) else np.zeros(1)

    def taus(self, scores: Float64[np.ndarray, " _"]) -> Float64[np.ndarray, " _"]:
        """Time constants, in ms."""
        known = not isinstance(self.tau, AbstractDistribution)
        return np.full(len(scores), self.tau) if known else np.asarray(self.tau.from_unconstrained(scores))


class _Sweep(NamedTuple):
    """One sweep; voltage and current are held while the neuron is refractory."""

    V: Float64[np.ndarray, " time"]  # mV from ORIGIN
    I: Float64[np.ndarray, " time"]
    electrode: Float64[np.ndarray, " time"]  # pA, when V was measured
    spikes: Float64[np.ndarray, " time"]
    free: Bool[np.ndarray, " time"]
    dt: float

    @classmethod
    def of(cls, trace: Trace, row: int, length: int, dt: float, R_s: float) -> "_Sweep":
        """A row of a trace, its voltage less that across the electrode."""
        y, I, electrode, spikes, free = (x[:length, row] for x in trace[:5])
        known = np.maximum.accumulate(np.where((free > 0) | (spikes > 0), np.arange(length), 0))
        return cls((y - R_s * electrode - ORIGIN)[known], I, electrode[known], spikes, free > 0, dt)

    def decaying(self, tau: float) -> Float64[np.ndarray, " time"]:
        """What each spike raises by 1, and what decays."""
        return lfilter([1.0], [1.0, -np.exp(-self.dt / tau)], self.spikes)

    def following(self, tau: float) -> Float64[np.ndarray, " time"]:
        """What follows the voltage, settled at its first."""
        share = -np.expm1(-self.dt / tau)
        return lfilter([share], [1.0, share - 1.0], self.V, zi=(1.0 - share) * self.V[:1])[0]


class _Moments(NamedTuple):
    """Products of the columns of a regression, and of what it explains."""

    gram: Float64[np.ndarray, "column column"]
    cross: Float64[np.ndarray, " column"]
    square: float
    n: int

    @classmethod
    def of(cls, parts: list[tuple[Float64[np.ndarray, "column _"], Float64[np.ndarray, " _"]]]) -> "_Moments":
        """Sums over sweeps."""
        gram, cross = (sum(products) for products in zip(*((x @ x.T, x @ y) for x, y in parts), strict=True))
        return cls(gram, cross, float(sum(y @ y for _, y in parts)), sum(len(y) for _, y in parts))

    def unexplained(self, centre: Float64[np.ndarray, " column"], spread: Float64[np.ndarray, " column"]) -> float:
        """Variance that all columns together leave."""
        n = max(self.n, 1)
        scale = max(self.square / n, 1e-8)
        ridge = np.diag(scale / spread**2)
        c = np.linalg.solve(self.gram + ridge, self.cross + ridge @ centre)
        left = self.square - 2.0 * c @ self.cross + c @ self.gram @ c
        return max(float(left) / n, LEAST_UNEXPLAINED * scale)


def mechanism_start(
    prior: Prior,
    trace: Trace,
    lengths: Int[np.ndarray, " sweep"],
    cell: Int[np.ndarray, " sweep"],
    start: Float64[np.ndarray, "cell param"],
) -> Float64[np.ndarray, "cell param"]:
    """Prior scores near which the posterior of each cell may be, by its membrane, currents, sag and threshold.

    Args:
        prior: Of the scores.
        trace: Sweeps.
        lengths: Samples of each.
        cell: Number of the cell of each.
        start: What is known without mechanisms, of which the electrode and whatever else nothing tells is taken.

    Returns:
        The same scores where the prior has no such mechanism, or sees the voltage through noise, which biases
        regressions.
    """
    terms, out = _terms(prior), start.copy()
    if not terms or "measurement_noise" in prior.root:
        return out
    R_s = prior.natural(start)[:, prior.inferred.index("R_s")] if "R_s" in prior.inferred else np.zeros(len(start))
    for i, own in enumerate(R_s.tolist()):
        rows = np.flatnonzero(cell == i).tolist()
        sweeps = [_Sweep.of(trace, row, int(lengths[row]), float(trace.dt), own) for row in rows]
        for name, value in _of_cell(sweeps, terms, own).items():
            if name in prior.inferred:
                score = score_of(prior.distributions[name], np.array([value]))
                out[i, prior.inferred.index(name)] = np.clip(score, -FARTHEST, FARTHEST)[0]
    return out


def _terms(prior: Prior) -> list[_Term]:
    """The currents that are linear in an inferred amplitude."""
    C, tau = (_median(prior, name) for name in ("C", "tau"))
    pairs = [(*one.decay, False, 1.0 / C) for one in MECHANISMS if one.decay is not None and one.current]
    pairs += [("sag", "sag_tau", True, -1.0 / tau)]
    return [_Term.of(prior, *pair) for pair in pairs if pair[0] in prior.inferred]


def _median(prior: Prior, name: str) -> float:
    entry: Any = prior.root[name]
    return float(entry.from_unconstrained(0.0)) if isinstance(entry, AbstractDistribution) else float(entry)


def _of_cell(sweeps: list[_Sweep], terms: list[_Term], R_s: float) -> dict[str, float]:
    def moments(tried: Tried) -> _Moments:
        return _Moments.of([_slopes(sweep, terms, tried, np.flatnonzero(sweep.free[1:])) for sweep in sweeps])

    scores, c, variance = _searched(terms, moments)
    found = _neuron(c, terms, scores, R_s) | {"membrane_noise": float(np.sqrt(variance * sweeps[0].dt))}
    # Voltages that were to be expected where it spiked.
    at = [(sweep, np.flatnonzero(sweep.spikes[1:])) for sweep in sweeps]
    V = np.concatenate([sweep.V[k] + sweep.dt * (c @ _slopes(sweep, terms, scores, k)[0]) for sweep, k in at])
    if len(V):
        found["V_th"] = ORIGIN + float(V.mean())
    if len(V) > 1:
        found["threshold_noise"] = min(float(V.std(ddof=1)), MOST_NOISE)
    return found


def _searched(
    terms: list[_Term], moments: Callable[[Tried], _Moments]
) -> tuple[Tried, Float64[np.ndarray, " column"], float]:
    """The most probable time constants, as one score for each term, the coefficients, and the noise's variance."""
    tried = [term.first_tried for term in terms]
    best, c, variance = _best(terms, moments(tried), tried)
    for step in FINER:
        # The first again: where one time constant is better known, another may lie elsewhere.
        tried = [
            own if len(own) == 1 else np.append(SCORES, z + step * AROUND) for z, own in zip(best, tried, strict=True)
        ]
        best, c, variance = _best(terms, moments(tried), tried)
    return best, c, variance


def _best(terms: list[_Term], moments: _Moments, tried: Tried) -> tuple[Tried, Float64[np.ndarray, " column"], float]:
    """That of all choices of time constants that are tried."""
    n_tried, own = [len(scores) for scores in tried], len(PASSIVE)
    centre = np.append(PASSIVE, np.repeat([term.centre for term in terms], n_tried))
    spread = np.append(SPREAD, np.repeat([term.spread for term in terms], n_tried))
    variance, pull = moments.unexplained(centre, spread), spread**-2.0
    precision, wanted = moments.gram / variance + np.diag(pull), moments.cross / variance + centre * pull
    # What all choices share is solved for once; what a choice adds is then a matrix of as many rows as there are terms.
    below = precision[own:, :own]
    shared = np.linalg.solve(precision[:own, :own], np.column_stack([below.T, wanted[:own]]))
    left, sought = precision[own:, own:] - below @ shared[:, :-1], wanted[own:] - below @ shared[:, -1]
    places = np.array(list(product(*map(range, n_tried))), int)
    columns = np.cumsum([0, *n_tried])[:-1] + places
    c = np.linalg.solve(left[columns[:, :, None], columns[:, None]], sought[columns][..., None])[..., 0]
    scores = np.stack([own_scores[place] for own_scores, place in zip(tried, places.T, strict=True)], axis=1)
    penalty = (centre**2 * pull)[own:][columns] + scores**2
    best = int((sought[columns] * c - penalty).sum(1).argmax())
    passive = shared[:, -1] - shared[:, columns[best]] @ c[best]
    return list(scores[best][:, None]), np.append(passive, c[best]), variance


def _slopes(
    sweep: _Sweep, terms: list[_Term], tried: Tried, k: Int[np.ndarray, " row"]
) -> tuple[Float64[np.ndarray, "column row"], Float64[np.ndarray, " row"]]:
    """Columns of the regression, of which each term has one for each time constant, and slopes, of some steps."""
    left = [
        (sweep.following(tau) if term.follows_voltage else sweep.decaying(tau))[k]
        for term, scores in zip(terms, tried, strict=True)
        for tau in term.taus(scores).tolist()
    ]
    jump = np.diff(sweep.electrode)[k] / sweep.dt
    x = np.stack([np.ones(len(k)), sweep.V[k], sweep.I[k], jump, *left])
    return x, np.diff(sweep.V)[k] / sweep.dt


def _neuron(c: Float64[np.ndarray, " column"], terms: list[_Term], scores: Tried, R_s: float) -> dict[str, float]:
    tau = 1.0 / np.clip(-c[1], 1.0 / TAU[1], 1.0 / TAU[0])
    capacitance = 1.0 / np.clip(c[2] - c[3] / tau, 1.0 / C[1], 1.0 / C[0])
    found = {"tau": tau, "C": capacitance, "R_s": np.clip(R_s + c[3], -0.05, 0.2)}
    sag = 0.0
    for term, coefficient, score in zip(terms, c[len(PASSIVE) :], scores, strict=True):
        found[term.tau_name] = term.taus(score)[0]
        if term.follows_voltage:
            found[term.name] = sag = max(-coefficient * tau, LEAST_SAG)
        else:
            found[term.name] = coefficient * capacitance
    found["V_rest"] = ORIGIN + c[0] * tau / (1.0 + sag)
    return {name: float(value) for name, value in found.items()}
