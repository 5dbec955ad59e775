"""What a posterior owes to the stimuli it was trained on, and to the sampling interval."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from leakyflow.diagnostics.coarser import coarser
from leakyflow.diagnostics.conditions import Conditions, measure_conditions
from leakyflow.errors import LeakyflowError
from leakyflow.models.posterior import Posterior
from leakyflow.neuron.parameters import Parameters
from leakyflow.recordings.batch import Batch
from leakyflow.seeds import evaluation_seed
from leakyflow.simulator.config import SimulatorConfig
from leakyflow.simulator.dataset import make_dataset
from leakyflow.simulator.distributions import LogNormal, TruncatedNormal, Uniform
from leakyflow.simulator.protocols import Protocol
from leakyflow.simulator.simulate import n_refractory
from leakyflow.simulator.stimulus_prior import (
    ChirpPrior,
    OrnsteinUhlenbeckPrior,
    RampPrior,
    SinusoidPrior,
    StimulusPrior,
)

__all__ = ["OTHER_PROTOCOLS", "OTHER_STIMULI", "dt_sensitivity", "stimulus_sensitivity"]

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
# A protocol that the preset `cell` is not trained on, of currents as strong.
OTHER_PROTOCOLS: Mapping[str, Protocol] = MappingProxyType(
    {
        "sinusoids": Protocol(
            name="sinusoids",
            n_sweeps=(1, 8),
            vary="mean",
            first=Uniform(low=-0.2, high=0.8),
            last=Uniform(low=0.8, high=1.5),
            stimulus=SinusoidPrior(
                amplitude=Uniform(low=0.2, high=0.8),
                frequency=Uniform(low=1.0, high=40.0),
                onset_fraction=Uniform(low=0.1, high=0.4),
            ),
        )
    }
)


@dataclass(frozen=True, kw_only=True)
class _Simulator:
    """What `make_dataset` takes."""

    simulator: SimulatorConfig


def stimulus_sensitivity(
    posterior: Posterior,
    stimuli: Mapping[str, StimulusPrior | Protocol] | None = None,
    *,
    n: int = 100,
    n_draws: int = 500,
    seed: int = 0,
) -> Conditions:
    """Try a network on stimuli it was not trained on, beside those it was ("training").

    The neurons are the same under each stimulus. What a stimulus tells of them differs, so hold the amortized draws
    against the corrected ones, which are exact whatever the stimulus.

    Args:
        posterior: Of a trained network.
        stimuli: Priors of the stimuli to try, with a name for each, or protocols where the network takes cells;
            `OTHER_STIMULI` or `OTHER_PROTOCOLS` when None.
        n: Recordings of each.
        n_draws: Draws per recording.
        seed: Of everything random.

    Raises:
        ValueError: If there is no stimulus, or one is called "training".

    Example:
        >>> import leakyflow as lf
        >>> found = stimulus_sensitivity(lf.load_posterior("standard"), n=4, n_draws=50)
        >>> list(found.recordings.condition.unique())
        ['training', 'ramp', 'chirp', 'OU noise']
    """
    usual: Mapping[str, StimulusPrior | Protocol] = OTHER_STIMULI
    if posterior.network.takes_cells:
        usual = OTHER_PROTOCOLS
    others = usual if stimuli is None else stimuli
    if not others or "training" in others:
        raise LeakyflowError(
            "`stimuli` must hold at least one stimulus prior, none of them called `training`, which is what the "
            f"network's own are; got {', '.join(others) or 'none'}."
        )
    own = posterior.network.simulator
    which = "protocols" if own.protocols else "stimuli"
    families = {"training": getattr(own, which)} | {name: (prior,) for name, prior in others.items()}

    def conditions() -> Iterator[tuple[str, Batch, Parameters]]:
        for name, family in families.items():
            simulator = _Simulator(simulator=replace(own, **{which: family}))
            dataset = make_dataset(simulator, n, seed=evaluation_seed(seed, "stimuli"))
            yield name, dataset.recordings(), dataset.parameters()

    return measure_conditions(posterior, conditions(), n_draws=n_draws, seed=seed)


def dt_sensitivity(
    posterior: Posterior, *, finer: int = 4, n: int = 100, n_draws: int = 500, seed: int = 0
) -> Conditions:
    """Try a network on neurons simulated with a finer step, as every real one is.

    Two conditions: neurons simulated at the network's dt, and the same neurons simulated at a fraction of it and
    sampled at dt, as `read_recording` does.

    What to expect: by Euler's method tau comes out larger by (dt - dt / finer) / 2, and C by the same share. Between
    two samples of a noisy voltage a threshold can be met unseen, so V_th comes out lower, by up to 0.58 membrane_noise
    (sqrt(dt) - sqrt(dt / finer)), which is 0.04 mV for the preset `standard` (Broadie, Glasserman & Kou 1997, A
    continuity correction for discrete barrier options, Mathematical Finance 7). A noisy threshold is drawn anew at each
    step, so a finer step has more chances to cross it: with the preset `lif` V_th comes out 1.1 mV lower.

    Args:
        posterior: Of a trained network.
        finer: Steps of the simulation in one of the network's.
        n: Recordings of each condition.
        n_draws: Draws per recording.
        seed: Of everything random.

    Raises:
        ValueError: If `finer` is less than 2.

    Example:
        >>> import leakyflow as lf
        >>> found = dt_sensitivity(lf.load_posterior("standard"), n=4, n_draws=50)
        >>> list(found.recordings.condition.unique())
        ['dt = 0.2 ms', '0.05 ms, sampled']
    """
    if finer < 2:
        raise LeakyflowError(f"`finer` must be 2 or more steps in each of the network's, got {finer}. 4 is usual.")
    own = posterior.network.simulator
    dt = own.dt

    def conditions() -> Iterator[tuple[str, Batch, Parameters]]:
        dataset = make_dataset(_Simulator(simulator=own), n, seed=evaluation_seed(seed, "dt"))
        yield f"dt = {dt:g} ms", dataset.recordings(), dataset.parameters()
        dataset = make_dataset(_Simulator(simulator=replace(own, dt=dt / finer)), n, seed=evaluation_seed(seed, "dt"))
        recordings, truth = dataset.recordings(), dataset.parameters()
        n_ref = n_refractory(dataset.sweep_parameters().t_ref, dt)
        coarse = [coarser(fine, finer, n_ref=int(held)) for fine, held in zip(recordings, n_ref, strict=True)]
        sampled = replace(Batch.from_list(coarse), cell=recordings.cell, cell_names=recordings.cell_names)
        yield f"{dt / finer:g} ms, sampled", sampled, truth

    return measure_conditions(posterior, conditions(), n_draws=n_draws, seed=seed)
