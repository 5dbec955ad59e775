"""The log likelihood of recordings at given parameters."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from leakyflow.errors import LeakyflowError
from leakyflow.likelihood.prepare import NOISES
from leakyflow.likelihood.scan import trace_of
from leakyflow.likelihood.scanned import evaluate
from leakyflow.neuron.parameters import Parameters, check_ranges
from leakyflow.recordings.batch import Batch
from leakyflow.recordings.cell import Cell
from leakyflow.recordings.recording import Recording

__all__ = ["log_likelihood"]


def log_likelihood(
    parameters: Parameters, recording: Recording | Cell | Batch | Sequence[Recording | Cell]
) -> Float64[np.ndarray, "..."]:
    """Log density of recordings, given their stimuli and when they were refractory.

    A cell's is the sum over its sweeps. Exact for every combination of mechanisms where V is observed
    (`measurement_noise` 0) and the membrane alone is noisy; with current noise, or both noises, to within some tenths
    of a nat for the noises of real cells (benchmarks/predictor.py).

    Args:
        parameters: Numbers, or arrays whose axes broadcast against each other; for many cells the first axis is that
            of the cells, and numbers hold for all.
        recording: One, or many of any durations.

    Returns:
        Log likelihood: of the parameters' shape for one recording or cell, (cell, ...) for many; -inf where a hard
        threshold excludes the parameters.

    Raises:
        LeakyflowError: If there is no noise, a value is out of its range, or the first axis is not that of the cells.

    References:
        The Euler-Maruyama transition density; the spike probability as in Paninski, Pillow & Simoncelli (2004),
        Neural Computation 16, for a neuron that is observed between its spikes; Kalman (1960), Journal of Basic
        Engineering 82, for one that is seen through noise.

    Example:
        >>> import leakyflow as lf
        >>> neuron = lf.Parameters(tau=17.0, V_rest=-72.0, C=90.0, V_th=-45.0, V_reset=-60.0, t_ref=3.0,
        ...     membrane_noise=0.3)
        >>> step = lf.square(amplitude=200.0, onset=20.0, duration=100.0, t_max=150.0, dt=0.2)
        >>> recording = lf.simulate(neuron, step, seed=1)
        >>> bool(lf.log_likelihood(neuron, recording) > lf.log_likelihood(neuron.replace(tau=34.0), recording))
        True
    """
    parameters = parameters.pruned()
    if not any(name in parameters for name in NOISES):
        raise LeakyflowError(f"The likelihood needs some noise, got none of {', '.join(NOISES)}. Give one of them.")
    check_ranges(parameters)
    single = isinstance(recording, Recording | Cell)
    batch = Batch.of(recording)
    shape = np.broadcast_shapes(*(np.shape(value) for value in parameters.values()))
    if not single and shape[:1] not in ((), (1,), (batch.n_cells,)):
        raise LeakyflowError(
            f"The first axis of the parameters must be that of the {batch.n_cells} recordings, got shape {shape}. "
            "Parameters of shape (dataset, 1) hold for all draws of a recording.",
            argument="parameters",
        )
    full = (1, *shape) if single else np.broadcast_shapes(shape, (batch.n_cells,) + (1,) * (len(shape) - 1))
    flat = parameters.map(lambda value: np.broadcast_to(np.asarray(value, np.float64), full).reshape(full[0], -1))
    rows = [
        evaluate(flat.map(lambda value: value[i][:, None]), trace_of(batch.of_cells(slice(i, i + 1)))).sum(-1)  # noqa: B023
        for i in range(batch.n_cells)
    ]
    return np.stack(rows).reshape(shape if single else full)
