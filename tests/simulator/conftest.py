from collections.abc import Iterator

import jax
import pytest


@pytest.fixture(autouse=True)
def no_rank_promotion() -> Iterator[None]:
    """Broadcasting over axes is spelled out here; Keras initialisers elsewhere rely on it."""
    with jax.numpy_rank_promotion("raise"):
        yield
