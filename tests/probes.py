"""What each formula gives for fixed inputs, which no random number and no other formula has a part in."""

from collections.abc import Callable

import numpy as np

from leakyflow.diagnostics.calibration import sbc_ranks
from leakyflow.diagnostics.checks import check_statistics
from leakyflow.diagnostics.cloud import Cloud
from leakyflow.diagnostics.recovery import measure_recovery
from leakyflow.likelihood.draws import Draws
from leakyflow.likelihood.log_likelihood import log_likelihood
from leakyflow.likelihood.sufficient import compress
from leakyflow.models.correction import defensive, efficiency, importance_weights
from leakyflow.models.local import coordinate_features, laplace_coordinates, to_local
from leakyflow.models.statistics import summary_statistics
from leakyflow.models.summary import trace_channels
from leakyflow.neuron.parameters import Parameters
from leakyflow.recordings.batch import Batch
from leakyflow.simulator.dataset import make_dataset
from leakyflow.simulator.simulate import simulate
from leakyflow.simulator.stimuli import square
from tests.cases import DT, NEURON, PRIORS, recorded, simulator

__all__ = ["PROBES"]


def waves(*shape: int) -> np.ndarray:
    """Numbers from -1 to 1 that look like noise and are the same on every machine."""
    i = np.arange(np.prod(shape)).reshape(shape)
    return np.sin(0.37 * i**1.5 + 1.3)


def recordings() -> Batch:
    """One that charges under a step, and one with three spikes."""
    t = np.arange(1000) * DT
    charging = -70.0 + 10.0 * (1.0 - np.exp(-np.maximum(t - 20.0, 0.0) / 17.0)) + 0.1 * waves(1000)
    spiking = np.minimum(charging + 15.0 * np.sin(t / 12.0) ** 2, -46.0)
    spiking[[300, 550, 800]] = [-61.0, -58.0, -60.0]
    I = np.where(t >= 20.0, 60.0, 0.0)
    return Batch.from_list([recorded(charging, I), recorded(spiking, 3 * I, spikes=(300, 550, 800), n_ref=15)])


def draws() -> tuple[Draws, Parameters]:
    """As of 100 recordings, beside the truth."""
    prior, n = PRIORS["standard"], 100
    z = waves(n, 51, prior.n_inferred)
    truth = prior.from_unconstrained(z[:, 0])
    return Draws(prior.inferred, prior.natural(0.5 * z[:, 1:] + 0.3 * z[:, :1]), tuple(map(str, range(n)))), truth


def neuron() -> list[np.ndarray]:
    """The likelihood of noisy neurons, and what one without noise does."""
    noisy = NEURON.replace(tau=np.array([10.0, 17.0, 40.0]), threshold_noise=1.0)
    quiet = NEURON.replace(membrane_noise=0.0, reset_noise=0.0)
    stimulus = square(amplitude=230.0, onset=5.0, duration=90.0, t_max=100.0, dt=DT)
    trace = simulate(quiet, stimulus, seed=1)
    return [
        *(log_likelihood(noisy, recording) for recording in recordings()),
        trace.V[::25],
        np.flatnonzero(trace.spikes),
    ]


def prior() -> list[np.ndarray]:
    """Values at normal scores, and the way back."""
    z = np.linspace(-3.0, 3.0, 7)
    distributions = [one for name in ("recording", "bounded") for one in PRIORS[name].distributions.values()]
    return [
        np.stack([np.asarray(one.from_unconstrained(z)), np.asarray(one.log_det_jacobian(z))]) for one in distributions
    ]


def simulations() -> list[np.ndarray]:
    """A few, with all that is random about them."""
    dataset = make_dataset(type("Config", (), {"simulator": simulator("eight")})(), 3, seed=7)
    batch = dataset.recordings()
    return [
        batch.V[:, ::50],
        batch.I[:, ::50],
        batch.n_samples,
        dataset.stimulus(),
        np.asarray(dataset.parameters().tau),
    ]


def statistics() -> list[np.ndarray]:
    """Of the recordings above."""
    return [summary_statistics(recordings(), compress(recordings()))]


def trace() -> list[np.ndarray]:
    """Of the recordings above."""
    found = trace_channels(recordings(), 1200, 16)
    return [found["trace"][..., ::100], found["n_samples"]]


def coordinates() -> list[np.ndarray]:
    """Of neurons with a hard and with a noisy threshold."""
    found = []
    for name in ("standard", "recording"):
        local = laplace_coordinates(PRIORS[name], compress(recordings()))
        w, log_det = to_local(local, np.full((2, 1, PRIORS[name].n_inferred), 2.5))
        found += [coordinate_features(local), w, log_det]
    return found


def checks() -> list[np.ndarray]:
    """Of the recordings above."""
    return [check_statistics(recordings(), compress(recordings()))]


def typicality() -> list[np.ndarray]:
    """Scores in a cloud, and p-values."""
    features = waves(900, 70)
    cloud = Cloud.fit(features[:300], features[300:600], features[600:])
    score = cloud.score(1.5 * features[:5])
    return [score, cloud.p_value(score)]


def correction() -> list[np.ndarray]:
    """Weights."""
    log_ratio = 0.5 * waves(1, 1000)
    (weights,) = importance_weights(log_ratio)
    return [
        weights.weight[:20],
        np.array([weights.k_hat, weights.log_evidence, efficiency(log_ratio[0])]),
        *defensive(waves(1, 10, 2)),
    ]


def diagnostics() -> list[np.ndarray]:
    """Ranks and recovery."""
    found, truth = draws()
    recovery = measure_recovery(found, truth, PRIORS["standard"], np.zeros(100))
    table = recovery.table().drop(columns=["unit", "verdict"])
    ranks = sbc_ranks(found, truth, seed=1)
    return [table.to_numpy(np.float64), ranks.ranks[:10], ranks.p_values().to_numpy(np.float64)]


PROBES: dict[str, Callable[[], list[np.ndarray]]] = {
    probe.__name__: probe
    for probe in (
        neuron,
        prior,
        simulations,
        statistics,
        trace,
        coordinates,
        checks,
        typicality,
        correction,
        diagnostics,
    )
}
