"""What a posterior owes to the prior, to the stimuli it was trained on, and to the sampling interval."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float64

from leakyflow.diagnostics.recovery import measure_recovery
from leakyflow.models.correction import LARGEST_K_HAT
from leakyflow.models.posterior import Posterior
from leakyflow.recordings.recording import Recording, Recordings
from leakyflow.recordings.resample import hold, low_pass
from leakyflow.recordings.spikes import bridge
from leakyflow.reference.draws import Draws, import_arviz
from leakyflow.reference.target import has_likelihood, target_of
from leakyflow.simulator.config import SimulatorConfig
from leakyflow.simulator.dataset import make_dataset
from leakyflow.simulator.distributions import LogNormal, TruncatedNormal, Uniform
from leakyflow.simulator.lif import n_refractory
from leakyflow.simulator.parameters import Parameters
from leakyflow.simulator.prior import Prior
from leakyflow.simulator.stimulus_prior import ChirpPrior, OrnsteinUhlenbeckPrior, RampPrior, StimulusPrior

__all__ = [
    "OTHER_STIMULI",
    "Conditions",
    "cjs_distance",
    "coarser",
    "dt_sensitivity",
    "power_scaling",
    "prior_sensitivity",
    "stimulus_sensitivity",
]

# Powers of the prior or the likelihood.
ALPHAS = (0.8, 1.25)
# Of the distance for each doubling of the power (Kallioinen et al. 2024).
SENSITIVE = 0.05
# Of the table of a recovery.
COLUMNS = ["rmse", "prior_sd", "contraction", "coverage90", "verdict"]
# Protocols that the preset `standard` is not trained on, of currents as strong.
HOLDING = TruncatedNormal(mean=0.0, sd=12.0, low=-30.0, high=30.0)
MEAN = TruncatedNormal(mean=170.0, sd=60.0, low=0.0, high=300.0)
OTHER_STIMULI: Mapping[str, StimulusPrior] = MappingProxyType(
    {
        "ramp": RampPrior(stop=TruncatedNormal(mean=240.0, sd=80.0, low=0.0, high=400.0), holding=HOLDING),
        "chirp": ChirpPrior(
            mean=MEAN,
            amplitude=Uniform(low=40.0, high=160.0),
            start_frequency=Uniform(low=0.0, high=5.0),
            stop_frequency=Uniform(low=10.0, high=60.0),
            holding=HOLDING,
        ),
        "OU noise": OrnsteinUhlenbeckPrior(
            mean=MEAN,
            sd=Uniform(low=20.0, high=100.0),
            correlation_time=LogNormal(median=4.0, sigma=0.5),
            holding=HOLDING,
        ),
    }
)


# --- to the prior


def prior_sensitivity(draws: Draws, recording: Recording | Recordings, prior: Prior) -> pd.DataFrame:
    """Say for each parameter whether its posterior depends on the prior, and whether on the data.

    The prior or the likelihood is raised to powers around 1, by importance weights on the draws: no network is asked
    again. A power alpha of the prior is taken in normal scores, where it makes N(0, 1) into N(0, 1 / alpha): for every
    kind of prior it is the same neuron that is in the middle, and the others are believed more or less.

    Args:
        draws: From the posterior, corrected or reference; a few thousand.
        recording: What they are the posterior of.
        prior: That they were drawn under, with a likelihood in closed form.

    Returns:
        One row per parameter, or per recording and parameter: the sensitivities to the whole `prior`, to this
        parameter's `own_prior` and to the `likelihood` (see `power_scaling`); `k_hat`, the largest of the weights;
        and the `diagnosis`: "prior-data conflict" where the posterior depends on both, "weak likelihood" where on the
        prior alone, "unknown" where the weights cannot be trusted, else "none". A sensitivity to the likelihood is
        what data usually bring about; one to the prior says: look whether it is what was meant.

    Raises:
        ValueError: If the draws are of other recordings or parameters, one of them could not have produced its
            recording, or the likelihood is not known.

    References:
        Kallioinen, Paananen, Buerkner & Vehtari (2024), Detecting and diagnosing prior and likelihood sensitivity
        with power-scaling, Statistics and Computing 34:57.
    """
    recordings = Recordings.from_list([recording]) if isinstance(recording, Recording) else recording
    values = draws.array if draws.array.ndim == 3 else draws.array[None]
    if draws.names != prior.inferred or len(values) != len(recordings):
        raise ValueError(
            f"Draws must be of {', '.join(prior.inferred)} from the posteriors of {len(recordings)} recordings, got "
            f"{', '.join(draws.names)} of {len(values)}. Pass the recordings and the prior of the draws."
        )
    z, supported = prior.scores(values)
    log_likelihood = target_of(recordings, prior).log_likelihood(z)
    bad = ~(np.isfinite(log_likelihood) & supported)
    if bad.any():
        raise ValueError(
            f"Every draw must be able to produce its recording, {bad.sum()} of {bad.size} cannot. Pass corrected or "
            "reference draws, not the network's own."
        )
    names = recordings.names if draws.recordings is None else draws.recordings
    parts = [
        power_scaling(v, -0.5 * own**2, log, names=draws.names)
        for v, own, log in zip(values, z, log_likelihood, strict=True)
    ]
    return parts[0] if draws.array.ndim == 2 else pd.concat(parts, keys=names, names=["recording"])


def power_scaling(
    values: Float64[np.ndarray, "draw param"],
    log_prior: Float64[np.ndarray, "draw param"],
    log_likelihood: Float64[np.ndarray, " draw"],
    *,
    names: tuple[str, ...],
) -> pd.DataFrame:
    """Sensitivities of a posterior to powers of its prior and its likelihood.

    A sensitivity is the cumulative Jensen-Shannon distance between the draws and the reweighted draws, averaged over
    alpha = 0.8 and 1.25 and divided by log2(1.25): for each doubling. ArviZ's `psens` computes the same of one
    component; here the weights are judged, too.

    Args:
        values: Draws.
        log_prior: Log prior density of each parameter at its draws.
        log_likelihood: Log likelihood of each draw.
        names: Of the parameters.

    Returns:
        One row per parameter: see `prior_sensitivity`.
    """
    found = {"prior": _scaled(values, log_prior.sum(1)), "likelihood": _scaled(values, log_likelihood)}
    own = [_scaled(values[:, [i]], log_prior[:, i]) for i in range(len(names))]
    rows = []
    for i, name in enumerate(names):
        row = {"prior": found["prior"].sensitivity[i], "own_prior": own[i].sensitivity[0]}
        row |= {"likelihood": found["likelihood"].sensitivity[i]}
        row["k_hat"] = max(found["prior"].k_hat, found["likelihood"].k_hat, own[i].k_hat)
        rows.append({"parameter": name} | row | {"diagnosis": _diagnosis(**row)})
    return pd.DataFrame(rows).set_index("parameter")


class _Scaled(NamedTuple):
    sensitivity: Float64[np.ndarray, " param"]
    k_hat: float


def _scaled(values: Float64[np.ndarray, "draw param"], log_component: Float64[np.ndarray, " draw"]) -> _Scaled:
    """Sensitivity to powers of one component of the posterior."""
    psislw = import_arviz().psislw
    distances, k_hats = [], [0.0]
    for alpha in ALPHAS:
        log_weight = (alpha - 1.0) * log_component
        # A constant component has no say, and no tail to fit.
        if np.ptp(log_weight) > 1e-9:
            log_weight, k_hat = psislw(log_weight)
            k_hats.append(float(k_hat))
        distances.append([cjs_distance(column, np.exp(log_weight - log_weight.max())) for column in values.T])
    per_doubling = np.mean(distances, axis=0) / np.log2(ALPHAS[1])
    return _Scaled(per_doubling, max(k_hats))


def cjs_distance(values: Float64[np.ndarray, " draw"], weight: Float64[np.ndarray, " draw"]) -> float:
    r"""Cumulative Jensen-Shannon distance between draws and the same draws with weights, from 0 to 1.

    With P and Q the cumulative distribution functions and M = (P + Q) / 2,

    .. math:: \sqrt{\int P \log_2 (P / M) + Q \log_2 (Q / M) \; dx \; / \int P + Q \; dx}

    or the same of 1 - P and 1 - Q, whichever is larger.

    Args:
        values: Draws.
        weight: Not negative; need not sum to 1.

    References:
        Nguyen & Vreeken (2015), Non-parametric Jensen-Shannon divergence, ECML PKDD. Kallioinen et al. (2024).
    """
    order = np.argsort(values)
    width = np.diff(values[order])
    p = np.arange(1, len(values)) / len(values)
    q = np.cumsum(weight[order])[:-1] / weight.sum()
    return max(_cjs(p, q, width), _cjs(1.0 - p, np.clip(1.0 - q, 0.0, 1.0), width))


def _cjs(p: np.ndarray, q: np.ndarray, width: np.ndarray) -> float:
    m = 0.5 * (p + q)
    divergence = p * np.log2(p / m) + q * np.log2(np.where(q > 0, q, m) / m)
    total = width @ (p + q)
    return float(np.sqrt(max(width @ divergence, 0.0) / total)) if total > 0 else 0.0


def _diagnosis(*, prior: float, own_prior: float, likelihood: float, k_hat: float) -> str:
    if k_hat > LARGEST_K_HAT:
        return "unknown"
    if max(prior, own_prior) < SENSITIVE:
        return "none"
    return "prior-data conflict" if likelihood >= SENSITIVE else "weak likelihood"


# --- to stimuli and to the sampling interval


class Conditions(NamedTuple):
    """How a posterior does on simulations that differ from those it was trained on.

    Attributes:
        parameters: One row per condition, kind ("raw", "corrected") and parameter: rmse, prior_sd, contraction,
            coverage90 and verdict, as in `Recovery.table`, relative_rmse, over the prior SD, and bias, the mean error
            in posterior SDs.
        recordings: One row per condition and kind: n, gain (mean log density of the truth over that under the prior,
            in nats), and of the weights the median k_hat and efficiency, and the share_failed with k_hat above 0.7.
    """

    parameters: pd.DataFrame
    recordings: pd.DataFrame


@dataclass(frozen=True, kw_only=True)
class _Simulator:
    """What `make_dataset` takes."""

    simulator: SimulatorConfig


def stimulus_sensitivity(
    posterior: Posterior,
    stimuli: Mapping[str, StimulusPrior] = OTHER_STIMULI,
    *,
    n: int = 100,
    n_draws: int = 500,
    seed: int = 0,
) -> Conditions:
    """Try a network on stimuli it was not trained on, beside those it was ("training").

    The neurons are the same under each stimulus. What a stimulus tells of them differs, so hold the raw draws against
    the corrected ones, which are exact whatever the stimulus.

    Args:
        posterior: Of a trained network.
        stimuli: Priors of the stimuli to try, with a name for each.
        n: Recordings of each.
        n_draws: Draws per recording.
        seed: Of everything random.

    Raises:
        ValueError: If there is no stimulus, or one is called "training".
    """
    if not stimuli or "training" in stimuli:
        raise ValueError(
            "`stimuli` must hold at least one stimulus prior, none of them called `training`, which is what the "
            f"network's own are; got {', '.join(stimuli) or 'none'}."
        )
    own = posterior.network.simulator
    families = {"training": own.stimuli} | {name: (prior,) for name, prior in stimuli.items()}

    def conditions() -> Iterator[tuple[str, Recordings, Parameters]]:
        for name, family in families.items():
            dataset = make_dataset(_Simulator(simulator=replace(own, stimuli=family)), n, seed=seed)
            yield name, dataset.recordings(), dataset.parameters()

    return _conditions(posterior, conditions(), n_draws=n_draws, seed=seed)


def dt_sensitivity(
    posterior: Posterior, *, finer: int = 4, n: int = 100, n_draws: int = 500, seed: int = 0
) -> Conditions:
    """Try a network on neurons simulated with a finer step, as every real one is.

    Three conditions: neurons simulated at the network's dt; the same neurons simulated at a fraction of it and sampled
    at dt; and those low-pass filtered first, as `read_recording` does.

    What to expect: by Euler's method tau comes out larger by (dt - dt / finer) / 2, and C by the same share. Between
    two samples of a noisy voltage a threshold can be met unseen, so V_th comes out lower, by up to 0.58 membrane_noise
    (sqrt(dt) - sqrt(dt / finer)), which is 0.04 mV for the preset `standard` (Broadie, Glasserman & Kou 1997, A
    continuity correction for discrete barrier options, Mathematical Finance 7). A noisy threshold is drawn anew at each
    step, so a finer step has more chances to cross it: with the preset `recording` V_th comes out 1.1 mV lower. The
    filter takes noise away: there membrane_noise comes out 22 % lower, and a posterior that is sure of it must find
    another reason.

    Args:
        posterior: Of a trained network.
        finer: Steps of the simulation in one of the network's.
        n: Recordings of each condition.
        n_draws: Draws per recording.
        seed: Of everything random.

    Raises:
        ValueError: If `finer` is less than 2.
    """
    if finer < 2:
        raise ValueError(f"`finer` must be 2 or more steps in each of the network's, got {finer}. 4 is usual.")
    own = posterior.network.simulator
    dt = own.dt

    def conditions() -> Iterator[tuple[str, Recordings, Parameters]]:
        dataset = make_dataset(_Simulator(simulator=own), n, seed=seed)
        yield f"dt = {dt:g} ms", dataset.recordings(), dataset.parameters()
        dataset = make_dataset(_Simulator(simulator=replace(own, dt=dt / finer)), n, seed=seed)
        recordings, truth = dataset.recordings(), dataset.parameters()
        n_ref = n_refractory(truth.t_ref, dt)
        for name, filtered in (("sampled", False), ("filtered", True)):
            coarse = [
                coarser(fine, finer, n_ref=int(held), filtered=filtered)
                for fine, held in zip(recordings, n_ref, strict=True)
            ]
            yield f"{dt / finer:g} ms, {name}", Recordings.from_list(coarse), truth

    return _conditions(posterior, conditions(), n_draws=n_draws, seed=seed)


def coarser(fine: Recording, factor: int, *, n_ref: int, filtered: bool) -> Recording:
    """Resample a simulated recording as `read_recording` does a real one.

    Args:
        fine: Simulated with a fine step; a spike whose release it does not reach is held at its last sample.
        factor: Samples of it for each one of the result.
        n_ref: Refractory samples after each spike of the result.
        filtered: Low-pass the voltage first; else every so many samples are taken as they are.
    """
    n_time, dt = fine.n_samples // factor, fine.dt * factor
    # Up to its release a neuron has no voltage: a straight line, as across the spikes of a real one.
    gaps = np.append(~fine.free[:-1] & fine.refractory[1:], False)
    V = bridge(fine.V.astype(np.float64), gaps)
    if filtered:
        V = low_pass(V, dt_file=fine.dt, dt=dt)
    I = hold(fine.I.astype(np.float64), np.arange(n_time) * dt, dt_file=fine.dt, dt=dt)
    coarse, spikes, refractory = V[::factor][:n_time].copy(), np.zeros(n_time, bool), np.zeros(n_time, bool)
    step = -n_ref
    for onset in np.flatnonzero(fine.spikes):
        # The first sample from the spike on, and not before the release from the one before.
        step = max(-(-int(onset) // factor), step + n_ref + 1)
        coarse[step : step + n_ref + 1] = V[min((step + n_ref) * factor, len(V) - 1)]
        spikes[step : step + 1], refractory[step + 1 : step + n_ref + 1] = True, True
    return Recording(
        V=coarse.astype(np.float32),
        I=I.astype(np.float32),
        spikes=spikes,
        refractory=refractory,
        dt=dt,
        name=fine.name,
    )


def _conditions(
    posterior: Posterior, conditions: Iterator[tuple[str, Recordings, Parameters]], *, n_draws: int, seed: int
) -> Conditions:
    kinds = {"raw": False} | ({"corrected": True} if has_likelihood(posterior.prior) else {})
    parameters: list[pd.DataFrame] = []
    recordings: list[dict[str, object]] = []
    for condition, some, truth in conditions:
        columns = {name: np.asarray(getattr(truth, name))[:, None] for name in posterior.names}
        log_q = {"raw": posterior.log_prob(some, columns)[:, 0]}
        weights = {"k_hat": np.nan, "efficiency": np.nan, "share_failed": np.nan}
        draws = {kind: posterior.sample(some, n_draws=n_draws, seed=seed, correct=kinds[kind]) for kind in kinds}
        if "corrected" in draws and (table := draws["corrected"].diagnostics) is not None:
            # A k-hat that is missing is of weights that were never made.
            failed = ~(table.k_hat <= LARGEST_K_HAT)
            weights = {"k_hat": table.k_hat.median(), "efficiency": table.efficiency.median()}
            weights |= {"share_failed": failed.mean()}
            z = posterior.prior.to_unconstrained(truth)
            evidence = table.log_evidence.to_numpy()
            log_likelihood = target_of(some, posterior.prior).log_likelihood(z[:, None])[:, 0]
            log_q["corrected"] = log_likelihood - evidence + np.asarray(posterior.prior.log_prob(truth))
        for kind, of_kind in draws.items():
            recovery = measure_recovery(of_kind, truth, posterior.prior, log_q[kind])
            head = {"condition": condition, "kind": kind}
            rows = recovery.table()[COLUMNS].reset_index()
            rows["relative_rmse"] = rows.rmse / rows.prior_sd
            rows["bias"] = np.mean((recovery.mean - recovery.truth) / recovery.sd, axis=0)
            parameters.append(rows.assign(**head))
            recordings.append({**head, "n": len(some), "gain": recovery.mean_gain, **weights})
    return Conditions(pd.concat(parameters, ignore_index=True), pd.DataFrame(recordings))
