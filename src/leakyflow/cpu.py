"""How much of the machine is ours."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

__all__ = ["n_cpu", "shared"]


def n_cpu() -> int:
    """Cores that this process may use, which may be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def shared(function: Callable[[Any], Any], pieces: Sequence[Any]) -> list[Any]:
    """What a function that leaves Python to others makes of some pieces of work, which the cores share.

    Args:
        function: Of one piece.
        pieces: At least one.

    Example:
        >>> shared(abs, [-1, 2])
        [1, 2]
    """
    if len(pieces) == 1:  # a thread takes longer to start than a small piece takes
        return [function(pieces[0])]
    with ThreadPoolExecutor(n_cpu()) as pool:
        return list(pool.map(function, pieces))
