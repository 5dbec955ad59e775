"""How much of the machine is ours."""

import os

__all__ = ["n_cpu"]


def n_cpu() -> int:
    """Cores that this process may use, which may be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
