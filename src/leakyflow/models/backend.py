"""The one door through which BayesFlow comes in, so that it leaves an application's logging alone.

On import, BayesFlow 2.0.12 configures the root logger at INFO and sets its own logger to INFO; and in a notebook,
its progress bars, which are never shown, ask for ipywidgets.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["InvertibleLayer", "Tensor", "bf", "find_permutation", "serializable"]


@contextmanager
def _logging_left_alone() -> Iterator[None]:
    """Put the root logger and BayesFlow's back as they were."""
    root, own = logging.getLogger(), logging.getLogger("bayesflow")
    root_level, own_level = root.level, own.level
    # `logging.basicConfig` does nothing where the root logger has a handler.
    placeholder = logging.NullHandler()
    root.addHandler(placeholder)
    try:
        yield
    finally:
        root.removeHandler(placeholder)
        root.setLevel(root_level)
        own.setLevel(own_level)


with _logging_left_alone(), warnings.catch_warnings():
    warnings.filterwarnings("ignore", "IProgress not found")
    import bayesflow as bf
    from bayesflow.networks.inference.coupling.invertible_layer import InvertibleLayer
    from bayesflow.types import Tensor
    from bayesflow.utils import find_permutation
    from bayesflow.utils.serialization import serializable
