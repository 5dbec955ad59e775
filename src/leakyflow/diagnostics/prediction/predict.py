"""Recordings that neurons drawn from a posterior would give for any stimulus."""

from typing import Any

import numpy as np
from jaxtyping import Float

from leakyflow.errors import LeakyflowError
from leakyflow.likelihood.draws import Draws
from leakyflow.neuron.parameters import Parameters
from leakyflow.recordings.batch import Batch
from leakyflow.recordings.recording import Recording
from leakyflow.simulator.simulate import simulate
from leakyflow.simulator.stimuli import Stimulus, from_array

__all__ = ["drawn_neurons", "predict"]


def predict(
    draws: Draws,
    stimulus: Stimulus | Recording | Float[np.ndarray, " time"],
    *,
    dt: float | None = None,
    n_draws: int = 200,
    seed: int = 0,
) -> Batch:
    """Simulate what the neurons of a posterior do under a stimulus that they may never have met.

    Their differences are what the posterior leaves open, and their noise that of the model. What a model lacks is in
    neither: `measure_prediction` estimates it from sweeps that were kept back.

    Args:
        draws: From the posterior of one recording or cell.
        stimulus: A stimulus, current in pA sample by sample, or a recording, whose current is taken.
        dt: Sampling interval of an array, in ms; a stimulus and a recording have their own.
        n_draws: Neurons, at most as many as there are draws.
        seed: Of their noise.

    Returns:
        One recording for each neuron.

    Raises:
        LeakyflowError: If the draws are of many recordings, or do not say what is known of the neuron besides; or if
            dt is missing, or given twice.

    Example:
        >>> import leakyflow as lf
        >>> posterior, config = lf.load_posterior("standard"), lf.load_config("standard")
        >>> dataset = lf.make_dataset(config, 20, seed=7)
        >>> draws = posterior.sample(dataset.recordings()[4], n_draws=200, seed=0)
        >>> step = lf.square(amplitude=250.0, onset=50.0, duration=100.0, t_max=200.0, dt=0.2)
        >>> predicted = predict(draws, step, n_draws=50)
        >>> predicted.V.shape
        (50, 1000)
    """
    return simulate(drawn_neurons(draws, n_draws), _as_stimulus(stimulus, dt), seed=seed)  # type: ignore[return-value]


def drawn_neurons(draws: Draws, n_draws: int) -> Parameters:
    """The first neurons of a posterior, with all that was not inferred.

    Raises:
        LeakyflowError: If the draws are of many recordings, or do not say what is known of the neuron besides.
    """
    if draws.array.ndim != 2:
        raise LeakyflowError(
            f"`draws` must be of one recording or cell, got those of {len(draws.array)}. Pass draws.of(0), or another.",
            argument="draws",
        )
    if n_draws < 1:
        raise LeakyflowError(f"`n_draws` must be positive, got {n_draws}.", argument="n_draws")
    return draws.parameters().map(lambda value: value[:n_draws] if np.ndim(value) else value)


def _as_stimulus(stimulus: Any, dt: float | None) -> Stimulus:
    if isinstance(stimulus, Stimulus | Recording):
        if dt is not None and abs(dt - stimulus.dt) > 1e-9:
            raise LeakyflowError(
                f"`dt` must be that of the stimulus, {stimulus.dt:g} ms, got {dt:g} ms. Leave it out.", argument="dt"
            )
        return Stimulus(I=stimulus.I, dt=stimulus.dt, name=stimulus.name)
    if dt is None:
        raise LeakyflowError(
            "`dt` must say how far the samples of an array are apart, in ms, got None. Pass dt=0.2 for 5 kHz.",
            argument="dt",
        )
    return from_array(stimulus, dt=dt)
