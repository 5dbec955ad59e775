"""Neurons, priors and recordings that several tests meet."""

import numpy as np

from leakyflow.neuron.parameters import Parameters
from leakyflow.recordings.batch import Batch
from leakyflow.recordings.recording import Recording
from leakyflow.simulator.config import SimulatorConfig
from leakyflow.simulator.distributions import LogNormal, Normal, Uniform
from leakyflow.simulator.prior import Prior, ReadOff
from leakyflow.simulator.simulate import simulate, simulate_traces
from leakyflow.simulator.stimuli import square
from leakyflow.simulator.stimulus_prior import SinusoidPrior, SquarePrior, draw_stimuli

DT = 0.2
NEURON = Parameters(
    tau=17.0,
    V_rest=-72.0,
    C=90.0,
    V_th=-45.0,
    membrane_noise=0.3,
    V_reset=-60.0,
    reset_noise=5.0,
    t_ref=3.0,
)
STANDARD = {
    "tau": LogNormal(median=17.0, sigma=0.5),
    "V_rest": Normal(mean=-72.0, sd=6.0),
    "C": LogNormal(median=90.0, sigma=0.5),
    "V_th": Normal(mean=-45.0, sd=6.0),
}
NOISES = {
    "threshold_noise": LogNormal(median=1.5, sigma=0.6),
    "membrane_noise": LogNormal(median=0.2, sigma=0.6),
}
PRIORS = {
    name: Prior(dict(NEURON) | entries)
    for name, entries in {
        "standard": STANDARD,
        "eight": STANDARD
        | NOISES
        | {"V_reset": Normal(mean=-60.0, sd=8.0), "reset_noise": LogNormal(median=5.0, sigma=0.4)},
        "recording": {
            "tau": LogNormal(median=20.0, sigma=0.6),
            "V_rest": Normal(mean=-68.0, sd=8.0),
            "C": LogNormal(median=110.0, sigma=0.6),
            "V_th": Normal(mean=-42.0, sd=9.0),
            "V_reset": ReadOff(Normal(mean=-55.0, sd=8.0)),
            "t_ref": ReadOff(Uniform(low=2.0, high=6.0)),
        }
        | NOISES,
        "bounded": {
            "C": STANDARD["C"],
            "V_th": Uniform(low=-60.0, high=-30.0),
            "membrane_noise": NOISES["membrane_noise"],
            "V_reset": ReadOff(Normal(mean=-55.0, sd=8.0)),
            "reset_noise": LogNormal(median=5.0, sigma=0.4),
        },
    }.items()
}
STIMULI = (
    SquarePrior(amplitude=Uniform(low=-50.0, high=350.0), holding=Uniform(low=-20.0, high=20.0)),
    SinusoidPrior(amplitude=Uniform(low=50.0, high=300.0), frequency=LogNormal(median=6.0, sigma=0.8)),
)


def simulator(prior: str = "standard", *, duration: tuple[float, float] = (100.0, 300.0)) -> SimulatorConfig:
    return SimulatorConfig(dt=DT, duration=duration, prior=PRIORS[prior], stimuli=STIMULI)


def simulated(config: SimulatorConfig, n: int, *, seed: int = 1) -> tuple[Parameters, Batch]:
    """Neurons drawn from the prior, and what they did."""
    theta, n_samples, index = config.prior.sample(n, seed), config.draw_n_samples(n, seed), np.arange(n)
    shape = {"n_samples": n_samples, "n_time": config.n_time, "dt": config.dt}
    I, _ = draw_stimuli(config.stimuli, index=index, seed=seed, **shape)
    traces = simulate_traces(theta, I, config.dt, seed=seed, index=index)
    names = tuple(f"simulation {i}" for i in range(n))
    return theta, Batch(**traces._asdict(), I=I, n_samples=n_samples, dt=config.dt, names=names)


def stimulated(amplitude: float, *, seed: int = 1, t_max: float = 200.0, **changes: float) -> Recording:
    """One neuron, given a step from 20 ms on."""
    stimulus = square(amplitude=amplitude, onset=20.0, duration=t_max - 20.0, t_max=t_max, dt=DT)
    recording = simulate(NEURON.replace(**changes), stimulus, seed=seed)
    assert isinstance(recording, Recording)
    return recording


def recorded(V: np.ndarray, I: np.ndarray | float = 0.0, *, spikes: tuple[int, ...] = (), n_ref: int = 0) -> Recording:
    """A recording made by hand; after each spike, V is held for n_ref samples."""
    V, is_spike, refractory = np.array(V, np.float32), np.zeros(len(V), bool), np.zeros(len(V), bool)
    for k in spikes:
        is_spike[k] = True
        refractory[k + 1 : k + 1 + n_ref] = True
        V[k : k + 1 + n_ref] = V[k]
    I = np.broadcast_to(np.asarray(I, np.float32), V.shape).copy()
    return Recording(V=V, I=I, spikes=is_spike, refractory=refractory, dt=DT)


def marked(spikes: list[int], released: list[float], *, n_ref: int) -> Recording:
    """120 ms of rest but for spikes, released at these voltages after n_ref samples."""
    V, I = np.full(600, -70.0, np.float32), np.zeros(600, np.float32)
    at, refractory = np.zeros(600, bool), np.zeros(600, bool)
    for k, value in zip(spikes, released, strict=True):
        at[k] = True
        V[k : k + n_ref + 1], refractory[k + 1 : k + n_ref + 1] = value, True
    return Recording(V=V, I=I, spikes=at, refractory=refractory, dt=DT)


def spoiled(recordings: Batch, *, extra: int = 0) -> Batch:
    """The same recordings with rubbish in their padding, and `extra` more samples of it."""
    wide = {
        name: np.pad(getattr(recordings, name), ((0, 0), (0, extra))) for name in ("V", "I", "spikes", "refractory")
    }
    padding = np.arange(wide["V"].shape[1]) >= recordings.n_samples[:, None]
    for name, rubbish in {"V": np.nan, "I": np.inf, "spikes": True, "refractory": True}.items():
        wide[name][padding] = rubbish
    return Batch(**wide, n_samples=recordings.n_samples, dt=recordings.dt, names=recordings.names)
