"""The one door through which BayesFlow comes in, so that it leaves an application's logging alone.

On import, BayesFlow 2.0.12 configures the root logger at INFO and sets its own logger to INFO; and in a notebook,
its progress bars, which are never shown, ask for ipywidgets.
"""

import logging
import random
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

__all__ = [
    "DEVICES",
    "InvertibleLayer",
    "Tensor",
    "bf",
    "blank_weights",
    "find_permutation",
    "mean_over_devices",
    "seeded",
    "serializable",
]

# The axis along which JAX's devices share a training batch.
DEVICES = "device"
# Held while weights are blanked, or drawn from a seed.
BLANKING = threading.RLock()


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


def mean_over_devices(values: Tensor) -> Tensor:
    """Mean over the devices that share a training batch; elsewhere, the values themselves."""
    if keras.backend.backend() == "jax":
        import jax

        if DEVICES in jax.sharding.get_abstract_mesh().manual_axes:
            return jax.lax.pmean(values, DEVICES)
    return values


@contextmanager
def blank_weights() -> Iterator[None]:
    """Let layers that are built meanwhile begin with zeros, for weights that are read next.

    To draw initial weights takes longer than all else about loading a network: each operation of an initializer, and of
    a random permutation, is compiled by itself.
    """
    own = threading.get_ident()
    # Keras is everyone's: other threads build what they are told to, and do not blank at the same time.
    with BLANKING:
        add_weight, shuffle = keras.Layer.add_weight, keras.random.shuffle

        def add_blank(layer: keras.Layer, *args: Any, **settings: Any) -> keras.Variable:
            blank = {"initializer": np.zeros} if threading.get_ident() == own else {}
            return add_weight(layer, *args, **settings | blank)

        def leave(x: Tensor, *args: Any, **settings: Any) -> Tensor:
            return x if threading.get_ident() == own else shuffle(x, *args, **settings)

        keras.Layer.add_weight, keras.random.shuffle = add_blank, leave
        try:
            yield
        finally:
            keras.Layer.add_weight, keras.random.shuffle = add_weight, shuffle


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Let initial weights that are drawn meanwhile depend on this seed alone, and leave everyone's random numbers be.

    `keras.utils.set_random_seed` would reseed Python, NumPy and the backend for good. Initializers take their seeds
    from Python's generator, and permutations theirs from a generator of Keras, which is itself seeded by Python's.
    """
    from keras.src.backend.common import global_state
    from keras.src.random.seed_generator import GLOBAL_SEED_GENERATOR

    with BLANKING:
        state, generator = random.getstate(), global_state.get_global_attribute(GLOBAL_SEED_GENERATOR)
        random.seed(seed)
        global_state.set_global_attribute(GLOBAL_SEED_GENERATOR, None)
        try:
            yield
        finally:
            random.setstate(state)
            global_state.set_global_attribute(GLOBAL_SEED_GENERATOR, generator)
