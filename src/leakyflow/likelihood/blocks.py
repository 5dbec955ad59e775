"""Many recordings through compiled functions, in blocks of few sizes."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jaxtyping import Int

from leakyflow.layout import double_precision

__all__ = ["in_blocks"]

# One recording, few, or many: each is a shape to compile.
SIZES = (1, 16, 256)


def in_blocks(function: Callable[[Int[np.ndarray, " row"]], Any], n: int) -> Any:
    """Call a function on blocks of rows, in double precision, and join what it returns.

    Args:
        function: Takes indices of rows; returns arrays of as many rows, or a tree of them.
        n: Rows, at least 1. The last block is filled up by repeating the last row.

    Returns:
        The same, of all n rows, in NumPy.
    """
    size = next((size for size in SIZES if size >= n), SIZES[-1])
    parts = []
    for first in range(0, n, size):
        rows = np.minimum(np.arange(first, first + size), n - 1)
        with double_precision():
            parts.append(jax.tree.map(np.asarray, function(rows)))
    return jax.tree.map(lambda *arrays: np.concatenate(arrays)[:n], *parts)
