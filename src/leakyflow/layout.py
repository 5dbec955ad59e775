"""Where and how wide things are computed: the one place that looks at the platform."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import NamedTuple

import jax

__all__ = ["Layout", "double_precision", "layout"]

PROCESSORS = "cpu"


class Layout(NamedTuple):
    """How work is laid out on a platform."""

    exact: str | None  # platform of what is computed in double precision; None is the default one
    neurons: int  # that the simulator steps side by side
    unroll: int  # samples in one step of a likelihood of many draws
    wide: bool  # whether all draws of a likelihood go side by side, on the default platform
    lstm_group: int | None  # recordings that go through the LSTM together; where None, the layers are Keras'


ON_PROCESSORS = Layout(exact=None, neurons=128, unroll=1, wide=False, lstm_group=32)
ON_ACCELERATOR = Layout(exact=PROCESSORS, neurons=128, unroll=8, wide=True, lstm_group=None)


def layout(platform: str | None = None) -> Layout:
    """The layout for a platform.

    A training step is for a GPU, and a step of a scan is not: each is a launch, which takes as long for one neuron as
    for thousands. On two H200s, one after the other, and five processors of each's machine,
    `benchmarks/gpu.py` measured

    | | H200 | the processors |
    |---|---|---|
    | 100,000 recordings, in blocks of 128 | 55 s | 1.7 s |
    | in blocks of 4,096, 8 samples in a step | 1.1 s | |
    | a training step of `lstm`, in groups of 32 | 26.8 ms | |
    | the whole batch as one group | 10.5 to 11.5 ms | |
    | by cuDNN | 12.9 ms | |
    | by the layers of Keras | 9.5 to 10.3 ms | |
    | likelihood with all mechanisms, 4,096 draws x 5,000 samples | 106 ms | |
    | with 8 samples in a step | 22 ms | |

    So, on a GPU, the simulator stays on the processors, as nothing is gained that anybody would notice; the LSTM's
    layers are Keras'; likelihoods of many draws are evaluated there, 8 samples in a step (two busy
    processors elsewhere took 2.4 s); and all else in double precision (modes, noises at rest, sequential Monte Carlo:
    few draws at a time, step by step) stays on the processors.

    Args:
        platform: As JAX calls it; its default one where it is not given.

    Example:
        >>> layout("cpu").lstm_group, layout("gpu").lstm_group, layout("gpu").exact
        (32, None, 'cpu')
    """
    return ON_PROCESSORS if (platform or jax.default_backend()) == PROCESSORS else ON_ACCELERATOR


@contextmanager
def double_precision(*, wide: bool = False) -> Iterator[None]:
    """Compute in double precision, where the layout says. A thread of its own does not inherit it.

    Args:
        wide: Many draws side by side: on the default platform, if the layout has them so.

    Example:
        >>> import jax.numpy as jnp
        >>> with double_precision():
        ...     print(jnp.ones(1).dtype)
        float64
    """
    with jax.enable_x64(True), nullcontext() if wide else _placed(layout().exact):
        yield


@contextmanager
def _placed(platform: str | None) -> Iterator[None]:
    if platform is None:
        yield
        return
    try:
        device = jax.local_devices(backend=platform)[0]
    except RuntimeError:  # JAX_PLATFORMS names others
        yield
        return
    with jax.default_device(device):
        yield
